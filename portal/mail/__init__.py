"""Mail: written in the transaction of its cause, delivered later by the worker.

a step -> messages.welcome(user) -> outbox.post() -> a row, committed with the step
                                                      |
worker: lease.take() -> delivery -> smtp, or mailbox -> lease.mark_delivered()
"""
