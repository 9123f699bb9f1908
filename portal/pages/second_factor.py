"""The second factor: setting it up, and what somebody has (M16)."""

from __future__ import annotations

from collections.abc import Callable

import segno
from flask import abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from markupsafe import Markup
from sqlalchemy.exc import IntegrityError
from wtforms import BooleanField, HiddenField, StringField
from wtforms.validators import InputRequired, Length

from portal.accounts import code
from portal.accounts.factors import authenticator, ceremony, passkey, recovery, removal, standing
from portal.accounts.factors.standing import Missing
from portal.accounts.user import User
from portal.database import transaction
from portal.errors import StepRefused, why_not
from portal.pages import pages
from portal.pages.doors import me, me_locked
from portal.security import limits, sessions
from portal.security.forms import PlainText, PortalForm, trimmed

PASSKEY_ID = "<int(min=1, max=2147483647):passkey_id>"


class AppForm(PortalForm):
    """Proving that an app has the secret."""

    sealed = HiddenField()
    code = StringField(
        _l("Code from the app"),
        [InputRequired(_l("Enter the code that your app shows."))],
        filters=[trimmed],
        render_kw={"inputmode": "numeric", "maxlength": code.LONGEST_TYPED},
    )


def _name_field() -> StringField:
    """By what somebody will know a passkey of theirs."""
    return StringField(
        _l("Name of the passkey"),
        [
            InputRequired(_l("Give it a name by which you will know it.")),
            Length(
                max=passkey.LONGEST_NAME,
                message=_l("Shorten this to %(max)d characters."),
            ),
            PlainText(),
        ],
        filters=[trimmed],
        description=_l("Such as the device that keeps it: phone, laptop, key on the ring."),
    )


class PasskeyForm(PortalForm):
    """Adding a passkey: its name, and what it answered, which no person types."""

    name = _name_field()
    code = HiddenField()


class PasskeyNameForm(PortalForm):
    """Another name for a passkey."""

    name = _name_field()


class KeptForm(PortalForm):
    """Saying that the codes are safe."""

    kept = BooleanField(
        _l("I have kept the codes in a safe place."),
        [InputRequired(_l("Keep the codes first, then tick this."))],
    )


@pages.get("/second-factor")
def second_factor() -> ResponseReturnValue:
    """Show what somebody has, and lead through what is missing."""
    user = me()
    lacks = standing.missing(user)
    if lacks is Missing.RECOVERY_CODES:
        return redirect(url_for("pages.recovery_codes"))
    return render_template(
        "pages/second_factor.html",
        user=user,
        must_begin=lacks is Missing.FACTOR,
        is_required=standing.is_required_of(user),
        app=authenticator.of(user),
        passkeys=passkey.of(user),
        passkeys_are_possible=passkey.are_possible(),
        codes_left=recovery.left(user),
        few=recovery.FEW,
    )


@pages.route("/second-factor/app", methods=["GET", "POST"])
@limits.by_account
def authenticator_app() -> ResponseReturnValue:
    """Show a secret for an app, and take it as a factor once the app shows the right code."""
    form = AppForm()
    try:
        offer = authenticator.offer(me(), sealed=form.sealed.data or "")
    except StepRefused as refused:
        flash(str(refused), "warning")
        return redirect(url_for("pages.authenticator_app"), 303)
    if form.validate_on_submit():
        try:
            with transaction():
                user = me_locked()
                authenticator.add(user, sealed=offer.sealed, typed=form.code.data or "")
                here = sessions.go_on(user)
        except StepRefused as refused:
            form.refuse(refused)
        else:
            sessions.keep(here, user)
            return _added()
    form.sealed.data = offer.sealed
    return render_template(
        "pages/authenticator_app.html",
        form=form,
        picture=_picture(offer.uri),
        secret=_in_groups(offer.secret),
        replaces=authenticator.of(me()) is not None,
    ), 400 if form.errors else 200


@pages.route("/second-factor/app/removal", methods=["GET", "POST"])
@limits.by_account
def app_removal() -> ResponseReturnValue:
    """Take the app away, after a page that says what that means."""
    if authenticator.of(me()) is None:
        return redirect(url_for("pages.second_factor"), 303)
    return _removal(
        removal.remove_app,
        title=_("Remove the authenticator app"),
        done=_("The authenticator app is removed."),
    )


@pages.route("/second-factor/passkeys/new", methods=["GET", "POST"])
@limits.by_account
def new_passkey() -> ResponseReturnValue:
    """Add a passkey. The page's script asks the device for it and sends what it answered."""
    if not passkey.are_possible():
        return redirect(url_for("pages.second_factor"), 303)
    form = PasskeyForm()
    if form.validate_on_submit() and not form.code.data:
        form.refuse(
            StepRefused(_l("Passkeys need JavaScript and a browser that knows them. Try another."))
        )
    elif form.validate_on_submit():
        try:
            with transaction():
                user = me_locked()
                ceremony.add(user, answer=form.code.data or "", name=form.name.data or "")
                here = sessions.go_on(user)
        except StepRefused as refused:
            form.refuse(refused)
        except IntegrityError:
            form.refuse(StepRefused(_l("The portal knows this passkey already.")))
        else:
            sessions.keep(here, user)
            return _added()
    form.code.data = ""
    return render_template(
        "pages/new_passkey.html", form=form, options=ceremony.options_to_add(me())
    ), 400 if form.errors else 200


@pages.route(f"/second-factor/passkeys/{PASSKEY_ID}", methods=["GET", "POST"])
@limits.by_account
def passkey_name(passkey_id: int) -> ResponseReturnValue:
    """Give a passkey another name."""
    found = passkey.one_of(me(), passkey_id) or abort(404)
    form = PasskeyNameForm(data={"name": found.name})
    if form.validate_on_submit():
        with transaction():
            mine = passkey.one_of(me_locked(), passkey_id)
            if mine is not None:
                passkey.rename(mine, name=form.name.data or "")
        flash(_("The name is saved."), "success")
        return redirect(url_for("pages.second_factor"), 303)
    return render_template("pages/passkey_name.html", form=form), 400 if form.errors else 200


@pages.route(f"/second-factor/passkeys/{PASSKEY_ID}/removal", methods=["GET", "POST"])
@limits.by_account
def passkey_removal(passkey_id: int) -> ResponseReturnValue:
    """Take a passkey away, after a page that says what that means."""
    found = passkey.one_of(me(), passkey_id) or abort(404)
    return _removal(
        lambda user: removal.remove_passkey(user, passkey.one_of(user, passkey_id) or abort(404)),
        title=_("Remove the passkey"),
        done=_("The passkey is removed."),
        name=found.name,
    )


def _removal(
    remove: Callable[[User], object], *, title: str, done: str, name: str = ""
) -> ResponseReturnValue:
    """Show what taking a factor away means, and take it away."""
    form = PortalForm()
    if form.validate_on_submit():
        try:
            with transaction():
                user = me_locked()
                remove(user)
                here = sessions.go_on(user)
        except StepRefused as refused:
            form.refuse(refused)
        else:
            sessions.keep(here, user)
            flash(done, "success")
            return redirect(url_for("pages.second_factor"), 303)
    return render_template(
        "pages/factor_removal.html",
        form=form,
        title=title,
        name=name,
        is_last=removal.number(me()) <= 1,
        refused=None if form.errors else why_not(removal.must_be_removable, me()),
    ), 400 if form.errors else 200


@pages.route("/second-factor/recovery-codes", methods=["GET", "POST"])
@limits.by_account
def recovery_codes() -> ResponseReturnValue:
    """Make recovery codes, and show them: this once, in the answer to the button."""
    if not standing.has_factor(me()):
        return redirect(url_for("pages.second_factor"), 303)
    form, codes = PortalForm(), None
    if form.validate_on_submit():
        try:
            with transaction():
                codes = recovery.make(me_locked())
        except StepRefused as refused:
            form.refuse(refused)
    return render_template(
        "pages/recovery_codes.html",
        form=KeptForm() if codes else form,
        codes=codes,
        is_last_step=standing.missing(me()) is not None,
        left=recovery.left(me()),
    ), 400 if form.errors else 200


@pages.post("/second-factor/recovery-codes/kept")
def recovery_codes_kept() -> ResponseReturnValue:
    """Take somebody's word that they kept the codes, and let them through."""
    form = KeptForm()
    if not form.validate_on_submit():
        return render_template("pages/recovery_codes_kept.html", form=form), 400
    try:
        with transaction():
            recovery.keep(me_locked())
    except StepRefused as refused:
        flash(str(refused), "error")
        return redirect(url_for("pages.second_factor"), 303)
    flash(_("Your second factor is set up."), "success")
    return redirect(url_for("pages.home" if me().is_staff else "pages.second_factor"), 303)


def _added() -> ResponseReturnValue:
    """After a factor was added: to the recovery codes, unless there are some."""
    if standing.missing(me()) is Missing.RECOVERY_CODES:
        flash(_("That worked. One step is left."), "success")
        return redirect(url_for("pages.recovery_codes"), 303)
    flash(_("Your second factor is added. Every other device is signed out."), "success")
    return redirect(url_for("pages.second_factor"), 303)


def _picture(uri: str) -> Markup:
    """The QR code, drawn into the page: no file, no address that carries the secret."""
    drawn = segno.make(uri, error="m", micro=False)
    return Markup(  # noqa: S704  # nosec B704 # made of squares alone
        drawn.svg_inline(dark="#000", light="#fff", omitsize=True, svgclass="qr", border=4)
    )


def _in_groups(secret: str) -> str:
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
