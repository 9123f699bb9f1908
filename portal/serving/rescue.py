"""Rescue: what nobody in the staff panel can do for the one who stands above them all."""

from __future__ import annotations

from flask import Flask


def reset_second_factor(site: Flask, username: str, *, reason: str) -> None:
    """Take every second factor of an account away, as the portal itself.

    Raises:
        Problem: nobody has this name; they have no second factor; no reason is given.
    """
    from portal.accounts.credentials import find_by_identity
    from portal.accounts.factors import removal
    from portal.accounts.user import User
    from portal.database import db, locked, transaction
    from portal.errors import StepRefused
    from portal.serving.problems import Problem

    with site.app_context():
        try:
            with transaction():
                found = find_by_identity(username)
                user = locked(User, found.id) if found else None
                if user is None:
                    raise Problem(f"Nobody is called {username}: give the username or the address.")
                removal.reset(user, by=None, reason=reason)
        except StepRefused as refused:
            raise Problem(str(refused)) from None
        finally:
            db.session.remove()
            db.engine.dispose()
