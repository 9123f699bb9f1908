"""Health: does the process answer, and is everything there that it needs to be of use?"""

from __future__ import annotations

import shutil
from datetime import timedelta

from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from portal import clock, heartbeat, revisions, settings
from portal.database import db
from portal.mail import pauses
from portal.mail.mail import Channel, Mail

blueprint = Blueprint("health", __name__)

# A mail that is put off is not due. One that is due for so long is looked after by nobody.
MAIL_STUCK_AFTER = timedelta(minutes=10)
LEAST_FREE_BYTES = 64 * 1024 * 1024


@blueprint.get("/healthz")
def alive() -> Response:
    """Answer, and touch nothing else: whoever restarts on silence must not do so for a database."""
    return _uncached(Response("ok\n", mimetype="text/plain"))


@blueprint.get("/readyz")
def ready() -> tuple[Response, int]:
    """Say what is wrong, in words that help a monitor and teach a stranger nothing."""
    wrong: dict[str, str] = {}
    waiting_for: float | None = None
    try:
        wrong |= _schema() or _worker()
        if "database" not in wrong:
            waiting_for = _due_for(Channel.MAIL)
            if _is_stuck(Channel.MAIL, waiting_for):
                wrong["mail"] = "mails are due that nobody delivers"
            if _is_stuck(Channel.WEBHOOK, _due_for(Channel.WEBHOOK)):
                wrong["webhook"] = "events are due that nobody delivers"
    except SQLAlchemyError as error:
        # The reason may hold addresses and names: it is for the log only.
        current_app.logger.warning("not ready: %s", type(error).__name__)
        wrong["database"] = "does not answer"
    finally:
        db.session.remove()
    if shutil.disk_usage(settings.current().instance).free < LEAST_FREE_BYTES:
        wrong["disk"] = "nearly full"

    answer = jsonify(ready=not wrong, wrong=wrong, oldest_due_mail_seconds=waiting_for)
    return _uncached(answer), 503 if wrong else 200


def _schema() -> dict[str, str]:
    if db.session.scalar(text("SELECT 1")) != 1:
        return {"database": "does not answer"}
    try:
        found = db.session.scalar(text("SELECT version_num FROM alembic_version"))
    except SQLAlchemyError:
        return {"database": "is not set up"}
    return {} if found == revisions.head() else {"database": "is at another revision"}


def _worker() -> dict[str, str]:
    return {} if heartbeat.is_alive() else {"worker": "shows no sign of life"}


def _is_stuck(channel: Channel, due_for: float) -> bool:
    return due_for > MAIL_STUCK_AFTER.total_seconds() and not pauses.is_on(channel)


def _due_for(channel: Channel) -> float:
    """For how many seconds the oldest has been due that leaves this way."""
    # The partial index over what is open answers this from its first rows.
    oldest = db.session.scalar(
        select(Mail.due_at)
        .where(Mail.is_open(), Mail.due_at <= clock.now(), Mail.channel == channel.value)
        .order_by(Mail.due_at, Mail.id)
        .limit(1)
    )
    return max(0.0, (clock.now() - oldest).total_seconds()) if oldest else 0.0


def _uncached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
