"""The picture of a sound of any length, made while it is heard: its columns widen, so that memory stays bounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crnn.analysis.figures import Picture, clip_picture, pooled
from crnn.analysis.grids import FloatArray
from crnn.config import FeatureConfig

# Neighbours are merged whenever there are twice as many.
_LEAST_COLUMNS = 4000


class GrowingPicture:
    """Takes in the mel power of a sound as it comes, and gives the picture of what came so far.

    Args:
        config: How it is computed.
    """

    def __init__(self, config: FeatureConfig) -> None:
        self._config = config
        # Frames that make a column, and those that do not make one yet.
        self._pool = 1
        self._columns: list[FloatArray] = []
        self._n_columns = 0
        self._rest = np.zeros((0, config.n_mels), dtype=np.float32)

    def push(self, power: FloatArray) -> None:
        """Take in the next frames, `(n_frames, n_mels)`."""
        frames = np.concatenate([self._rest, power])
        n_whole = len(frames) // self._pool
        self._rest = frames[n_whole * self._pool :]
        self._columns.append(pooled(frames[: n_whole * self._pool], self._pool))
        self._n_columns += n_whole
        while self._n_columns >= 2 * _LEAST_COLUMNS:
            columns = np.concatenate(self._columns)
            n_even = len(columns) - len(columns) % 2
            # A column without a partner waits for it as so many frames.
            self._rest = np.concatenate([columns[n_even:].repeat(self._pool, axis=0), self._rest])
            self._columns = [pooled(columns[:n_even], 2)]
            self._n_columns = n_even // 2
            self._pool *= 2

    def picture(self) -> Picture:
        """Of all that came so far, in dB re its loudest cell."""
        power = np.concatenate([*self._columns, pooled(self._rest, max(1, len(self._rest)))])
        found = clip_picture(power, self._config, 2 * _LEAST_COLUMNS + 1)
        return replace(found, seconds_per_column=found.seconds_per_column * self._pool)
