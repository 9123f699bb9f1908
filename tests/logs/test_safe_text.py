"""What may stand in a line (ASVS 16.2.5, 16.4.1): nothing forges one, no token, no address."""

import json
import logging
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.logs import safe_text
from portal.logs.lines import formatter
from tests.conftest import make_settings

SIGNED = "WyIzZDQ0ZTQ1YzQwYmE0Yzk2Il0.aRk3Zw.1mvVQm0kYcFhPq3oD4rY5jGf9uE"
NASTY = "\r\n\0\x1b\x7f\x85\u2028\u2029\u202e\u2066\u200b\ufeff\ud800\U000e0041"
WILD = st.text(st.one_of(st.characters(), st.sampled_from(NASTY + "@.:/\\{}\"'= ")), max_size=2000)


@pytest.fixture(scope="module")
def shape(tmp_path_factory):
    """Makes a line of what is said, in either form."""
    folder = tmp_path_factory.mktemp("shape")

    def line(how, *said, **environ):
        ours = make_settings(folder, PORTAL_LOGS_FORMAT=how, **environ)
        record = logging.LogRecord("someone", logging.WARNING, "x.py", 1, "said %s", said, None)
        return formatter(ours).format(record)

    return line


@given(WILD)
@settings(max_examples=150, deadline=None)
def test_whatever_is_said_is_one_short_line_of_signs_that_can_be_seen(said):
    kept = safe_text.text(said, personal=True)

    assert not set(kept) & set(NASTY)
    assert all(sign.isprintable() or sign in "\u00a0\u2003" or sign.isspace() for sign in kept)
    assert len(kept.splitlines()) <= 1
    assert len(kept) <= safe_text.LONGEST + 1


@given(WILD)
@settings(max_examples=60, deadline=None)
def test_so_is_the_whole_line_in_either_form(shape, said):
    as_json, as_text = shape("json", said), shape("text", said)

    assert as_json.isascii()
    assert as_json.isprintable()
    assert set(json.loads(as_json)) == {"at", "level", "event", "logger"}
    assert len(as_text.splitlines()) == 1
    assert not set(as_text) & set(NASTY)


def test_a_forged_line_stays_inside_the_one_that_it_was_written_into(shape):
    forged = 'x\n{"at": "2026-01-01", "event": "sign_in.done"}\x1b[1A'

    assert json.loads(shape("json", forged))["event"].startswith("said x\\n{")
    assert "\\x1b[1A" in shape("text", forged)
    assert len(shape("text", forged).splitlines()) == 1


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("GET /reset/secret-token?x=1", "GET /reset/***?x=1"),
        ("at /portal/status/secret/withdrawal", "at /portal/status/***/withdrawal"),
        ("/confirm/code and /reset/sent", "/confirm/code and /reset/sent"),
        (f"loaded {SIGNED} well", "loaded *** well"),
        (f"loaded .{SIGNED} well", "loaded *** well"),
        ("draft gAAAAABo" + "x" * 90 + "==", "draft ***"),
        ("postgresql://portal:hunter2@host/portal", "postgresql://portal:***@host/portal"),
        ("Key (email)=(ada.b+c@example.org) exists", "Key (email)=(***@***) exists"),
        ("smtp.example.org answered 550 5.1.1", "smtp.example.org answered 550 5.1.1"),
        ("portal.mail.delivery at 12:30:01.5", "portal.mail.delivery at 12:30:01.5"),
    ],
)
def test_tokens_passwords_and_addresses_are_masked(said, kept):
    assert safe_text.text(said, personal=False) == kept


def test_addresses_stay_where_the_operator_wants_them_and_tokens_never():
    said = f"ada@example.org {SIGNED}"

    assert safe_text.text(said, personal=True) == "ada@example.org ***"


def test_long_text_is_cut_and_searched_in_little_time():
    for sign in ("a", "@", "a@", ".", "/reset/", "gAAAAA", "\u202e"):
        kept = safe_text.text(sign * 1_000_000, personal=False)
        assert len(kept) <= safe_text.LONGEST + 1


def test_lists_and_names_are_bounded_too():
    deep = {"a\n": [{"b": [["c\r"]]}], "n": 1, "none": None}

    assert safe_text.value(deep, personal=False)["a\\n"][0]["b"][0] == "['c\\r']"
    assert (
        len(safe_text.value(list(string.printable * 10), personal=False)) == safe_text.MOST_VALUES
    )


@pytest.mark.parametrize(
    ("kept", "ipv4", "ipv6"),
    [
        ("full", "192.0.2.7", "2001:db8:1:2::3"),
        ("network", "192.0.2.0/24", "2001:db8:1::/48"),
        ("none", None, None),
    ],
)
def test_as_much_of_a_network_address_is_kept_as_the_operator_wants(kept, ipv4, ipv6):
    assert safe_text.network("192.0.2.7", kept=kept) == ipv4
    assert safe_text.network("2001:db8:1:2::3", kept=kept) == ipv6
    assert safe_text.network("no\naddress", kept="full") == "no\\naddress"
