"""Hosts: links are made from the public URL alone, whatever a request claims (H, D3; M18)."""

import re

import pytest

from portal.mail import outbox
from portal.mail.sealing import unseal
from tests.pages import filled_in
from tests.pages.letters import link_in_last_mail
from tests.people import PASSWORD, person

PORTAL_UNDER_A_PATH = pytest.mark.settings(
    PORTAL_PUBLIC_URL="https://portal.example.org/front", PORTAL_MAIL_SERVER="mail.example.org"
)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "evil.example:8000",
        "127.0.0.1:8000@evil.example",
        "evil.example/127.0.0.1:8000",
        "evil.example#127.0.0.1",
        "",
        " ",
        "a b",
        "[::1",
        "é",
        "x" * 3000,
    ],
)
def test_a_host_that_is_not_ours_gets_a_bare_page_and_nothing_else(browser, host):
    for path in ("/", "/login", "/register", "/nothing"):
        answer = browser.get(path, headers={"Host": host})
        assert answer.status_code < 500
        if host not in ("", " "):
            assert answer.status_code == 400, path
            assert "not the portal's address" in answer.get_data(as_text=True)
        assert "evil.example" not in answer.get_data(as_text=True)
        assert "evil.example" not in answer.headers.get("Location", "")


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "localhost", "[::1]:8000"])
def test_on_a_loopback_address_its_names_are_ours(browser, host):
    assert browser.get("/login", headers={"Host": host}).status_code == 200


def forwarded(host: str) -> list[dict[str, str]]:
    return [
        {"X-Forwarded-Host": host},
        {"X-Forwarded-Server": host},
        {"X-Original-Host": host},
        {"X-Host": host},
        {"Forwarded": f"host={host};proto=https"},
        {"X-Forwarded-Proto": "https", "X-Forwarded-Host": host, "X-Forwarded-Prefix": "/evil"},
    ]


def test_forwarded_hosts_change_no_link(browser):
    for number, headers in enumerate(forwarded("evil.example")):
        token = browser.token("/register")
        fields = filled_in.registration(username=f"ada{number}", email=f"a{number}@example.org")
        answer = browser.post("/register", data={"csrf_token": token, **fields}, headers=headers)
        assert answer.headers["Location"] == "/register/sent", headers

    for mail in outbox.waiting():
        letter = unseal(mail.body)
        assert "evil.example" not in letter.text + letter.html
        links = re.findall(r"https?://[^\s\"'<>]+", letter.text)
        assert links
        assert {"/".join(link.split("/")[:3]) for link in links} == {"http://127.0.0.1:8000"}


@pytest.mark.settings(PORTAL_SERVER_PROXY_HOPS="1")
def test_behind_a_proxy_the_forwarded_host_still_changes_nothing(browser):
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil"}
    fields = {"csrf_token": browser.token("/register"), **filled_in.registration()}

    browser.post("/register", data=fields, headers=headers)

    assert link_in_last_mail("ada@example.org", "confirmation").startswith("/confirm/")
    page = browser.get("/login", headers=headers).get_data(as_text=True)
    assert "evil" not in page


@pytest.mark.settings(
    PORTAL_PUBLIC_URL="https://portal.example.org", PORTAL_MAIL_SERVER="mail.example.org"
)
def test_mails_lead_to_the_public_address_however_the_portal_is_reached(app, new_browser):
    app.config["TRUSTED_HOSTS"] = ["portal.example.org", "10.0.0.5"]
    browser = new_browser()
    base = "https://portal.example.org"
    page = browser.get("/register", base_url=base).get_data(as_text=True)
    token = page.split('name="csrf_token"', 1)[1].split('value="', 1)[1].split('"', 1)[0]

    answer = browser.post(
        "/register", base_url=base, data={"csrf_token": token, **filled_in.registration()}
    )

    assert answer.status_code == 303
    text = unseal(outbox.waiting()[-1].body).text
    assert re.findall(r"https?://[^/\s]+", text)
    assert set(re.findall(r"https?://[^/\s]+", text)) == {base}


@PORTAL_UNDER_A_PATH
@pytest.mark.parametrize("proxy", ["takes the path off", "passes it on"])
def test_under_a_path_every_link_redirect_and_mail_stays_under_it(app, new_browser, a_user, proxy):
    user = a_user(approved=True, username="grace")
    browser = new_browser()
    base = "https://portal.example.org"
    if proxy == "takes the path off":
        portal = app.wsgi_app

        def through_the_proxy(environ, start_response):
            environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix("/front")
            return portal(environ, start_response)

        app.wsgi_app = through_the_proxy

    def get(path):
        return browser.get(f"/front{path}", base_url=base)

    def post(path, **fields):
        page = get(path).get_data(as_text=True)
        token = page.split('name="csrf_token"', 1)[1].split('value="', 1)[1].split('"', 1)[0]
        return browser.post(f"/front{path}", base_url=base, data={"csrf_token": token, **fields})

    asked = get("/account?tab=2")
    assert asked.headers["Location"] == "/front/login?next=/front/account?tab%3D2"
    registered = post("/register", **filled_in.registration())
    assert registered.headers["Location"] == "/front/register/sent"
    signed_in = post("/login?next=/front/account", identity="grace", password=PASSWORD)
    assert signed_in.headers["Location"] == "/front/account"
    for path in ("/", "/account", "/status", "/nothing"):
        text = get(path).get_data(as_text=True)
        for value in re.findall(r'(?:href|src|action)="(/[^"]*)"', text):
            assert value.startswith("/front/"), (path, value)
    static = re.search(r'href="/front(/static/css/[^"]+)"', get("/account").get_data(as_text=True))
    assert static
    assert get(static.group(1)).status_code == 200
    newest = max(outbox.waiting(), key=lambda mail: mail.id)
    text = unseal(newest.body).text
    assert f"{base}/front/confirm/" in text
    assert post("/account", language="de").status_code in (303, 400)
    assert user.username == "grace"


def test_signed_in_pages_name_no_host_at_all(browser, a_user):
    browser.sign_in(person(a_user(approved=True)))

    text = browser.get("/").get_data(as_text=True)

    assert "http://127.0.0.1" not in text


@pytest.mark.settings(PORTAL_BIND="[::1]:8000")
def test_a_portal_on_an_ipv6_address_answers_there(browser):
    assert browser.get("/login", headers={"Host": "[::1]:8000"}).status_code == 200
    assert browser.get("/login", headers={"Host": "[::2]:8000"}).status_code == 400
