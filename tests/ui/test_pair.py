"""Two sounds side by side: which is louder where, in which colour, and what Explore keeps of that."""

from __future__ import annotations

import numpy as np
import pytest
from sounds import sine

from crnn.analysis.grids import Grid
from crnn.audio.clip import Clip
from crnn.config import FeatureConfig
from ui.explore import kept, pair, zoom

CONFIG = FeatureConfig()
RATE = CONFIG.sample_rate


def grid(*values: float) -> Grid:
    return Grid(np.float32([values]), np.arange(1.0, 1.0 + len(values)), "Hz", "dB", -80.0, 0.0, 0.04)


def test_the_difference_is_the_first_less_the_second() -> None:
    found = zoom.difference(grid(-10.0, -50.0, 0.0), grid(-30.0, -20.0, 0.0))
    assert found.values.tolist() == [[20.0, -30.0, 0.0]]
    assert (found.low, found.high, found.unit, found.seconds_per_frame) == (-30.0, 30.0, "dB", 0.04)


def test_levels_end_at_the_floor_of_the_model() -> None:
    levels = zoom.levels(sine(1000.0, 1.0), CONFIG).values
    assert levels.max() == pytest.approx(0.0, abs=1e-3)
    # Without a floor what is far from a tone would be hundreds of dB below it.
    assert levels.min() == CONFIG.db_floor


def test_orange_is_where_the_first_is_louder() -> None:
    """A has the high tone, B the low one, and both last as long as the shorter does."""
    clips = (Clip(sine(4000.0, 2.0), RATE), Clip(sine(200.0, 1.0), RATE))
    (*_, panel), peaks = pair._pictures(clips, ("high", "low"), CONFIG)
    assert panel["stops"] == ("#33BBEE", "#202020", "#EE7733")
    assert panel["columns"] * panel["secondsPerColumn"] == pytest.approx(1.0, abs=0.05)
    assert len(peaks) == 2
    seen = zoom.difference(*(zoom.levels(clip.samples[:RATE], CONFIG) for clip in clips))
    loudness = seen.values.mean(axis=0)
    assert [loudness[np.abs(seen.rows - hertz).argmin()] > 30 for hertz in (4000.0, 200.0)] == [True, False]


@pytest.mark.parametrize(("name", "shown"), [("x" * 24, "x" * 24), ("x" * 25, "x" * 23 + "…")])
def test_a_long_name_is_cut_to_24_letters(name: str, shown: str) -> None:
    assert pair._short(name) == shown


def test_twelve_things_are_kept_and_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept.st, "session_state", {})
    worked: list[int] = []
    for number in (*range(12), 0, 12, 1, 0):
        assert kept.kept((number,), lambda number=number: worked.append(number) or -number) == -number
    # The thirteenth drives out the first, whether it was asked for again or not; that one drives out the second.
    assert worked == [*range(13), 0]
    assert [kept.kept_before((number,), "none") for number in (0, 1, 2)] == [0, "none", -2]
