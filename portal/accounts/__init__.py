"""The life of an account, one module per step.

    registration ──> confirmation ──> approval ──> (access, roles)
         │                │              │  ^
         │                │              v  │ reopen
         │                └─────────> rejection
         │
         └── suspension <──> reinstatement        erasure ends every life

Each step guards itself, writes its fact, an entry in the audit trail, and the
mail that goes with it, in the caller's transaction. `user.py` holds the facts and
derives the status; `directory.py` holds the questions that lists ask.
"""
