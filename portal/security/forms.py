"""What every form of the portal shares: translations, and fields that refuse wild input."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import Field, PasswordField, RadioField, StringField, TextAreaField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]
from wtforms.validators import InputRequired, Length, StopValidation

from portal import i18n
from portal.accounts import addresses, passwords, usernames
from portal.accounts.passwords import Personal
from portal.accounts.user import Communication
from portal.errors import StepRefused
from portal.security import breaches

# Signs without a shape are refused, but for the two joiners that some scripts are written with.
_JOINERS = frozenset("\u200c\u200d")
# Letters by name that show nothing (Hangul fillers); they make a name that nobody can see.
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")


class Translated(FlaskForm.Meta):
    """How a form is set up whose built-in messages speak the reader's language."""

    def get_translations(self, _form: Any) -> Any:
        """The words for WTForms' own messages."""
        return i18n.form_translations()


class PortalForm(FlaskForm):
    """What our forms share: CSRF, the reader's language, and a place for refusals."""

    Meta = Translated

    def refuse(self, refused: StepRefused) -> None:
        """Show why a step was refused: beside its field, or above the form."""
        field = self._fields.get(refused.field or "")
        if field is None:
            self.form_errors.append(str(refused))
        else:
            field.errors = [*field.errors, str(refused)]


def trimmed(value: Any) -> Any:
    """A filter: spaces around what was typed mean nothing."""
    return value.strip() if isinstance(value, str) else value


class PlainText:
    """A validator: no control characters, line breaks only if allowed, nothing that flips text."""

    def __init__(self, *, lines: bool = False) -> None:
        self.lines = lines

    def __call__(self, _form: Any, field: Field) -> None:
        allowed = _JOINERS | frozenset("\n\r\t\u2028\u2029" if self.lines else "")
        for character in field.data or "":
            # Cf holds the overrides that make a text read as another one (UTS 39).
            unseen = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
            if character not in allowed and (unseen or character in _BLANK_LETTERS):
                raise ValidationError(
                    _l("This contains a character that cannot be shown. Type it again.")
                )


class HasLetters:
    """A validator: a name that can be seen and read out, not blanks or invisible signs alone."""

    def __call__(self, _form: Any, field: Field) -> None:
        if not any(unicodedata.category(character).startswith("L") for character in field.data):
            raise StopValidation(_l("Enter your full name."))


class GoodUsername:
    """A validator: the rules for usernames; the kept spelling replaces the typed one."""

    def __call__(self, _form: Any, field: Field) -> None:
        try:
            field.data = usernames.checked(field.data or "")
        except StepRefused as refused:
            raise ValidationError(str(refused)) from refused


class GoodAddress:
    """A validator: an e-mail address as it can be kept and mailed."""

    def __call__(self, _form: Any, field: Field) -> None:
        try:
            field.data = addresses.checked(field.data or "")
        except StepRefused as refused:
            raise ValidationError(str(refused)) from refused


class GoodPassword:
    """A validator: the password rules, all that are broken at once; then what breaches know."""

    def __call__(self, form: Any, field: Field) -> None:
        broken = passwords.broken_rules(field.data or "", form.personal())
        if broken:
            field.errors = [rule.sentence for rule in broken[:-1]]
            raise ValidationError(broken[-1].sentence)
        if breaches.know(field.data or ""):
            raise ValidationError(
                _l("This password is known from a data breach elsewhere. Choose another one.")
            )


class SamePassword:
    """A validator: typed twice, the same."""

    def __call__(self, form: Any, field: Field) -> None:
        typed, again = form.password.data or "", field.data or ""
        if passwords.normalize(typed) != passwords.normalize(again):
            raise ValidationError(_l("The two passwords differ. Type the same one twice."))


def full_name_field() -> StringField:
    """One field for the whole name, in any script."""
    return StringField(
        _l("Full name"),
        filters=[trimmed],
        validators=[
            InputRequired(_l("Enter your full name.")),
            HasLetters(),
            Length(max=120, message=_l("Shorten your name to 120 characters.")),
            PlainText(),
        ],
    )


def username_field() -> StringField:
    """A new username."""
    return StringField(
        _l("Username"),
        filters=[trimmed],
        validators=[InputRequired(_l("Choose a username.")), GoodUsername()],
    )


def email_field(label: Any = None) -> StringField:
    """An e-mail address."""
    return StringField(
        label or _l("E-mail address"),
        filters=[trimmed],
        validators=[InputRequired(_l("Enter your e-mail address.")), GoodAddress()],
    )


def words_field(label: Any, *needed: Any, **more: Any) -> TextAreaField:
    """Up to 1000 characters of somebody's own, in as many lines as they like.

    `needed` are validators that come before; `more` is for WTForms.
    """
    return TextAreaField(
        label,
        filters=[trimmed],
        validators=[
            *needed,
            Length(max=1000, message=_l("Shorten this to 1000 characters.")),
            PlainText(lines=True),
        ],
        **more,
    )


def reason_field() -> TextAreaField:
    """Why somebody asks for access; optional."""
    return words_field(_l("Why do you ask for access?"))


def choices(of: Iterable[tuple[Any, Any]]) -> list[SelectChoice]:
    """What somebody chooses from: values and their words."""
    return [SelectChoice(value, label) for value, label in of]


def communication_field() -> RadioField:
    """How much mail from agents somebody wants (M1, M12)."""
    return RadioField(
        _l("Messages from agents"),
        choices=choices((each.value, each.label) for each in Communication),
        default=Communication.IMPORTANT.value,
    )


def current_password_field() -> PasswordField:
    """The password they have now."""
    return PasswordField(
        _l("Current password"),
        validators=[InputRequired(_l("Enter your current password."))],
    )


class NewPassword:
    """A mix-in for forms in which somebody chooses a password, typed twice."""

    password = PasswordField(
        _l("Password"),
        validators=[InputRequired(_l("Choose a password.")), GoodPassword()],
    )
    password_again = PasswordField(
        _l("The same password again"),
        validators=[
            InputRequired(_l("Type the password a second time.")),
            SamePassword(),
        ],
    )

    def personal(self) -> Personal:
        """Whose password it is to be; forms that know say so."""
        return Personal()
