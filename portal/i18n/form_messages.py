"""Form messages: what WTForms itself says, with our words on top."""

from flask import Flask, current_app
from flask_babel import Domain
from wtforms.i18n import messages_path


def init_app(app: Flask, folders: list[str]) -> None:
    """Read WTForms' messages, and ours over them, once for this app."""
    app.extensions["portal.wtforms_domain"] = Domain([messages_path(), *folders], domain="wtforms")


class FormTranslations:
    """WTForms' own messages with ours on top, from catalogues that are read once."""

    def gettext(self, string: str) -> str:
        """Translate a message."""
        return str(_wtforms_domain().get_translations().ugettext(string))

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        """Translate a message in the form that a number asks for."""
        return str(_wtforms_domain().get_translations().ungettext(singular, plural, n))


def form_translations() -> FormTranslations:
    """What a form's `Meta.get_translations` returns."""
    return FormTranslations()


def _wtforms_domain() -> Domain:
    domain: Domain = current_app.extensions["portal.wtforms_domain"]
    return domain
