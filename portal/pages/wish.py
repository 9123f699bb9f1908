"""The wish: how far an applicant would like to get, where there is a choice. No promise."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from wtforms import RadioField

from portal.accounts import access
from portal.accounts.access import AccessLevel
from portal.security.forms import PortalForm, choices


def _level_id(chosen: Any) -> int | None:
    text = str(chosen or "")
    return int(text) if text.isascii() and text.isdecimal() else None


class FormWithWish(PortalForm):
    """A form that asks which level somebody would like; without that field where none is on offer.

    A level that they wish for already stays in the choice when it is no longer on offer.
    """

    wished_level = RadioField(
        _l("Which access level would you like?"),
        description=_l("The staff decide. They see what you would like."),
        coerce=_level_id,
    )

    def __init__(self, wished: AccessLevel | None = None, **fields: Any) -> None:
        super().__init__(**fields)
        offered = access.levels_offered()
        if not offered:
            del self.wished_level
            return
        if wished is not None and wished.id not in {level.id for level in offered}:
            offered = [*offered, wished]
        levels = [(level.id, level.name) for level in offered]
        self.wished_level.choices = choices([("", _l("I leave it to the staff")), *levels])
        self.level_hints = {level.id: level.description for level in offered if level.description}

    @property
    def wished_level_id(self) -> int | None:
        """The level that was chosen."""
        return self.wished_level.data if "wished_level" in self else None
