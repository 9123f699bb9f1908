"""Saved filters: the pages on which one keeps, renames and removes one's own."""

from __future__ import annotations

from flask import abort, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from admin_views import filter_fields, filters
from admin_views.base import ID, StaffView, ask_for, back_to, current
from admin_views.onward import list_url
from portal.desk import saved_filter
from portal.desk.saved_filter import LONGEST_NAME, SavedFilter
from portal.pages.doors import me
from portal.security.forms import PlainText, PortalForm, trimmed


class FilterForm(PortalForm):
    """What a saved filter is called."""

    name = StringField(
        _l("Name"),
        description=_l("It stands above the list. Only you see it."),
        filters=[trimmed],
        validators=[
            InputRequired(_l("Enter a name.")),
            Length(max=LONGEST_NAME, message=_l("Shorten this to %(max)d characters.")),
            PlainText(),
        ],
    )


class SavedFilters(StaffView):
    """The pages of saved filters; part of the pages about registrations."""

    @expose("/filters/")
    def saved_filters(self) -> str:
        """List one's own, with what each narrows."""
        saved = saved_filter.saved_by(me())
        return self.render("admin/registrations/filters.html", saved=saved, list_url=list_url)

    @expose("/filters/new", methods=["GET", "POST"])
    def new_filter(self) -> ResponseReturnValue:
        """Save the list that the address of this page describes, as that of the queue does."""
        asked, query, form = filters.asked(), filters.kept(), FilterForm()
        if form.validate_on_submit() and ask_for(
            lambda: saved_filter.save(query, name=form.name.data or "", by=me()),
            done=_("The filters are saved."),
            form=form,
        ):
            return back_to(list_url(query))
        page = self.render(
            "admin/registrations/new_filter.html",
            form=form,
            tab=asked.tab,
            fields=filter_fields.fields(asked),
            back=list_url(query),
        )
        return page, 400 if form.errors else 200

    @expose(f"/filters/{ID.format('filter_id')}", methods=["GET", "POST"])
    def saved_filter(self, filter_id: int) -> ResponseReturnValue:
        """Rename one."""
        saved = self._own(filter_id)
        form = FilterForm(data={"name": saved.name})
        if form.validate_on_submit() and ask_for(
            lambda: saved_filter.rename(
                current(SavedFilter, filter_id), name=form.name.data or "", by=me()
            ),
            done=_("The filters are renamed."),
            form=form,
        ):
            return back_to(url_for(".saved_filters"))
        page = self.render("admin/registrations/saved_filter.html", form=form)
        return page, 400 if form.errors else 200

    @expose(f"/filters/{ID.format('filter_id')}/removal", methods=["POST"])
    def filter_removal(self, filter_id: int) -> ResponseReturnValue:
        """Remove one. What it lists stays."""
        self._own(filter_id)
        ask_for(
            lambda: saved_filter.remove(current(SavedFilter, filter_id)),
            done=_("The saved filters are removed."),
        )
        return back_to(url_for(".saved_filters"))

    def _own(self, filter_id: int) -> SavedFilter:
        """One's own; nobody learns of a colleague's."""
        saved = self.row(SavedFilter, filter_id)
        return saved if saved.by_id == me().id else abort(404)
