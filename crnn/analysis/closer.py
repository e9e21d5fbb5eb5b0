"""Views of a part of a sound as fine as a screen shows it, in the levels of the whole and with what is around it heard.

Each is computed as the whole is, only more often; what lies before and after the part goes into its first and last
frames as it goes into the whole's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from crnn.analysis import spectral, temporal
from crnn.analysis.figures import DETAIL_COLUMNS, LEAST_HOP
from crnn.analysis.grids import Curve, FloatArray, Grid, Lines, View, ViewSettings
from crnn.analysis.views import VIEWS, siblings

# Views that hear another span around each moment than the window of the settings.
_AROUND_SECONDS = {"waveform": 0.0, "cqt": 0.6, "onsets": 0.5, "tempogram": 4.6, "loudness": 0.8}
# The hops of views that do not follow the settings, in samples.
_FIXED_HOP = {"cqt": spectral.CQT_HOP_LENGTH, "onsets": temporal.HOP_LENGTH, "tempogram": temporal.HOP_LENGTH}
# About half the 31 frames of the filter that separates tones from drums.
_FILTER_FRAMES = 16
# Separation takes a twenty-fifth of a sound's length; a longer part would not appear at once.
MOST_SEPARATED_SECONDS = 16.0
_FINEST_LOUDNESS_SECONDS = 0.01
# Onset strength at each of four places within a step.
_ONSETS_BETWEEN = 4


def closer(
    name: str,
    samples: FloatArray,
    rate: int,
    settings: ViewSettings,
    *,
    span: tuple[float, float],
    peaks: Mapping[str, float | None],
) -> dict[str, tuple[View, float]]:
    """The view of a part and those that come with it, by name, each with the second at which it starts.

    Args:
        name: A key of `VIEWS`.
        samples: The whole sound, mono, `(n_samples,)`.
        rate: Its sample rate in Hz.
        settings: How the whole is computed.
        span: Where the part starts and ends, in seconds.
        peaks: Of each of `siblings(name)` the `peak` of the whole's view.

    Returns:
        Frames within the part, and the next on both sides; empty where it would take too long, or where too little
        of the sound is in the part.
    """
    start, end = span
    around = _AROUND_SECONDS.get(name, settings.n_fft / rate)
    if name in siblings("harmonic"):
        if end - start > MOST_SEPARATED_SECONDS:
            return {}
        around += _FILTER_FRAMES * settings.hop_length / rate
    # In step with the whole's frames, so that both show the same where both have one.
    step = _FIXED_HOP.get(name, settings.hop_length)
    first = max(0, math.floor((start - around) * rate / step) * step)
    part = samples[first : math.ceil((end + around) * rate)]
    if len(part) < settings.n_fft or min(end, len(samples) / rate) <= start:
        return {}
    hop = max(LEAST_HOP, min(settings.hop_length, round((end - start) * rate / DETAIL_COLUMNS)))
    found: Mapping[str, View]
    if name in siblings("harmonic"):
        found = _separated(part, rate, settings, hop, peaks)
    else:
        found = {name: _compute(name, part, rate, replace(settings, peak=peaks[name]), hop)}
    return {each: _cropped(view, first / rate, span) for each, view in found.items()}


def _compute(name: str, samples: FloatArray, rate: int, settings: ViewSettings, hop: int) -> View:
    if name == "cqt":
        # librosa is quick with powers of two.
        power = 2 ** int(math.log2(max(hop, spectral.FINEST_CQT_HOP_LENGTH)))
        return spectral.constant_q(samples, rate, settings, min(power, spectral.CQT_HOP_LENGTH))
    if name == "onsets":
        return temporal.onset_curve(samples, rate, settings, _ONSETS_BETWEEN)
    if name == "loudness":
        return temporal.loudness(samples, rate, settings, max(_FINEST_LOUDNESS_SECONDS, hop / rate))
    return VIEWS[name].compute(samples, rate, replace(settings, hop_length=hop))


def _separated(
    samples: FloatArray, rate: int, settings: ViewSettings, hop: int, peaks: Mapping[str, float | None]
) -> dict[str, Grid]:
    # In one separation, each below a peak of its own.
    found = spectral.parts(samples, rate, replace(settings, normalise=False), hop)
    tops = {name: (peaks[name] or 0.0) if settings.normalise else 0.0 for name in siblings("harmonic")}
    return {
        name: replace(grid, values=grid.values - np.float32(top))
        for (name, top), grid in zip(tops.items(), found, strict=True)
    }


def _cropped(view: View, offset: float, span: tuple[float, float]) -> tuple[View, float]:
    """A view of the part and what is around it, cut to the part, and where it starts in the sound."""
    if isinstance(view, Lines):
        return replace(view, curves=tuple(_cut(curve, offset, span) for curve in view.curves)), offset
    kept = _within(len(view.values), offset, view.seconds_per_frame, span)
    curves = tuple(replace(curve, values=curve.values[kept]) for curve in view.curves)
    start = offset + kept.start * view.seconds_per_frame
    return replace(view, values=view.values[kept], curves=curves), start


def _cut(curve: Curve, offset: float, span: tuple[float, float]) -> Curve:
    kept = _within(len(curve.values), offset + curve.start_seconds, curve.seconds_per_point, span)
    start = curve.start_seconds + kept.start * curve.seconds_per_point
    return replace(curve, values=curve.values[kept], start_seconds=start)


def _within(n_points: int, offset: float, step: float, span: tuple[float, float]) -> slice:
    """Those of points `step` apart from `offset` on that lie in the span, and the next on both sides."""
    first = max(0, math.ceil((span[0] - offset) / step) - 1)
    last = min(n_points - 1, math.floor((span[1] - offset) / step) + 1)
    return slice(min(first, n_points - 1), last + 1)
