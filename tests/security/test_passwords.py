"""How passwords are kept (M7): argon2id at the floor or above, and better when settings are."""

import re

import argon2
import pytest
from sqlalchemy import String, select

from portal import settings
from portal.accounts.user import User
from portal.database import db
from portal.security.passwords import hashed, is_password_of
from tests.conftest import make_settings
from tests.people import PASSWORD, person

# The floor that OWASP ASVS 5.0, appendix C, approves of.
TIME, MEMORY, LANES = 2, 19456, 1


def parameters(kept: str) -> tuple[int, int, int]:
    found = re.fullmatch(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$[^$]{22}\$[^$]{43}", kept)
    assert found, kept
    memory, time, lanes = map(int, found.groups())
    return time, memory, lanes


@pytest.mark.both_databases(everyday="sqlite")
def test_what_the_database_keeps_is_argon2id_at_the_floor_whole(browser, a_user):
    """Read from the row itself: no column has cut it (H: 60-character password column)."""
    ada = a_user(approved=True)

    kept = db.session.scalar(select(User.password).where(User.id == ada.id))

    assert parameters(kept) == (TIME, MEMORY, LANES)
    column = User.__table__.c.password.type
    assert isinstance(column, String)
    assert (column.length or 0) >= 255
    browser.sign_in(person(ada))


@pytest.mark.usefixtures("each_hash_anew")
def test_two_people_with_one_password_keep_different_hashes(app):
    assert hashed(PASSWORD) != hashed(PASSWORD)


def test_the_hash_needs_the_instances_salt_too(app, a_user):
    """A double hash: who steals the database alone cannot even begin to guess."""
    ada = a_user(approved=True)

    with pytest.raises(argon2.exceptions.VerifyMismatchError):
        argon2.PasswordHasher().verify(ada.password, PASSWORD)
    assert is_password_of(ada, PASSWORD)


@pytest.mark.settings(PORTAL_PASSWORDS_HASH_TIME_COST="3", PORTAL_PASSWORDS_HASH_MEMORY_KIB="20480")
def test_a_hash_is_made_better_at_the_next_sign_in_when_settings_are_raised(browser, a_user):
    ada = a_user(approved=True)  # made with the hash that all tests share, at the floor
    other = a_user(approved=True)
    assert parameters(ada.password) == (TIME, MEMORY, LANES)

    browser.submit("/login", identity=ada.username, password="wrong")
    db.session.refresh(ada)
    assert parameters(ada.password) == (TIME, MEMORY, LANES), "not by a failure"
    browser.sign_in(person(ada))

    db.session.refresh(ada)
    db.session.refresh(other)
    assert parameters(ada.password) == (3, 20480, LANES)
    assert parameters(other.password) == (TIME, MEMORY, LANES)
    assert is_password_of(ada, PASSWORD)


def test_a_sign_in_with_unchanged_settings_leaves_the_hash_alone(browser, a_user):
    ada = a_user(approved=True)
    before = ada.password

    browser.sign_in(person(ada))

    db.session.refresh(ada)
    assert ada.password == before


@pytest.mark.parametrize(
    ("key", "value"),
    [("HASH_TIME_COST", "1"), ("HASH_MEMORY_KIB", "1024"), ("MINIMUM_LENGTH", "7")],
)
def test_settings_cannot_go_below_the_floor(tmp_path, key, value):
    with pytest.raises(settings.SettingsError, match=key):
        make_settings(tmp_path, **{f"PORTAL_PASSWORDS_{key}": value})


@pytest.mark.parametrize(
    "wrong", ["", " ", "\0", "None", "x" * 129, PASSWORD + "\0", PASSWORD[:-1]]
)
def test_no_other_password_is_the_right_one(a_user, wrong):
    assert not is_password_of(a_user(approved=True), wrong)


def test_no_password_column_is_short_of_what_hashing_makes():
    assert isinstance(User.__table__.c.password.type, String)
    assert User.__table__.c.password.nullable, "None: whoever confirms chooses one"
