"""The gate: one table says who may see what, and whatever is not in it does not exist.

It stands in front of every endpoint, the libraries' ones included. A page that is missing
here answers 404 to everyone, so that forgetting is safe (architecture.md, section 3; ASVS 8.3.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Flask, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal.accounts.factors import standing
from portal.accounts.permissions import Permission
from portal.accounts.user import Status, User
from portal.security.redirects import local_target

SIGNED_IN = frozenset({Status.PENDING, Status.REJECTED, Status.APPROVED})
APPROVED = frozenset({Status.APPROVED})


@dataclass(frozen=True)
class Rule:
    """Who may see an endpoint: visitors, people of some statuses, or staff with a permission."""

    visitors: bool = False
    statuses: frozenset[Status] = frozenset()
    permission: Permission | None = None
    # Also while the second factor that somebody needs is not set up whole.
    before_factor: bool = False


EVERYONE = Rule(visitors=True, statuses=SIGNED_IN)
WAITING_TOO = Rule(statuses=SIGNED_IN)
ANYONE_SIGNED_IN = Rule(statuses=SIGNED_IN, before_factor=True)
PEOPLE = Rule(statuses=APPROVED)
SETTING_UP = Rule(statuses=APPROVED, before_factor=True)
REVIEWERS = Rule(statuses=APPROVED, permission=Permission.REVIEW)
MANAGERS = Rule(statuses=APPROVED, permission=Permission.MANAGE)
ADMINISTRATORS = Rule(statuses=APPROVED, permission=Permission.ADMINISTER)

RULES: dict[str, Rule] = {
    "static": EVERYONE,
    "health.alive": EVERYONE,
    "health.ready": EVERYONE,
    "language.choose": EVERYONE,
    "appearance.choose": EVERYONE,
    "reports.collect": EVERYONE,
    "mailbox.index": EVERYONE,
    "mailbox.letter": EVERYONE,
    "mailbox.part": EVERYONE,
    "mailbox.source": EVERYONE,
    "security.login": EVERYONE,
    "security.logout": ANYONE_SIGNED_IN,
    "security.verify": SETTING_UP,
    "pages.second_step": EVERYONE,
    "pages.second_step_recovery": EVERYONE,
    "pages.second_step_passkey": EVERYONE,
    "pages.passkey_options": EVERYONE,
    "pages.passkey_sign_in": EVERYONE,
    "pages.second_factor": SETTING_UP,
    "pages.new_passkey": SETTING_UP,
    "pages.passkey_name": PEOPLE,
    "pages.passkey_removal": PEOPLE,
    "pages.authenticator_app": SETTING_UP,
    "pages.recovery_codes": SETTING_UP,
    "pages.recovery_codes_kept": SETTING_UP,
    "pages.app_removal": PEOPLE,
    "pages.home": PEOPLE,
    "pages.open_agent": PEOPLE,
    "pages.status": WAITING_TOO,
    "pages.status_by_link": EVERYONE,
    "pages.answer": WAITING_TOO,
    "pages.answer_by_link": EVERYONE,
    "pages.proof_code": WAITING_TOO,
    "pages.proof_code_by_link": EVERYONE,
    "pages.new_address": WAITING_TOO,
    "pages.new_address_by_link": EVERYONE,
    "pages.withdrawal": WAITING_TOO,
    "pages.withdrawal_by_link": EVERYONE,
    "pages.goodbye": EVERYONE,
    "pages.terms": EVERYONE,
    "pages.register": EVERYONE,
    "pages.registered": EVERYONE,
    "pages.correct_address": EVERYONE,
    "pages.resend_confirmation": EVERYONE,
    "pages.confirm": EVERYONE,
    "pages.confirm_code": EVERYONE,
    "pages.not_me": EVERYONE,
    "pages.confirmed": EVERYONE,
    "pages.forgot": EVERYONE,
    "pages.forgot_sent": EVERYONE,
    "pages.reset": EVERYONE,
    "pages.alarm": EVERYONE,
    "pages.setup": EVERYONE,
    "pages.account": PEOPLE,
    "pages.sign_ins": PEOPLE,
    "pages.end_session": PEOPLE,
    "pages.end_other_sessions": PEOPLE,
    "pages.change_password": PEOPLE,
    "pages.change_email": PEOPLE,
    "pages.confirm_email_change": WAITING_TOO,
    "pages.change_username": PEOPLE,
}

# The staff panel, by its parts: every endpoint of a part asks for the same permission.
PANEL: dict[str, Rule] = {
    "dashboard": REVIEWERS,
    "registrations": REVIEWERS,
    "accounts": REVIEWERS,
    "figures": REVIEWERS,
    "workplace": REVIEWERS,
    "access_levels": MANAGERS,
    "agents": MANAGERS,
    "texts": MANAGERS,
    "mail": MANAGERS,
    "audit_trail": MANAGERS,
    "roles": ADMINISTRATORS,
}

# Endpoints of a part that ask for more than the part does.
RULES |= {
    "accounts.access_level": MANAGERS,
    "accounts.sessions": MANAGERS,
    "accounts.sign_ins": MANAGERS,
    "accounts.suspension": MANAGERS,
    "accounts.reinstatement": MANAGERS,
    "accounts.erasure": MANAGERS,
    "accounts.factors_reset": MANAGERS,
    "accounts.roles": ADMINISTRATORS,
}


def init_app(app: Flask) -> None:
    """Ask the table before anything else looks at the request."""
    app.before_request(_check)


def rule_for(endpoint: str) -> Rule | None:
    """The line of the table that an endpoint falls under; None when there is none."""
    part, _, page = endpoint.partition(".")
    if page == "static":
        return None
    return RULES.get(endpoint) or PANEL.get(part)


def _check() -> ResponseReturnValue | None:
    if request.endpoint is None:
        return None  # no such address, or not by this method: Flask says so
    rule = rule_for(request.endpoint)
    if rule is None:
        abort(404)
    if rule is EVERYONE:
        return None
    if not current_user.is_authenticated:
        if rule.visitors:
            return None
        return _to_sign_in()
    return _check_person(rule, current_user)


def _check_person(rule: Rule, user: User) -> ResponseReturnValue | None:
    if user.status not in rule.statuses:
        if not _for_a_part() and request.method in ("GET", "HEAD") and user.status in SIGNED_IN:
            return redirect(url_for("pages.status"))
        abort(403)
    if rule.permission is not None and not user.may(rule.permission):
        abort(403)
    if not rule.before_factor and standing.missing(user) is not None:
        return _to_set_up()
    return None


def _to_set_up() -> ResponseReturnValue:
    """Nothing opens before the second factor that is required is there (ASVS 6.3.3)."""
    if _for_a_part() or request.method not in ("GET", "HEAD"):
        abort(403)
    return redirect(url_for("pages.second_factor"))


def _for_a_part() -> bool:
    """Whether a script asks for a part of a page, in which no other page may stand."""
    return "HX-Request" in request.headers


def _page_around() -> str | None:
    """The page in which the part stands, as the script says; None where that is no address."""
    try:
        page = urlsplit(request.headers.get("HX-Current-URL", ""))
    except ValueError:
        return None
    return local_target(page.path + (f"?{page.query}" if page.query else ""))


def _to_sign_in() -> ResponseReturnValue:
    if _for_a_part():
        again = url_for("security.login", next=_page_around())
        return render_template("errors/session_over.html", sign_in=again), 401
    if request.method not in ("GET", "HEAD"):
        return redirect(url_for("security.login"))
    wanted = (request.script_root + request.full_path).rstrip("?")
    home = url_for("pages.home")
    return redirect(url_for("security.login", next=wanted if wanted != home else None))
