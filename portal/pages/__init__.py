"""The doors for people: each page asks for steps, commits, and says how it went."""

from __future__ import annotations

from flask import Blueprint, Flask

pages = Blueprint("pages", __name__)


def init_app(app: Flask) -> None:
    """Open every door."""
    from portal.pages import (
        account,
        alarm,
        appearance,
        confirmation,
        correction,
        credentials,
        errors,
        health,
        home,
        language,
        mailbox,
        new_address,
        proof,
        registration,
        second_factor,
        second_step,
        sessions,
        setup,
        shell,
        sign_ins,
        status,
        withdrawal,
    )

    shell.init_app(app)
    errors.init_app(app)
    assert all((account, confirmation, correction, credentials, home, registration, setup))
    assert all((status, new_address, proof, second_factor, second_step, sessions))
    assert all((alarm, sign_ins, withdrawal))
    app.register_blueprint(pages)
    app.register_blueprint(language.blueprint)
    app.register_blueprint(appearance.blueprint)
    app.register_blueprint(mailbox.blueprint)
    app.register_blueprint(health.blueprint)
