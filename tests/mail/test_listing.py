"""The outbox, asked: each list of mails is answered from an index on both databases."""

import pytest

from portal.accounts.user import User
from portal.database import db, transaction
from portal.mail import listing, messages, outbox
from portal.mail.listing import Shelf
from tests import plans

pytestmark = pytest.mark.both_databases(everyday="postgresql")


@pytest.fixture
def mails(a_user):
    """A mail to each of five people."""
    for _ in range(5):
        a_user()
    return outbox.waiting()


def test_what_waits_is_paged_by_when_it_is_due(mails):
    found, cursor = [], ""
    for _ in range(3):
        page = listing.page(Shelf.WAITING, cursor=cursor, per_page=2)
        found += [mail.id for mail in page.rows]
        cursor = page.after or ""

    assert found == [mail.id for mail in mails]
    assert not cursor


def test_mails_to_people_and_to_an_address_are_found_together(mails):
    first, second, third, *_rest = mails

    page = listing.page(
        Shelf.ALL, people=[first.user_id, second.user_id], address=str(third.recipient)
    )

    assert {mail.id for mail in page.rows} == {first.id, second.id, third.id}
    assert not listing.page(Shelf.ALL, people=[], address="").rows
    assert not listing.page(Shelf.FAILED, people=[first.user_id]).rows


@pytest.mark.parametrize("shelf", list(Shelf))
def test_no_list_of_mails_reads_the_whole_outbox_or_sorts_it(mails, shelf):
    with plans.asked() as lists:
        page = listing.page(shelf, per_page=2)
        listing.page(shelf, cursor=page.after or "", per_page=2)
    with plans.asked() as found:
        listing.page(shelf, people=[mails[0].user_id], address="x@example.org")
        listing.counts()
        listing.of_person(mails[0].user_id)

    assert plans.whole_reads(lists + found, "mails") == []
    assert plans.sorts(lists) == []


def test_the_last_mail_to_each_of_many_is_found_in_one_query(mails):
    first, second, *_rest = ((mail.user_id, mail.id) for mail in mails)
    with transaction():
        user = db.session.get_one(User, first[0])
        later = outbox.post(messages.waiting(user, None))
    later_id = later.id

    with plans.asked() as asked:
        found = listing.latest_to([first[0], second[0], 9999])

    assert {(user_id, mail.id) for user_id, mail in found.items()} == {(first[0], later_id), second}
    assert len(asked) == 1
    assert plans.whole_reads(asked, "mails") == []
