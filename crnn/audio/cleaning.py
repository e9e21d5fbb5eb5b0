"""Decoded blocks made mono and finite, without constant offset, and what was found in them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crnn.audio.mixing import Mixer
from crnn.audio.offset import OffsetRemover

FloatArray = npt.NDArray[np.float32]

_CLIPPED_SHARE = 1e-3
# Floating-point files may be scaled like integers, of 32 bits at most; beyond this a sample is damage, whose power
# would overflow.
_MAX_SAMPLE = 1e10


class Cleaner:
    """Makes a stretch of one rate mono, finite and level; what comes out lags behind by up to two seconds.

    Args:
        sample_rate: Hz of the stretch.
        findings: What is found is counted there.
    """

    def __init__(self, sample_rate: int, findings: Findings) -> None:
        self._rate, self._findings = sample_rate, findings
        self._mixer: Mixer | None = None
        self._n_channels = 0
        self._offset = OffsetRemover(sample_rate)

    def push(self, block: FloatArray) -> FloatArray:
        """Mono samples `(n_frames,)` that are certain by now, given a block `(n_frames, n_channels)`."""
        # Channel by channel: NumPy is four times slower across a row of two than along one of thousands.
        channels = self._findings.checked(np.ascontiguousarray(block.T))
        before = np.zeros(0, dtype=np.float32)
        if self._mixer is None or len(channels) != self._n_channels:
            before = self._flush_mixer()
            self._mixer, self._n_channels = Mixer(self._rate, len(channels)), len(channels)
        mono = self._mixer.push(channels)
        return self._level(np.concatenate([before, mono]) if len(before) else mono)

    def flush(self) -> FloatArray:
        """The rest, when no block will follow."""
        rest = self._level(self._flush_mixer())
        rest = np.concatenate([rest, self._note_peak(self._offset.flush())])
        self._findings.note_offset(self._offset.found)
        return rest

    def _flush_mixer(self) -> FloatArray:
        if self._mixer is None:
            return np.zeros(0, dtype=np.float32)
        rest = self._mixer.flush()
        if self._mixer.first_lost is not None and self._findings.turned_from_seconds is None:
            self._findings.turned_from_seconds = self._mixer.first_lost / self._rate
        self._mixer = None
        return rest

    def _level(self, mono: FloatArray) -> FloatArray:
        return self._note_peak(self._offset.push(mono))

    def _note_peak(self, mono: FloatArray) -> FloatArray:
        if len(mono):
            self._findings.peak = max(self._findings.peak, float(np.abs(mono).max()))
        return mono


class Findings:
    """What the samples of a file turned out to be, counted block by block.

    offset: the greatest constant one, of full scale; 0 if there was none.
    turned_from_seconds: where channels began to cancel each other, within their stretch; None if they never did.
    """

    def __init__(self) -> None:
        self.n_invalid = 0
        self.peak = 0.0
        self.offset = 0.0
        self.turned_from_seconds: float | None = None
        self._n_values = 0
        self._file_peak = 0.0
        self._n_cut_flat = 0

    @property
    def is_clipped(self) -> bool:
        """Whether more than a thousandth of the samples are cut flat at the peak."""
        return self._n_cut_flat > _CLIPPED_SHARE * self._n_values

    @property
    def is_mostly_invalid(self) -> bool:
        """Whether more than half of the samples are no numbers."""
        return self.n_invalid > self._n_values / 2

    def note_offset(self, offset: float) -> None:
        """Keep the greatest."""
        self.offset = max(self.offset, offset, key=abs)

    def checked(self, channels: FloatArray) -> FloatArray:
        """The same samples, silence in place of those that are no numbers."""
        magnitude = np.abs(channels)
        valid = magnitude <= _MAX_SAMPLE
        if not valid.all():
            self.n_invalid += int(valid.size - valid.sum())
            channels, magnitude = np.where(valid, channels, np.float32(0)), np.where(valid, magnitude, np.float32(0))
        self._n_values += channels.size
        if channels.size:
            self._count_cut_flat(magnitude)
        return channels

    def _count_cut_flat(self, magnitude: FloatArray) -> None:
        peak = float(magnitude.max())
        if peak > self._file_peak * 1.0001:
            self._file_peak, self._n_cut_flat = peak, 0
        if self._file_peak >= 0.5 and peak >= 0.9999 * self._file_peak:
            self._n_cut_flat += _n_cut_flat(magnitude.ravel(), self._file_peak)


def _n_cut_flat(magnitude: FloatArray, peak: float) -> int:
    """Samples in flat tops: three or more at the peak with a sudden fall beside them, which no tone has."""
    at_peak = magnitude >= 0.9999 * peak
    nearly = magnitude[(magnitude > 0.9 * peak) & ~at_peak]
    # In 8-bit and mu-law sound a single step of the scale looks sudden: the fall must be greater than that.
    step = peak - float(nearly.max()) if nearly.size else 0.0
    edges = np.flatnonzero(np.diff(at_peak, prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    before, after = magnitude[np.maximum(starts - 1, 0)], magnitude[np.minimum(ends, len(magnitude) - 1)]
    is_sudden = peak - np.minimum(before, after) > max(1e-3 * peak, 2.5 * step)
    lengths = ends - starts
    return int(lengths[(lengths >= 3) & is_sudden].sum())
