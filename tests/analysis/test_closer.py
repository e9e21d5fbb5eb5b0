"""A part of a view that is zoomed to: the whole's own numbers where both have one, and more between them."""

from __future__ import annotations

import numpy as np
import pytest
from sounds import RATE, clicks, noise, sine

from crnn.analysis import views
from crnn.analysis.closer import MOST_SEPARATED_SECONDS, closer
from crnn.analysis.views import Grid, Lines, ViewSettings

SETTINGS = ViewSettings()
# Of a length at which a screen's columns are 32 samples apart, a sixteenth of the whole's.
SPAN = (3.0, 3.0 + 1500 * 32 / RATE)
SONG = (sine(440.0, 8.0) + clicks(8.0) + noise(8.0, level=0.01)).astype(np.float32)
# 20 dB softer in the part than at the end: what is loudest in the part is not what is loudest.
SONG[: 6 * RATE] *= 0.1


def seconds_of(n_points: int, start: float, step: float) -> np.ndarray:
    return start + np.arange(n_points) * step


@pytest.mark.parametrize("name", list(views.VIEWS))
def test_part_is_what_the_whole_is_there_only_finer(name: str) -> None:
    found = views.compute_with_siblings(name, SONG, RATE, SETTINGS)
    whole, peaks = found[name], {each: view.peak for each, view in found.items()}
    fine, start = closer(name, SONG, RATE, SETTINGS, span=SPAN, peaks=peaks)[name]
    if isinstance(fine, Grid):
        assert isinstance(whole, Grid)
        assert fine.values.shape[1] == whole.values.shape[1]
        at = seconds_of(len(fine.values), start, fine.seconds_per_frame)
        frames = np.round(at / whole.seconds_per_frame).astype(int)
        shared = np.abs(frames * whole.seconds_per_frame - at) < 1e-6
        assert shared.sum() > 80
        # The tempogram hears nine seconds around each moment: it has no more to show.
        finer = {"tempogram": 1}.get(name, 16)
        assert fine.seconds_per_frame == pytest.approx(whole.seconds_per_frame / finer)
        differences = np.maximum(fine.values[shared], whole.low) - np.maximum(whole.values[frames[shared]], whole.low)
        assert np.abs(differences).max() < 0.02 * (whole.high - whole.low)
    else:
        assert isinstance(whole, Lines)
        line, coarse = fine.curves[0], whole.curves[0]
        at = seconds_of(len(line.values), start + line.start_seconds, line.seconds_per_point)
        assert line.seconds_per_point < coarse.seconds_per_point / 2
        there = seconds_of(len(coarse.values), coarse.start_seconds, coarse.seconds_per_point)
        inside = (there > SPAN[0]) & (there < SPAN[1])
        if name == "waveform":
            # The same lowest and highest.
            assert np.abs(line.values).max() == pytest.approx(np.abs(coarse.values[inside]).max(), rel=0.01)
        else:
            read = np.interp(there[inside], at, line.values)
            np.testing.assert_allclose(read, coarse.values[inside], atol=0.02 * (whole.high - whole.low))
    assert at[0] <= SPAN[0] + 0.03
    assert at[-1] >= SPAN[1] - 0.03


def test_part_that_takes_too_long_or_holds_too_little_is_left_as_it_is() -> None:
    long = np.zeros(round((MOST_SEPARATED_SECONDS + 2) * RATE), np.float32)
    peaks = {"harmonic": 0.0, "percussive": 0.0}
    assert closer("harmonic", long, RATE, SETTINGS, span=(0.0, MOST_SEPARATED_SECONDS + 1), peaks=peaks) == {}
    # Beyond the end there is nothing.
    assert closer("mel", SONG, RATE, SETTINGS, span=(8.0, 9.0), peaks={"mel": 0.0}) == {}
