"""Request ids: one for each request, in its answer, its lines, and what the worker does for it."""

import re
import threading

import pytest
import structlog
from sqlalchemy import select

from portal.database import db, transaction
from portal.desk import bulk_asking, bulk_round
from portal.desk.bulk import Bulk, Deed
from portal.logs import piece_of_work, request_ids
from portal.mail import lease
from portal.mail.attempt import attempt
from portal.mail.mail import Mail
from portal.mail.trouble import Never, Trouble
from portal.settings import SettingsError
from tests.conftest import make_settings
from tests.pages import filled_in

MADE = re.compile(r"[0-9a-f]{16}")
TRUSTED = pytest.mark.settings(
    PORTAL_SERVER_PROXY_HOPS="1", PORTAL_LOGS_REQUEST_ID_HEADER="X-Request-ID"
)


def id_of(answer):
    (found,) = answer.headers.getlist("X-Request-ID")
    return found


def noted(caplog, name):
    """The lines of an event."""
    return [
        record.msg
        for record in caplog.records
        if isinstance(record.msg, dict) and record.msg["event"] == name
    ]


def test_each_answer_carries_one_of_its_own_also_errors_and_files(browser):
    paths = ("/login", "/login", "/nothing", "/static/css/portal.css")
    answers = [browser.get(path) for path in paths]

    ids = {id_of(answer) for answer in answers}
    assert len(ids) == len(paths)
    assert all(MADE.fullmatch(each) for each in ids)
    assert request_ids.current() is None, "nothing is left behind for the next one"


def test_what_a_stranger_claims_is_none(browser):
    assert id_of(browser.get("/login", headers={"X-Request-ID": "chosen-by-me"})) != "chosen-by-me"


@TRUSTED
@pytest.mark.parametrize(
    ("claimed", "taken"),
    [
        ("9f86d081-884c-7d65", True),
        ("a" * 64, True),
        ("short", False),
        ("a" * 65, False),
        ("with blank in it", False),
        ("line\u2028break", False),
        ("<script>alert", False),
        ("-leading-dash", False),
    ],
)
def test_what_a_trusted_proxy_says_is_taken_if_it_can_be_one(browser, claimed, taken):
    environ = {"HTTP_X_REQUEST_ID": claimed}
    found = id_of(browser.get("/healthz", environ_overrides=environ))

    assert (found == claimed) is taken
    assert taken or MADE.fullmatch(found)


@pytest.mark.parametrize(
    ("header", "hops", "words"),
    [("X-Request-ID", "0", "proxy_hops is 0"), ("X Request", "1", "name of a header")],
)
def test_a_header_that_anybody_could_set_is_refused_at_the_start(tmp_path, header, hops, words):
    with pytest.raises(SettingsError, match=words):
        make_settings(tmp_path, PORTAL_LOGS_REQUEST_ID_HEADER=header, PORTAL_SERVER_PROXY_HOPS=hops)


def test_two_at_once_have_each_their_own(app):
    seen = {}
    both = threading.Barrier(2)

    def view(_environ, start_response):
        both.wait(10)
        seen[threading.get_ident()] = request_ids.current()
        start_response("200 OK", [])
        return []

    def ask():
        list(request_ids.RequestIds(view)({}, lambda *_: None))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(seen.values())) == 2


@pytest.mark.both_databases(everyday="sqlite")
def test_the_workers_lines_about_a_mail_carry_the_id_of_the_request_that_posted_it(browser, caplog):
    form = {"csrf_token": browser.token("/register"), **filled_in.registration()}
    asked = id_of(browser.post("/register", data=form))
    mail = db.session.scalars(select(Mail)).one()
    assert mail.request_id == asked

    def refuse(_held):
        raise Never(Trouble.REFUSED)

    with piece_of_work("sweep"):
        held = lease.take_next()
        attempt(held, refuse)
        rounds_own = request_ids.current()

    (failed,) = noted(caplog, "mail.failed")
    assert (failed["request"], failed["job"], failed["mail"]) == (asked, "sweep", mail.id)
    assert rounds_own != asked
    assert "@" not in str(failed)


def test_a_bulk_and_its_mails_belong_to_the_request_that_asked_for_it(people, reviewer, caplog):
    ids = people.crowd(2)
    with structlog.contextvars.bound_contextvars(request="the-request-that-asked"), transaction():
        bulk_asking.ask(Deed.REJECTION, ids, by=reviewer, reason="No room")
    caplog.clear()

    with piece_of_work("bulk"):
        bulk_round.work()

    assert db.session.scalars(select(Bulk.request_id)).one() == "the-request-that-asked"
    rejected = noted(caplog, "account.rejected")
    assert {line["about"] for line in rejected} == set(ids)
    assert {(line["request"], line["job"]) for line in rejected} == {
        ("the-request-that-asked", "bulk")
    }
    mails = select(Mail.request_id).where(Mail.user_id.in_(ids), Mail.kind == "rejected")
    assert set(db.session.scalars(mails)) == {"the-request-that-asked"}
