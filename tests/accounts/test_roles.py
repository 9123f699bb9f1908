"""Roles and authority: nobody above, never oneself, and always one administrator left."""

import itertools

import pytest
from sqlalchemy import select

from portal.accounts import access, roles
from portal.accounts.access import change_access_level
from portal.accounts.approval import approve
from portal.accounts.permissions import Permission
from portal.accounts.roles import Role, change_roles, edit_role
from portal.accounts.suspension import suspend
from portal.accounts.user import User
from portal.agents import catalogue
from portal.audit import Action, AuditEntry
from portal.database import db, locked, transaction
from portal.errors import StepRefused
from tests.crowd import together
from tests.people import an_agent, level

LADDER = ["person", "reviewer", "manager", "administrator"]


def role(name: str) -> Role:
    return db.session.scalars(select(Role).filter_by(name=name)).one()


def somebody(people, name: str) -> User:
    return people.user(approved=True) if name == "person" else people.staff(name)


@pytest.mark.parametrize(("by", "on"), list(itertools.product(LADDER[1:], LADDER)))
def test_nobody_takes_a_step_on_somebody_above_them(people, by, on):
    people.staff("administrator")  # so that it is not about the last one
    actor, target = somebody(people, by), somebody(people, on)
    allowed = LADDER.index(by) >= LADDER.index(on)

    for step in (
        lambda: suspend(target, by=actor),
        lambda: change_roles(target, to=[], by=actor),
    ):
        if allowed:
            with transaction():
                step()
        else:
            with pytest.raises(StepRefused, match="above"):
                step()


@pytest.mark.parametrize("name", LADDER[1:])
def test_nobody_takes_a_step_on_themselves(people, name):
    """Roles, level, suspension: from the row itself, as a door passes it (trap 1)."""
    people.staff("administrator")
    grace = people.staff(name)
    again = db.session.get(User, grace.id)

    for step in (
        lambda: change_roles(again, to=[role("administrator"), role("manager")], by=grace),
        lambda: change_roles(again, to=[], by=grace),
        lambda: change_access_level(again, to=level("guest"), by=grace),
        lambda: suspend(again, by=grace),
    ):
        with pytest.raises(StepRefused, match="own account"):
            step()


@pytest.mark.parametrize(
    ("by", "gives", "allowed"),
    [
        ("reviewer", "manager", False),
        ("manager", "administrator", False),
        ("manager", "manager", True),
        ("administrator", "administrator", True),
    ],
)
def test_nobody_gives_a_role_above_their_own(people, by, gives, allowed):
    actor, ada = people.staff(by), people.user(approved=True)

    if not allowed:
        with pytest.raises(StepRefused, match="above your own"):
            change_roles(ada, to=[role(gives)], by=actor)
        return
    with transaction():
        change_roles(ada, to=[role(gives)], by=actor)

    entry = db.session.scalars(select(AuditEntry).filter_by(action=Action.ROLES_CHANGED)).one()
    assert entry.details == {"before": [], "after": [gives]}
    assert ada.may(Permission.REVIEW)


@pytest.mark.parametrize(
    ("by", "grants", "refuses"),
    [
        ("reviewer", ["guest", "standard"], ["extended"]),
        ("manager", ["guest", "standard", "extended"], []),
    ],
)
def test_a_role_says_how_high_one_may_let_others(people, by, grants, refuses):
    actor = people.staff(by)

    assert [each.name for each in access.levels_grantable(actor)] == grants
    for name in refuses:
        with pytest.raises(StepRefused, match=name):
            approve(people.user(confirmed=True), by=actor, level=level(name))
        with pytest.raises(StepRefused, match=name):
            change_access_level(people.user(approved="guest"), to=level(name), by=actor)
        with pytest.raises(StepRefused, match=name):
            change_access_level(people.user(approved=name), to=level("guest"), by=actor)


def test_only_the_approved_hold_a_role_or_a_level(people, administrator):
    for user in (people.user(), people.user(confirmed=True), people.user(rejected=True)):
        with pytest.raises(StepRefused):
            change_roles(user, to=[role("reviewer")], by=administrator)
        with pytest.raises(StepRefused):
            change_access_level(user, to=level("guest"), by=administrator)


def test_a_role_that_somebody_suspended_held_opens_nothing(people, administrator):
    grace = people.staff("manager")

    with transaction():
        suspend(grace, by=administrator)

    assert not grace.may(Permission.REVIEW)
    assert grace not in roles.staff_with(Permission.REVIEW)


@pytest.mark.parametrize("step", ["suspension", "roles"])
def test_the_last_administrator_stays_whoever_asks(people, step):
    ada = people.staff("administrator")

    with pytest.raises(StepRefused, match="last administrator"):
        if step == "suspension":
            suspend(ada, by=None)
        else:
            change_roles(ada, to=[role("manager")], by=None)


def test_a_suspended_administrator_does_not_count_as_one_who_is_left(people):
    ada, grace = people.staff("administrator"), people.staff("administrator")
    with transaction():
        suspend(grace, by=ada)

    with pytest.raises(StepRefused, match="last administrator"):
        suspend(ada, by=None)


@pytest.mark.both_databases
@pytest.mark.parametrize("step", ["suspension", "roles", "one of each"])
def test_two_administrators_who_remove_each_other_leave_one(app, people, step):
    """Both count two before either is gone, unless the second waits for the first."""
    pair = [people.staff("administrator"), people.staff("administrator")]
    ids = [each.id for each in pair]

    def remove(number):
        def deed():
            with app.app_context():
                try:
                    with transaction():
                        actor = db.session.get(User, ids[number])
                        target = locked(User, ids[1 - number])
                        if step == "suspension" or (step == "one of each" and number):
                            suspend(target, by=actor)
                        else:
                            change_roles(target, to=[], by=actor)
                except StepRefused:
                    return False
                return True

        return deed

    removed = together(remove(number) for number in range(2))

    db.session.expire_all()
    assert removed.count(True) == 1
    assert roles.administrator_exists()


def test_a_role_is_edited_by_those_above_it_only(people, administrator):
    manager = people.staff("manager")

    with transaction():
        edit_role(
            role("reviewer"),
            description="Looks at new people",
            permissions=[Permission.REVIEW],
            grants_up_to=level("guest"),
            by=administrator,
        )

    assert role("reviewer").grants_up_to.name == "guest"
    for name, actor in (("administrator", administrator), ("manager", manager)):
        with pytest.raises(StepRefused, match="your own"):
            edit_role(role(name), description="", permissions=[], grants_up_to=None, by=actor)


def test_the_seeded_roles_say_what_architecture_says(app):
    assert {
        each.name: (each.rank, each.permissions) for each in db.session.scalars(select(Role))
    } == {
        "reviewer": (10, ["review"]),
        "manager": (20, ["review", "manage"]),
        "administrator": (30, ["review", "manage", "administer"]),
    }


def test_the_seeded_levels_are_a_ladder(app):
    names = [each.name for each in access.levels()]

    assert names == ["guest", "standard", "extended"]
    for lower, higher in itertools.combinations(access.levels(), 2):
        assert higher.opens(lower)
        assert not lower.opens(higher)
        assert lower.opens(lower)


def test_a_level_in_use_is_not_removed_one_that_is_free_is(people, administrator):
    people.user(approved="guest")

    with pytest.raises(StepRefused, match="use this level"):
        access.remove_level(level("guest"), by=administrator)
    with transaction():
        made = access.edit_level(None, name="top", rank=99, description="", by=administrator)
    with transaction():
        access.remove_level(db.session.merge(made), by=administrator)

    assert "top" not in [each.name for each in access.levels()]


def test_nobody_moves_a_level_or_an_agent_that_is_above_what_they_may_give(people, administrator):
    """By moving `top` down, a manager could give it."""
    with transaction():
        access.edit_level(None, name="top", rank=99, description="", by=administrator)
    agent = an_agent(requires="top")
    manager = people.staff("manager")

    for step in (
        lambda: access.edit_level(level("top"), name="top", rank=5, description="", by=manager),
        lambda: access.edit_level(None, name="new", rank=98, description="", by=manager),
        lambda: access.remove_level(level("top"), by=manager),
        lambda: catalogue.remove_agent(agent, by=manager),
    ):
        with pytest.raises(StepRefused, match="may not give"):
            step()
