"""Guessing: how many guesses a password withstands, and what it may cost to find out."""

from __future__ import annotations

from collections.abc import Iterable

from zxcvbn import matching, scoring, time_estimates

# Longer beginnings say no more: four words of a sentence are as good as they get.
LONGEST = 24

# How many pieces of a password may be looked up in the dictionaries: each beginning of one, to
# each end, in each way to read 4 as an a and 1 as an i or an l. The ways multiply: a string that
# was made for it has 736 of them, and took half a second. Nine characters are judged of any.
MOST_PIECES = 5_000


def score(password: str, words: Iterable[str] = ()) -> int:
    """How hard a password is to guess, from 0 to 4 as zxcvbn counts, for who knows these words.

    Costs a few dozen milliseconds at most, whatever was typed: only as much of the beginning is
    judged as that allows. More characters can only make it harder to guess.
    """
    judged = beginning(password)
    if not judged:
        return 0
    # In a dictionary of its own: zxcvbn's own function keeps the words in one that all share.
    known = {word.lower(): rank for rank, word in enumerate(words, 1)}
    dictionaries = {**matching.RANKED_DICTIONARIES, "user_inputs": known}
    matches = matching.omnimatch(judged, dictionaries)
    guesses = scoring.most_guessable_match_sequence(judged, matches)["guesses"]
    return int(time_estimates.guesses_to_score(guesses))


def beginning(password: str) -> str:
    """As much of a password as is judged."""
    end, signs, readings = 0, "", 1
    for character in password[:LONGEST]:
        if character in _SIGNS and character not in signs:
            signs += character
            readings = _readings(signs)
        if pieces(end + 1, readings) > MOST_PIECES:
            break
        end += 1
    return password[:end]


def pieces(length: int, readings: int) -> int:
    """How many pieces are looked up: as it is, backwards, and in each other reading."""
    return (readings + 2) * length * (length + 1) // 2


_SIGNS = frozenset(sign for signs in matching.L33T_TABLE.values() for sign in signs)


def _readings(signs: str) -> int:
    table = matching.relevant_l33t_subtable(signs, matching.L33T_TABLE)
    return len(matching.enumerate_l33t_subs(table))
