"""Every view of a sound that Explore draws: its name, what it shows and by whose definition.

librosa's first beat tracking compiles for twenty seconds; `warm_up` does that ahead
of the first visitor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crnn.analysis import spectral, temporal
from crnn.analysis.grids import Curve, FloatArray, Grid, Lines, View, ViewSettings
from crnn.config import FeatureConfig

__all__ = [
    "VIEWS",
    "Curve",
    "Grid",
    "Lines",
    "View",
    "ViewKind",
    "ViewSettings",
    "compute",
    "compute_with_siblings",
    "siblings",
    "warm_up",
]

# Views that come from one costly separation.
_PARTS = ("harmonic", "percussive")

Compute = Callable[[FloatArray, int, ViewSettings], View]


def compute(name: str, samples: FloatArray, sample_rate: int, settings: ViewSettings) -> View:
    """The view `name`, one of `VIEWS`, of mono samples.

    Args:
        name: A key of `VIEWS`.
        samples: Mono sound, `(n_samples,)`.
        sample_rate: In Hz.
        settings: How it is computed; each view takes what it knows of them.

    Raises:
        ValueError: There is no such view.
    """
    if name not in VIEWS:
        raise ValueError(f"view {name!r}: {', '.join(VIEWS)} are known")
    return VIEWS[name].compute(samples, sample_rate, settings)


def siblings(name: str) -> tuple[str, ...]:
    """The views that one computation gives together with `name`, itself among them."""
    return _PARTS if name in _PARTS else (name,)


def compute_with_siblings(name: str, samples: FloatArray, sample_rate: int, settings: ViewSettings) -> dict[str, View]:
    """The views of `siblings(name)` by name, for hardly more than the price of one.

    Args:
        name: A key of `VIEWS`.
        samples: Mono sound, `(n_samples,)`.
        sample_rate: In Hz.
        settings: How they are computed.

    Raises:
        ValueError: There is no such view.
    """
    if name in _PARTS:
        return dict(zip(_PARTS, spectral.parts(samples, sample_rate, settings), strict=True))
    return {name: compute(name, samples, sample_rate, settings)}


@dataclass(frozen=True)
class ViewKind:
    """What a view shows in a musician's words, what the field calls it, by whose definition, and how it is made."""

    name: str
    title: str
    about: str
    compute: Compute
    is_slow: bool = False

    @property
    def explained(self) -> str:
        """What the field calls it, where that is another name, and what it shows."""
        if not self.title:
            return self.about
        return f"{self.title[0].upper()}{self.title[1:]}. {self.about}"


# What a musician looks for first stands first.
VIEWS: dict[str, ViewKind] = {
    "waveform": ViewKind(
        "Waveform",
        "",
        "Air pressure over time, lowest to highest in each pixel; 1 is full scale.",
        temporal.waveform,
    ),
    "mel": ViewKind(
        "As the ear hears",
        "mel spectrogram",
        "Bands as wide as the ear's (Slaney's mel scale).",
        spectral.mel,
    ),
    "cqt": ViewKind(
        "Notes",
        "constant-Q",
        "Quarter tones from C1 to B7, each with its own window (Brown 1991).",
        spectral.constant_q,
        True,
    ),
    "chroma": ViewKind(
        "Harmony",
        "chroma",
        "Energy of each pitch class, whatever the octave, the strongest set to 1 (Ellis 2007).",
        spectral.chroma,
    ),
    "onsets": ViewKind(
        "Beats",
        "onsets",
        "How much starts at each moment (spectral flux), and the beat that fits best (Ellis 2007).",
        temporal.onsets,
        True,
    ),
    "tempogram": ViewKind(
        "Tempo over time",
        "tempogram",
        "How well the onsets repeat at each tempo around each moment (Grosche 2010).",
        temporal.tempogram,
        True,
    ),
    "loudness": ViewKind(
        "Loudness",
        "LUFS",
        "Momentary loudness, 400 ms, as broadcasters measure (ITU-R BS.1770-4).",
        temporal.loudness,
    ),
    "shape": ViewKind(
        "Brightness",
        "spectral centroid",
        "Middle of the spectrum, its spread (bandwidth), and the frequency below which 85 % of it lies (roll-off).",
        spectral.shape,
    ),
    "mfcc": ViewKind(
        "Timbre",
        "MFCC",
        "Shape of the mel spectrum in 20 numbers; the first is bright against dull (Davis 1980).",
        spectral.mfcc,
    ),
    "harmonic": ViewKind(
        "Tones alone",
        "harmonic part",
        "What holds on through time: voices, strings, keys (median filter, Fitzgerald 2010).",
        spectral.harmonic,
        True,
    ),
    "percussive": ViewKind(
        "Drums alone",
        "percussive part",
        "What is short and wide in frequency: drums, plucks, consonants (Fitzgerald 2010).",
        spectral.percussive,
        True,
    ),
    "linear": ViewKind(
        "Overtones",
        "linear spectrogram",
        "Level at each frequency, evenly spaced in Hz: overtones lie at equal steps.",
        spectral.linear,
    ),
    "log": ViewKind(
        "Octaves",
        "log spectrogram",
        "Level at each frequency by octaves, as pitch is heard; 24 rows an octave.",
        spectral.logarithmic,
    ),
}


def warm_up() -> None:
    """Import librosa and have numba compile what the slow views use, on a second of clicks and tone."""
    rate = FeatureConfig().sample_rate
    seconds = np.arange(2 * rate, dtype=np.float32) / rate
    samples = (0.1 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32)
    samples[:: rate // 2] += 0.5
    for name, kind in VIEWS.items():
        if kind.is_slow or name in {"chroma", "shape"}:
            compute(name, samples, rate, ViewSettings())
