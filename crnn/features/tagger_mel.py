"""The tagger's mel: log power in Kaldi's triangles, 100 frames a second.

What an AudioSet tagger taught at 32 kHz (`mn04_as`, Schmid et al. 2023) wants to see, from sound of
any sample rate without resampling: windows of 25 ms each 10 ms, at rounded samples, and the tagger's
pre-emphasis as a weight on the power. Bands above the Nyquist frequency are empty. Axis order is
`(n_frames, n_mels)`, low mel first. A segment is brought to one level by what is in it alone, so the
level of a recording does not matter, and no segment depends on its neighbours.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from crnn.config import FeatureConfig

if TYPE_CHECKING:
    from scipy import sparse

FloatArray = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

# The tagger's own: rate, transform and pre-emphasis that it was taught with.
_RATE, _N_FFT, _WINDOW_LENGTH, _PREEMPHASIS = 32_000, 1024, 800, 0.97
# Its input is (ln(power + offset) + shift) / scale.
_LOG_OFFSET, _SHIFT, _SCALE = 1e-5, 4.5, 5.0
# Kaldi's mel scale: 1127 ln(1 + f / 700).
_MEL_FACTOR, _BREAK_HZ = 1127.0, 700.0
# Power that counts as nothing: half of what the offset lets through, and nothing is ever infinite.
_MIN_POWER = 1e-7
# Frames transformed at once: some 2 MB, so that the spectrum stays in cache.
_FRAMES_PER_BATCH = 500


def hz_to_mel(frequency_hz: npt.ArrayLike) -> Floats:
    """Mel value of a frequency in Hz, on Kaldi's scale."""
    return np.asarray(_MEL_FACTOR * np.log1p(np.asarray(frequency_hz, dtype=np.float64) / _BREAK_HZ))


def mel_to_hz(mel: npt.ArrayLike) -> Floats:
    """Frequency in Hz of a value on Kaldi's mel scale."""
    return np.asarray(_BREAK_HZ * np.expm1(np.asarray(mel, dtype=np.float64) / _MEL_FACTOR))


def _edges_mel(config: FeatureConfig) -> Floats:
    low, high = hz_to_mel([config.fmin, config.fmax])
    return np.linspace(low, high, config.n_mels + 2)


@lru_cache(maxsize=8)
def _triangles(config: FeatureConfig) -> Floats:
    """Triangles of height 1, drawn on the mel axis, shape `(n_fft // 2 + 1, n_mels)`."""
    edges = _edges_mel(config)
    mels = hz_to_mel(np.fft.rfftfreq(config.n_fft, 1.0 / config.sample_rate))[:, None]
    rising = (mels - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mels) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)))


def _bin_weights(config: FeatureConfig) -> Floats:
    """Pre-emphasis of each bin, times the tagger's power of noise of one density over ours."""
    bins_hz = np.fft.rfftfreq(config.n_fft, 1.0 / config.sample_rate)
    emphasis = np.abs(1.0 - _PREEMPHASIS * np.exp(-2j * np.pi * bins_hz / _RATE)) ** 2
    density = _window_energy(_WINDOW_LENGTH) * _RATE / (_window_energy(config.window_length) * config.sample_rate)
    bin_width = (_N_FFT / _RATE) / (config.n_fft / config.sample_rate)
    return np.asarray(emphasis * density * bin_width)


def weight_of_bands(config: FeatureConfig) -> Floats:
    """What each band makes of power of 1 in every bin, `(n_mels,)`; 0 where no bin lies."""
    return np.asarray((_triangles(config) * _bin_weights(config)[:, None]).sum(axis=0))


def mel_filters(config: FeatureConfig) -> FloatArray:
    """Triangles that hold the pre-emphasis and the ratio to the tagger's power, `(n_fft // 2 + 1, n_mels)`."""
    return np.asarray(_triangles(config) * _bin_weights(config)[:, None], dtype=np.float32)


def _window_energy(length: int) -> float:
    return float((np.hanning(length) ** 2).sum())


@lru_cache(maxsize=8)
def _window(length: int) -> FloatArray:
    return np.hanning(length).astype(np.float32)


@lru_cache(maxsize=8)
def _filter_rows(config: FeatureConfig) -> sparse.csr_array:
    from scipy import sparse

    return sparse.csr_array(mel_filters(config).T)


@lru_cache(maxsize=8)
def mel_frequencies(config: FeatureConfig) -> Floats:
    """Centre frequencies of the bands in Hz, shape `(n_mels,)`."""
    return mel_to_hz(_edges_mel(config)[1:-1])


@lru_cache(maxsize=8)
def heard_shares(config: FeatureConfig) -> FloatArray:
    """Share of each band that lies below the Nyquist frequency, `(n_mels,)`: 1, or 0, or between in the two on it."""
    edges, nyquist = _edges_mel(config), float(hz_to_mel(config.sample_rate / 2))
    at = np.clip((nyquist - edges[:-2]) / (edges[2:] - edges[:-2]), 0.0, 1.0)
    # Area of a triangle up to there: its two halves are parabolas.
    shares = np.where(at < 0.5, 2 * at**2, 1 - 2 * (1 - at) ** 2)
    return np.asarray(shares, dtype=np.float32)


class FrameCutter:
    """Power of the frames of a sound that arrives in blocks; its ends are reflected, as the tagger's are.

    Frame k is centred on sample `round(k * hop)`, and one is centred on each hop that begins in the sound.
    """

    def __init__(self, config: FeatureConfig) -> None:
        self._config = config
        self._hop = config.sample_rate / config.frame_rate_hz
        self._half = config.window_length // 2
        self._pending = np.zeros(0, dtype=np.float32)
        # Where `_pending` begins in the sound; None until its beginning could be reflected.
        self._offset: int | None = None
        self._n_samples = self._n_frames = 0

    def push(self, samples: FloatArray) -> FloatArray:
        """Power of the frames that `samples` completes, shape `(n_frames, n_mels)`."""
        self._n_samples += len(samples)
        self._pending = np.concatenate([self._pending, samples.astype(np.float32, copy=False)])
        if self._offset is None and len(self._pending) > self._half:
            self._pending = np.concatenate([self._pending[self._half : 0 : -1], self._pending])
            self._offset = -self._half
        return self._take_frames()

    def finish(self) -> FloatArray:
        """Power of the last frames, once the sound has ended."""
        if not self._n_samples:
            return np.zeros((0, self._config.n_mels), dtype=np.float32)
        if self._offset is None:
            # Shorter than half a window: there is nothing to reflect.
            self._pending = np.pad(self._pending, self._half, mode="edge")
            self._offset = -self._half
        else:
            self._pending = np.concatenate([self._pending, self._pending[-2 : -self._half - 2 : -1]])
        return self._take_frames()

    def _take_frames(self) -> FloatArray:
        if self._offset is None:
            return np.zeros((0, self._config.n_mels), dtype=np.float32)
        length = self._config.window_length
        # Frames that begin in the sound, and whose windows are there.
        n_begun = 1 + int((self._n_samples - 1) / self._hop)
        starts = np.floor(np.arange(self._n_frames, n_begun) * self._hop + 0.5).astype(np.intp)
        starts = starts - self._half - self._offset
        starts = starts[: int(np.searchsorted(starts + length, len(self._pending), side="right"))]
        power = np.empty((len(starts), self._config.n_mels), dtype=np.float32)
        if len(starts):
            windows = np.lib.stride_tricks.sliding_window_view(self._pending, length)
            for first in range(0, len(starts), _FRAMES_PER_BATCH):
                batch = slice(first, first + _FRAMES_PER_BATCH)
                power[batch] = _power_of_frames(windows[starts[batch]], self._config)
            self._n_frames += len(starts)
            next_start = int(np.floor(self._n_frames * self._hop + 0.5)) - self._half
            # Half a window and a sample are kept: the end may have to be reflected.
            keep_from = min(next_start - self._offset, max(0, len(self._pending) - self._half - 1))
            self._pending = self._pending[keep_from:].copy()
            self._offset += keep_from
        return power


def _power_of_frames(frames: FloatArray, config: FeatureConfig) -> FloatArray:
    from scipy import fft

    spectrum = fft.rfft(frames * _window(config.window_length), config.n_fft, axis=1, overwrite_x=True)
    energy = spectrum.real**2 + spectrum.imag**2
    return np.asarray((_filter_rows(config) @ energy.T).T, dtype=np.float32)


def levelled(power: FloatArray, config: FeatureConfig) -> FloatArray:
    """Power of segments, `(…, n_frames, n_mels)`, at the level that the network knows.

    That of a segment is the mean over its frames of the power summed over its bands. Silence stays silence.

    Args:
        power: Mel power.
        config: `level` is that of the network; 0 leaves the power as it is.
    """
    if not config.level:
        return power
    loudness = power.sum(axis=-1, dtype=np.float64).mean(axis=-1)[..., None, None]
    gain = np.where(loudness > 0, config.level / np.maximum(loudness, 1e-30), 1.0)
    return np.asarray(power * gain.astype(np.float32), dtype=np.float32)


def network_input(power: FloatArray, config: FeatureConfig) -> FloatArray:
    """What the network reads of segments, `(…, n_frames, n_mels)`: levelled log power.

    Args:
        power: Mel power.
        config: What it was computed with.
    """
    return np.asarray((np.log(levelled(power, config) + np.float32(_LOG_OFFSET)) + _SHIFT) / _SCALE, dtype=np.float32)


def power_of_input(values: FloatArray) -> FloatArray:
    """Power of what a network would read, at whatever level that was."""
    return np.maximum(np.exp(_SCALE * values - _SHIFT) - np.float32(_LOG_OFFSET), 0.0, dtype=np.float32)


def input_in_db(values: FloatArray) -> FloatArray:
    """What a network would read, in dB: the same logarithm in other units, its offset in it."""
    return np.asarray((_SCALE * values - _SHIFT) * (10.0 / np.log(10.0)), dtype=np.float32)


def to_db(power: FloatArray) -> FloatArray:
    """Power in dB, floored where the tagger hears nothing at its level."""
    return np.asarray(10.0 * np.log10(np.maximum(power, np.float32(_MIN_POWER))), dtype=np.float32)


def power_of_db(decibels: FloatArray, config: FeatureConfig) -> FloatArray:
    """Power of dB relative to whatever; bands above the Nyquist frequency are empty again.

    Args:
        decibels: `(…, n_mels)`.
        config: What they were computed with; its bands and sample rate say which are empty.
    """
    power = np.power(np.float32(10.0), decibels / np.float32(10.0))
    return np.asarray(np.where(heard_shares(config) > 0, power, 0.0), dtype=np.float32)


def audible_db(power: FloatArray, config: FeatureConfig) -> FloatArray:
    """One segment as the network reads it, in dB re its loudest cell: what its offset drowns is level ground.

    Args:
        power: Mel power of a segment, `(n_frames, n_mels)`.
        config: What it was computed with.
    """
    decibels = 10.0 * np.log10(levelled(power, config) + np.float32(_LOG_OFFSET))
    return np.asarray(decibels - decibels.max(), dtype=np.float32)


@lru_cache(maxsize=8)
def band_gains(config: FeatureConfig) -> FloatArray:
    """What undoes the weights of the bins in each band, on average, `(n_mels,)`; 0 where no bin lies."""
    weights = weight_of_bands(config)
    gains = _triangles(config).sum(axis=0) / np.maximum(weights, 1e-12)
    return np.asarray(np.where(weights > 0, gains, 0.0), dtype=np.float32)


def mean_square(power: FloatArray, config: FeatureConfig) -> FloatArray:
    """Mean square of the samples under each frame's window, `(n_frames,)`, by Parseval's theorem.

    Args:
        power: Mel power, `(n_frames, n_mels)`.
        config: What it was computed with.
    """
    energy = power @ band_gains(config)
    return np.asarray(energy * (2.0 / (config.n_fft * _window_energy(config.window_length))), dtype=np.float32)
