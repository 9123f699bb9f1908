"""The crawler finds what it is for, and the pseudo-languages keep what code reads."""

from __future__ import annotations

import pytest

from tests.i18n.crawler import Page, untranslated
from tests.i18n.pseudo import accented, mirrored, unbracketed


def test_a_pseudo_sentence_is_bracketed_longer_and_keeps_what_code_reads() -> None:
    source = 'Write to <a href="/help">%(name)s</a> &amp; wait %(num)d days.'

    for spoken in (accented(source), mirrored(source)):
        assert spoken.startswith("⟦")
        assert spoken.endswith("⟧")
        assert len(spoken) > len(source) + 9
        for fixed in ('<a href="/help">', "%(name)s", "</a>", "&amp;", "%(num)d"):
            assert fixed in spoken
        assert "Write" not in spoken


def test_brackets_within_brackets_are_still_inside() -> None:
    assert unbracketed("a⟦b⟦c⟧d⟧e") == ("ae", 0)
    assert unbracketed("⟦b") == ("", 1)
    assert unbracketed("c⟧ d", 1) == (" d", 0)


@pytest.mark.parametrize(
    "html",
    [
        "<p>Forgotten</p>",
        "<p>⟦Ŧŕáñšĺáŧéđ⟧ not</p>",
        "<p>⟦Ŧŕáñšĺá</p>",
        "<button aria-label='Close'></button>",
        "<input placeholder='you@example.org or so'>",
        "<input type='submit' value='Go'>",
        "<img alt='A door'>",
        "<abbr title='Central time'>⟦x⟧</abbr>",
        "<title>Sign in</title>",
        "<meta name='description' content='A portal'>",
        "<svg><title>A chart</title></svg>",
        "<div data-weak='Too weak'></div>",
        "<noscript>Switch on scripts</noscript>",
        "<p hidden>Later</p>",
    ],
)
def test_words_outside_of_brackets_are_found(html: str) -> None:
    assert untranslated(f"<html lang='en-001'><body>{html}</body></html>")


@pytest.mark.parametrize(
    "html",
    [
        "<p>⟦Ŧŕáñšĺáŧéđ⟧: 12 / ⟦áĺšó⟧</p>",
        "<p>⟦Ŧŕáñ <b title='⟦ñ⟧'>Ada</b> šĺáŧéđ⟧</p>",
        "<bdi>Ada Lovelace</bdi>",
        "<time datetime='2026'>23 July</time>",
        "<a lang='de' hreflang='de'>Deutsch</a>",
        "<span translate='no'>Portal</span>",
        "<script>let words = 'of code';</script>",
        "<input value='typed by Ada' type='text'>",
        "<button data-action='open' aria-label='⟦Ö⟧'></button>",
        "<p>ada@example.org</p>",
    ],
)
def test_data_and_translated_words_are_let_through(html: str) -> None:
    page = f"<html lang='en-001'><body>{html}</body></html>"

    assert untranslated(page, allowed=["ada@example.org"]) == []


def test_a_form_is_found_with_what_it_would_send() -> None:
    page = Page(
        "<form method='post' action='/login'><input type='hidden' name='csrf_token' value='t'>"
        "<input name='identity'><input type='checkbox' name='remember'><button>x</button></form>"
    )

    (form,) = page.forms
    assert (form.action, form.method, form.typed) == ("/login", "post", ["identity"])
    assert form.values == {"csrf_token": "t"}
