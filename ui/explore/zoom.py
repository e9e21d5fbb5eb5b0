"""What is zoomed to in the mel spectrograms of Explore, at the detail of the screen and in the levels of the whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from crnn.analysis import spectral
from crnn.analysis.grids import Grid
from crnn.analysis.views import ViewSettings
from crnn.config import FeatureConfig
from ui.components.player.panels import Panel, detail_of, panel
from ui.explore.views import view_panel

FloatArray = npt.NDArray[np.float32]

DIFFERENCE_DB = 30.0
# As many columns as a screen has pixels for them, and no finer than a sample's neighbourhood.
_COLUMNS = 1500
_LEAST_HOP = 16


def settings_of(config: FeatureConfig) -> ViewSettings:
    """How a model's mel spectrogram is computed, as a view's settings.

    Args:
        config: The model's features.
    """
    return ViewSettings(config.n_fft, config.hop_length, config.n_mels, config.fmin, config.fmax)


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
    part = _part(samples, config, span)
    if len(part) < config.n_fft:
        return None
    fine = view_panel(
        what, "mel", sample_rate=config.sample_rate, span=span, settings=_finer(config, len(part)), stops=(),
        _samples=part,
    )  # fmt: skip
    return detail_of(fine, whole)


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
    loudest: tuple[FloatArray, ...],
    config: FeatureConfig,
    span: tuple[float, float],
) -> Panel | None:
    """A part of the difference of two sounds, finer; None where there is too little of both in it.

    Args:
        samples: Of both sounds, of one length, at the model's rate.
        loudest: Of each frame of their `levels` the loudest cell, `(n_frames,)`.
        config: The model's features.
        span: Where the part starts and ends, in seconds.
    """
    fine = []
    for sound, tops in zip(samples, loudest, strict=True):
        part = _part(sound, config, span)
        if len(part) < config.n_fft:
            return None
        grid = spectral.mel(part, config.sample_rate, _finer(config, len(part)))
        first, last = (round(seconds * config.frame_rate_hz) for seconds in span)
        # Its own loudest cell is at 0 dB; in the whole it lies lower.
        there = float(tops[first : last + 1].max())
        fine.append(_floored(replace(grid, values=grid.values + np.float32(there - grid.values.max())), config))
    found = panel(difference(*fine), title="", about="", start_seconds=span[0])
    return {name: found[name] for name in ("columns", "rows", "start", "secondsPerColumn", "curves", "cells")}


def _part(samples: FloatArray, config: FeatureConfig, span: tuple[float, float]) -> FloatArray:
    first, last = (round(seconds * config.sample_rate) for seconds in span)
    return samples[first:last]


def _finer(config: FeatureConfig, n_samples: int) -> ViewSettings:
    hop_length = max(_LEAST_HOP, min(config.hop_length, n_samples // _COLUMNS))
    return replace(settings_of(config), hop_length=hop_length)


def _floored(grid: Grid, config: FeatureConfig) -> Grid:
    return replace(grid, values=np.maximum(grid.values, np.float32(config.db_floor)))
