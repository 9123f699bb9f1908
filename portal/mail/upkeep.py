"""Upkeep: what the outbox throws away, so that no text and no address stays longer than useful."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, delete, or_, select, update

from portal import clock, settings
from portal.database import db, transaction
from portal.mail.mail import Channel, Mail, MailState

DECOYS_KEPT = timedelta(days=1)
STRANGERS_KEPT = timedelta(days=1)
EVENTS_KEPT = timedelta(days=30)
FAILED_BODIES_KEPT = timedelta(days=7)

BATCH = 1000  # so that the write lock is held for moments, however much there is


def purge() -> None:
    """Throw away old decoys, useless texts, and addresses without an account. Commits."""
    now = clock.now()
    to_people = Mail.channel == Channel.MAIL.value
    decoys = (
        to_people
        & Mail.stands(MailState.DROPPED)
        & Mail.recipient.is_(None)
        & Mail.user_id.is_(None)
    )
    _in_batches(decoys & (Mail.dropped_at < now - DECOYS_KEPT))

    # A failed mail keeps its text for a while, for staff to try again.
    no_use = or_(Mail.failed_at < now - FAILED_BODIES_KEPT, Mail.expires_at < now)
    _in_batches(Mail.stands(MailState.FAILED) & Mail.body.is_not(None) & no_use, body=None)

    # Somebody who was told that their username is taken, or that they were erased.
    strangers = Mail.user_id.is_(None) & Mail.recipient.is_not(None) & ~Mail.is_open()
    _in_batches(strangers & (Mail.posted_at < now - STRANGERS_KEPT), recipient=None)

    events = Mail.channel == Channel.WEBHOOK.value
    _in_batches(events & ~Mail.is_open() & (Mail.posted_at < now - EVENTS_KEPT))
    if not settings.current().webhook.url:
        _in_batches(events & Mail.is_open())  # nobody listens any more


def _in_batches(which: ColumnElement[bool], **values: object) -> None:
    """Delete these rows, or give them these values."""
    batch = select(Mail.id).where(which).limit(BATCH)
    while ids := db.session.scalars(batch).all():
        change = update(Mail).values(**values) if values else delete(Mail)
        with transaction():
            db.session.execute(
                change.where(Mail.id.in_(ids)).execution_options(synchronize_session=False)
            )
