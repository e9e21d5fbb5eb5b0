"""Two answers on the same tracks: worked cases of the exact McNemar test, and what is said of them."""

from __future__ import annotations

import pytest

from crnn.evaluation import paired


def rights(both: int, first: int, second: int, neither: int) -> paired.Paired:
    """The comparison of so many tracks that both, one alone or neither had right."""
    return paired.compare(
        [True] * (both + first) + [False] * (second + neither),
        [True] * both + [False] * first + [True] * second + [False] * neither,
    )


def test_one_against_six_is_a_p_of_an_eighth() -> None:
    # 7 tracks part them: (C(7,0) + C(7,1)) / 2^7 = 8 / 128, twice for either way.
    found = rights(both=2, first=1, second=6, neither=1)
    assert (found.n_tracks, found.n_first, found.n_second) == (10, 3, 8)
    assert (found.only_first, found.only_second, found.p_value) == (1, 6, 0.125)
    assert paired.sentence(found, "tiny", "ten-genres") == (
        "Right of 10: tiny 3, ten-genres 8; 1 by tiny alone, 6 by ten-genres alone. "
        "Exact McNemar test: p = 0.125: chance alone would often part them so far."
    )


@pytest.mark.parametrize(
    ("first", "second", "p_value", "said"),
    [
        (0, 6, 2 / 64, "p = 0.031, a difference beyond chance."),
        (6, 0, 2 / 64, "p = 0.031, a difference beyond chance."),
        (0, 5, 2 / 32, "p = 0.062: so few that one alone has right cannot tell a difference from chance."),
        (3, 3, 1.0, "p = 1.000: chance alone would often part them so far."),
        (1, 12, 28 / 8192, "p = 0.003, a difference beyond chance."),
        (0, 20, 2 / 2**20, "p < 0.001, a difference beyond chance."),
    ],
)
def test_differences_are_judged_by_those_that_one_alone_has_right(
    first: int, second: int, p_value: float, said: str
) -> None:
    found = rights(both=4, first=first, second=second, neither=0)
    assert found.p_value == pytest.approx(p_value, abs=1e-12)
    assert paired.sentence(found, "A", "B").endswith(f"Exact McNemar test: {said}")


def test_no_test_is_told_where_both_have_the_same_ones_right() -> None:
    assert paired.sentence(rights(both=4, first=0, second=0, neither=1), "A", "B") == (
        "Right of 5: A 4, B 4; the same ones."
    )


def test_nothing_is_said_of_no_track() -> None:
    assert paired.sentence(paired.compare([], []), "A", "B") == ""


def test_a_second_that_is_worse_beyond_chance_gains_nothing() -> None:
    assert rights(both=0, first=10, second=0, neither=0).p_value < paired.SIGNIFICANT
    assert not rights(both=0, first=10, second=0, neither=0).second_gains
    assert rights(both=0, first=0, second=10, neither=0).second_gains
