"""What one request may cost, however it is made (H7; ASVS 1.3.12, 2.4.1)."""

import time

import pytest

from tests.pages import filled_in

# Normalising this took ten seconds, with every other request waiting.
SIGNS = "a" + "\u0315" * 10_000 + "\u0300" * 10_000 + "\u0316" * 10_000
LIGATURES = "\ufdfa" * 15_000


@pytest.mark.parametrize("wild", [SIGNS, LIGATURES], ids=["combining signs", "ligatures"])
@pytest.mark.parametrize(
    "field", ["full_name", "username", "email", "password", "password_again", "reason"]
)
def test_no_field_of_a_registration_costs_more_than_a_moment(browser, field, wild):
    token = browser.token("/register")
    data = {"csrf_token": token, **filled_in.registration(**{field: wild})}

    spent = time.process_time()
    answer = browser.post("/register", data=data, content_type="multipart/form-data")
    spent = time.process_time() - spent

    assert answer.status_code in (303, 400, 413)
    assert spent < 2


@pytest.mark.parametrize(
    ("path", "field"), [("/reset", "email"), ("/confirm", "email"), ("/login", "identity")]
)
def test_no_address_that_a_stranger_types_costs_more_than_a_moment(browser, path, field):
    data = {"csrf_token": browser.token(path), field: SIGNS, "password": SIGNS}

    spent = time.process_time()
    answer = browser.post(path, data=data, content_type="multipart/form-data")
    spent = time.process_time() - spent

    assert answer.status_code in (200, 400, 413)
    assert spent < 2


def test_a_long_password_of_composed_letters_signs_in_as_it_registered(browser, a_user):
    """217 signs as typed, 117 as kept: what counts is the spelling that is kept (M3)."""
    password = "Zebra!Quilt7horse" + "e\u0301" * 100
    browser.submit(
        "/register", **filled_in.registration(password=password, password_again=password)
    )

    answer = browser.submit("/login", identity="ada", password=password)

    assert "Confirm your e-mail address first" in answer.get_data(as_text=True)
