"""What a view of a sound is: numbers with axes, and the settings that they were computed with.

A view is a grid `(n_frames, n_rows)`, lowest row first, or lines over time. Frame k is
centred on `k * seconds_per_frame`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ViewSettings:
    """How views are computed; frequencies in Hz, lengths in samples.

    normalise: True gives dB re the view's loudest cell, False dB re a full-scale sine.
    peak: of a part that is drawn like the whole, the `peak` of the whole's view, which the part takes as its own.
    """

    n_fft: int = 2048
    hop_length: int = 512
    n_mels: int = 128
    fmin: float = 0.0
    fmax: float = 11_025.0
    range_db: float = 80.0
    normalise: bool = True
    peak: float | None = None

    def __post_init__(self) -> None:
        if not 64 <= self.n_fft <= 16_384:
            raise ValueError(f"n_fft {self.n_fft}: 64 to 16384 is accepted")
        if not 16 <= self.hop_length <= self.n_fft:
            raise ValueError(f"hop_length {self.hop_length}: 16 to n_fft is accepted")
        if not 8 <= self.n_mels <= 512:
            raise ValueError(f"n_mels {self.n_mels}: 8 to 512 is accepted")
        if not 0 <= self.fmin < self.fmax:
            raise ValueError(f"fmin {self.fmin}, fmax {self.fmax}: need 0 <= fmin < fmax")
        if not 10 <= self.range_db <= 200:
            raise ValueError(f"range_db {self.range_db}: 10 to 200 is accepted")


@dataclass(frozen=True)
class Curve:
    """A line over time: values `(n,)`, or a band between lows and highs, `(n, 2)`; NaN is a gap."""

    name: str
    values: FloatArray
    seconds_per_point: float
    start_seconds: float = 0.0


@dataclass(frozen=True)
class Grid:
    """A picture's numbers.

    values: `(n_frames, n_rows)`, in `unit`, drawn from `low` to `high`.
    rows: what each row stands for, rising, in `row_unit` ("Hz", "BPM"), or plain numbers with `row_names`.
    curves: lines over the picture, in `row_unit`.
    marks: seconds at which a line is drawn: the beats.
    facts: what was found, as a sentence.
    peak: of views that are scaled by what is loudest in them, that: dB re a full-scale sine, or onset strength.
    """

    values: FloatArray
    rows: npt.NDArray[np.float64]
    row_unit: str
    unit: str
    low: float
    high: float
    seconds_per_frame: float
    row_names: tuple[str, ...] = ()
    curves: tuple[Curve, ...] = ()
    marks: tuple[float, ...] = ()
    facts: str = ""
    peak: float | None = None


@dataclass(frozen=True)
class Lines:
    """Curves on one axis from `low` to `high` in `unit`; `marks`, `facts` and `peak` as in `Grid`."""

    curves: tuple[Curve, ...]
    unit: str
    low: float
    high: float
    marks: tuple[float, ...] = ()
    facts: str = ""
    peak: float | None = None


View = Grid | Lines
