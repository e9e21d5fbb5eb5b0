"""The part of a long sound that Explore looks at."""

from __future__ import annotations

import pytest

from ui.explore.excerpt import _steps, part_of


@pytest.mark.parametrize(
    ("first", "last", "part"),
    [
        (0, 20, (0.0, 300.0)),
        (40, 43, (600.0, 645.0)),
        (0, 80, (0.0, 900.0)),
        (8, 8, (120.0, 135.0)),
        (80, 81, (1199.5, 1200.5)),
        (81, 81, (1199.5, 1200.5)),
    ],
)
def test_part_is_within_the_sound_and_neither_too_short_nor_too_long(
    first: int, last: int, part: tuple[float, float]
) -> None:
    assert part_of(first, last, 1200.5) == part


@pytest.mark.parametrize(
    ("start", "end", "steps"),
    [(20.0, 61.0, (1, 5)), (30.0, 45.0, (2, 3)), (0.0, 1200.0, (0, 60)), (1199.0, 1200.5, (79, 81))],
)
def test_the_steps_of_the_slider_hold_what_was_dragged(start: float, end: float, steps: tuple[int, int]) -> None:
    assert _steps(start, end, 81) == steps
