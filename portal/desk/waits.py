"""Waits: how long a registration usually waits, by this desk's own decisions (B1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flask_babel import gettext as _
from sqlalchemy import select

from portal import clock, i18n
from portal.database import db
from portal.desk.decision import Decision
from portal.desk.percentiles import wait_at

# The newest decisions, as far as they are recent: what was usual under other staff says little.
MOST = 200
RECENT = timedelta(days=90)
# Of fewer than these, one slow day would be a tenth.
FEWEST = 10


@dataclass(frozen=True)
class UsualWait:
    """What half of the applicants waited at most, and what nine of ten did."""

    median: timedelta
    p90: timedelta
    decisions: int

    @property
    def sentence(self) -> str:
        """The same as applicants read it, in the language that is spoken at the moment."""
        half, most = i18n.at_most_text(self.median), i18n.at_most_text(self.p90)
        if half == most:
            return str(_("Nine of ten requests are decided within %(most)s.", most=most))
        return str(
            _(
                "Half of the requests are decided within %(half)s, nine of ten within %(most)s.",
                half=half,
                most=most,
            )
        )


def usual_wait() -> UsualWait | None:
    """How long applicants wait for the staff here; None where too little is known. One query.

    Decisions that stand, about people who waited for one: a rejection before the address was
    confirmed made nobody wait, and would make the figure better than it is. Nobody's own time
    to answer a question is counted.
    """
    waited = db.session.scalars(
        select(Decision.waited_seconds)
        .where(
            Decision.stands(),
            Decision.at >= clock.now() - RECENT,
            Decision.waiting_since.is_not(None),
        )
        .order_by(Decision.at.desc(), Decision.id.desc())
        .limit(MOST)
    ).all()
    median, p90 = wait_at(0.5, waited), wait_at(0.9, waited)
    if len(waited) < FEWEST or median is None or p90 is None:
        return None
    return UsualWait(median=median, p90=p90, decisions=len(waited))
