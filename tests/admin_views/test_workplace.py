"""The workplace: members of staff choose how they are told, and when not."""

from __future__ import annotations

import re

import pytest

from portal.database import db, transaction
from portal.desk import workplace
from tests.admin_views.panel import words

PAGE = "/admin/workplace/"
CHOSEN = {"notice": "digest", "digest_hour": "9", "quiet_from": "22", "quiet_until": "7"}


def checked(page):
    return set(re.findall(r'name="notice" value="(\w+)" checked', page.text))


def test_whoever_chose_nothing_is_mailed_and_has_the_keys(reviewer, signed_in):
    page = signed_in(reviewer).get(PAGE)

    assert checked(page) == {"mail"}
    assert re.search(r'name="single_keys" value="y" checked', page.text)


def test_what_is_chosen_is_kept_and_is_ones_own(people, signed_in):
    ada, grace = people.staff("reviewer"), people.staff("reviewer")
    browser = signed_in(ada)

    answer = browser.submit(PAGE, **CHOSEN)

    assert (answer.status_code, answer.location) == (303, PAGE)
    page = browser.get(PAGE)
    assert checked(page) == {"digest"}
    assert "Your workplace is saved." in words(page)
    assert checked(signed_in(grace).get(PAGE)) == {"mail"}
    db.session.expire_all()
    kept = workplace.of(db.session.merge(ada))
    assert (kept.quiet_from, kept.quiet_until, kept.single_keys) == (22, 7, False)


def test_a_digest_in_the_quiet_hours_is_refused_beside_its_field(reviewer, signed_in):
    answer = signed_in(reviewer).submit(PAGE, **CHOSEN | {"digest_hour": "23"})

    assert answer.status_code == 400
    assert "This is in your quiet hours." in words(answer)
    assert checked(answer) == {"digest"}
    db.session.expire_all()
    assert workplace.of(db.session.merge(reviewer)).notice == "mail"


def test_hours_are_those_of_ones_own_time_zone(reviewer, signed_in):
    with transaction():
        db.session.merge(reviewer).time_zone = "Asia/Kolkata"

    page = signed_in(reviewer).get(PAGE)

    assert "Asia/Kolkata" in words(page)


@pytest.mark.parametrize("wanted", [True, False])
def test_keys_are_switched_from_the_page_that_lists_them(reviewer, signed_in, wanted):
    browser = signed_in(reviewer)
    with transaction():
        workplace.choose(db.session.merge(reviewer), single_keys=not wanted)
    page = "/admin/registrations/?tab=asked"
    said = {"switch": "single_keys"} | ({"single_keys": "on"} if wanted else {})

    answer = browser.submit(page, to="/admin/workplace/keys", back=page, **said)

    assert (answer.status_code, answer.location) == (303, page)
    assert workplace.of(db.session.merge(reviewer)).single_keys is wanted
    assert ("data-single" in browser.get(page).text) is wanted
