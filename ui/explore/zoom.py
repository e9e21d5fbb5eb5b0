"""What is zoomed to in the mel spectrograms of Explore, at the detail of the screen and in the levels of the whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from crnn.analysis import spectral
from crnn.analysis.closer import closer
from crnn.analysis.grids import Grid
from crnn.config import FeatureConfig
from ui.components.player.panels import Panel, detail_of, panel
from ui.explore.view_panels import Drawing, closer_panel, settings_of

FloatArray = npt.NDArray[np.float32]

DIFFERENCE_DB = 30.0


def mel_detail(
    what: str, samples: FloatArray, config: FeatureConfig, span: tuple[float, float], whole: Panel
) -> Panel | None:
    """A part of a mel spectrogram, finer; None where there is too little of the sound in it.

    Args:
        what: Stands for the samples, which would take long to hash.
        samples: Of the whole, at the model's rate.
        config: The model's features.
        span: Where the part starts and ends, in seconds.
        whole: The panel of the whole.
    """
    drawing = Drawing(config.sample_rate, settings_of(config))
    return closer_panel(what, "mel", whole, drawing, span=span, _samples=samples)


def of_first(
    what: str, samples: FloatArray, config: FeatureConfig, whole: Panel
) -> Callable[[float, float], dict[int, Panel]]:
    """What gives a listening view the detail of its first picture, a mel spectrogram.

    Args:
        what: As of `mel_detail`.
        samples: As of `mel_detail`.
        config: The model's features.
        whole: The panel of the whole.
    """

    def detail(start: float, end: float) -> dict[int, Panel]:
        fine = mel_detail(what, samples, config, (start, end), whole)
        return {} if fine is None else {0: fine}

    return detail


def levels(samples: FloatArray, config: FeatureConfig) -> Grid:
    """The mel spectrogram in dB below its loudest cell, down to the model's floor, `(n_frames, n_mels)`.

    Args:
        samples: At the model's rate.
        config: The model's features.
    """
    return _floored(spectral.mel(samples, config.sample_rate, settings_of(config)), config)


def difference(first: Grid, second: Grid) -> Grid:
    """First less second, cell by cell.

    Args:
        first: As `levels` gives it.
        second: Of a sound of the same length.
    """
    values = first.values - second.values
    return Grid(values, first.rows, "Hz", "dB", -DIFFERENCE_DB, DIFFERENCE_DB, first.seconds_per_frame)


def difference_detail(
    samples: tuple[FloatArray, ...],
    peaks: tuple[float | None, ...],
    config: FeatureConfig,
    span: tuple[float, float],
) -> Panel | None:
    """A part of the difference of two sounds, finer; None where there is too little of both in it.

    Args:
        samples: Of both sounds, of one length, at the model's rate.
        peaks: The peak of each one's `levels`.
        config: The model's features.
        span: Where the part starts and ends, in seconds.
    """
    fine, start = [], span[0]
    for sound, peak in zip(samples, peaks, strict=True):
        found = closer("mel", sound, config.sample_rate, settings_of(config), span=span, peaks={"mel": peak})
        if not found:
            return None
        grid, start = found["mel"]
        assert isinstance(grid, Grid)
        fine.append(_floored(grid, config))
    return detail_of(panel(difference(*fine), title="", about="", start_seconds=start))


def _floored(grid: Grid, config: FeatureConfig) -> Grid:
    return replace(grid, values=np.maximum(grid.values, np.float32(config.db_floor)))
