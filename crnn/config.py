"""Frozen settings of features, network and training, checked when made.

Derived values are properties, so that no number is typed twice. All of them
round-trip through plain dicts (`to_dict`, `from_dict`) and travel in bundles.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

MIN_CLIP_SECONDS = 1.0
MAX_CLIP_SECONDS = 15 * 60.0


class _DictConfig:
    """Round trip of a frozen dataclass through a plain dict."""

    def to_dict(self) -> dict[str, Any]:
        """Settings as JSON-ready values."""
        return dataclasses.asdict(self)  # type: ignore[call-overload,no-any-return]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Settings from `to_dict`'s output.

        Raises:
            ValueError: A field is missing, unknown or out of range.
        """
        names = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        if set(values) != names:
            missing, unknown = sorted(names - set(values)), sorted(set(values) - names)
            raise ValueError(f"{cls.__name__}: missing fields {missing}, unknown fields {unknown}")
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


@dataclass(frozen=True)
class FeatureConfig(_DictConfig):
    """How sound becomes the model's input: one log-mel for training and inference.

    Units are in the names; `fmin` and `fmax` are Hz, as in librosa. The default
    hop of 914 samples gives the 24.1 frames a second of the labelled archive.
    """

    sample_rate: int = 22_050
    n_fft: int = 2048
    hop_length: int = 914
    n_mels: int = 128
    fmin: float = 0.0
    fmax: float = 11_025.0
    segment_seconds: float = 10.0
    segment_hop_seconds: float = 2.5
    db_floor: float = -80.0

    def __post_init__(self) -> None:
        _require(8000 <= self.sample_rate <= 96_000, f"sample_rate {self.sample_rate} Hz: 8000 to 96000 is accepted")
        _require(64 <= self.n_fft <= 16_384, f"n_fft {self.n_fft}: 64 to 16384 is accepted")
        _require(0 < self.hop_length <= self.n_fft, f"hop_length {self.hop_length}: 1 to n_fft is accepted")
        _require(8 <= self.n_mels <= 512, f"n_mels {self.n_mels}: 8 to 512 is accepted")
        _require(
            0 <= self.fmin < self.fmax <= self.sample_rate / 2,
            f"fmin {self.fmin}, fmax {self.fmax}: need 0 <= fmin < fmax <= sample_rate / 2",
        )
        _require(
            1 <= self.segment_seconds <= 60, f"segment_seconds {self.segment_seconds}: 1 to 60 is accepted"
        )
        _require(
            0 < self.segment_hop_seconds <= self.segment_seconds,
            f"segment_hop_seconds {self.segment_hop_seconds}: need more than 0, at most segment_seconds",
        )
        _require(-200 <= self.db_floor < 0, f"db_floor {self.db_floor} dB: -200 to below 0 is accepted")

    @property
    def frame_rate_hz(self) -> float:
        """Log-mel frames per second."""
        return self.sample_rate / self.hop_length

    @property
    def n_frames(self) -> int:
        """Frames of one segment."""
        return round(self.segment_seconds * self.frame_rate_hz)

    @property
    def n_hop_frames(self) -> int:
        """Frames between the starts of neighbouring segments."""
        return max(1, round(self.segment_hop_seconds * self.frame_rate_hz))
