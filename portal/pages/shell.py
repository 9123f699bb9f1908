"""The shell: what every page shows around its own content."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from flask import Flask, current_app, request, url_for
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from portal import settings
from portal.accounts import passwords
from portal.accounts.factors import passkey
from portal.accounts.permissions import Permission
from portal.accounts.user import Status, User
from portal.mail import mailbox
from portal.pages import appearance
from portal.security import breaches


class MenuItem(NamedTuple):
    """One entry of a menu."""

    label: Any
    url: str
    icon: str
    active: bool
    badge: int = 0


def init_app(app: Flask) -> None:
    """Give templates the shell's values."""
    app.add_template_global(static_url)
    app.add_template_global(passkey.are_possible, "passkeys_are_possible")
    app.context_processor(_shell)


def static_url(filename: str) -> str:
    """The address of one of our own files, with a mark of its content, to be kept for a year."""
    path = Path(current_app.static_folder or "") / filename if current_app.debug else None
    changed_at = path.stat().st_mtime_ns if path and path.exists() else 0
    # A list asks for it at every icon: made once, because files change with the program only.
    return _marked_url(filename, current_app.static_folder, request.script_root, changed_at)


def password_rules() -> list[tuple[str, str]]:
    """The rules for passwords, for people to read and for the browser to tick off (M4)."""
    told = [(rule.key, str(rule.sentence)) for rule in passwords.rules()]
    if breaches.are_asked_about():
        told.append(("breached", str(breaches.SENTENCE)))
    return told


def password_policy() -> dict[str, Any]:
    """What the browser has to know to judge as the server does."""
    ours = settings.current().passwords
    return {
        "minimum_length": ours.shortest,
        "minimum_strength": ours.minimum_strength,
        "house_words": passwords.house_words(),
    }


def _shell() -> dict[str, Any]:
    ours = settings.current()
    user = current_user if current_user.is_authenticated else None
    return {
        "site": ours.site,
        "theme": appearance.chosen(),
        "menu": _menu(user) if user else [],
        "is_staff": bool(user and user.is_staff),
        "mail_is_captured": mailbox.available(request),
        "password_policy": password_policy,
    }


def _menu(user: User) -> list[MenuItem]:
    if user.status is not Status.APPROVED:
        return [_item(_l("Status"), "pages.status", "clock")]
    items = [
        _item(_l("Home"), "pages.home", "house"),
        _item(_l("Account"), "pages.account", "person-circle"),
    ]
    if user.may(Permission.REVIEW) and "dashboard.index" in current_app.view_functions:
        items.append(_item(_l("Staff panel"), "dashboard.index", "speedometer2"))
    return items


def _item(label: Any, endpoint: str, icon: str) -> MenuItem:
    return MenuItem(label, url_for(endpoint), icon, request.endpoint == endpoint)


@lru_cache(maxsize=256)
def _marked_url(filename: str, folder: str | None, _below: str, _changed_at: int) -> str:
    try:
        content = (Path(folder or "") / filename).read_bytes()
        mark = hashlib.sha256(content).hexdigest()[:10]
    except OSError:
        mark = "missing"
    return url_for("static", filename=filename, v=mark)
