"""Mail: written in the transaction of its cause, delivered later by the worker."""
