"""What a sound gave while it was decoded for its answer, kept for picture and player: no second decoding."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crnn.analysis.figures import Picture
from crnn.analysis.growing import GrowingPicture
from crnn.config import FeatureConfig
from crnn.limits import MAX_CLIP_SECONDS
from ui.shared.holdings import HELD
from ui.shared.media import pcm, wav_of

FloatArray = npt.NDArray[np.float32]

# A whole WAV at 44.1 kHz is fetched for playing; beyond this the model's rate halves it.
FULL_BAND_SECONDS = 6 * 60.0
FULL_BAND_RATE = 44_100


class Taken:
    """Takes each block; of a sound too long to be held its picture alone is kept.

    Args:
        config: Gives the rate of the blocks, and the picture.
    """

    def __init__(self, config: FeatureConfig) -> None:
        self.sample_rate = config.sample_rate
        self._config = config
        self._growing: GrowingPicture | None = None
        self._blocks: list[FloatArray] = []
        self._played: list[bytes] = []
        self._seconds = 0.0
        self._n_bytes = 0
        HELD.add(self, lambda taken: {id(taken): taken._n_bytes})

    def take(self, block: FloatArray, played: FloatArray) -> None:
        """The next block at `sample_rate`, and what is to be played of it.

        Args:
            block: Mono samples at `sample_rate`.
            played: The same sound at the rate of the player.
        """
        self._seconds += len(block) / self.sample_rate
        if self._seconds <= FULL_BAND_SECONDS:
            self._played.append(pcm(played))
        else:
            self._played.clear()
        self._blocks.append(block)
        self._n_bytes = sum(map(len, self._played)) + sum(each.nbytes for each in self._blocks)
        if self._seconds <= MAX_CLIP_SECONDS:
            return
        if self._growing is None:
            self._growing = GrowingPicture(self._config)
        for each in self._blocks:
            self._growing.push(each)
        self._blocks.clear()

    def picture(self, config: FeatureConfig) -> Picture | None:
        """The picture of a sound too long to be held; None of others, and under other settings."""
        return self._growing.picture() if self._growing is not None and config == self._config else None

    @property
    def is_whole(self) -> bool:
        """Whether all of it was kept."""
        return bool(self._blocks)

    def samples(self) -> FloatArray:
        """All that was taken."""
        return np.concatenate(self._blocks)

    def wav(self, play_rate: int) -> bytes:
        """What to play, as a WAV file: at `play_rate` what came at that, of long sounds at `sample_rate`."""
        if self._played:
            return wav_of(b"".join(self._played), play_rate)
        return wav_of(b"".join(map(pcm, self._blocks)), self.sample_rate)
