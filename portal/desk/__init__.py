"""The desk: what reviewers share about one registration, until it is decided.

    review ──> (claim, notes) ──> decision ──> undo, while its mail waits
      │  ^
      v  │ answer, or none in time
    question

`review.py` says since when somebody waits and whose turn it is; `queue.py` holds the
questions that lists ask; `traces.py` and `marks.py` say what catches the eye. Nothing here
decides: the steps of `portal.accounts` do.
"""
