"""Wild input: what no form of ours sends is refused before anything reads it."""

from __future__ import annotations

from flask import Flask, abort, request

# Fields that one form may send several times: ticked rows, and choices of several.
SEVERAL = frozenset({"cols", "ids", "permissions", "roles"})

# More than the longest form has, with five thousand ticked rows.
MOST_FIELDS = 5_500
# Pages for programs, which read a form of their own and check it themselves.
OTHER_FORMS = frozenset({"reports.collect"})


def init_app(app: Flask) -> None:
    """Refuse bodies that are no forms, files, and fields that come twice (ASVS 15.3.5, 15.3.7)."""
    app.before_request(_check)


def _goes_on() -> bool:
    """Whether there is more of a body that comes in pieces than was read.

    Werkzeug reads as much as is allowed and says nothing of the rest: a form that was cut off
    somewhere would be taken for a whole one.
    """
    return request.content_length is None and getattr(request.stream, "is_exhausted", False)


def _check() -> None:
    if request.method in ("GET", "HEAD", "OPTIONS") or request.endpoint in OTHER_FORMS:
        return
    if request.is_json:
        abort(415)
    if request.files:
        abort(400)
    if _goes_on() or sum(map(len, request.form.listvalues())) > MOST_FIELDS:
        abort(413)
    for name, values in request.form.lists():
        if "\0" in name or (len(values) > 1 and name not in SEVERAL):
            abort(400)
