"""A constant offset taken out of mono sound, wherever it begins and ends.

Seconds are judged one after another by their means. Where the mean moves, it either jumped (a fault that
sets in; the sample is found at which one level becomes the other) or wandered (a drift, followed in a
straight line). A jump between silences leaves nothing: what filters and codecs made of it is no sound.
Sound whose mean stays near zero passes to the last bit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

# Of full scale; the mean over a second of music is smaller.
_LEAST = 0.01
# -60 dB.
_SILENT = 1e-3
# How long a jump rings on each side after a codec, and how much silence beyond that shows that it is one.
_RING_SECONDS, _SILENT_SECONDS = 0.2, 0.3


class OffsetRemover:
    """Takes the offset out of a stream; what comes out lags behind by up to three seconds.

    Args:
        sample_rate: Hz; a second is what is judged at once.
    """

    def __init__(self, sample_rate: int) -> None:
        self._n_piece = sample_rate
        self._kept = np.zeros(0, dtype=np.float32)
        self._level: float | None = None
        self._ringing = _Ringing(sample_rate)
        self._n_levelled = 0
        self.found = 0.0

    def push(self, samples: FloatArray) -> FloatArray:
        """Samples that are certain by now, given the next ones."""
        joined = np.concatenate([self._kept, samples])
        out = []
        while len(joined) >= 2 * self._n_piece:
            # The level of the next whole second tells what this one leads to.
            following = _level_of(joined[self._n_piece : 2 * self._n_piece])
            out.append(self._levelled(joined[: self._n_piece], following))
            joined = joined[self._n_piece :]
        self._kept = joined
        return self._ringing.push(np.concatenate(out)) if out else np.zeros(0, dtype=np.float32)

    def flush(self) -> FloatArray:
        """The rest, when nothing will follow."""
        rest = self._kept
        if len(rest):
            rest = self._levelled(rest, _level_of(rest[len(rest) // 2 :]))
        if self._level:
            # The last frame of a codec falls off to zero.
            self._ringing.jumps.append(self._n_levelled)
        return np.concatenate([self._ringing.push(rest), self._ringing.flush()])

    def _levelled(self, piece: FloatArray, following: float) -> FloatArray:
        start, self._n_levelled = self._n_levelled, self._n_levelled + len(piece)
        before = self._level
        if before is None:
            before = _level_of(piece) if abs(_level_of(piece) - following) < _LEAST else None
            if before:
                self._ringing.jumps.append(0)
        if before is not None and abs(following - before) < _LEAST:
            # A steady level keeps its first measure: the correction never moves without need.
            self._level = before
            self._note(before)
            return piece - np.float32(before)
        levels, jump = _step(piece, before, following)
        if jump is not None:
            self._ringing.jumps.append(start + jump)
        self._level = _rounded(float(levels[-1]))
        self._note(self._level)
        return piece - levels

    def _note(self, level: float) -> None:
        if abs(level) > abs(self.found):
            self.found = level


class _Ringing:
    """Silences what is heard around jumps and nowhere near them; what comes out lags behind by some tenths of a second.

    jumps: samples since the beginning, to be added to.

    Args:
        sample_rate: Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._n_ring, self._n_silent = round(_RING_SECONDS * sample_rate), round(_SILENT_SECONDS * sample_rate)
        self._held = np.zeros(0, dtype=np.float32)
        self._n_given = 0
        self.jumps: list[int] = []

    def push(self, samples: FloatArray) -> FloatArray:
        self._held = np.concatenate([self._held, samples])
        n_around = self._n_ring + self._n_silent
        end = self._n_given + len(self._held)
        self._silence([jump for jump in self.jumps if jump + n_around <= end])
        self.jumps = [jump for jump in self.jumps if jump + n_around > end]
        # A jump that is still to be judged, or to come, is judged by what stands before it too.
        return self._give(len(self._held) - 2 * n_around)

    def flush(self) -> FloatArray:
        self._silence(self.jumps)
        return self._give(len(self._held))

    def _give(self, n_samples: int) -> FloatArray:
        out, self._held = np.split(self._held, [max(0, n_samples)])
        self._n_given += len(out)
        return out

    def _silence(self, jumps: list[int]) -> None:
        for jump in jumps:
            first, last = (max(0, jump - self._n_given + n) for n in (-self._n_ring, self._n_ring))
            around = self._held[max(0, first - self._n_silent) : first], self._held[last : last + self._n_silent]
            if all(float(np.abs(beside).max(initial=0.0)) < _SILENT for beside in around):
                self._held[first:last] = 0.0


def _level_of(samples: FloatArray) -> float:
    return _rounded(float(samples.mean(dtype=np.float64)))


def _rounded(level: float) -> float:
    return level if abs(level) > _LEAST else 0.0


def _flat_level(samples: npt.NDArray[np.float64], otherwise: float) -> float:
    """The level of a silent stretch, which needs no neighbour's word for it; that word where there is sound."""
    return float(samples.mean()) if len(samples) and float(samples.std()) < _SILENT else otherwise


def _step(piece: FloatArray, before: float | None, after: float) -> tuple[FloatArray, int | None]:
    """The course of the level through a piece in which it moves from `before` to `after`, and where it jumps.

    None: it does not jump, but goes up or down in a slope.
    """
    n = len(piece)
    values = piece.astype(np.float64)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(n + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.nan_to_num(sums / places) if before is None else np.full(n + 1, before)
    # Squared distance to a jump at each place, but for what is the same everywhere.
    costs = -2 * left * sums + places * left**2 - 2 * after * (sums[-1] - sums) + (n - places) * after**2
    at = int(costs.argmin())
    first = _flat_level(values[:at], float(left[at]))
    after = _flat_level(values[at:], after)
    jump = np.where(np.arange(n) < at, first, after)
    slope = np.linspace(first, after, n)
    is_jump = np.square(values - jump).sum() <= np.square(values - slope).sum()
    return (jump if is_jump else slope).astype(np.float32), at if is_jump else None
