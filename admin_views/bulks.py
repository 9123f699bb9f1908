"""Bulks: one step on many people, from the page that says what will happen to how it went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import abort, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import SelectField, ValidationError

from admin_views import filters, parameters
from admin_views.base import ID, ask_for, back_to, chosen, in_transaction, way_back
from admin_views.decisions import MOST
from admin_views.registration_steps import ApprovalForm, RegistrationSteps, RejectionForm
from portal import clock, heartbeat
from portal.accounts.access import AccessLevel
from portal.desk import bulk as bulks
from portal.desk import bulk_asking, gathering, queue, standard_text
from portal.desk.bulk import Bulk, Deed
from portal.desk.standard_text import Purpose, StandardText
from portal.errors import StepRefused
from portal.pages.doors import me
from portal.security.forms import PortalForm, choices

SHOWN = 50  # people by name on one page


class ManyRejectedForm(RejectionForm):
    """Why many are rejected: a text of the staff, which each reads in their language, or words."""

    text = SelectField(
        _l("Standard text"),
        description=_l("Each reads it in their own language, as far as it is written in that."),
        coerce=lambda chosen: int(chosen) if chosen else None,
    )

    def __init__(self) -> None:
        super().__init__()
        texts = [(text.id, text.name) for text in standard_text.texts(Purpose.REJECTION)]
        self.text.choices = choices([("", _l("None, but the reason below")), *texts])

    def validate_text(self, field: SelectField) -> None:
        """One reason is enough."""
        if field.data and self.reason.data:
            raise ValidationError(_l("Choose a standard text or write a reason, not both."))

    def validate_reason(self, field: Any) -> None:
        """Whoever is told is told why."""
        if not self.text.data:
            super().validate_reason(field)


class Bulks(RegistrationSteps):
    """Steps on many registrations; part of the pages about registrations."""

    @expose("/bulk", methods=["GET", "POST"])
    def bulk(self) -> ResponseReturnValue:
        """Say on whom a step will be taken and who is left out, and ask for it."""
        deed = parameters.choice("deed", Deed, request.values) or abort(404)
        if deed is Deed.UNDO:
            abort(404)
        back = way_back(url_for(".index"))
        ids, is_cut = _people()
        if not ids:
            flash(_("Tick at least one row first."), "warning")
            return back_to(back)
        form = _form(deed)
        # The page named them one by one: nobody who came since is swept in.
        if "people" in request.form and form.validate_on_submit():
            try:
                return back_to(url_for(".progress", bulk_id=_ask(deed, ids, form), back=back))
            except StepRefused as refused:
                form.refuse(refused)
        preview = gathering.preview(deed, ids, by=me())
        if not preview.able and not preview.refused:
            abort(404)
        page = self.render(
            "admin/registrations/bulk.html",
            deed=deed.value,
            form=form,
            able=preview.able,
            refused=preview.refused,
            is_cut=is_cut,
            most=bulks.MOST,
            shown=SHOWN,
            back=back,
        )
        return page, 400 if form.errors else 200

    @expose(f"/bulk/{ID.format('bulk_id')}")
    def progress(self, bulk_id: int) -> str:
        """How far it is, and on whom the step was not taken; the page looks again and again."""
        found = bulks.find(bulk_id) or abort(404)
        page = "bulk_figures" if "HX-Request" in request.headers else "bulk_progress"
        return self.render(
            f"admin/registrations/{page}.html",
            bulk=found,
            progress=bulks.progress(found),
            refused=bulks.refused(found, cursor=request.args.get("cursor", "")),
            is_undoable=is_undoable(found),
            is_stuck=found.finished_at is None and not heartbeat.is_alive(),
            back=way_back(url_for(".index")),
        )

    @expose(f"/bulk/{ID.format('bulk_id')}/undo", methods=["POST"])
    def undo_bulk(self, bulk_id: int) -> ResponseReturnValue:
        """Take back all that it decided; one that runs is stopped."""
        asked: list[int] = []
        if not ask_for(
            lambda: asked.append(bulk_asking.ask_for_undo(_existing(bulk_id), by=me()).id)
        ):
            return back_to(url_for(".progress", bulk_id=bulk_id))
        return back_to(url_for(".progress", bulk_id=asked[0], back=way_back(url_for(".index"))))


def is_undoable(bulk: Bulk) -> bool:
    """Whether the page offers to take all of it back."""
    until = bulk.undoable_until
    in_time = until is None or until > clock.now()
    return bulk.kind.decides and bulk.undone_by is None and in_time


def _people() -> tuple[list[int], bool]:
    """Whom it is about, and whether there were more than one bulk holds."""
    if "people" in request.form:
        return parameters.ids_in("people", bulks.MOST), False
    if request.values.get("all"):
        asked = filters.asked_by(request.values.get("queue", ""))
        found = queue.ids(asked.tab, asked.filters, most=bulks.MOST + 1)
        return found[: bulks.MOST], len(found) > bulks.MOST
    return parameters.ticked(MOST), False


def _form(deed: Deed) -> PortalForm:
    if deed is Deed.APPROVAL:
        return ApprovalForm()
    return ManyRejectedForm() if deed is Deed.REJECTION else PortalForm()


def _ask(deed: Deed, ids: Sequence[int], form: PortalForm) -> int:
    """Ask for it in one transaction, and give its number."""
    asked: list[int] = []

    def step() -> None:
        details: dict[str, Any] = {}
        if isinstance(form, ApprovalForm):
            details = {"level": chosen(AccessLevel, form.level.data)}
        elif isinstance(form, ManyRejectedForm):
            details = {"reason": form.reason.data or "", "tell": not form.quiet.data}
            if form.text.data:
                details["text"] = chosen(StandardText, form.text.data)
        asked.append(bulk_asking.ask(deed, ids, by=me(), **details).id)

    in_transaction(step)
    return asked[0]


def _existing(bulk_id: int) -> int:
    if bulks.find(bulk_id) is None:
        abort(404)
    return bulk_id
