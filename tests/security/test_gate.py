"""The gate: who may see which page; whatever the table does not name does not exist."""

import pytest

from portal.database import db
from portal.security import gate
from tests.security.walk import EVERYBODY, Site, arrive, everything_kept

# Who may see what, written down a second time on purpose: a page that gets another audience
# in the table has to get it here too. "waiting" are the pending and the rejected.
WAITING = {"pending", "rejected", "approved", "reviewer", "manager", "administrator"}
PEOPLE = WAITING - {"pending", "rejected"}
REVIEWERS = {"reviewer", "manager", "administrator"}
MANAGERS = {"manager", "administrator"}
ADMINISTRATORS = {"administrator"}
EVERYONE = WAITING | {"visitor"}

AUDIENCE: dict[str, set[str]] = {
    **dict.fromkeys(
        [
            "static",
            "health.alive",
            "health.ready",
            "language.choose",
            "appearance.choose",
            "reports.collect",
            "mailbox.index",
            "mailbox.letter",
            "mailbox.part",
            "mailbox.source",
            "security.login",
            "pages.second_step",
            "pages.second_step_recovery",
            "pages.second_step_passkey",
            "pages.passkey_options",
            "pages.passkey_sign_in",
            "pages.terms",
            "pages.register",
            "pages.registered",
            "pages.correct_address",
            "pages.resend_confirmation",
            "pages.confirm",
            "pages.confirm_code",
            "pages.not_me",
            "pages.confirmed",
            "pages.forgot",
            "pages.forgot_sent",
            "pages.reset",
            "pages.alarm",
            "pages.setup",
            "pages.status_by_link",
            "pages.answer_by_link",
            "pages.proof_code_by_link",
            "pages.new_address_by_link",
            "pages.withdrawal_by_link",
            "pages.goodbye",
        ],
        EVERYONE,
    ),
    **dict.fromkeys(
        [
            "security.logout",
            "pages.status",
            "pages.answer",
            "pages.proof_code",
            "pages.new_address",
            "pages.withdrawal",
            "pages.confirm_email_change",
        ],
        WAITING,
    ),
    **dict.fromkeys(
        [
            "security.verify",
            "pages.home",
            "pages.open_agent",
            "pages.account",
            "pages.sign_ins",
            "pages.end_session",
            "pages.end_other_sessions",
            "pages.change_password",
            "pages.change_email",
            "pages.change_username",
            "pages.second_factor",
            "pages.authenticator_app",
            "pages.app_removal",
            "pages.new_passkey",
            "pages.passkey_name",
            "pages.passkey_removal",
            "pages.recovery_codes",
            "pages.recovery_codes_kept",
        ],
        PEOPLE,
    ),
    **dict.fromkeys(
        [
            "dashboard.index",
            "registrations.index",
            "registrations.approval",
            "registrations.rejection",
            "registrations.reopening",
            "registrations.confirmation_mail",
            "registrations.question",
            "registrations.undo",
            "registrations.review",
            "registrations.letter",
            "registrations.claim",
            "registrations.claims",
            "registrations.saved_filters",
            "registrations.choose_columns",
            "registrations.new_filter",
            "registrations.saved_filter",
            "registrations.filter_removal",
            "registrations.export",
            "registrations.bulk",
            "registrations.progress",
            "registrations.undo_bulk",
            "figures.index",
            "figures.export",
            "figures.export_reviewers",
            "accounts.index",
            "accounts.account",
            "accounts.export",
            "accounts.confirmation_by_hand",
            "accounts.denial",
            "accounts.alarm",
            "accounts.notes",
            "accounts.note_removal",
            "accounts.mention",
            "workplace.index",
            "workplace.keys",
        ],
        REVIEWERS,
    ),
    **dict.fromkeys(
        [
            "accounts.access_level",
            "accounts.sessions",
            "accounts.sign_ins",
            "accounts.suspension",
            "accounts.reinstatement",
            "accounts.erasure",
            "accounts.factors_reset",
            "access_levels.index",
            "access_levels.new",
            "access_levels.edit",
            "access_levels.removal",
            "access_levels.export",
            "texts.index",
            "texts.new",
            "texts.edit",
            "texts.removal",
            "texts.export",
            "agents.index",
            "agents.new",
            "agents.edit",
            "agents.removal",
            "agents.export",
            "mail.index",
            "mail.attempt",
            "mail.export",
            "mail.silence",
            "audit_trail.index",
            "audit_trail.export",
        ],
        MANAGERS,
    ),
    **dict.fromkeys(
        ["accounts.roles", "roles.index", "roles.edit", "roles.export"], ADMINISTRATORS
    ),
}

# The one exception to "a GET changes nothing": that the link of a mail was looked at, and what
# speaks for a robot. It belongs to the mail, nobody's account, and has an end (B3).
WRITTEN_BY_LOOKING = {"mail_openings"}


@pytest.fixture
def site(app, people) -> Site:
    return Site.furnished(app, people)


def test_every_endpoint_stands_in_the_table(app):
    missing = {name for name in app.view_functions if gate.rule_for(name) is None}

    assert missing == set(), "not in portal/security/gate.py: they answer 404 to everyone"
    assert set(app.view_functions) == set(AUDIENCE), "nor in AUDIENCE above"


def test_the_table_names_no_endpoint_that_is_gone(app):
    parts = {name.partition(".")[0] for name in app.view_functions}

    assert set(gate.RULES) <= set(app.view_functions)
    assert set(gate.PANEL) <= parts


@pytest.mark.parametrize("who", EVERYBODY)
def test_each_page_opens_for_those_it_is_meant_for_and_for_nobody_else(site, browser, who):
    arrive(browser, site.people, who)

    for rule in site.rules("GET"):
        answer = browser.get(site.address(rule))
        if who in AUDIENCE[rule.endpoint]:
            assert answer.status_code != 403, rule
            assert answer.headers.get("Location") not in ("/status",), rule
            assert not answer.headers.get("Location", "").startswith("/login?"), rule
        elif who == "visitor":
            assert answer.headers.get("Location", "").startswith("/login"), rule
        elif who in ("pending", "rejected"):
            assert answer.headers.get("Location") == "/status", rule
        else:
            assert answer.status_code == 403, rule


@pytest.mark.parametrize("who", EVERYBODY)
def test_nobody_posts_where_they_may_not_look(site, browser, who):
    arrive(browser, site.people, who)
    token = browser.token("/terms")
    before = everything_kept()

    for rule in site.rules("POST"):
        if who in AUDIENCE[rule.endpoint]:
            continue
        answer = browser.post(site.address(rule), data={"csrf_token": token})
        if who == "visitor":
            assert answer.headers.get("Location") == "/login", rule
        else:
            assert answer.status_code == 403, rule

    assert everything_kept() == before


@pytest.mark.both_databases(everyday="sqlite")
def test_looking_at_every_page_changes_no_row_whoever_looks(site, new_browser):
    """H: confirming on GET. Mail scanners, prefetching browsers and HEAD change nothing."""
    kinds: tuple[str, ...] = ("visitor", "pending", "approved", "administrator")
    if db.engine.dialect.name == "postgresql":
        kinds = ("administrator",)  # who sees the most
    visitors = {who: arrive(new_browser(), site.people, who) for who in kinds}
    before = everything_kept()

    for who in kinds:
        for rule in site.rules("GET"):
            address = site.address(rule)
            seen, head = visitors[who].get(address), visitors[who].head(address)
            if rule.endpoint != "health.ready":  # there is no worker in this test
                assert seen.status_code < 500, (who, rule)
            assert head.status_code == seen.status_code, (who, rule)

    after = everything_kept()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == WRITTEN_BY_LOOKING, "and this only by the links of mails"


@pytest.mark.parametrize("who", EVERYBODY)
def test_an_unknown_address_does_not_exist_for_anybody(site, browser, who):
    arrive(browser, site.people, who)

    for path in ("/nothing", "/admin/nothing", "/admin/accounts/0", "/pages/home", "/.git/config"):
        assert browser.get(path).status_code == 404, path
        assert browser.head(path).status_code == 404, path


@pytest.mark.parametrize(
    "path",
    [
        "/us-signin",
        "/us-setup",
        "/tf-setup",
        "/tf-validate",
        "/tf-recovery",
        "/mf-recovery-codes",
        "/wan-register",
        "/wan-signin",
        "/login/oauthstart/github",
        "/recover-username",
        "/admin/static/admin/css/admin.css",
        "/fs-static/css/signin.css",
        "/security/static/css/signin.css",
        "/metrics",
        "/debug",
        "/console",
    ],
)
def test_pages_of_the_libraries_that_are_not_used_do_not_exist(browser, people, path):
    arrive(browser, people, "administrator")

    assert browser.get(path).status_code == 404


def test_a_page_that_nobody_put_into_the_table_does_not_exist_for_anybody(app, people, new_browser):
    app.add_url_rule("/forgotten", "pages.forgotten", lambda: "secret", methods=["GET", "POST"])

    for who in EVERYBODY:
        browser = arrive(new_browser(), people, who)
        assert browser.get("/forgotten").status_code == 404
        token = browser.token("/terms")
        assert browser.post("/forgotten", data={"csrf_token": token}).status_code == 404


def test_other_methods_are_refused(browser, people):
    arrive(browser, people, "administrator")

    for method in ("PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND"):
        for path in ("/", "/login", "/admin/accounts/"):
            assert browser.open(path, method=method).status_code == 405, (method, path)


def test_the_method_cannot_be_changed_by_a_header_or_a_field(browser, people):
    arrive(browser, people, "approved")
    before = everything_kept()

    browser.get("/logout?_method=POST", headers={"X-HTTP-Method-Override": "POST"})

    assert browser.get("/account").status_code == 200
    assert everything_kept() == before


def test_a_part_of_a_page_is_never_answered_with_another_page(browser, people, new_browser):
    part = {"HX-Request": "true", "HX-Current-URL": "http://127.0.0.1:8000/admin/?q=a%20b"}
    waiting = arrive(new_browser(), people, "pending")

    stranger = browser.get("/admin/registrations/claims?ids=1", headers=part)
    elsewhere = browser.get(
        "/account", headers={**part, "HX-Current-URL": "http://127.0.0.1:8000//evil.example/"}
    )

    assert stranger.status_code == elsewhere.status_code == 401
    assert 'href="/login?next=/admin/?q%3Da%2520b"' in stranger.text
    assert 'href="/login"' in elsewhere.text
    assert waiting.get("/admin/registrations/claims?ids=1", headers=part).status_code == 403
