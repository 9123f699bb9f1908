"""Standard texts in the panel: made, changed, removed, in each language that the portal speaks."""

from __future__ import annotations

import pytest

from portal.audit import Action
from portal.database import db
from portal.desk import standard_text
from portal.desk.standard_text import Purpose
from tests.admin_views.panel import entries, words

NEW = "/admin/texts/new"
SPOKEN = {"purpose": "rejection", "position": "7", "body_en": "No room.", "body_de": "Kein Platz."}


def named(name: str) -> standard_text.StandardText | None:
    db.session.rollback()
    return next(
        (text for text in standard_text.texts(Purpose.REJECTION) if text.name == name), None
    )


@pytest.mark.both_databases(everyday="sqlite")
def test_a_portal_starts_with_texts_in_every_language_that_it_ships(app):
    for purpose in Purpose:
        texts = standard_text.texts(purpose)

        assert texts
        for text in texts:
            languages = {variant.language for variant in text.variants}
            assert languages == {"en", "de", "es", "ar"}


@pytest.mark.both_databases(everyday="sqlite")
def test_a_text_is_made_with_a_variant_in_each_language_that_was_filled_in(manager, signed_in):
    answer = signed_in(manager).submit(NEW, name=" Full ", **SPOKEN, body_ar="  ")

    made = named("Full")
    assert (answer.status_code, answer.location) == (303, "/admin/texts/")
    assert made is not None
    assert {each.language: each.body for each in made.variants} == {
        "en": "No room.",
        "de": "Kein Platz.",
    }
    assert entries(Action.TEXT_EDITED)[0].details == {"name": "Full", "languages": ["de", "en"]}


def test_somebody_whose_language_is_missing_gets_the_english_text(manager, signed_in):
    signed_in(manager).submit(NEW, name="Full", **SPOKEN)

    made = named("Full")

    assert made is not None
    assert [made.in_language(code) for code in ("de", "es")] == ["Kein Platz.", "No room."]


@pytest.mark.both_databases(everyday="sqlite")
def test_a_variant_is_changed_one_added_and_one_emptied(manager, signed_in):
    browser = signed_in(manager)
    browser.submit(NEW, name="Full", **SPOKEN)
    made = named("Full")
    assert made is not None

    browser.submit(
        f"/admin/texts/{made.id}",
        purpose="rejection",
        name="Full house",
        position="1",
        body_en="No room at all.",
        body_de="",
        body_es="No hay sitio.",
    )

    changed = named("Full house")
    assert changed is not None
    assert {each.language: each.body for each in changed.variants} == {
        "en": "No room at all.",
        "es": "No hay sitio.",
    }


@pytest.mark.both_databases(everyday="sqlite")
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": "No need shown"}, "This name is taken."),
        (
            {"name": "Full hall", "body_en": "", "body_de": "", "body_es": ""},
            "Write the text in one language",
        ),
        ({"name": ""}, "Enter a name."),
        ({"name": "Full", "position": "many"}, "Not a valid integer"),
        ({"name": "Full", "body_en": "x" * 1001}, "Shorten this to 1000 characters."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_typed_is_lost(manager, signed_in, fields, sentence):
    answer = signed_in(manager).submit(NEW, **{**SPOKEN, "body_es": "No hay sitio.", **fields})

    assert answer.status_code == 400
    assert sentence in words(answer)
    assert fields.get("body_es") == "" or "No hay sitio." in answer.text
    assert fields["name"] in answer.text


def test_a_text_is_removed_after_a_question(manager, signed_in):
    text = standard_text.texts(Purpose.REJECTION)[0]
    browser = signed_in(manager)

    answer = browser.submit(f"/admin/texts/{text.id}/removal")

    assert answer.status_code == 303
    assert named(text.name) is None
    assert entries(Action.TEXT_REMOVED)[0].details == {"name": text.name}


def test_reviewers_do_not_edit_texts(reviewer, signed_in):
    assert signed_in(reviewer).get("/admin/texts/").status_code == 403
