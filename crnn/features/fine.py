"""Frames of a part closer together than a network reads them: for pictures, zoomed into."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from crnn.config import TAGGER_MEL, FeatureConfig
from crnn.features.log_mel import mel_power

FloatArray = npt.NDArray[np.float32]


def fine_mel_power(samples: FloatArray, config: FeatureConfig, hop_length: int) -> tuple[FloatArray, float]:
    """Mel power of a part of a sound, for a picture of it: frames closer together than a network reads them.

    Args:
        samples: Mono audio, shape `(n_samples,)`, at `config.sample_rate`.
        config: Transform settings.
        hop_length: How many samples frames shall be apart, about.

    Returns:
        float32 power, shape `(n_frames, n_mels)`, and how many seconds frames are apart.

    Raises:
        AudioError: `samples` is not 1-D, or holds NaN or infinity.
    """
    if config.front_end != TAGGER_MEL:
        fine = replace(config, hop_length=hop_length)
        return mel_power(samples, fine), 1 / fine.frame_rate_hz
    # Its frames are always ten milliseconds apart. Frames between them come from the sound begun a little later.
    n_between = max(1, round(config.hop_length / hop_length))
    step = 1 / (n_between * config.frame_rate_hz)
    offsets = [round(k * step * config.sample_rate) for k in range(n_between)]
    rows = [mel_power(samples[offset:], config) for offset in offsets]
    n_frames = min(map(len, rows))
    return np.stack([row[:n_frames] for row in rows], axis=1).reshape(-1, config.n_mels), step
