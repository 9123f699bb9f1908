"""What every page of the panel has in common: our look and nothing of Flask-Admin's."""

from __future__ import annotations

import re
from pathlib import Path

import flask_admin
import pytest
from jinja2 import TemplateNotFound

from portal.desk import waiting
from tests.admin_views.panel import a_busy_portal, address, endpoints, words
from tests.world import NO_PAGES

STOCK = Path(flask_admin.__file__).parent / "templates" / "bootstrap4"


def test_no_page_of_flask_admin_can_appear(app):
    names = [str(path.relative_to(STOCK)) for path in STOCK.rglob("*.html")]
    assert "admin/model/list.html" in names

    for name in names:
        if name != "admin/base.html":  # ours has the same name
            with pytest.raises(TemplateNotFound):
                app.jinja_env.get_template(name)


def test_flask_admins_own_files_are_not_served(app, administrator, signed_in):
    browser = signed_in(administrator)
    for path in ("/admin/static/vendor/jquery.min.js", "/static/admin/vendor/jquery.min.js"):
        assert browser.get(path).status_code == 404
    assert not [rule for rule in endpoints(app) if "static" in rule.endpoint]


def test_every_page_is_ours_has_one_heading_and_a_title_and_nothing_inline(
    app, a_user, administrator, signed_in
):
    panel, browser = a_busy_portal(a_user), signed_in(administrator)
    for rule in endpoints(app):
        if "GET" in rule.methods and rule.endpoint not in NO_PAGES:
            answer = browser.get(address(rule, panel))
            page = answer.get_data(as_text=True)

            assert linked_elsewhere(page) == [], rule.endpoint
            assert "unsafe" not in answer.headers["Content-Security-Policy"]
            assert inline_parts(page) == [], rule.endpoint
            assert heading(page) in title(page), rule.endpoint


def linked_elsewhere(page: str) -> list[str]:
    """What comes from other machines or from Flask-Admin; a page without files of ours is none."""
    linked = re.findall(r'(?:src|href|action|formaction)="([^"#?]*)', page)
    files = [url for url in linked if "static" in url]
    assert files
    libraries = ("jquery", "select2", "font-awesome", "bootstrap4", "moment.min", "glyphicon")
    return [
        *(url for url in linked if url.startswith(("http:", "https:", "//"))),
        *(url for url in files if not url.startswith("/static/")),
        *(library for library in libraries if library in page.lower()),
    ]


def inline_parts(page: str) -> list[str]:
    """Styles, handlers and scripts that stand in the page itself."""
    scripts = re.findall(r"<script[^>]*>", page)
    found = re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", page)
    return [*found, *(script for script in scripts if " src=" not in script)]


def heading(page: str) -> str:
    """The one heading of the first rank, without what marks it up."""
    (only,) = re.findall(r"<h1[^>]*>(.*?)</h1>", page, re.DOTALL)
    return re.sub(r"<[^>]+>", "", only).strip()


def title(page: str) -> str:
    """What the window is called; drawings have titles, too, further down."""
    found = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    assert found
    return found.group(1)


def test_the_menu_says_how_many_wait(a_user, reviewer, signed_in):
    for _ in range(3):
        a_user(confirmed=True)

    page = signed_in(reviewer).get("/admin/accounts/")

    assert "Registrations 3 waiting" in words(page)


def test_the_menu_says_so_when_more_wait_than_are_counted(a_user, reviewer, signed_in, monkeypatch):
    a_user(confirmed=True)
    monkeypatch.setattr(waiting, "counts", lambda *kinds, **_whom: dict.fromkeys(kinds, 10_001))

    assert "Registrations 10,000+ waiting" in words(signed_in(reviewer).get("/admin/accounts/"))


@pytest.mark.parametrize("language", ["de", "es", "ar"])
def test_the_panel_speaks_the_readers_language(administrator, signed_in, language):
    page = signed_in(administrator).get(f"/admin/?lang={language}").get_data(as_text=True)

    assert f'lang="{language}"' in page
    assert ('dir="rtl"' in page) == (language == "ar")
