"""The workplace: how each member of staff likes to work, and how they want to be told (M10)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, String, select
from sqlalchemy.orm import Mapped, mapped_column

from portal import audit, clock, i18n
from portal.accounts.user import User
from portal.audit import Action
from portal.database import Model, UtcDateTime, db
from portal.errors import StepRefused


class Notice(StrEnum):
    """How a member of staff wants to hear of what waits."""

    MAIL = "mail"
    DIGEST = "digest"
    NONE = "none"

    @property
    def label(self) -> Any:
        """The words for it that staff choose from."""
        return _LABELS[self]


_LABELS = {
    Notice.MAIL: _l("A mail soon after somebody waits, at most one in ten minutes"),
    Notice.DIGEST: _l("One mail a day"),
    Notice.NONE: _l("No mail"),
}


class Workplace(Model):
    """What one member of staff chose. Whoever chose nothing has no row and these defaults.

    Hours are those of the person's own time zone. Quiet hours may go over midnight; where both
    ends are the same there are none.
    """

    __tablename__ = "workplaces"
    __table_args__ = (
        CheckConstraint("notice IN ('mail', 'digest', 'none')", name="notice"),
        CheckConstraint("digest_hour BETWEEN 0 AND 23", name="digest_hour"),
        CheckConstraint("quiet_from BETWEEN 0 AND 23", name="quiet_from"),
        CheckConstraint("quiet_until BETWEEN 0 AND 23", name="quiet_until"),
    )

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    notice: Mapped[str] = mapped_column(String(8), default=Notice.MAIL.value)
    digest_hour: Mapped[int] = mapped_column(default=8)
    quiet_from: Mapped[int] = mapped_column(default=0)
    quiet_until: Mapped[int] = mapped_column(default=0)
    # Single letters as keys; can be switched off (WCAG 2.1.4).
    single_keys: Mapped[bool] = mapped_column(default=True)
    digest_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    overdue_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # When they were last told that registration closed.
    closure_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def is_quiet(self, hour: int) -> bool:
        """Whether this is one of the hours in which nobody wants to be told anything."""
        if self.quiet_from <= self.quiet_until:
            return self.quiet_from <= hour < self.quiet_until
        return hour >= self.quiet_from or hour < self.quiet_until


CHOICES = ("notice", "digest_hour", "quiet_from", "quiet_until", "single_keys")


def of(user: User) -> Workplace:
    """What this member of staff chose, or the defaults, which are not in the database."""
    return db.session.get(Workplace, user.id) or _untouched(user.id)


def of_each(ids: Sequence[int]) -> dict[int, Workplace]:
    """The same for several, by id. One query."""
    found = db.session.scalars(select(Workplace).where(Workplace.user_id.in_(ids)))
    chosen = {place.user_id: place for place in found}
    return {user_id: chosen.get(user_id) or _untouched(user_id) for user_id in ids}


def kept(user: User) -> Workplace:
    """The same, to be changed: put into the database where it was not."""
    place = of(user)
    db.session.add(place)
    return place


def choose(user: User, **wanted: Any) -> None:
    """Set any of `CHOICES` for oneself. What is the same already changes nothing.

    Whoever begins with a digest gets the first one when its hour comes round.

    Raises:
        StepRefused: the digest would come in the quiet hours, and so never.
    """
    unknown = set(wanted) - set(CHOICES)
    if unknown:
        raise ValueError(f"not a choice at the workplace: {', '.join(sorted(unknown))}")
    before = of(user)
    changed = sorted(name for name, value in wanted.items() if getattr(before, name) != value)
    if not changed:
        return

    place = kept(user)
    for name in changed:
        setattr(place, name, wanted[name])
    if place.notice == Notice.DIGEST and place.is_quiet(place.digest_hour):
        raise StepRefused(
            _l("This is in your quiet hours. Choose another hour."), field="digest_hour"
        )
    if "notice" in changed:
        place.digest_at = clock.now()
    audit.record(Action.PREFERENCES_CHANGED, about=user, by=user, changed=changed)


def local_time(user: User, moment: datetime) -> datetime:
    """A moment as this person's clock shows it."""
    return moment.astimezone(i18n.zone_of(user.time_zone))


def _untouched(user_id: int) -> Workplace:
    return Workplace(
        user_id=user_id,
        notice=Notice.MAIL.value,
        digest_hour=8,
        quiet_from=0,
        quiet_until=0,
        single_keys=True,
    )
