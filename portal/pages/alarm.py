"""The page behind "this was not me" in a notice. Looking at it changes nothing."""

from __future__ import annotations

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from portal import links
from portal.accounts.alarm import AlarmState, raise_alarm, state_of
from portal.accounts.user import User
from portal.database import locked, transaction
from portal.pages import pages
from portal.security import limits
from portal.security.forms import PortalForm


# Below /reset/, where every log knows already to leave out what follows.
@pages.route("/reset/<token>/not-me", methods=["GET", "POST"])
@limits.by_address("reset")
def alarm(token: str) -> ResponseReturnValue:
    """Let the owner say that a change of their account was not theirs."""
    notice = links.read_alarm(token)
    if notice is None:
        return render_template("pages/alarm.html", state="invalid", form=None), 400
    form = PortalForm()
    if form.validate_on_submit():
        with transaction():
            locked(User, notice.user.id)
            again = links.read_alarm(token)
            if again is not None:
                raise_alarm(again)
        return redirect(url_for("pages.alarm", token=token), 303)
    state = state_of(notice)
    page = render_template("pages/alarm.html", state=state.value, form=form)
    return page, 200 if state in (AlarmState.READY, AlarmState.DONE) else 400
