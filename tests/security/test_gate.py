"""The gate: whatever its table does not name does not exist. Who may what: test_matrix.py."""

import pytest

from tests.security.walk import EVERYBODY, arrive, everything_kept

NOWHERE = ("/nothing", "/admin/nothing", "/admin/accounts/0", "/pages/home", "/.git/config")
NOT_USED = (
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
)


@pytest.mark.own_site  # it gets an address more
def test_what_the_table_does_not_name_does_not_exist_for_anybody(app, people, new_browser):
    """An unknown address, a page of a library that is not used, and one that was forgotten."""
    app.add_url_rule("/forgotten", "pages.forgotten", lambda: "secret", methods=["GET", "POST"])

    for who in EVERYBODY:
        browser = arrive(new_browser(), people, who)
        for path in (*NOWHERE, *NOT_USED, "/forgotten"):
            assert browser.get(path).status_code == 404, (who, path)
        assert browser.head("/nothing").status_code == 404, who
        token = browser.token("/terms")
        assert browser.post("/forgotten", data={"csrf_token": token}).status_code == 404, who


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
