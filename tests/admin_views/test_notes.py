"""Notes in the panel: written beside an account, seen by colleagues alone."""

from __future__ import annotations

import re

from portal import notifications
from portal.database import db, transaction
from portal.desk import note
from portal.notifications import Kind
from tests.admin_views.panel import everything, words


def of(user, *more):
    return "/".join([f"/admin/accounts/{user.id}", *map(str, more)])


def badges(page):
    """What the menu says beside its entries."""
    found = r'<span>([^<]*)</span><span class="count">([^<]*)<span class="visually-hidden">([^<]*)'
    return {label: number + meaning for label, number, meaning in re.findall(found, page.text)}


def test_a_note_is_written_on_the_page_of_an_account_and_shown_there(a_user, reviewer, signed_in):
    ada, browser = a_user(confirmed=True), signed_in(reviewer)

    answer = browser.submit(of(ada), to=of(ada, "notes"), text="She <b>called</b>.", back=of(ada))

    assert (answer.status_code, answer.location) == (303, of(ada))
    page = browser.get(of(ada))
    assert "She &lt;b&gt;called&lt;/b&gt;." in page.text
    assert "Note written" in words(page)


def test_a_note_that_is_refused_is_shown_with_all_that_was_typed(a_user, reviewer, signed_in):
    ada, browser = a_user(), signed_in(reviewer)
    text = "much " * 500

    answer = browser.submit(of(ada), to=of(ada, "notes"), text=text, back="/admin/accounts/?q=ada")

    assert answer.status_code == 400
    assert "Shorten this to 2000 characters." in words(answer)
    assert text.strip() in answer.text
    assert 'name="back" value="/admin/accounts/?q=ada"' in answer.text
    assert not note.page(ada).rows


def test_whoever_mentions_nobody_is_told_so(a_user, people, signed_in):
    ada, by, grace = a_user(), people.staff("reviewer"), people.staff("reviewer")
    browser = signed_in(by)

    browser.submit(of(ada), to=of(ada, "notes"), text=f"@{grace.username} @{ada.username}, see?")
    assert f"No colleague goes by @{ada.username}." in words(browser.get(of(ada)))

    browser.submit(of(ada), to=of(ada, "notes"), text=f"@{grace.username}")
    assert "No colleague goes by" not in words(browser.get(of(ada)))


def test_a_mention_stands_in_the_menu_and_on_the_dashboard_until_it_is_opened(
    a_user, people, signed_in
):
    ada, by, grace = a_user(full_name="Ada"), people.staff("reviewer"), people.staff("reviewer")
    with transaction():
        note.write(db.session.merge(ada), by=db.session.merge(by), text=f"@{grace.username}?")
    browser = signed_in(grace)

    page = browser.get("/admin/")
    assert badges(page)["Dashboard"] == "1 mentions of you"
    assert "Colleagues mention you" in words(page)
    assert "Dashboard" not in badges(signed_in(by).get("/admin/"))
    before = everything()
    browser.get(of(ada))
    assert everything() == before

    answer = browser.submit("/admin/", to=of(ada, "mention"))

    assert answer.location == f"{of(ada)}#notes"
    assert not notifications.is_unseen(ada, Kind.MENTION, grace)
    assert "Dashboard" not in badges(browser.get("/admin/"))


def test_the_page_of_an_account_says_that_one_is_mentioned(a_user, people, signed_in):
    ada, by, grace = a_user(), people.staff("reviewer"), people.staff("reviewer")
    with transaction():
        note.write(db.session.merge(ada), by=db.session.merge(by), text=f"@{grace.username}?")
    browser = signed_in(grace)
    assert "A colleague mentions you here" in words(browser.get(of(ada)))

    browser.submit(of(ada), to=of(ada, "mention"), back=of(ada))

    assert "A colleague mentions you here" not in words(browser.get(of(ada)))


def test_one_removes_ones_own_note_after_a_page_that_asks(a_user, people, signed_in):
    ada, by, other = a_user(), people.staff("reviewer"), people.staff("administrator")
    with transaction():
        written = note.write(db.session.merge(ada), by=db.session.merge(by), text="Not sure.")
    removal = of(ada, "notes", written.id, "removal")
    theirs = signed_in(other)
    assert removal not in theirs.get(of(ada)).text
    assert "Only whoever wrote a note" in words(theirs.get(removal))
    answer = theirs.submit(of(ada), to=removal)
    assert (answer.status_code, len(note.page(ada).rows)) == (409, 1)
    browser = signed_in(by)
    assert removal in browser.get(of(ada)).text

    answer = browser.submit(removal)

    assert (answer.location, len(note.page(ada).rows)) == (of(ada), 0)


def test_a_note_is_found_under_its_own_account_alone(a_user, reviewer, signed_in):
    ada, eve = a_user(), a_user()
    with transaction():
        written = note.write(db.session.merge(ada), by=db.session.merge(reviewer), text="x")

    assert signed_in(reviewer).get(of(eve, "notes", written.id, "removal")).status_code == 404


def test_many_notes_are_paged_and_the_account_shows_the_newest(a_user, reviewer, signed_in):
    ada = a_user()
    with transaction():
        for number in range(60):
            user = db.session.merge(ada)
            note.write(user, by=db.session.merge(reviewer), text=f"number-{number}.")
    browser = signed_in(reviewer)

    beside, first = browser.get(of(ada)).text, browser.get(of(ada, "notes")).text
    following = re.search(r'href="([^"]*cursor=[^"]*)"', first)
    assert following
    second = browser.get(following.group(1).replace("&amp;", "&")).text

    assert re.findall(r"number-(\d+)\.", beside) == [str(n) for n in range(59, 49, -1)]
    assert of(ada, "notes") + "?" in beside
    assert re.findall(r"number-(\d+)\.", first + second) == [str(n) for n in range(59, -1, -1)]


def test_the_applicant_is_shown_no_note(a_user, reviewer, signed_in):
    ada = a_user(confirmed=True)
    with transaction():
        note.write(db.session.merge(ada), by=db.session.merge(reviewer), text="Quiet-word")

    assert "Quiet-word" not in signed_in(ada).get("/status").text


def test_who_has_become_a_colleague_reads_no_note_about_themselves(people, signed_in):
    ada, by = people.staff("administrator"), people.staff("reviewer")
    with transaction():
        written = note.write(
            db.session.merge(ada), by=db.session.merge(by), text=f"Quiet-word @{ada.username}"
        )
        db.session.flush()
        note_id = written.id
    browser = signed_in(ada)
    own = f"/admin/accounts/{ada.id}"

    pages = [own, f"/admin/registrations/{ada.id}", "/admin/", f"{own}/notes"]
    pages.append(f"{own}/notes/{note_id}/removal")
    answers = [browser.get(page) for page in pages]

    assert not [each for each in answers if "Quiet-word" in each.text]
    assert [each.status_code for each in answers] == [200, 200, 200, 403, 403]
    assert "mentions you" not in answers[2].text
    assert "Quiet-word" in signed_in(by).get(own).text
