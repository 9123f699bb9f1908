"""A panel with something on every page, and ways to look at what a test did to it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import text

from portal.accounts.user import User
from portal.audit import Action, AuditEntry
from portal.database import db, transaction
from portal.desk import bulk_asking, note
from portal.desk.bulk import Deed
from portal.mail import lease, outbox
from portal.mail.mail import Mail
from portal.mail.trouble import Never, Trouble
from tests.people import an_agent


def everything() -> dict[str, list[Any]]:
    """Every row of every table, to see that nothing changed."""
    db.session.rollback()
    found = {}
    for table in db.metadata.sorted_tables:
        rows = db.session.execute(text(f'SELECT * FROM "{table.name}"')).all()
        found[table.name] = sorted(map(repr, rows))
    db.session.rollback()
    return found


def endpoints(app: Flask) -> list[Any]:
    """Every address of the panel."""
    return [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/admin")]


def address(rule: Any, panel: dict[str, User]) -> str:
    """The address with ids of rows that are there."""
    values = {"user_id": panel["approved"].id, "level_id": 1, "role_id": 1, "agent_id": 1}
    values["text_id"] = values["note_id"] = values["filter_id"] = values["bulk_id"] = 1
    adapter = rule.map.bind("localhost")
    path: str = adapter.build(
        rule.endpoint, {name: values[name] for name in rule.arguments}, force_external=False
    )
    return path + f"?ids={panel['pending'].id}&deed=approval"


def fail(mail: Mail) -> None:
    """Let a mail have failed for good, as the worker marks it."""
    taken = lease.take(mail.id)
    assert taken is not None
    lease.mark_failed(taken, Never(Trouble.REFUSED, 550))


def a_busy_portal(a_user: Callable[..., User]) -> dict[str, User]:
    """Somebody in every status, an agent, and mails that wait and that failed."""
    found = {
        "unconfirmed": a_user(full_name="Una Confirmed", reason="I forgot"),
        "pending": a_user(full_name="Penny Ding", confirmed=True, reason="To work"),
        "approved": a_user(full_name="Ada Proved", approved=True),
        "rejected": a_user(full_name="Ray Jected", rejected="Not one of ours"),
        "suspended": a_user(full_name="Sue Spended", suspended=True),
    }
    an_agent()
    with transaction():
        note.write(found["approved"], by=found["approved"], text="Sits next door")
        bulk_asking.ask(Deed.CONFIRMATION_MAIL, [found["pending"].id], by=found["approved"])
    fail(outbox.waiting()[0])
    return found


def words(answer: Any) -> str:
    """What a page says, without its markup."""
    page = answer.get_data(as_text=True)
    page = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def entries(action: Action) -> list[AuditEntry]:
    """The lines of the trail for an action, oldest first."""
    return list(
        db.session.scalars(
            db.select(AuditEntry).filter_by(action=action.value).order_by(AuditEntry.id)
        )
    )
