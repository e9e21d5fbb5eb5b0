"""The one log-mel: mel power of a sound, and what a network reads of a segment.

Everything that the model hears and the page shows comes from here. Axis order
is `(n_frames, n_mels)`, low mel first. `FeatureConfig` says which of two front ends it is,
and nothing but this package asks: here, frames are centred with zero padding, the mel scale and
its norm are Slaney's, equal to librosa within 0.001 dB (a test compares them), and dB are
relative to the loudest cell of a segment; the other is `crnn.features.tagger_mel`. In both
the recording level does not matter, and no segment depends on its neighbours.
"""

from __future__ import annotations

import copy
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from crnn.config import TAGGER_MEL, FeatureConfig
from crnn.errors import AudioError
from crnn.features import tagger_mel

if TYPE_CHECKING:
    from scipy import sparse

FloatArray = npt.NDArray[np.float32]

# Slaney's mel scale (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above.
_HZ_PER_MEL = 200.0 / 3
_LOG_START_HZ = 1000.0
_LOG_START_MEL = _LOG_START_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0

# Power below which a cell counts as empty: far below librosa's 1e-10, so that level never matters.
_MIN_POWER = 1e-20

# Frames transformed at once: bounds memory to some 8 MB, and keeps the FFT in cache.
_FRAMES_PER_BATCH = 256


def hz_to_mel(frequency_hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Mel value of a frequency in Hz, on Slaney's scale."""
    hz = np.asarray(frequency_hz, dtype=np.float64)
    log_part = _LOG_START_MEL + np.log(np.maximum(hz, _LOG_START_HZ) / _LOG_START_HZ) / _LOG_STEP
    return np.where(hz < _LOG_START_HZ, hz / _HZ_PER_MEL, log_part)


def mel_to_hz(mel: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Frequency in Hz of a value on Slaney's mel scale."""
    mels = np.asarray(mel, dtype=np.float64)
    log_part = _LOG_START_HZ * np.exp(_LOG_STEP * (np.maximum(mels, _LOG_START_MEL) - _LOG_START_MEL))
    return np.where(mels < _LOG_START_MEL, mels * _HZ_PER_MEL, log_part)


def mel_frequencies(config: FeatureConfig) -> npt.NDArray[np.float64]:
    """Centre frequencies of the mel bands in Hz, shape `(n_mels,)`."""
    if config.front_end == TAGGER_MEL:
        return tagger_mel.mel_frequencies(config)
    return _mel_edges_hz(config)[1:-1]


def band_of(frequency_hz: npt.ArrayLike, config: FeatureConfig) -> npt.NDArray[np.float64]:
    """Where a frequency in Hz lies among the bands: 0 on the centre of the lowest, 0.5 between it and the next.

    Args:
        frequency_hz: One or several, of any shape.
        config: The front end, and the bounds and number of its bands.

    Returns:
        float64 of the same shape; outside the bands below 0 or above `n_mels` − 1.
    """
    scale = tagger_mel.hz_to_mel if config.front_end == TAGGER_MEL else hz_to_mel
    low, high = scale([config.fmin, config.fmax])
    return np.asarray((scale(frequency_hz) - low) / (high - low) * (config.n_mels + 1) - 1)


def n_heard_bands(config: FeatureConfig) -> int:
    """Bands, from the lowest, in which there can be sound at this sample rate."""
    if config.front_end == TAGGER_MEL:
        return int(np.count_nonzero(tagger_mel.heard_shares(config)))
    return config.n_mels


def _mel_edges_hz(config: FeatureConfig) -> npt.NDArray[np.float64]:
    low, high = hz_to_mel([config.fmin, config.fmax])
    return mel_to_hz(np.linspace(low, high, config.n_mels + 2))


@lru_cache(maxsize=8)
def mel_filters(config: FeatureConfig) -> FloatArray:
    """Triangular mel filters of equal area, shape `(n_fft // 2 + 1, n_mels)`."""
    edges_hz = _mel_edges_hz(config)
    bins_hz = np.fft.rfftfreq(config.n_fft, 1.0 / config.sample_rate)[:, None]
    rising = (bins_hz - edges_hz[:-2]) / (edges_hz[1:-1] - edges_hz[:-2])
    falling = (edges_hz[2:] - bins_hz) / (edges_hz[2:] - edges_hz[1:-1])
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    filters = (triangles * (2.0 / (edges_hz[2:] - edges_hz[:-2]))).astype(np.float32)
    filters.setflags(write=False)
    return filters


def band_weights(config: FeatureConfig) -> list[tuple[int, int, float]]:
    """How the power of a frame's spectrum is gathered into bands: `(bin, band, weight)`, without those of nothing.

    Args:
        config: Either front end.
    """
    filters = tagger_mel.mel_filters(config) if config.front_end == TAGGER_MEL else mel_filters(config)
    return [(int(n), int(band), float(filters[n, band])) for n, band in np.argwhere(filters)]


@lru_cache(maxsize=8)
def hann_window(n_fft: int) -> FloatArray:
    """The periodic Hann window of `n_fft` samples, as in librosa and scipy.signal.get_window."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


class MelStream:
    """Mel power of a sound that arrives in blocks, equal to `mel_power` of the whole.

    Memory stays that of one block, however long the sound.
    """

    def __init__(self, config: FeatureConfig) -> None:
        is_tagger = config.front_end == TAGGER_MEL
        self._cutter = tagger_mel.FrameCutter(config) if is_tagger else _FrameCutter(config)

    def __copy__(self) -> MelStream:
        """One that goes on by itself from here."""
        other = MelStream.__new__(MelStream)
        other._cutter = copy.copy(self._cutter)
        return other

    def push(self, samples: FloatArray) -> FloatArray:
        """Power of the frames that `samples` completes, shape `(n_frames, n_mels)`.

        Raises:
            AudioError: `samples` is not 1-D, or holds NaN or infinity.
        """
        if samples.ndim != 1:
            raise AudioError(f"Need mono samples of one dimension, got the shape {samples.shape}.")
        if not np.isfinite(samples).all():
            raise AudioError("The samples hold NaN or infinity. Export the sound again from its source.")
        return self._cutter.push(samples)

    def finish(self) -> FloatArray:
        """Power of the last frames, once the sound has ended."""
        return self._cutter.finish()


class _FrameCutter:
    """Frames of a sound that arrives in blocks, centred with zero padding."""

    def __init__(self, config: FeatureConfig) -> None:
        self._config = config
        self._pending = np.zeros(config.n_fft // 2, dtype=np.float32)

    def push(self, samples: FloatArray) -> FloatArray:
        self._pending = np.concatenate([self._pending, samples.astype(np.float32, copy=False)])
        return self._take_frames()

    def finish(self) -> FloatArray:
        return self.push(np.zeros(self._config.n_fft // 2, dtype=np.float32))

    def _take_frames(self) -> FloatArray:
        n_fft, hop = self._config.n_fft, self._config.hop_length
        n_frames = max(0, 1 + (len(self._pending) - n_fft) // hop)
        power = np.empty((n_frames, self._config.n_mels), dtype=np.float32)
        if n_frames:
            frames = np.lib.stride_tricks.sliding_window_view(self._pending, n_fft)[::hop]
            for start in range(0, n_frames, _FRAMES_PER_BATCH):
                batch = slice(start, start + _FRAMES_PER_BATCH)
                power[batch] = _power_of_frames(frames[batch], self._config)
            self._pending = self._pending[n_frames * hop :].copy()
        return power


def _power_of_frames(frames: FloatArray, config: FeatureConfig) -> FloatArray:
    from scipy import fft

    spectrum = fft.rfft(frames * hann_window(config.n_fft), axis=1)
    energy = spectrum.real**2 + spectrum.imag**2
    return np.asarray((_filter_rows(config) @ energy.T).T, dtype=np.float32)


@lru_cache(maxsize=8)
def _filter_rows(config: FeatureConfig) -> sparse.csr_array:
    """The filters without their zeros, shape `(n_mels, n_fft // 2 + 1)`.

    A bin is in two filters at most. BLAS multiplies the zeros too, and its threads wait for
    each other: on a busy machine that product took 4 of the 5 s that a 30-s clip took.
    """
    from scipy import sparse

    return sparse.csr_array(mel_filters(config).T)


def mel_power(samples: FloatArray, config: FeatureConfig) -> FloatArray:
    """Mel power of a sound.

    Args:
        samples: Mono audio in [-1, 1], shape `(n_samples,)`, at `config.sample_rate`.
        config: Transform settings.

    Returns:
        float32 power, shape `(n_frames, n_mels)`, one frame each `hop_length` samples.

    Raises:
        AudioError: `samples` is not 1-D, or holds NaN or infinity.
    """
    stream = MelStream(config)
    return np.concatenate([stream.push(samples), stream.finish()])


def power_to_db(power: FloatArray, config: FeatureConfig) -> FloatArray:
    """dB re the loudest cell, floored.

    Args:
        power: Mel power of one segment, shape `(n_frames, n_mels)`, or of a batch of
            segments, `(n, n_frames, n_mels)`: each is relative to its own loudest cell.
        config: Gives the floor.

    Returns:
        float32 within `[config.db_floor, 0]`, same shape.
    """
    reference = np.maximum(power.max(axis=(-2, -1), keepdims=True), _MIN_POWER)
    decibels = 10.0 * (np.log10(np.maximum(power, _MIN_POWER)) - np.log10(reference))
    return np.maximum(decibels, config.db_floor, dtype=np.float32, casting="same_kind")


def network_input(power: FloatArray, config: FeatureConfig) -> FloatArray:
    """What the network reads: dB re each segment's loudest cell, or the tagger's levelled logarithm.

    Args:
        power: Mel power of one segment, shape `(n_frames, n_mels)`, or of a batch of them.
        config: The settings that `power` was made with.
    """
    return tagger_mel.network_input(power, config) if config.front_end == TAGGER_MEL else power_to_db(power, config)


def input_from_db(decibels: FloatArray, config: FeatureConfig) -> FloatArray:
    """What the network reads of segments of an archive, whose dB are relative to any one reference.

    Args:
        decibels: Of segments, `(…, n_frames, n_mels)`.
        config: What they were computed with.

    Returns:
        float32 of the same shape: dB re the segment's loudest cell, or the tagger's log power.
    """
    if config.front_end == TAGGER_MEL:
        return tagger_mel.network_input(tagger_mel.power_of_db(decibels, config), config)
    return rereference(decibels, config)


def input_in_db(power: FloatArray, config: FeatureConfig) -> FloatArray:
    """The network's input of one segment on the screen's scale: dB re its loudest cell, floored.

    Args:
        power: Mel power of a segment, `(n_frames, n_mels)`.
        config: What it was computed with.

    Returns:
        float32 of the same shape, within `[config.db_floor, 0]`.
    """
    if config.front_end == TAGGER_MEL:
        return np.maximum(tagger_mel.audible_db(power, config), np.float32(config.db_floor))
    return power_to_db(power, config)


def log_mel(samples: FloatArray, config: FeatureConfig) -> FloatArray:
    """Log-mel of one segment, in dB re its loudest cell.

    Args:
        samples: Mono audio in [-1, 1], shape `(n_samples,)`, at `config.sample_rate`.
        config: Transform settings.

    Returns:
        float32 `(n_frames, n_mels)`, within `[config.db_floor, 0]` dB.

    Raises:
        AudioError: `samples` is not 1-D, or holds NaN or infinity.
    """
    return power_to_db(mel_power(samples, config), config)


def rereference(decibels: FloatArray, config: FeatureConfig) -> FloatArray:
    """Archive segments (dB re the clip's peak) in dB re their own loudest cell.

    Args:
        decibels: `(n_frames, n_mels)` or `(n, n_frames, n_mels)`.
        config: Gives the floor.

    Returns:
        float32 within `[config.db_floor, 0]`, same shape.
    """
    peak = decibels.max(axis=(-2, -1), keepdims=True)
    return np.maximum(decibels - peak, np.float32(config.db_floor))


def segment_starts(n_frames: int, config: FeatureConfig) -> list[int]:
    """First frames of the segments that cover `n_frames` frames.

    The last segment ends with the sound, so nothing is left out but a remainder below
    `config.tail_seconds`; a sound shorter than a segment is one segment of its own length.

    Args:
        n_frames: Length of the sound.
        config: Length and hop of segments.
    """
    last = n_frames - config.n_frames
    if last <= 0:
        return [0]
    starts = list(range(0, last + 1, config.n_hop_frames))
    if last - starts[-1] >= config.n_tail_frames:
        starts.append(last)
    return starts


def segment(samples: FloatArray, config: FeatureConfig) -> FloatArray:
    """The model's input for a whole clip: its segments, each by itself.

    Args:
        samples: Mono audio, shape `(n_samples,)`, at `config.sample_rate`.
        config: Transform and segment settings.

    Returns:
        float32 `(n_segments, n_frames, n_mels)`; a clip shorter than a segment gives
        one segment with fewer frames.

    Raises:
        AudioError: `samples` is not 1-D, or holds NaN or infinity.
    """
    return network_input(stack_segments(mel_power(samples, config), config), config)


def stack_segments(frames: FloatArray, config: FeatureConfig) -> FloatArray:
    """Segments of a `(n_frames, n_mels)` array, `(n_segments, n_frames, n_mels)`.

    Args:
        frames: Of a sound, on any scale.
        config: Length and hop of segments.
    """
    starts = segment_starts(len(frames), config)
    return np.stack([tiled(frames[start : start + config.n_frames], config) for start in starts])


def tiled(frames: FloatArray, config: FeatureConfig) -> FloatArray:
    """Frames of a segment, repeated to its length if they are fewer and `config` says so.

    Args:
        frames: Of one segment, `(n_frames, n_mels)`.
        config: The length of segments.
    """
    if not config.is_tiled or len(frames) >= config.n_frames:
        return frames
    return np.resize(frames, (config.n_frames, frames.shape[1]))


def with_silence_after(values: FloatArray, config: FeatureConfig) -> FloatArray:
    """What the network reads of a sound shorter than a segment, and of silence after it, `(config.n_frames, n_mels)`.

    The sound keeps the level that it has alone.

    Args:
        values: What the network reads of the sound, `(n_frames, n_mels)`.
        config: The settings that they were made with.
    """
    nothing = np.zeros((1, config.n_mels), np.float32)
    silence = tagger_mel.network_input(nothing, config) if config.front_end == TAGGER_MEL else config.db_floor
    after = np.full((config.n_frames - len(values), config.n_mels), silence, np.float32)
    return np.concatenate([values, after])


@lru_cache(maxsize=8)
def band_widths_hz(config: FeatureConfig) -> FloatArray:
    """Area of each of the log-mel's triangles, were they of height 1, `(n_mels,)`."""
    edges_hz = _mel_edges_hz(config)
    return (0.5 * (edges_hz[2:] - edges_hz[:-2])).astype(np.float32)


def frame_levels_db(power: FloatArray, config: FeatureConfig) -> FloatArray:
    """Level of each frame in dB re full scale (RMS), read off its mel power.

    The bands' areas undo Slaney's norm, so that the triangles add up to the spectrum;
    Parseval's theorem then gives the mean square under the Hann window (3/8 of it).

    Args:
        power: Mel power, shape `(n_frames, n_mels)`.
        config: The settings that `power` was made with.

    Returns:
        float32 `(n_frames,)`; digital silence is very negative, never infinite.
    """
    if config.front_end == TAGGER_MEL:
        mean_square = tagger_mel.mean_square(power, config)
    else:
        mean_square = power @ band_widths_hz(config) * (2.0 / (0.375 * config.n_fft**2))
    return np.asarray(10.0 * np.log10(np.maximum(mean_square, _MIN_POWER)), dtype=np.float32)
