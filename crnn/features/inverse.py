"""What a network reads, turned back: into decibels for pictures, and into how power lies over frequency for the ear."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crnn.config import TAGGER_MEL, FeatureConfig
from crnn.features import log_mel, tagger_mel

FloatArray = npt.NDArray[np.float32]

# Power of cells at the offset of the tagger's logarithm: far below what can be heard.
_NOTHING = 1e-12


def read_in_db(values: FloatArray, config: FeatureConfig) -> FloatArray:
    """A network's input in dB re its loudest cell; what the tagger's offset drowns is level ground.

    Args:
        values: Of one segment, `(n_frames, n_mels)`, as the network reads it.
        config: What it was computed with.
    """
    if config.front_end != TAGGER_MEL:
        return values
    decibels = tagger_mel.input_in_db(values)
    return np.maximum(decibels - decibels.max(), np.float32(config.db_floor))


def density_db(values: FloatArray, config: FeatureConfig) -> FloatArray:
    """Power per Hz in each band of a network's input, in dB re the greatest, `(n_frames, n_mels)`.

    Log-mels are that but for a constant, by their norm. The tagger's bands add up what lies in them, times its
    pre-emphasis: that is divided out, and a band too narrow to hold a bin gets what its neighbours have.

    Args:
        values: Of one segment, `(n_frames, n_mels)`, as the network reads it.
        config: What it was computed with.
    """
    if config.front_end != TAGGER_MEL:
        return values
    weights = tagger_mel.weight_of_bands(config)
    held = np.flatnonzero(weights)
    power = np.maximum(tagger_mel.power_of_input(values)[:, held], _NOTHING) / weights[held]
    decibels = 10.0 * np.log10(power)
    bands = np.arange(config.n_mels)
    return np.stack([np.interp(bands, held, row - decibels.max()) for row in decibels]).astype(np.float32)


def band_energies(power: FloatArray, config: FeatureConfig) -> FloatArray:
    """Energy of the sound itself in each band, relative to one unknown constant: without pre-emphasis and norm.

    Args:
        power: Mel power, `(n_frames, n_mels)`.
        config: The settings that `power` was made with.
    """
    is_tagger = config.front_end == TAGGER_MEL
    return power * (tagger_mel.band_gains(config) if is_tagger else log_mel.band_widths_hz(config))


def band_densities(power: FloatArray, config: FeatureConfig) -> FloatArray:
    """Power per Hz of the sound itself in each band, relative to one unknown constant; 0 where no bin lies.

    Args:
        power: Mel power, `(n_frames, n_mels)`.
        config: The settings that `power` was made with.
    """
    if config.front_end != TAGGER_MEL:
        # Slaney's norm has divided by the width of the bands already.
        return power
    weights = tagger_mel.weight_of_bands(config)
    return np.asarray(power * np.where(weights > 0, 1 / np.maximum(weights, 1e-12), 0.0), dtype=np.float32)
