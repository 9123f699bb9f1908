"""Notes: what colleagues tell each other about one account; its page and others show them."""

from __future__ import annotations

from typing import NamedTuple

from flask import abort, flash, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import TextAreaField
from wtforms.validators import DataRequired, Length

from admin_views.base import (
    ID,
    StaffView,
    ask_for,
    back_to,
    current,
    in_transaction,
    listed,
    way_back,
)
from portal import notifications
from portal.accounts.user import User
from portal.desk import note
from portal.desk.note import Note
from portal.errors import why_not
from portal.notifications import Kind
from portal.pages.doors import me
from portal.paging import Page
from portal.security.forms import PlainText, PortalForm, trimmed

SHOWN = 10  # beside an account; the page of its notes has them all


class NoteForm(PortalForm):
    """What a colleague should know."""

    text = TextAreaField(
        _l("Note for colleagues"),
        description=_l("The person never sees it. Whoever is mentioned as @username is told."),
        filters=[trimmed],
        validators=[
            DataRequired(_l("Write the note.")),
            Length(max=note.LONGEST, message=_l("Shorten this to %(max)d characters.")),
            PlainText(lines=True),
        ],
    )


class Noted(NamedTuple):
    """What the panel of notes shows: `notes.html` draws it."""

    user: User
    page: Page[Note]
    form: NoteForm
    mentions_me: bool
    reader_id: int


def noted(user: User, page: Page[Note] | None = None, form: NoteForm | None = None) -> Noted | None:
    """The notes about somebody as any page of the panel can show them. Two queries.

    None for one's own account: who has become a colleague never reads what was written of them.
    """
    if not note.is_readable(user, by=me()):
        return None
    return Noted(
        user=user,
        page=page or note.page(user, per_page=SHOWN),
        form=form or NoteForm(formdata=None),
        mentions_me=notifications.is_unseen(user, Kind.MENTION, me()),
        reader_id=me().id,
    )


class Notes(StaffView):
    """The pages of notes about one account; part of the pages about accounts."""

    @expose(f"/{ID.format('user_id')}/notes", methods=["GET", "POST"])
    def notes(self, user_id: int) -> ResponseReturnValue:
        """Show all notes about somebody, and write one. What is refused stays typed."""
        user, form, back = self._of_others(user_id), NoteForm(), self._account(user_id)
        if form.validate_on_submit() and ask_for(
            lambda: note.write(current(User, user_id), by=me(), text=form.text.data or ""),
            done=_("The note is written."),
            form=form,
        ):
            if names := note.unknown(form.text.data or ""):
                spelled = ", ".join(f"@{name}" for name in names)
                flash(_("No colleague goes by %(names)s.", names=spelled), "warning")
            return back_to(back)
        page = listed(lambda cursor: note.page(user, cursor=cursor))
        shown = self.render(
            "admin/accounts/notes.html", user=user, noted=noted(user, page, form), back=back
        )
        return shown, 400 if form.errors else 200

    @expose(
        f"/{ID.format('user_id')}/notes/{ID.format('note_id')}/removal", methods=["GET", "POST"]
    )
    def note_removal(self, user_id: int, note_id: int) -> ResponseReturnValue:
        """Remove a note of one's own."""
        self._of_others(user_id)
        written, form, back = self.row(Note, note_id), PortalForm(), self._account(user_id)
        if written.user_id != user_id:
            abort(404)
        text, refused = written.text, why_not(_must_be_ours, written)
        if form.validate_on_submit() and ask_for(
            lambda: _remove(user_id, note_id),
            done=_("The note is removed."),
            form=form,
        ):
            return back_to(back)
        page = self.render(
            "admin/accounts/note_removal.html", form=form, text=text, refused=refused, back=back
        )
        return page, 409 if form.errors else 200

    @expose(f"/{ID.format('user_id')}/mention", methods=["POST"])
    def mention(self, user_id: int) -> ResponseReturnValue:
        """Open the account that a colleague mentions oneself about: it is seen then."""
        self.row(User, user_id)
        in_transaction(lambda: notifications.see(current(User, user_id), Kind.MENTION, me()))
        return back_to(f"{self._account(user_id)}#notes")

    def _of_others(self, user_id: int) -> User:
        """Whose notes may be read; one's own account has none for oneself."""
        user = self.row(User, user_id)
        return user if note.is_readable(user, by=me()) else abort(403)

    def _account(self, user_id: int) -> str:
        return way_back(url_for("accounts.account", user_id=user_id))


def _remove(user_id: int, note_id: int) -> None:
    current(User, user_id)  # first: every other step locks the account before what hangs on it
    note.remove(current(Note, note_id), by=me())


def _must_be_ours(written: Note) -> None:
    note.must_be_removable(written, by=me())
