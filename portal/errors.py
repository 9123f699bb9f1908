"""What can be refused, as exceptions that carry a sentence for the person who asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from flask_babel import lazy_gettext

from portal import i18n

if TYPE_CHECKING:
    from portal.accounts.user import User

Row = TypeVar("Row")


class StepRefused(Exception):
    """A step that may not be taken. `str()` of it is a translated sentence that says why."""

    def __init__(self, sentence: Any, *, field: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.field = field

    def __str__(self) -> str:
        return str(self.sentence)


class AlreadyDecided(StepRefused):
    """Somebody decided before, and otherwise. Carries who and when."""

    def __init__(self, sentence: Any, *, by: User | None, at: datetime) -> None:
        super().__init__(sentence)
        self.by = by
        self.at = at


def why_not(guard: Callable[[Row], object], row: Row) -> str | None:
    """Why a guard refuses a step on this row, as a sentence; None where it may be taken."""
    try:
        guard(row)
    except StepRefused as refused:
        return str(refused)
    return None


def decided_by(sentence: Any, *, by: User | None, at: datetime) -> AlreadyDecided:
    """An `AlreadyDecided` whose sentence names who decided, and when by the clock of the viewer.

    `sentence` holds the placeholders %(who)s and %(when)s.
    """
    who = lazy_gettext("the portal")
    if by is not None:
        who = by.full_name or lazy_gettext("an erased account")
    return AlreadyDecided(sentence % {"who": who, "when": i18n.moment_text(at)}, by=by, at=at)
