"""Stretches by worked cases: when a change is believed, what silence does, and whose time it was."""

from __future__ import annotations

import numpy as np
import pytest

from crnn.inference.classifier import Cell
from crnn.inference.stretches import Stretch, shares, stretches

GENRES = ("jazz", "rock")
JAZZ, ROCK, EVEN = (0.9, 0.1), (0.1, 0.9), (0.5, 0.5)


def timeline(*parts: tuple[float, tuple[float, float] | None]) -> list[Cell]:
    """Cells of so many seconds with such posteriors, one after the other; None is silence."""
    cells, at = [], 0.0
    for i, (seconds, posterior) in enumerate(parts):
        cells.append(Cell(at, at + seconds, np.float32(posterior or EVEN), posterior is None, i))
        at += seconds
    return cells


def spans(found: tuple[Stretch, ...]) -> list[tuple[float, float, str | None]]:
    return [(part.start_seconds, part.end_seconds, part.genre) for part in found]


def test_a_flicker_is_no_stretch() -> None:
    # 6 s · ln(0.9 / 0.1) = 13.2 nats · seconds for rock; there and back would cost 36.
    found = stretches(timeline((12, JAZZ), (6, ROCK), (12, JAZZ)), GENRES)
    assert spans(found) == [(0, 30, "jazz")]
    assert found[0].confidence == pytest.approx((24 * 0.9 + 6 * 0.1) / 30)


def test_enough_evidence_is_a_change() -> None:
    # 18 s · 2.197 = 39.6, more than two changes.
    assert spans(stretches(timeline((12, JAZZ), (18, ROCK), (12, JAZZ)), GENRES)) == [
        (0, 12, "jazz"),
        (12, 30, "rock"),
        (30, 42, "jazz"),
    ]


@pytest.mark.parametrize(("seconds", "n_stretches"), [(8.1, 1), (8.3, 2)])
def test_the_end_may_differ_for_the_cost_of_one_change(seconds: float, n_stretches: int) -> None:
    # 18 / ln 9 = 8.19 s.
    assert len(stretches(timeline((30, JAZZ), (seconds, ROCK)), GENRES)) == n_stretches


def test_no_cell_is_surer_than_the_floor() -> None:
    certain = (1e-9, 1 - 1e-9)
    # Above the floor of 0.1 it is 6 · ln(1 / 0.1) = 13.8, not 124.
    assert len(stretches(timeline((30, JAZZ), (6, certain), (30, JAZZ)), GENRES)) == 1


def test_fine_cells_tell_what_a_long_one_tells() -> None:
    coarse = stretches(timeline((30, JAZZ), (20, ROCK)), GENRES)
    fine = stretches(timeline(*[(0.25, JAZZ)] * 120, *[(0.25, ROCK)] * 80), GENRES)
    assert spans(coarse) == spans(fine) == [(0, 30, "jazz"), (30, 50, "rock")]


def test_a_long_pause_parts_and_a_short_one_does_not() -> None:
    assert spans(stretches(timeline((30, JAZZ), (1.9, None), (30, JAZZ)), GENRES)) == [(0, 61.9, "jazz")]
    assert spans(stretches(timeline((30, JAZZ), (2.0, None), (3, ROCK)), GENRES)) == [
        (0, 30, "jazz"),
        (30, 32, None),
        (32, 35, "rock"),
    ]


def test_a_pause_does_not_lower_the_confidence() -> None:
    assert stretches(timeline((30, JAZZ), (1, None)), GENRES)[0].confidence == pytest.approx(0.9)


def test_silence_alone_is_one_stretch_of_silence() -> None:
    assert stretches(timeline((1.5, None)), GENRES) == (Stretch(0, 1.5, None, None),)


def test_an_hour_of_flicker_is_no_confetti(rng: np.random.Generator) -> None:
    # Seven of ten cells say jazz, the others rock, at random, each for a third of a second.
    cells = timeline(*[(0.32, JAZZ if rng.random() < 0.7 else ROCK) for _ in range(11_250)])
    assert spans(stretches(cells, GENRES)) == [(0, pytest.approx(3600), "jazz")]


def test_shares_are_of_the_time_that_sounds() -> None:
    parts = [
        Stretch(0, 30, "jazz", 0.9),
        Stretch(30, 50, None, None),
        Stretch(50, 80, "rock", 0.9),
        Stretch(80, 140, "jazz", 0.8),
    ]
    assert shares(parts) == {"jazz": 0.75, "rock": 0.25}
    assert list(shares(parts)) == ["jazz", "rock"]
    assert shares([Stretch(0, 5, None, None)]) == {}
