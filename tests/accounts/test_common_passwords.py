"""Common passwords: the table, how it is made, and what counts as the same password."""

import pytest

from deploy import common_passwords as making
from portal.accounts import common_passwords
from portal.accounts.common_passwords import is_common


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A table that the set-up made of a few words, in place of the real one."""
    source, file = tmp_path / "words.txt", tmp_path / "words.table"
    source.write_text("Correct-Horse\nabc\n" + "\n".join(f"otter{n}x" for n in range(500)))
    monkeypatch.setattr(common_passwords, "FILE", file)
    common_passwords._table.cache_clear()
    yield lambda: making.make(source)
    common_passwords._table.cache_clear()


def test_the_set_up_has_made_a_table_of_the_commonest():
    assert common_passwords.is_complete(), "`make run` or `python -m deploy.assets` makes it"
    assert common_passwords.size() > 900_000


def test_a_table_finds_what_it_was_made_of_and_nothing_else(table):
    assert table() == 501  # what is too short to be anything is left out

    assert all(is_common(f"otter{n}x") for n in range(500))
    assert not any(is_common(f"otter{n}y") for n in range(500))
    assert not is_common("abc")


@pytest.mark.parametrize(
    "same",
    [
        "correct-horse",
        "CORRECT-HORSE",
        "Correct-Horse1!",
        "!!correct-horse2026",
        "Ｃｏｒｒｅｃｔ-ｈｏｒｓｅ",
    ],
)
def test_case_width_and_decorations_make_no_other_password(table, same):
    table()

    assert is_common(same)


@pytest.mark.parametrize(
    "other",
    [
        "correct horse",
        "correct-horse20267",
        "73911correct-horse",
        "correct-horse-staple",
        "",
        "    ",
    ],
)
def test_more_than_decorations_make_another_password(table, other):
    table()

    assert not is_common(other)


def test_without_the_table_the_commonest_are_refused_all_the_same(table):
    """A checkout that was brought up to date, and not set up again yet."""
    assert not common_passwords.is_complete()

    assert is_common("Password1!")
    assert common_passwords.size() > 25_000


def test_a_table_is_replaced_whole(table, tmp_path):
    table()

    table()

    assert sorted(file.name for file in tmp_path.iterdir()) == ["words.table", "words.txt"]
