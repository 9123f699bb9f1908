"""One account: its page, and the steps that staff take from there."""

from __future__ import annotations

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from wtforms import SelectField, SelectMultipleField
from wtforms.validators import DataRequired, InputRequired

from admin_views import timeline
from admin_views.base import ID, chosen, listed, may_open, way_back
from admin_views.confirmations import Confirmations
from admin_views.decisions import Guard
from admin_views.notes import Notes, noted
from portal import notifications
from portal.accounts import access, approval, confirmation, erasure, roles, session, suspension
from portal.accounts import sign_ins as history
from portal.accounts.access import AccessLevel
from portal.accounts.factors import removal
from portal.accounts.roles import Role
from portal.accounts.user import UNDECIDED, User
from portal.database import db
from portal.desk import marks, question, undo
from portal.errors import why_not
from portal.mail import silence
from portal.notifications import Kind
from portal.pages import sessions, sign_ins
from portal.pages.doors import me
from portal.security.forms import PortalForm, choices, words_field


class SuspensionForm(PortalForm):
    """Why an account is suspended."""

    reason = words_field(
        _l("Reason"),
        description=_l("They read it in the mail that tells them."),
    )


class SessionsForm(PortalForm):
    """Why somebody's sessions are ended."""

    reason = words_field(
        _l("Reason"),
        InputRequired(_l("Say why, for your colleagues.")),
        description=_l("Colleagues read it in the audit trail. The person does not."),
    )


class FactorsResetForm(PortalForm):
    """Why somebody's second factor is taken away."""

    reason = words_field(
        _l("Reason"),
        DataRequired(_l("Say why. The reason is kept in the audit trail.")),
        description=_l("They read it in the mail that tells them."),
    )


class LevelForm(PortalForm):
    """How far somebody gets from now on."""

    level = SelectField(_l("Access level"), coerce=int)

    def __init__(self, user: User) -> None:
        super().__init__(data={"level": user.access_level_id})
        self.level.choices = choices(
            (level.id, level.name) for level in access.levels_grantable(me())
        )


class RolesForm(PortalForm):
    """What somebody may do in the panel."""

    roles = SelectMultipleField(_l("Roles"), coerce=int)

    def __init__(self, user: User) -> None:
        super().__init__(data={"roles": [role.id for role in user.roles]})
        found = db.session.scalars(select(Role).order_by(Role.rank, Role.name).limit(100))
        self.all_roles = list(found)
        self.roles.choices = choices((role.id, role.name) for role in self.all_roles)


class OneAccount(Confirmations, Notes):
    """The page of one account; part of the pages about accounts."""

    @expose(f"/{ID.format('user_id')}")
    def account(self, user_id: int) -> str:
        """Show one account: facts, timeline, and the steps that would not be refused."""
        user = self.row(User, user_id)
        # Before the timeline, whose query leaves out what hangs on the people in it.
        seen = user.review.version if user.review else None
        return self.render(
            "admin/accounts/account.html",
            user=user,
            seen=seen,
            open_steps=open_steps(user),
            timeline=timeline.of(user),
            evidence=marks.evidence(user) if user.status in UNDECIDED else [],
            noted=noted(user),
            lines=_open_sessions(user),
            denied=notifications.is_open(user, Kind.NOT_ME),
            alarmed=notifications.is_open(user, Kind.ALARM),
            is_silenced=silence.holds_for(user),
            back=way_back(url_for(".index")),
        )

    @expose(f"/{ID.format('user_id')}/sessions", methods=["GET", "POST"])
    def sessions(self, user_id: int) -> ResponseReturnValue:
        """Sign somebody out everywhere, with a reason."""
        form = SessionsForm()
        return self.decide(
            [user_id],
            form,
            "admin/accounts/sessions.html",
            guard=lambda user: session.must_be_endable(user, by=me()),
            step=lambda user: session.end_for(user, by=me(), reason=form.reason.data or ""),
            done=lambda _number: _("The sessions have ended."),
            back=self._page_of(user_id),
            lines=sessions.listed(self.row(User, user_id)),
        )

    @expose(f"/{ID.format('user_id')}/sign-ins")
    def sign_ins(self, user_id: int) -> str:
        """Show when and from where somebody signed in to this account, or tried to."""
        user = self.row(User, user_id)
        page = listed(lambda cursor: history.page(user, cursor))
        return self.render(
            "admin/accounts/sign_ins.html",
            user=user,
            page=page,
            lines=sign_ins.lines(page.rows),
            back=self._page_of(user_id),
        )

    @expose(f"/{ID.format('user_id')}/suspension", methods=["GET", "POST"])
    def suspension(self, user_id: int) -> ResponseReturnValue:
        """Close an account at once, with a reason."""
        form = SuspensionForm()
        return self.decide(
            [user_id],
            form,
            "admin/accounts/suspension.html",
            guard=lambda user: suspension.must_be_suspendable(user, by=me()),
            step=lambda user: suspension.suspend(user, by=me(), reason=form.reason.data or ""),
            done=lambda _number: _("The account is suspended, and its sessions have ended."),
            back=self._page_of(user_id),
        )

    @expose(f"/{ID.format('user_id')}/reinstatement", methods=["GET", "POST"])
    def reinstatement(self, user_id: int) -> ResponseReturnValue:
        """Open a suspended account again."""
        return self.decide(
            [user_id],
            PortalForm(),
            "admin/accounts/reinstatement.html",
            guard=lambda user: suspension.must_be_reinstatable(user, by=me()),
            step=lambda user: suspension.reinstate(user, by=me()),
            done=lambda _number: _("The account is open again."),
            back=self._page_of(user_id),
        )

    @expose(f"/{ID.format('user_id')}/erasure", methods=["GET", "POST"])
    def erasure(self, user_id: int) -> ResponseReturnValue:
        """Remove what is known of a person, for good."""
        return self.decide(
            [user_id],
            PortalForm(),
            "admin/accounts/erasure.html",
            guard=lambda user: erasure.must_be_erasable(user, by=me()),
            step=lambda user: erasure.erase(user, by=me()),
            done=lambda _number: _("The account is erased."),
            back=self._page_of(user_id),
        )

    @expose(f"/{ID.format('user_id')}/second-factor-reset", methods=["GET", "POST"])
    def factors_reset(self, user_id: int) -> ResponseReturnValue:
        """Take every second factor of somebody away who lost it, with a reason."""
        form = FactorsResetForm()
        return self.decide(
            [user_id],
            form,
            "admin/accounts/factors_reset.html",
            guard=lambda user: removal.must_be_resettable(user, by=me()),
            step=lambda user: removal.reset(user, by=me(), reason=form.reason.data or ""),
            done=lambda _number: _("The second factor is reset, and the sessions have ended."),
            back=self._page_of(user_id),
        )

    @expose(f"/{ID.format('user_id')}/access-level", methods=["GET", "POST"])
    def access_level(self, user_id: int) -> ResponseReturnValue:
        """Let an approved person open more, or less."""
        form = LevelForm(self.row(User, user_id))
        return self.decide(
            [user_id],
            form,
            "admin/accounts/access_level.html",
            guard=lambda user: access.must_be_changeable(user, by=me()),
            step=lambda user: access.change_access_level(
                user, to=chosen(AccessLevel, form.level.data), by=me()
            ),
            done=lambda _number: _("The access level is saved."),
            back=self._page_of(user_id),
        )

    @expose(f"/{ID.format('user_id')}/roles", methods=["GET", "POST"])
    def roles(self, user_id: int) -> ResponseReturnValue:
        """Say what somebody may do in the panel."""
        form = RolesForm(self.row(User, user_id))
        return self.decide(
            [user_id],
            form,
            "admin/accounts/roles.html",
            guard=lambda user: roles.must_be_changeable(user, by=me()),
            step=lambda user: roles.change_roles(
                user, to=[chosen(Role, role_id) for role_id in form.roles.data or []], by=me()
            ),
            done=lambda _number: _("The roles are saved."),
            back=self._page_of(user_id),
        )

    def _page_of(self, user_id: int) -> str:
        return way_back(url_for(".account", user_id=user_id))


def _open_sessions(user: User) -> list[sessions.Line]:
    """Where somebody is signed in, for staff who may end it. Not asked about who never was."""
    if not (user.login_count and user.active and may_open("accounts.sessions")):
        return []
    return sessions.listed(user)


def open_steps(user: User) -> set[str]:
    """The endpoints of the steps that whoever is signed in may take on this person now."""
    guards: dict[str, Guard] = {
        "registrations.approval": lambda user: approval.must_be_approvable(user, by=me()),
        "registrations.rejection": lambda user: approval.must_be_rejectable(user, by=me()),
        "registrations.reopening": lambda user: approval.must_be_reopenable(user, by=me()),
        "registrations.confirmation_mail": confirmation.must_be_resendable,
        "registrations.question": lambda user: question.must_be_askable(user, by=me()),
        "registrations.undo": lambda user: undo.must_be_undoable(user, by=me()),
        "accounts.confirmation_by_hand": lambda user: confirmation.must_be_confirmable_by_hand(
            user, by=me()
        ),
        "accounts.sessions": lambda user: session.must_be_endable(user, by=me()),
        "accounts.suspension": lambda user: suspension.must_be_suspendable(user, by=me()),
        "accounts.reinstatement": lambda user: suspension.must_be_reinstatable(user, by=me()),
        "accounts.erasure": lambda user: erasure.must_be_erasable(user, by=me()),
        "accounts.factors_reset": lambda user: removal.must_be_resettable(user, by=me()),
        "accounts.access_level": lambda user: access.must_be_changeable(user, by=me()),
        "accounts.roles": lambda user: roles.must_be_changeable(user, by=me()),
    }
    return {
        endpoint
        for endpoint, guard in guards.items()
        if may_open(endpoint) and why_not(guard, user) is None
    }
