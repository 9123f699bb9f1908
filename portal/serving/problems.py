"""What can be in the way of an operator, as sentences that name the remedy."""

from __future__ import annotations


class Problem(Exception):
    """Something an operator has to change; the text says what is wrong and what to do."""
