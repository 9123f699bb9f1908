"""What the doctor hears from the mail server: as much as it says without a letter."""

from __future__ import annotations

from collections.abc import Iterator

from portal.serving.doctor.finding import Finding, fail, ok, warn
from portal.settings import Settings


def server(ours: Settings, *, send_to: str = "") -> Iterator[Finding]:
    """Connect, encrypt and sign in as the worker would; send a letter only where asked to."""
    mail = ours.mail
    if mail.effective_transport == "mailbox":
        if send_to:
            yield fail("mail", "nothing can be sent: no server is set in [mail].")
        elif ours.mailbox_enabled:
            yield ok("mail", f"kept in the development mailbox, {ours.public_url}/dev/mailbox")
        return  # a mailbox that nobody can read was said among the settings
    if mail.sender.endswith("@localhost"):
        yield warn("mail", f"the sender is {mail.sender}.", "Set sender in [mail].")
    name = f"{mail.server}:{mail.port}, {mail.security}"
    try:
        _talk(ours, send_to)
    except Exception as error:
        yield fail("mail", f"{name}: {_reason(error)}", "Correct [mail] in the settings.")
        return
    signed_in = f", signed in as {mail.username}" if mail.username else ""
    yield ok("mail", f"{name}{signed_in}" + (f", letter sent to {send_to}" if send_to else ""))


def _talk(ours: Settings, send_to: str) -> None:
    from flask import Flask
    from flask_mailman import EmailMessage

    from portal.mail import delivery

    app = Flask("portal.doctor")
    app.extensions["portal.settings"] = ours
    delivery.init_app(app)
    with app.app_context():
        connection = app.extensions["mailman"].get_connection()
        try:
            connection.open()
            if send_to:
                letter = EmailMessage(
                    subject=f"{ours.site.name}: test",
                    body=f"This letter shows that {ours.public_url} can send mail.\n",
                    from_email=ours.mail.sender,
                    to=[send_to],
                )
                connection.send_messages([letter])
        finally:
            connection.close()


def _reason(error: BaseException) -> str:
    """Say what went wrong, down to what the system or the server said first."""
    reasons = []
    following: BaseException | None = error
    while following is not None:
        text = str(following).strip() or type(following).__name__
        if text not in reasons:
            reasons.append(text)
        following = following.__cause__ or following.__context__
    return ": ".join(reasons)
