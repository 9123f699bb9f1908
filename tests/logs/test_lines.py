"""Lines: what a record becomes, whoever wrote it."""

import json
import logging
import sys

import pytest
from sqlalchemy.exc import IntegrityError

from portal.audit import Action, record
from portal.database import transaction
from portal.logs import unheard
from portal.logs.lines import formatter
from tests.conftest import make_settings


def line_of(error, folder, *, how="json", **environ):
    """The line of an error that somebody logs while it is handled."""
    try:
        raise error
    except Exception:
        about = sys.exc_info()
    record = logging.LogRecord("portal.x", logging.ERROR, "x.py", 1, "it failed", (), about)
    return formatter(make_settings(folder, PORTAL_LOGS_FORMAT=how, **environ)).format(record)


DUPLICATE = IntegrityError(
    "INSERT", {}, Exception("duplicate key\nDETAIL:  Key (username)=(ada) already exists.")
)


def test_an_error_says_where_it_was_and_not_what_the_database_quotes(tmp_path):
    line = json.loads(line_of(DUPLICATE, tmp_path))

    assert "test_lines.py" in line["exception"]
    assert line["exception"].endswith("IntegrityError: (builtins.Exception) duplicate key")
    assert "ada" not in line["exception"]


def test_all_of_it_is_said_where_the_operator_wants_that(tmp_path):
    line = json.loads(line_of(DUPLICATE, tmp_path, PORTAL_LOGS_PERSONAL_DATA="true"))

    assert "Key (username)=(ada)" in line["exception"]
    assert "\nDETAIL" not in line["exception"], "its line breaks are spelled out all the same"


def test_what_led_to_an_error_comes_before_it(tmp_path):
    error = ValueError("second")
    error.__cause__ = KeyError("first")

    told = json.loads(line_of(error, tmp_path))["exception"]

    assert told.index("first") < told.index("which led to:") < told.index("second")


def test_at_a_terminal_no_line_of_an_error_looks_like_a_line_of_its_own(tmp_path):
    told = line_of(RuntimeError("x\n2026-01-01 [info] sign_in.done"), tmp_path, how="text")

    first, *rest = told.splitlines()
    assert "it failed" in first
    assert rest
    assert all(line.startswith("    | ") for line in rest)


@pytest.mark.parametrize("how", ["json", "text"])
def test_the_time_is_in_utc(tmp_path, how):
    assert "Z" in line_of(RuntimeError("x"), tmp_path, how=how).split()[1 if how == "json" else 0]


def test_a_past_that_is_made_up_leaves_no_line(app, caplog):
    with unheard(), transaction():
        record(Action.STAFF_INVITED)
    assert caplog.records == []

    with transaction():
        record(Action.STAFF_INVITED)
    assert len(caplog.records) == 1
