"""Paging: places in a list, as addresses carry them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.paging import GREATEST_ID, Place

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@given(
    st.sampled_from(["before", "after"]),
    st.datetimes(timezones=st.just(UTC))
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    st.integers(1, GREATEST_ID),
)
def test_a_place_is_read_as_it_was_written(direction, key, identity):
    place = Place(direction, key, identity)

    assert Place.read(str(place)) == place


@given(st.text())
def test_whatever_is_typed_is_a_place_or_none(typed):
    place = Place.read(typed)

    assert place is None or Place.read(str(place)) == place


@pytest.mark.parametrize(
    ("direction", "key", "identity"),
    [
        ("sideways", NOON, 1),
        ("after", NOON, 0),
        ("after", NOON, GREATEST_ID + 1),
        ("after", NOON, True),
        ("after", "\0", 1),
    ],
)
def test_what_no_list_has_is_no_place(direction, key, identity):
    assert Place.read(str(Place(direction, key, identity))) is None
