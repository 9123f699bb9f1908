"""Claims: colleagues see who looks at a registration, without loading the page again.

The page of a registration posts its claim, and posts it again as long as it is open and seen;
the list asks who looks at its rows. Both keep no session alive (`portal.security.sessions`).
"""

from __future__ import annotations

from flask import abort, current_app, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import get_locale

from admin_views import parameters
from admin_views.base import ID, back_to, way_back
from admin_views.onward import review_url
from admin_views.registration_steps import RegistrationSteps
from portal import settings
from portal.accounts.user import User
from portal.database import db, transaction
from portal.desk import claim, review, watch
from portal.desk.watch import Sight
from portal.errors import AlreadyDecided
from portal.pages.doors import me
from portal.paging import PER_PAGE

# Of the time after which a claim lapses: one look may get lost without colleagues taking over.
_LOOKS = 6


def every_seconds() -> int:
    """How often an open page looks again."""
    return max(settings.current().desk.claim_lapses_after_seconds // _LOOKS, 1)


class Claims(RegistrationSteps):
    """The claims; part of the pages about registrations."""

    @expose(f"/{ID.format('user_id')}/claim", methods=["POST"])
    def claim(self, user_id: int) -> ResponseReturnValue:
        """Go on looking, take over from a colleague, or leave; answer how it stands now."""
        mine, seen = me().id, parameters.version("seen")
        back = way_back(review_url(user_id, ""))
        deed = request.form.get("deed", "")
        get_locale()  # while we know whose it is: after a transaction they are loaded anew
        with transaction():
            if deed == "leave":
                claim.release(user_id, by_id=mine)
            else:
                claim.hold(user_id, by_id=mine, take=deed == "take")
            found = watch.sight(user_id)
        if found is None:
            abort(404)
        if deed == "leave":
            return "", 204  # said by a page that is closed
        if "HX-Request" not in request.headers:
            return back_to(back)
        return _part(
            "admin/registrations/claim.html",
            sight=found,
            changed=_changed(found, seen),
            seen=seen,
            back=back,
            every=every_seconds(),
            me=mine,
        )

    @expose("/claims")
    def claims(self) -> ResponseReturnValue:
        """Who looks at the rows of a list, for the list to show."""
        ids = parameters.ticked(PER_PAGE)
        return _part(
            "admin/registrations/claims.html",
            ids=ids,
            claims=claim.held(ids),
            every=every_seconds(),
            me=me().id,
        )


def _part(template: str, **values: object) -> str:
    # Straight from the environment: a part has no use for what every page is given, and what
    # that costs.
    return current_app.jinja_env.get_template(template).render(**values)


def _changed(found: Sight, seen: int | None) -> str:
    """Who did what since the page was shown, and when; empty where nothing changed."""
    if seen is None or found.version == seen:
        return ""
    try:
        review.must_be_as_seen(db.session.get_one(User, found.user_id), seen)
    except AlreadyDecided as changed:
        return str(changed)
    return ""
