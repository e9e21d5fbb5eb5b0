"""A front end in full, for programs that must feed a network without this project."""

from __future__ import annotations

from typing import Any

from crnn.config import TAGGER_MEL, FeatureConfig
from crnn.features.log_mel import band_weights


def described(config: FeatureConfig, stride: int = 1) -> dict[str, Any]:
    """All that decides what a network reads, JSON-ready.

    Args:
        config: Either front end.
        stride: One of so many segments is heard.
    """
    is_tagger = config.front_end == TAGGER_MEL
    return config.to_dict() | {
        "hop_samples": config.sample_rate / config.frame_rate_hz,
        "frame_rate_hz": config.frame_rate_hz,
        "window": "hann",
        "window_length": config.window_length,
        "window_is_periodic": not is_tagger,
        # Half a window at both ends, so that frame k is centred on sample k * hop_samples, rounded.
        "padding": "reflect" if is_tagger else "constant",
        "segment_frames": config.n_frames,
        "segment_hop_frames": config.n_hop_frames * stride,
        "least_tail_frames": config.n_tail_frames,
        # [bin of the FFT, mel band, weight of the power]; what is not named weighs nothing.
        "mel_weights": [list(weight) for weight in band_weights(config)],
    }
