"""Nobody gives more than their role may give, by no way around (M11; architecture, section 3)."""

from typing import Any

import pytest
from sqlalchemy import select

from portal.accounts import access, roles
from portal.accounts.permissions import Permission
from portal.accounts.roles import Role
from portal.agents.catalogue import edit_agent, remove_agent
from portal.database import db, transaction
from portal.errors import StepRefused
from tests.people import an_agent, level


@pytest.fixture
def secret(administrator):
    with transaction():
        return access.edit_level(None, name="secret", rank=40, description="", by=administrator)


def test_a_level_above_cannot_be_moved_within_reach(secret, manager):
    with pytest.raises(StepRefused, match="secret"):
        access.edit_level(secret, name="secret", rank=25, description="", by=manager)


def test_a_level_within_reach_cannot_be_moved_above(manager):
    with pytest.raises(StepRefused, match="may not give"):
        access.edit_level(level("guest"), name="guest", rank=50, description="", by=manager)


def test_an_agent_cannot_be_moved_between_levels_that_one_may_not_give(secret, manager):
    vault = an_agent("Vault", requires="secret")
    facts: dict[str, Any] = {
        "name": "Vault",
        "description": "",
        "url": vault.url,
        "kind": "app",
        "enabled": True,
    }

    with pytest.raises(StepRefused, match="secret"):
        edit_agent(vault, **facts, access_level=level("guest"), by=manager)
    with pytest.raises(StepRefused, match="secret"):
        remove_agent(vault, by=manager)


def test_an_administrator_gives_every_level(secret, administrator, a_user):
    user = a_user(approved=True)

    with transaction():
        access.change_access_level(user, to=secret, by=administrator)

    assert user.access_level == secret


def test_a_role_is_allowed_nothing_that_its_editor_may_not_do(administrator, manager):
    with transaction():
        chief = manager.roles[0]
        roles.edit_role(
            chief,
            description="",
            permissions=[Permission.REVIEW, Permission.ADMINISTER],
            grants_up_to=chief.grants_up_to,
            by=administrator,
        )
    reviewer = db.session.scalars(select(Role).filter_by(name="reviewer")).one()

    with pytest.raises(StepRefused, match="may not do yourself"):
        roles.edit_role(
            reviewer,
            description="",
            permissions=[Permission.MANAGE],
            grants_up_to=reviewer.grants_up_to,
            by=manager,
        )
