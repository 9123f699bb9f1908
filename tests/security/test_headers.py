"""Headers on every kind of answer (M18; ASVS 3.4, 14.3.2; D9): pages, errors, redirects, files."""

import pytest

from portal import links
from tests.people import an_agent, person
from tests.security import matrix
from tests.security.walk import Site, arrive

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-src 'self'; frame-ancestors 'none'"
)
REPORTED = "; report-uri /browser-reports"
HTTPS = pytest.mark.settings(
    PORTAL_PUBLIC_URL="https://portal.example.org", PORTAL_MAIL_SERVER="mail.example.org"
)

# What is no page, by what comes instead; all else is one, with a policy that is reported on.
FRAMES = {"registrations.letter", "mailbox.part"}


def assert_guarded(answer, about) -> None:
    """What a page carries, whatever it says."""
    assert_everywhere(answer, about)
    headers = answer.headers
    assert headers["Content-Security-Policy"] == POLICY + REPORTED, about
    assert headers["X-Frame-Options"] == "DENY", about


def assert_everywhere(answer, about) -> None:
    """What whatever the application answers carries, files and frames included."""
    headers = answer.headers
    assert headers["Cache-Control"] == "no-store", about
    assert headers["X-Content-Type-Options"] == "nosniff", about
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin", about
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin", about
    assert "camera=()" in headers["Permissions-Policy"], about
    assert headers["Referrer-Policy"] in ("same-origin", "no-referrer"), about
    assert "Strict-Transport-Security" not in headers, about
    assert "Access-Control-Allow-Origin" not in headers, about
    assert "X-Powered-By" not in headers, about
    if answer.mimetype.startswith("text/") and answer.get_data():
        assert "charset=utf-8" in headers["Content-Type"], about


@pytest.mark.parametrize("who", ["visitor", "administrator"])
def test_every_endpoint_carries_those_of_its_kind(app, people, browser, who):
    """Each one that there is, asked as a browser would: what takes no GET, by a POST."""
    site = Site.furnished(app, people)
    arrive(browser, people, who)
    get = {rule.endpoint for rule in site.rules("GET")}
    seen, files = set(), set()

    for rule in app.url_map.iter_rules():
        address = site.address(rule)
        answer = browser.get(address) if rule.endpoint in get else browser.post(address)
        headers = answer.headers
        seen.add(rule.endpoint)
        if rule.endpoint == "static":
            assert_file(answer, rule)
        elif rule.endpoint in FRAMES and answer.status_code == 200:
            # A mail in a frame of ours brings its own style, and runs nothing.
            assert_everywhere(answer, rule)
            assert "; sandbox" in headers["Content-Security-Policy"], rule
            assert "script-src" not in headers["Content-Security-Policy"], rule
            assert "frame-ancestors 'self'" in headers["Content-Security-Policy"], rule
            assert headers["X-Frame-Options"] == "SAMEORIGIN", rule
        else:
            assert_guarded(answer, rule)
        if answer.mimetype in ("text/csv", "message/rfc822"):
            assert headers["Content-Disposition"].startswith("attachment; "), rule
            files.add(rule.endpoint)

    assert len(files) >= (8 if who == "administrator" else 0)
    assert seen == set(app.view_functions)


def assert_file(answer, about) -> None:
    headers = answer.headers
    assert answer.status_code == 200, about
    assert headers["Cache-Control"] == "max-age=31536000, public", about
    assert headers["X-Content-Type-Options"] == "nosniff", about
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin", about
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; frame-ancestors 'none'; sandbox"
    ), about
    assert headers["Referrer-Policy"] == "no-referrer", about
    assert "Access-Control-Allow-Origin" not in headers, about
    assert "Strict-Transport-Security" not in headers, about
    assert "Set-Cookie" not in headers, about


def test_so_does_every_kind_of_error_and_redirect(browser, a_user, app):
    agent = an_agent(requires="extended")
    token = browser.token("/login")
    user = a_user(approved="guest")

    answers = {
        "not found": browser.get("/nothing"),
        "method": browser.delete("/login"),
        "no token": browser.post("/login"),
        "to sign in": browser.get("/account"),
        "wrong host": browser.get("/", headers={"Host": "evil.example"}),
        "json": browser.post("/login", json={}),
        "too large": browser.post("/login", data={"csrf_token": token, "identity": "x" * 300_000}),
        "twice": browser.post("/login", data={"csrf_token": [token, token]}),
    }
    browser.sign_in(person(user))
    answers["forbidden"] = browser.get("/admin/")
    answers["level"] = browser.get(f"/agents/{agent.id}/open")
    app.view_functions["pages.terms"] = lambda: 1 / 0
    answers["broken"] = browser.get("/terms")

    expected = {
        "not found": 404,
        "method": 405,
        "no token": 400,
        "to sign in": 302,
        "wrong host": 400,
        "json": 415,
        "too large": 413,
        "twice": 400,
        "forbidden": 403,
        "level": 403,
        "broken": 500,
    }
    assert {name: answer.status_code for name, answer in answers.items()} == expected
    for name, answer in answers.items():
        assert_guarded(answer, name)


def test_pages_whose_address_is_a_secret_send_no_referrer_and_load_nothing_from_elsewhere(
    app, people, browser
):
    site = Site.furnished(app, people)
    member = people.user(approved=True)
    token_pages = [rule for rule in site.rules("GET") if "token" in rule.arguments]
    assert {rule.endpoint for rule in token_pages} == {
        name
        for name, line in matrix.lines().items()
        if "link" in line.besides and "look" in line.methods
    }

    for rule in token_pages:
        assert browser.get(site.address(rule)).headers["Referrer-Policy"] == "no-referrer", rule
        wrong = browser.get(rule.rule.replace("<token>", "wrong"))
        assert wrong.headers["Referrer-Policy"] == "no-referrer", rule
    browser.sign_in(person(member))
    link = links.change_of_address(member, "new@example.org").partition("8000")[2]
    page = browser.get(link)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert browser.get("/register?draft=x").headers["Referrer-Policy"] == "no-referrer"
    assert browser.get("/account").headers["Referrer-Policy"] == "same-origin"


def test_no_page_needs_anything_that_the_policy_forbids(app, people, browser):
    """No inline script or style, nothing from another host."""
    site = Site.furnished(app, people)
    arrive(browser, people, "administrator")

    for rule in site.rules("GET"):
        answer = browser.get(site.address(rule))
        if answer.mimetype != "text/html" or answer.status_code in (302, 303):
            continue
        if rule.endpoint == "registrations.letter":
            continue  # a mail as its reader gets it, with a policy of its own
        text = answer.get_data(as_text=True)
        for forbidden in (
            " style=",
            "<style",
            " onclick=",
            " onload=",
            " onsubmit=",
            "javascript:",
        ):
            assert forbidden not in text, (rule, forbidden)
        for tag in text.split("<script")[1:]:
            if tag.startswith(' type="application/json"'):
                continue  # data: nothing runs it
            assert " src=" in tag.partition(">")[0], rule
            assert tag.partition(">")[2].startswith("</script>"), rule
        for attribute in (' src="', ' href="'):
            for value in text.split(attribute)[1:]:
                value = value.partition('"')[0]
                ours = ("/", "#", "?", "data:", "mailto:", "http://127.0.0.1:8000/")
                assert value.startswith(ours), (rule, value)
                assert not value.startswith("//"), (rule, value)


def test_static_files_are_kept_for_a_year_never_sniffed_and_for_this_site_alone(browser):
    page = browser.get("/login").get_data(as_text=True)
    address = page[page.index("/static/css/") :].partition('"')[0]

    answer = browser.get(address)

    assert_file(answer, address)
    assert answer.mimetype == "text/css"


@pytest.mark.parametrize(
    "path",
    ["/static/nothing.css", "/static/", "/static/../settings.py", "/static/%2e%2e/settings.py"],
)
def test_what_is_no_static_file_is_a_page_that_is_not_kept(browser, path):
    answer = browser.get(path)

    assert answer.status_code == 404
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@HTTPS
def test_under_https_browsers_are_told_to_stay_there(browser):
    told = "max-age=31536000; includeSubDomains"
    for answer in (browser.get("/login"), browser.get("/nothing"), browser.get("/")):
        assert answer.headers["Strict-Transport-Security"] == told
        policy = f"{POLICY}{REPORTED}; report-to portal; upgrade-insecure-requests"
        assert answer.headers["Content-Security-Policy"] == policy
        assert answer.headers["Reporting-Endpoints"] == 'portal="/browser-reports"'
    assert browser.get("/static/css/portal.css").headers["Strict-Transport-Security"] == told


@pytest.mark.settings(
    PORTAL_PUBLIC_URL="https://intranet.example.org/portal",
    PORTAL_MAIL_SERVER="mail.example.org",
    PORTAL_SERVER_HSTS_SUBDOMAINS="false",
)
def test_hosts_below_can_be_left_out_and_reports_go_under_the_path(browser):
    headers = browser.get("/portal/login").headers

    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert headers["Reporting-Endpoints"] == 'portal="/portal/browser-reports"'
    assert "report-uri /portal/browser-reports;" in headers["Content-Security-Policy"]


def test_an_error_shows_a_number_and_nothing_of_what_went_wrong(app, browser, caplog):
    def broken():
        raise RuntimeError("the password is hunter2")

    app.view_functions["pages.terms"] = broken

    answer = browser.get("/terms")
    page = answer.get_data(as_text=True)

    (logged,) = [each.msg for each in caplog.records if "portal.error" in str(each.msg)]
    assert "hunter2" not in page
    assert "RuntimeError" not in page
    assert "Traceback" not in page
    assert logged["request"] == answer.headers["X-Request-ID"]
    assert logged["request"] in page, "the number leads to the log"


def test_a_machine_that_asks_for_json_gets_its_error_as_json(browser):
    answer = browser.get("/nothing", headers={"Accept": "application/json"})

    assert answer.mimetype == "application/json"
    assert answer.get_json()["error"] == 404
