"""Which frames a model can read: two front ends, and the settings that decide what a frame is."""

from __future__ import annotations

from typing import Any

from crnn.config import TAGGER_MEL, FeatureConfig
from crnn.errors import DatasetError


def check_front_end(made_with: FeatureConfig, config: FeatureConfig, name: str) -> None:
    """That a model of these features can read an archive.

    Args:
        made_with: What the archive was made with.
        config: The model's features.
        name: What the archive is called in the message.

    Raises:
        DatasetError: It cannot.
    """
    if transform_of(made_with) != transform_of(config):
        raise DatasetError(
            f"“{name}” holds {_in_words(made_with)}, the model reads {_in_words(config)}. Make it again from the "
            "sounds with: python -m crnn features --model NAME (from scratch: --model scratch), or choose "
            "a model that reads it."
        )


def transform_of(config: FeatureConfig) -> dict[str, Any]:
    """The settings that decide what the frames of a sound are, how it is cut aside."""
    values = config.to_dict()
    names = ["sample_rate", "n_fft", "hop_length", "n_mels", "fmin", "fmax"]
    # Left out for the first front end, so that features kept before there were two are still found.
    names += ["front_end"] if config.front_end == TAGGER_MEL else []
    return {name: values[name] for name in names}


def _in_words(config: FeatureConfig) -> str:
    kind = "the tagger's mel" if config.front_end == TAGGER_MEL else "log-mel"
    return (
        f"{kind} of {config.n_mels} bands up to {config.fmax / 1000:g} kHz at {config.frame_rate_hz:.1f} frames a "
        f"second (n_fft {config.n_fft}, hop {config.hop_length} at {config.sample_rate} Hz)"
    )
