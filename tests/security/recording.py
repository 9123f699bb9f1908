"""A portal that says which fields of a form it looked at."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from flask import Flask, request
from werkzeug.datastructures import ImmutableMultiDict

# They look through all that was sent, whatever it is called: the first to refuse what is no
# text, the second to hand it back to whoever typed it, unread.
LOOK_THROUGH_ALL = {"portal.security.wild_input", "portal.security.recent"}
ALL = "(whatever was sent)"


class Noted(ImmutableMultiDict[str, str]):
    """The fields of a form or of an address; of a form, what is asked for is noted."""

    noted: set[str] | None = None

    def __getitem__(self, key: str) -> str:
        self._note(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._note(key)
        return super().__contains__(key)

    def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        self._note(key)
        return super().get(key, *args, **kwargs)

    def getlist(self, key: str, *args: Any, **kwargs: Any) -> list[Any]:
        self._note(key)
        return super().getlist(key, *args, **kwargs)

    def __iter__(self) -> Iterator[str]:
        self._note_all()
        return super().__iter__()

    def keys(self) -> Any:
        self._note_all()
        return super().keys()

    def items(self, *args: Any, **kwargs: Any) -> Any:
        self._note_all()
        return super().items(*args, **kwargs)

    def lists(self) -> Any:
        self._note_all()
        return super().lists()

    def to_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        self._note_all()
        return super().to_dict(*args, **kwargs)

    def _note(self, key: object) -> None:
        if self.noted is not None:
            self.noted.add(str(key))

    def _note_all(self) -> None:
        by = sys._getframe(2).f_globals.get("__name__", "")
        if by not in LOOK_THROUGH_ALL and not by.startswith("werkzeug."):
            self._note(ALL)


def note_reads(app: Flask) -> set[str]:
    """Let an application note what it looks at; who asks empties the set between requests."""
    noted: set[str] = set()

    class Request(app.request_class):
        parameter_storage_class = Noted

    def begin() -> None:
        request.form.noted = noted  # type: ignore[attr-defined]

    app.request_class = Request
    app.before_request_funcs.setdefault(None, []).insert(0, begin)
    return noted
