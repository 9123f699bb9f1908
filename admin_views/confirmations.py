"""Confirmations: what staff do about an address that nobody has confirmed, or that was denied."""

from __future__ import annotations

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms.validators import DataRequired

from admin_views.base import ID, ask_for, back_to, current, way_back
from admin_views.decisions import Decisions
from portal.accounts import alarm, confirmation, denial
from portal.accounts.user import User
from portal.mail import silence
from portal.pages.doors import me
from portal.security.forms import PortalForm, words_field


class ByHandForm(PortalForm):
    """How staff know whose address it is."""

    reason = words_field(
        _l("How do you know that the address is theirs?"),
        DataRequired(_l("Say how you know whose address it is.")),
        description=_l("Colleagues read it in the audit trail. The person does not."),
    )


class Confirmations(Decisions):
    """The pages about one account's address; part of the pages about accounts."""

    @expose(f"/{ID.format('user_id')}/confirmation", methods=["GET", "POST"])
    def confirmation_by_hand(self, user_id: int) -> ResponseReturnValue:
        """Confirm an address without its mail, with a reason."""
        form = ByHandForm()
        is_silenced = silence.holds_for(self.row(User, user_id))
        return self.decide(
            [user_id],
            form,
            "admin/accounts/confirmation_by_hand.html",
            guard=lambda user: confirmation.must_be_confirmable_by_hand(user, by=me()),
            step=lambda user: confirmation.confirm_by_hand(
                user, by=me(), reason=form.reason.data or ""
            ),
            done=lambda _number: _("The address is confirmed, and the registration is ready."),
            back=way_back(url_for("accounts.account", user_id=user_id)),
            is_silenced=is_silenced,
        )

    @expose(f"/{ID.format('user_id')}/denial", methods=["POST"])
    def denial(self, user_id: int) -> ResponseReturnValue:
        """Note that staff have seen that somebody says they did not register."""
        self.row(User, user_id)
        ask_for(
            lambda: denial.acknowledge(current(User, user_id), by=me()),
            done=_("It is noted that you have seen it."),
        )
        return back_to(way_back(url_for("accounts.account", user_id=user_id)))

    @expose(f"/{ID.format('user_id')}/alarm", methods=["POST"])
    def alarm(self, user_id: int) -> ResponseReturnValue:
        """Note that staff have seen that somebody says a change was not theirs."""
        self.row(User, user_id)
        ask_for(
            lambda: alarm.acknowledge(current(User, user_id), by=me()),
            done=_("It is noted that you have seen it."),
        )
        return back_to(way_back(url_for("accounts.account", user_id=user_id)))
