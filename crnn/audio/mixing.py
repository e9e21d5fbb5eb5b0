"""Channels to mono, so that nothing is lost where they cancel each other.

The mono mix is the mean. Where most of a moment would vanish in it (one channel turned round: left =
minus right), the channels are first turned to agree, and in each line of the spectrum the louder of this
and of the plain mean is kept: a hum that is the same on both sides stays, the music comes back. The
judgement is made anew for each moment, because a recording may be turned round from somewhere on, or
under hiss, or by a lossy codec that leaves a residue. Everything else is the plain mean to the last bit.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

# Windows of 90 ms that overlap by half. Every eighth is examined, and all of them where one looks suspicious.
_WINDOW_SECONDS = 0.09
_LOOK_EVERY = 8
# A band is lost if the mean of the channels keeps less than this share of the power that unrelated channels would.
_LOST_SHARE = 0.1
_BANDS_PER_OCTAVE, _LOWEST_HZ = 2, 60.0
# A band counts if it is within 50 dB of the loudest of its moment, and above -80 dB.
_AUDIBLE_SHARE, _AUDIBLE_POWER = 1e-5, 1e-8
# Neighbouring moments on each side that are judged together.
_NEIGHBOURS = 2


class Mixer:
    """Mono samples of blocks `(n_channels, n_frames)`; what comes out lags behind by one or two windows.

    Args:
        sample_rate: Hz, 1000 or more.
        n_channels: Of all blocks.
    """

    def __init__(self, sample_rate: int, n_channels: int) -> None:
        self._n_channels = n_channels
        self._size = 1 << round(np.log2(_WINDOW_SECONDS * sample_rate))
        self._hop = self._size // 2
        # As a square, windows that half overlap sum to one.
        self._window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self._size) / self._size)).astype(np.float32)
        self._edges = _band_edges(sample_rate, self._size)
        # The first half window of silence lets the first window reach over the start.
        self._kept = np.zeros((n_channels, self._hop), dtype=np.float32)
        self._correction = np.zeros(self._hop, dtype=np.float32)
        self._n_to_skip = self._hop
        self._signs = np.ones(n_channels, dtype=np.float32)
        self._reference = 0
        self._n_seen = 0
        self.first_lost: int | None = None

    def push(self, channels: FloatArray) -> FloatArray:
        """Mono samples that are certain by now, given the next block."""
        if self._n_channels == 1:
            return channels[0]
        joined = np.concatenate([self._kept, channels], axis=1)
        n_windows = (joined.shape[1] - self._size) // self._hop + 1
        # A multiple, so that the moments looked at are the same however the blocks fall.
        n_windows -= n_windows % _LOOK_EVERY
        if n_windows <= 0:
            self._kept = joined
            return np.zeros(0, dtype=np.float32)
        return self._mixed(joined, n_windows)

    def flush(self) -> FloatArray:
        """The rest, when no block will follow."""
        if self._n_channels == 1:
            return np.zeros(0, dtype=np.float32)
        n_left = self._kept.shape[1] - self._n_to_skip
        n_windows = -(-self._kept.shape[1] // self._hop)
        padding = (n_windows + 1) * self._hop - self._kept.shape[1]
        joined = np.pad(self._kept, ((0, 0), (0, padding)))
        return self._mixed(joined, n_windows)[:n_left]

    def _mixed(self, joined: FloatArray, n_windows: int) -> FloatArray:
        n_out = n_windows * self._hop
        mono = np.add.reduce(joined[:, :n_out], axis=0, dtype=np.float32) / np.float32(self._n_channels)
        correction = np.zeros(n_out + self._hop, dtype=np.float32)
        correction[: self._hop] = self._correction
        for number in self._lost_windows(joined, n_windows):
            start = number * self._hop
            correction[start : start + self._size] += self._found_again(joined[:, start : start + self._size])
            if self.first_lost is None:
                self.first_lost = max(0, self._n_seen + start + self._hop // 2 - self._hop)
        self._correction = correction[n_out:]
        self._kept = joined[:, n_out:]
        self._n_seen += n_out
        out = mono + correction[:n_out] if correction[:n_out].any() else mono
        out, self._n_to_skip = out[self._n_to_skip :], 0
        return out

    def _lost_windows(self, joined: FloatArray, n_windows: int) -> list[int]:
        """Windows in which most of the sound would vanish."""
        if not self._cancels(joined, n_windows, every=_LOOK_EVERY, n_neighbours=0).any():
            return []
        return np.flatnonzero(self._cancels(joined, n_windows, every=1, n_neighbours=_NEIGHBOURS)).tolist()

    def _cancels(self, joined: FloatArray, n_windows: int, *, every: int, n_neighbours: int) -> npt.NDArray[np.bool_]:
        """Whether most of a window would vanish, for each of those that are looked at."""
        # Channel by channel, real and imaginary parts side by side as they lie: half the time of one great array.
        places = slice(0, (n_windows - 1) * self._hop + 1, every * self._hop)
        total: npt.NDArray[np.complexfloating] | None = None
        powers = []
        for channel in joined:
            windows = np.lib.stride_tricks.sliding_window_view(channel, self._size)[places]
            # Offsets that differ would leak into the bands, and cancel there.
            level = windows.mean(axis=-1, keepdims=True)
            spectra = np.fft.rfft((windows - level) * self._window, axis=-1)
            powers.append(self._in_bands(spectra))
            total = spectra if total is None else np.add(total, spectra, out=total)
        assert total is not None
        in_mean: npt.NDArray[np.floating] = self._in_bands(total) / self._n_channels**2
        in_each: npt.NDArray[np.floating] = np.asarray(sum(powers), dtype=in_mean.dtype) / self._n_channels
        # Neighbouring moments vote together: a single one is too short to judge a band by.
        in_mean, in_each = _summed(in_mean, n_neighbours), _summed(in_each, n_neighbours)
        floor = np.maximum(in_each.max(axis=1, keepdims=True) * _AUDIBLE_SHARE, _AUDIBLE_POWER * self._size)
        is_audible = in_each > floor
        is_lost = is_audible & (self._n_channels * in_mean < _LOST_SHARE * in_each)
        has_most_bands = is_lost.sum(axis=1) > 0.5 * is_audible.sum(axis=1)
        has_most_power = (in_each * is_lost).sum(axis=1) > 0.5 * in_each.sum(axis=1)
        return has_most_bands | has_most_power

    def _in_bands(self, spectra: npt.NDArray[np.complexfloating]) -> npt.NDArray[np.floating]:
        """Power of each band, `(n_windows, n_bands)`."""
        parts = spectra.view(spectra.real.dtype)
        return np.add.reduceat(np.square(parts), 2 * self._edges, axis=1)[:, :-1]

    def _found_again(self, channels: FloatArray) -> FloatArray:
        """What is to be added to the mean of a window of all channels."""
        spectra = np.fft.rfft(channels * self._window, axis=-1)
        mean = spectra.mean(axis=0)
        self._turn(spectra)
        turned = (spectra * self._signs[:, None]).mean(axis=0)
        gained = np.where(np.abs(turned) > np.abs(mean), turned - mean, 0)
        return (np.fft.irfft(gained, self._size) * self._window).astype(np.float32)

    def _turn(self, spectra: npt.NDArray[np.complexfloating]) -> None:
        """Signs by which the channels agree; as before where that is as good, so that nothing jumps."""
        # By the lines that are lost alone: a hum that is the same everywhere has no say.
        powers = np.square(np.abs(spectra))
        is_lost = self._n_channels * np.square(np.abs(spectra.mean(axis=0))) < _LOST_SHARE * powers.mean(axis=0)
        if not is_lost.any():
            return
        spectra = spectra[:, is_lost]
        power = powers[:, is_lost].sum(axis=1)
        if power[self._reference] < 0.1 * power.max():
            self._reference = int(power.argmax())
        agreement = (spectra * spectra[self._reference].conj()).real.sum(axis=1)
        signs = np.where(agreement < 0, -1, 1).astype(np.float32)
        self._signs = -signs if float((signs * self._signs * power).sum()) < 0 else signs


def _summed(values: npt.NDArray[np.floating], n_neighbours: int) -> npt.NDArray[np.floating]:
    """Each row, and so many before and after it."""
    if not n_neighbours:
        return values
    padded = np.pad(values, ((n_neighbours, n_neighbours), (0, 0)))
    return sum(padded[i : i + len(values)] for i in range(1, 2 * n_neighbours + 1)) + padded[: len(values)]


@functools.lru_cache(maxsize=8)
def _band_edges(sample_rate: int, size: int) -> npt.NDArray[np.int64]:
    """First line of each band, and the end of the last; half octaves."""
    n_bands = int(_BANDS_PER_OCTAVE * np.log2(0.45 * sample_rate / _LOWEST_HZ))
    edges_hz = _LOWEST_HZ * 2 ** (np.arange(n_bands + 1) / _BANDS_PER_OCTAVE)
    return np.round(edges_hz * size / sample_rate).astype(np.int64)
