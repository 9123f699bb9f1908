"""Mail in the panel: what waits, what went, what failed and why; and never what it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from admin_views import wording
from portal import clock
from portal.audit import Action
from portal.database import db, transaction
from portal.mail import lease, outbox, pauses
from portal.mail.mail import Channel, Mail, MailState
from portal.mail.trouble import ServerDown, Trouble
from portal.settings import ROOT
from tests.admin_views.panel import entries, everything, fail, words
from tests.conftest import Browser
from tests.mail.hook import SECRET


@pytest.fixture
def mails(a_user: Callable[..., object]) -> dict[str, Mail]:
    """One mail in every state that staff look for, to five people, and a decoy."""
    for name in ("waits", "fails", "went", "taken", "dropped"):
        a_user(username=name)
    found = {str(mail.recipient).partition("@")[0]: mail for mail in outbox.waiting()}
    fail(found["fails"])
    went = lease.take(found["went"].id)
    assert went
    lease.mark_delivered(went)
    lease.take(found["taken"].id)
    with transaction():
        outbox.drop(Mail.id == found["dropped"].id)
        outbox.post_nothing()
    return found


def listed(browser: Browser, path: str) -> list[str]:
    """The names in the addresses that a list shows."""
    return re.findall(r"([a-z0-9]+)@example\.org</bdi></a></th>", browser.get(path).text)


@pytest.mark.parametrize(
    ("tab", "names"),
    [
        ("waiting", {"waits", "taken", "manager1"}),
        ("failed", {"fails"}),
        ("delivered", {"went"}),
        ("dropped", {"dropped"}),
    ],
)
def test_each_list_shows_the_mails_that_stand_there(mails, manager, signed_in, tab, names):
    found = listed(signed_in(manager), f"/admin/mail/?tab={tab}")

    assert set(found) == names - {"manager1"}


def test_every_kind_of_mail_has_words_for_it():
    kinds = {path.name for path in (ROOT / "templates" / "mail").iterdir() if path.is_dir()}

    assert {kind for kind in kinds if wording.mail_label(kind) == kind} == set()


def test_a_decoy_is_never_shown(mails, manager, signed_in):
    browser = signed_in(manager)

    assert len(listed(browser, "/admin/mail/")) == len(mails)
    assert "None" not in words(browser.get("/admin/mail/?tab=dropped"))


def test_a_failed_mail_says_why(mails, manager, signed_in):
    page = words(signed_in(manager).get("/admin/mail/?tab=failed"))

    assert "fails@example.org Confirm your address Failed" in page
    assert "The mail server refuses this recipient or this mail. (550)" in page


def test_mails_are_found_by_person_and_by_address(mails, manager, signed_in):
    browser = signed_in(manager)

    assert listed(browser, "/admin/mail/?q=went") == ["went"]
    assert listed(browser, "/admin/mail/?q=fails@example.org") == ["fails"]
    assert listed(browser, "/admin/mail/?q=fails@example.org&tab=delivered") == []
    assert "There is no such mail" in words(browser.get("/admin/mail/?q=nobody"))


def test_no_list_shows_what_a_mail_says(mails, manager, signed_in):
    browser = signed_in(manager)
    for tab in ("all", "waiting", "failed", "delivered", "dropped"):
        page = browser.get(f"/admin/mail/?tab={tab}").text
        assert "/confirm/" not in page
        assert mails["fails"].message_id.strip("<>") not in page


def test_failed_mails_are_tried_again(mails, manager, signed_in):
    browser = signed_in(manager)

    answer = browser.submit(
        "/admin/mail/?tab=failed",
        to="/admin/mail/attempt",
        ids=str(mails["fails"].id),
        back="/admin/mail/?tab=failed",
    )

    assert answer.location == "/admin/mail/?tab=failed"
    mail = db.session.get_one(Mail, mails["fails"].id)
    assert (mail.state, mail.attempts) == (MailState.WAITING, 0)
    assert [entry.by_id for entry in entries(Action.MAIL_RETRIED)] == [manager.id]
    assert "1 mail is tried again within a minute." in words(browser.get("/admin/mail/"))


def test_what_cannot_be_tried_again_is_said(mails, manager, signed_in):
    browser = signed_in(manager)

    browser.submit(
        "/admin/mail/",
        to="/admin/mail/attempt",
        ids=[str(mails[name].id) for name in ("went", "dropped", "fails")] + ["4711"],
    )

    page = words(browser.get("/admin/mail/"))
    assert "1 mail is tried again within a minute." in page
    assert "3 mails could not be tried again." in page


def test_trying_again_needs_a_mail(mails, manager, signed_in):
    browser = signed_in(manager)
    before = everything()

    browser.submit("/admin/mail/", to="/admin/mail/attempt")

    assert "Tick at least one row first." in words(browser.get("/admin/mail/"))
    assert everything() == before


@pytest.mark.settings(PORTAL_WEBHOOK_URL="http://localhost:9/", PORTAL_WEBHOOK_SECRET=SECRET)
def test_an_event_is_shown_as_what_it_is_and_can_be_tried_again(a_user, manager, signed_in):
    a_user(confirmed=True, username="ada")
    event = next(mail for mail in outbox.waiting() if mail.is_event)
    pauses.begin(ServerDown(Trouble.HOOK_UNREACHABLE), Channel.WEBHOOK)
    browser = signed_in(manager)

    page = browser.get("/admin/mail/?tab=waiting")
    assert "Webhook" in words(page)
    assert "A registration is ready to review" in words(page)
    assert "The program that listens cannot be reached." in words(page)
    assert "Webhook" in browser.get("/admin/mail/export.csv").text
    browser.submit("/admin/mail/", to="/admin/mail/attempt", ids=str(event.id))

    assert pauses.current(Channel.WEBHOOK) is None
    assert "registration is ready" not in words(browser.get(f"/admin/accounts/{event.user_id}"))


def test_the_panel_says_why_no_mail_leaves_and_trying_again_asks_the_server(
    mails, manager, signed_in
):
    pauses.begin(ServerDown(Trouble.UNREACHABLE))
    browser = signed_in(manager)
    for path in ("/admin/mail/", "/admin/"):
        page = words(browser.get(path))
        assert "The mail server cannot be reached." in page or "worker is not running" in page

    browser.submit("/admin/mail/", to="/admin/mail/attempt", ids=str(mails["waits"].id))

    assert pauses.current() is None
    assert mails["waits"].due_at <= clock.now() + timedelta(seconds=1)
