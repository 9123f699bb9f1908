"""How Flask-Security finds people: one query, with what the gate needs to know of them."""

from __future__ import annotations

from typing import Any

from flask_security.datastore import SQLAlchemyUserDatastore
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from portal.accounts.roles import Role
from portal.accounts.user import User
from portal.database import db


class Accounts(SQLAlchemyUserDatastore):
    """Flask-Security's view of our accounts. It reads and commits; the steps change."""

    def __init__(self) -> None:
        super().__init__(db, User, Role)

    def find_user(
        self, case_insensitive: bool = False, join_roles: bool = True, **kwargs: Any
    ) -> User | None:
        """The account with this attribute, roles and access level loaded in the same query."""
        query = select(User).filter_by(**kwargs).options(joinedload(User.roles))
        return db.session.scalars(query).unique().one_or_none()
