"""Mail: what waits, what went, what failed and why. Never what a mail says."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from wtforms.validators import DataRequired

from admin_views import export, parameters, wording
from admin_views.base import (
    StaffView,
    ask_for,
    back_to,
    current,
    in_transaction,
    listed,
    way_back,
)
from admin_views.decisions import MOST
from admin_views.export import Column
from portal.accounts import directory
from portal.accounts.user import User
from portal.database import db
from portal.errors import StepRefused
from portal.mail import listing, opening, outbox, pauses, silence
from portal.mail.listing import Shelf
from portal.mail.mail import Channel, Mail
from portal.pages.doors import me
from portal.security.forms import PortalForm, email_field, words_field

SHELVES: dict[Shelf, Any] = {
    Shelf.ALL: _l("All"),
    Shelf.WAITING: _l("Waiting"),
    Shelf.FAILED: _l("Failed"),
    Shelf.DELIVERED: _l("Delivered"),
    Shelf.DROPPED: _l("Dropped"),
    Shelf.HELD_BACK: _l("Held back"),
}

# A search that fits more people than this is told to be more precise.
PEOPLE = 10


class SilenceForm(PortalForm):
    """An address that may be mailed again, and how staff know that its owner wants it."""

    email = email_field()
    reason = words_field(
        _l("How do you know that the owner asks for it?"),
        DataRequired(_l("Say how you know that the owner asks for it.")),
        description=_l("Colleagues read it in the audit trail."),
    )


class OutgoingMail(StaffView):
    """The outbox."""

    part = "mail"
    label = _l("Mail")
    icon = "envelope"
    url_below_admin = "/mail"

    @expose("/")
    def index(self) -> str:
        """List mails by where they stand, also those to one person."""
        shelf = parameters.choice("tab", Shelf) or Shelf.ALL
        search = parameters.text("q")
        found = directory.page(search=search, per_page=PEOPLE) if search else None
        people = [user.id for user in found.rows] if found else None
        page = listed(
            lambda cursor: listing.page(shelf, people=people, address=search, cursor=cursor)
        )
        return self.render(
            "admin/mail/index.html",
            page=page,
            looks=opening.looks([mail.id for mail in page.rows]),
            shelf=shelf,
            shelves=SHELVES,
            counts=listing.counts(),
            search=search,
            too_many=bool(found and found.after),
            pause=pauses.current(),
            hook_pause=pauses.current(Channel.WEBHOOK),
        )

    @expose("/export.csv")
    def export(self) -> Response:
        """The same list as CSV, all of it."""
        shelf, search = parameters.choice("tab", Shelf) or Shelf.ALL, parameters.text("q")
        found = directory.page(search=search, per_page=PEOPLE) if search else None
        people = [user.id for user in found.rows] if found else None
        return export.csv_of(
            "mails",
            _COLUMNS,
            lambda cursor, per_page: listing.page(
                shelf, people=people, address=search, cursor=cursor, per_page=per_page
            ),
        )

    @expose("/attempt", methods=["POST"])
    def attempt(self) -> ResponseReturnValue:
        """Let the worker try one mail, or those ticked, again now."""
        ids = parameters.ticked(MOST)
        refused = ""
        tried = 0
        for mail_id in ids:
            try:
                in_transaction(lambda mail_id=mail_id: _retry(mail_id))  # type: ignore[misc]
            except StepRefused as error:
                refused = str(error)
            else:
                tried += 1
        if tried:
            pauses.end()
            flash(
                ngettext(
                    "%(num)d mail is tried again within a minute.",
                    "%(num)d mails are tried again within a minute.",
                    tried,
                ),
                "success",
            )
        if refused:
            flash(
                ngettext(
                    "%(num)d mail could not be tried again. %(why)s",
                    "%(num)d mails could not be tried again. %(why)s",
                    len(ids) - tried,
                    why=refused,
                ),
                "error",
            )
        if not ids:
            flash(_("Tick at least one row first."), "warning")
        return back_to(way_back(url_for(".index")))

    @expose("/silence", methods=["GET", "POST"])
    def silence(self) -> ResponseReturnValue:
        """Lift the silence of an address whose owner asked the staff to."""
        account = db.session.get(User, parameters.number("account") or 0)
        form = SilenceForm(data={"email": account and account.email})
        back = way_back(url_for(".index"))
        if form.validate_on_submit() and ask_for(
            lambda: silence.lift(form.email.data or "", by=me(), reason=form.reason.data or ""),
            done=_("The address may be mailed again."),
            form=form,
        ):
            return back_to(back)
        page = self.render("admin/mail/silence.html", form=form, back=back)
        return page, 400 if form.errors else 200


_COLUMNS = [
    Column(_l("Number"), lambda mail: mail.id),
    Column(_l("About"), lambda mail: wording.mail_label(mail.kind)),
    Column(_l("To"), lambda mail: _l("Webhook") if mail.is_event else mail.recipient),
    Column(_l("Language"), lambda mail: mail.language),
    Column(_l("Status"), lambda mail: mail.state.label),
    Column(_l("Posted"), lambda mail: mail.posted_at),
    Column(_l("Delivered"), lambda mail: mail.delivered_at),
    Column(_l("Failed"), lambda mail: mail.failed_at),
    Column(_l("Attempts"), lambda mail: mail.attempts),
    Column(_l("What went wrong"), lambda mail: wording.trouble_text(mail.last_error)),
]


def _retry(mail_id: int) -> None:
    outbox.retry(current(Mail, mail_id), by=me())
