"""The first run: a link for the first administrator, until there is one."""

from __future__ import annotations

from flask import Flask


def set_up_link(site: Flask) -> str | None:
    """Make the one-time link with which the first administrator is created; None: there is one.

    Works for an hour and once; the link of an earlier start stops working.
    """
    from portal.accounts import roles
    from portal.database import db

    with site.app_context():
        try:
            there_is_one = roles.administrator_exists()
            return None if there_is_one else invitation(role=roles.ADMINISTRATOR)
        finally:
            # Whoever forks after this must not share a connection with its children.
            db.session.remove()
            db.engine.dispose()


def invitation(*, role: str, email: str = "", username: str = "") -> str:
    """Make a one-time link to a staff account with a role, inside an application context.

    Raises:
        Problem: there is no such role.
    """
    from sqlalchemy import select

    from portal import links
    from portal.accounts import staff_invitation
    from portal.accounts.roles import Role
    from portal.database import db, transaction
    from portal.serving.problems import Problem
    from portal.settings.errors import suggestion

    with transaction():
        found = db.session.scalars(select(Role).filter_by(name=role)).one_or_none()
        if found is None:
            names = db.session.scalars(select(Role.name)).all()
            raise Problem(f'There is no role "{role}"; {suggestion(role, names)}')
        token = staff_invitation.invite(role=found, email=email, username=username)
    return links.absolute("pages.setup", token=token)


def staff_link(site: Flask, *, email: str, username: str, role: str) -> str:
    """Make a one-time link to a staff account for one person.

    Raises:
        Problem: the address or the username cannot be one, or has an account; there is no such
            role.
    """
    from portal.accounts import addresses, usernames
    from portal.accounts.credentials import find_by_identity
    from portal.errors import StepRefused
    from portal.serving.problems import Problem

    with site.app_context():
        try:
            email, username = addresses.checked(email), usernames.checked(username)
        except StepRefused as refusal:
            raise Problem(str(refusal)) from None
        for name in (email, username):
            if find_by_identity(name) is not None:
                raise Problem(
                    f"There is an account {name} already. Give it the role in the staff panel, "
                    "under Accounts."
                )
        return invitation(role=role, email=email, username=username)
