"""Words for numbers and names."""

from __future__ import annotations

import pytest

from crnn import text


@pytest.mark.parametrize(
    ("share", "said"), [(0.8249, "82 %"), (0.05, "5 %"), (0.99, "99 %"), (0.991, "over 99 %"), (1.0, "over 99 %")]
)
def test_percent_is_never_certain(share: float, said: str) -> None:
    assert text.percent(share) == said


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ([1 / 3, 1 / 3, 1 / 3], [34, 33, 33]),
        ([0.506, 0.494], [51, 49]),
        ([0.405, 0.297, 0.298], [40, 30, 30]),
        ([0.5, 0.3, 0.2], [50, 30, 20]),
        ([0.404, 0.2], [40, 20]),
        ([], []),
    ],
)
def test_percentages_add_up_as_their_shares_do(shares: list[float], told: list[int]) -> None:
    assert text.percents(shares) == told


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0:00.0"), (7.34, "0:07.3"), (59.96, "1:00.0"), (61.5, "1:01.5"), (3600, "1:00:00.0")]
)
def test_clock(seconds: float, said: str) -> None:
    assert text.clock(seconds) == said


@pytest.mark.parametrize(("level_db", "said"), [(-12.4, "−12 dB"), (-0.3, "0 dB"), (3.0, "3 dB")])
def test_decibels_have_a_true_minus_and_no_minus_zero(level_db: float, said: str) -> None:
    assert text.decibels(level_db) == said


@pytest.mark.parametrize(("frequency_hz", "said"), [(440.0, "440 Hz"), (999.0, "999 Hz"), (1234.0, "1.2 kHz")])
def test_hertz(frequency_hz: float, said: str) -> None:
    assert text.hertz(frequency_hz) == said


def test_long_lists_are_cut_and_counted() -> None:
    assert text.listed(["a", "b\n"], 2) == "“a”, “b?”"
    assert text.listed(["a", "b", "c"], 2) == "“a”, “b” and 1 more"


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a.wav", "b.wav"], ["a.wav", "b.wav"]),
        (["a.wav", "a.wav", "a.wav"], ["a.wav", "a.wav (2)", "a.wav (3)"]),
        # What a name is numbered to may be another's own, before it or after it.
        (["a", "a", "a (2)"], ["a", "a (3)", "a (2)"]),
        (["a (2)", "a", "a"], ["a (2)", "a", "a (3)"]),
    ],
)
def test_names_in_a_list_are_told_apart(names: list[str], told: list[str]) -> None:
    assert text.distinct(names) == told


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.114, 0.146, "from 0.11 too low to 0.15 too high"),
        (0.021, 0.146, "from 0.02 to 0.15 too high"),
        (-0.2, -0.05, "from 0.05 to 0.20 too low"),
        (-0.003, 0.06, "from 0.00 to 0.06 too high"),
        (-0.06, 0.004, "from 0.00 to 0.06 too low"),
    ],
)
def test_how_far_confidence_may_be_off_is_told_by_its_side(low: float, high: float, said: str) -> None:
    assert text.off_by(low, high) == said
