"""Guessing: what judging a password may cost, in look-ups and not in seconds (H7, trap 4)."""

import pytest
from zxcvbn import matching

from portal.accounts import guessing

# Signs that can be read in several ways; all of them together in 736.
SIGNS = "1|7!+4@([{<69$5"
WORST = [
    SIGNS,
    SIGNS * 8,
    SIGNS[::-1] + "a" * 100,
    ")7(<9as6o5aaséa17!saaa",
    ("p@$$w0rd1!L3tm31n" * 8)[:125],
    "1|" * 64,
    "a" * 128,
    "aabbccddeeffgghhiijjkkll" * 5,
]


class Counting(dict):
    """A dictionary that counts how often something is looked up in it."""

    lookups = 0

    def __contains__(self, word: object) -> bool:
        Counting.lookups += 1
        return super().__contains__(word)


@pytest.mark.parametrize("password", WORST, ids=range(len(WORST)))
def test_no_password_costs_more_look_ups_than_allowed(password, monkeypatch):
    """Half a second and 200,000 look-ups in each dictionary before there was a bound."""
    words = Counting(dict.fromkeys(("pass", "password", "letmein"), 1))
    monkeypatch.setattr(matching, "RANKED_DICTIONARIES", {"passwords": words})
    Counting.lookups = 0

    guessing.score(password)

    assert 0 < Counting.lookups <= guessing.MOST_PIECES


@pytest.mark.parametrize("length", range(1, 30))
def test_nine_characters_are_judged_of_any_password(length):
    """Enough to be found hard to guess, if they are."""
    password = (SIGNS * 2)[:length]

    assert len(guessing.beginning(password)) >= min(length, 9)
    assert password.startswith(guessing.beginning(password))


def test_of_an_ordinary_password_the_first_twenty_four_characters_are_judged():
    assert guessing.beginning("Sturdy-lantern 42, quiet harbour") == "Sturdy-lantern 42, quiet"


@pytest.mark.parametrize(("password", "score"), [("password", 0), ("1|7!+4@([{<69$5", 3), ("", 0)])
def test_a_score_is_what_zxcvbn_gives(password, score):
    assert guessing.score(password) == score


def test_words_that_are_known_are_easy_to_guess_for_this_one_password_only():
    alone = guessing.score("zyxomma-qoph")

    assert guessing.score("zyxomma-qoph", ["Zyxomma", "qoph"]) < alone
    assert guessing.score("zyxomma-qoph") == alone
    assert "user_inputs" not in matching.RANKED_DICTIONARIES
