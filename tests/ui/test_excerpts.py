"""The part of a long sound that Explore looks at."""

from __future__ import annotations

import pytest

from ui.explore.excerpt import part_of


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
