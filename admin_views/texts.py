"""Standard texts: what staff begin from when they reject or ask, in every language (B10)."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Response, flash, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import IntegerField, RadioField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from admin_views import export
from admin_views.base import ID, StaffView, ask_for, back_to, current
from admin_views.export import Column
from portal import i18n
from portal.desk import standard_text
from portal.desk.standard_text import Purpose, StandardText
from portal.pages.doors import me
from portal.security.forms import PlainText, PortalForm, choices, trimmed, words_field

LAST_POSITION = 999


class TextForm(PortalForm):
    """What a text is for, what staff choose it by, and what it says in each language."""

    purpose = RadioField(
        _l("What it is for"), choices=choices((each.value, each.label) for each in Purpose)
    )
    name = StringField(
        _l("Name"),
        description=_l("Staff choose it by this name. Applicants do not see it."),
        filters=[trimmed],
        validators=[
            InputRequired(_l("Enter a name.")),
            Length(max=80, message=_l("Shorten this to 80 characters.")),
            PlainText(),
        ],
    )
    position = IntegerField(
        _l("Place in the list"),
        default=0,
        description=_l("Texts with a lower number come first."),
        validators=[
            InputRequired(_l("Enter a whole number.")),
            NumberRange(0, LAST_POSITION, message=_l("Enter a number from %(min)s to %(max)s.")),
        ],
    )


def text_form(text: StandardText | None) -> Any:
    """The form, with a field for each language that the portal speaks."""
    fields = {
        _field(code): words_field(
            name, render_kw={"lang": i18n.tag(code), "dir": i18n.direction(code)}
        )
        for code, name in i18n.language_menu()
    }
    shown: dict[str, Any] = {"purpose": Purpose.REJECTION.value}
    if text is not None:
        shown = {"purpose": text.purpose, "name": text.name, "position": text.position}
        shown |= {_field(variant.language): variant.body for variant in text.variants}
    return type("TextFormInLanguages", (TextForm,), fields)(data=shown)


def bodies(form: Any) -> dict[str, str]:
    """What the form says, by language."""
    return {code: form[_field(code)].data or "" for code in i18n.languages()}


class Texts(StaffView):
    """The standard texts."""

    part = "texts"
    label = _l("Standard texts")
    icon = "chat-left-text"
    url_below_admin = "/texts"

    @expose("/")
    def index(self) -> str:
        """List the texts by what they are for."""
        return self.render(
            "admin/texts/index.html",
            shelves=[(purpose, standard_text.texts(purpose)) for purpose in Purpose],
            reader=str(get_locale()),
        )

    @expose("/export.csv")
    def export(self) -> Response:
        """The texts as CSV, a column for each language."""
        rows = [text for purpose in Purpose for text in standard_text.texts(purpose)]
        columns = [
            Column(_l("What it is for"), lambda text: Purpose(text.purpose).label),
            Column(_l("Name"), lambda text: text.name),
            *(Column(name, partial(_body, code)) for code, name in i18n.language_menu()),
        ]
        return export.csv_of("texts", columns, export.one_page(rows))

    @expose("/new", methods=["GET", "POST"])
    def new(self) -> ResponseReturnValue:
        """Make a text."""
        return self._edit(None)

    @expose(f"/{ID.format('text_id')}", methods=["GET", "POST"])
    def edit(self, text_id: int) -> ResponseReturnValue:
        """Change a text."""
        return self._edit(self.row(StandardText, text_id))

    @expose(f"/{ID.format('text_id')}/removal", methods=["GET", "POST"])
    def removal(self, text_id: int) -> ResponseReturnValue:
        """Remove a text."""
        text, form = self.row(StandardText, text_id), PortalForm()
        name = text.name
        if form.validate_on_submit() and ask_for(
            lambda: standard_text.remove_text(current(StandardText, text_id), by=me()), form=form
        ):
            flash(_("The text %(name)s is removed.", name=name), "success")
            return back_to(url_for(".index"))
        page = self.render("admin/texts/removal.html", form=form, text_name=name)
        return page, 409 if form.errors else 200

    def _edit(self, text: StandardText | None) -> ResponseReturnValue:
        text_id = text.id if text else None
        form = text_form(text)
        if form.validate_on_submit() and ask_for(
            lambda: standard_text.edit_text(
                current(StandardText, text_id) if text_id else None,
                purpose=Purpose(form.purpose.data),
                name=form.name.data,
                position=form.position.data,
                bodies=bodies(form),
                by=me(),
            ),
            done=_("The text is saved."),
            form=form,
        ):
            return back_to(url_for(".index"))
        page = self.render(
            "admin/texts/form.html",
            form=form,
            text_id=text_id,
            fields=[form[_field(code)] for code in i18n.languages()],
        )
        return page, 400 if form.errors else 200


def _body(code: str, text: StandardText) -> str:
    return next((each.body for each in text.variants if each.language == code), "")


def _field(code: str) -> str:
    return f"body_{code}"
