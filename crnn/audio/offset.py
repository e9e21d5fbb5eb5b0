"""A constant offset taken out of mono sound, wherever it begins and ends.

Seconds are judged one after another by their means. Where the mean moves, it either jumped (a fault that
sets in; the sample is found at which one level becomes the other) or wandered (a drift, followed in a
straight line). Sound whose mean stays near zero passes to the last bit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

# Of full scale; the mean of a second of music stays below.
_LEAST = 0.01
# -60 dB.
_SILENT = 1e-3


class OffsetRemover:
    """Takes the offset out of a stream; what comes out lags behind by up to two seconds.

    Args:
        sample_rate: Hz; a second is what is judged at once.
    """

    def __init__(self, sample_rate: int) -> None:
        self._n_piece = sample_rate
        self._kept = np.zeros(0, dtype=np.float32)
        self._level: float | None = None
        self.found = 0.0

    def push(self, samples: FloatArray) -> FloatArray:
        """Samples that are certain by now, given the next ones."""
        joined = np.concatenate([self._kept, samples]) if len(self._kept) else samples
        out = []
        while len(joined) >= 3 * self._n_piece:
            # The level of the next whole second tells what this one leads to.
            following = _level_of(joined[self._n_piece : 2 * self._n_piece])
            out.append(self._levelled(joined[: self._n_piece], following))
            joined = joined[self._n_piece :]
        self._kept = joined
        return np.concatenate(out) if out else np.zeros(0, dtype=np.float32)

    def flush(self) -> FloatArray:
        """The rest, when nothing will follow."""
        rest, self._kept = self._kept, np.zeros(0, dtype=np.float32)
        out = []
        while len(rest) >= 2 * self._n_piece:
            following = _level_of(rest[self._n_piece : 2 * self._n_piece])
            out.append(self._levelled(rest[: self._n_piece], following))
            rest = rest[self._n_piece :]
        if len(rest):
            out.append(self._levelled(rest, _level_of(rest[len(rest) // 2 :])))
        return np.concatenate(out) if out else rest

    def _levelled(self, piece: FloatArray, following: float) -> FloatArray:
        before = self._level
        if before is None:
            before = _level_of(piece) if abs(_level_of(piece) - following) < _LEAST else None
        if before is not None and abs(following - before) < _LEAST:
            # A steady level keeps its first measure: the correction never moves without need.
            self._level = before
            self._note(before)
            return piece - np.float32(before) if before else piece
        levels = _step(piece, before, following)
        self._level = _rounded(float(levels[-1]))
        self._note(self._level)
        return piece - levels

    def _note(self, level: float) -> None:
        if abs(level) > abs(self.found):
            self.found = level


def _level_of(samples: FloatArray) -> float:
    return _rounded(float(samples.mean(dtype=np.float64)))


def _rounded(level: float) -> float:
    return level if abs(level) > _LEAST else 0.0


def _flat_level(samples: npt.NDArray[np.float64], otherwise: float) -> float:
    """The level of a silent stretch, which needs no neighbour's word for it; that word where there is sound."""
    return float(samples.mean()) if len(samples) and float(samples.std()) < _SILENT else otherwise


def _step(piece: FloatArray, before: float | None, after: float) -> FloatArray:
    """The course of the level through a piece in which it moves from `before` to `after`: a jump, or a slope."""
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
    return (jump if is_jump else slope).astype(np.float32)
