"""What a sound gave while it was heard for its answer, kept for picture and player: nothing is computed twice."""

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

    Attributes:
        peak: The greatest sample so far.
    """

    def __init__(self, config: FeatureConfig) -> None:
        self.config = config
        self.peak = 0.0
        self._growing: GrowingPicture | None = None
        self._power: list[FloatArray] = []
        # 16 bits each: at the rate of the blocks, and at the player's.
        self._blocks: list[bytes] = []
        self._played: list[bytes] = []
        self._seconds = 0.0
        self._n_bytes = 0
        HELD.add(self, lambda taken: {id(taken): taken._n_bytes})

    def take(self, block: FloatArray, played: FloatArray, power: FloatArray) -> None:
        """The next block, what is to be played of it, and what the model makes of it.

        Args:
            block: Mono samples at the config's rate.
            played: The same sound at the rate of the player.
            power: Mel power of the frames that the block completes, `(n_frames, n_mels)`.
        """
        self._seconds += len(block) / self.config.sample_rate
        self.peak = max(self.peak, float(np.abs(block).max(initial=0.0)))
        if self._seconds > FULL_BAND_SECONDS:
            self._played.clear()
        else:
            self._played.append(pcm(played))
        self._power.append(power)
        if self._seconds > MAX_CLIP_SECONDS:
            self._growing = self._growing or GrowingPicture(self.config)
            for each in self._power:
                self._growing.push(each)
            self._power.clear()
            self._blocks.clear()
        else:
            self._blocks.append(pcm(block))
        self._n_bytes = sum(map(len, self._played + self._blocks)) + sum(each.nbytes for each in self._power)

    def picture(self, config: FeatureConfig) -> Picture | None:
        """The picture of a sound too long to be held; None of others, and under other settings."""
        return self._growing.picture() if self._growing is not None and config == self.config else None

    @property
    def is_whole(self) -> bool:
        """Whether all of it was kept."""
        return bool(self._blocks)

    def power(self) -> FloatArray:
        """Mel power of all that was taken, `(n_frames, n_mels)`."""
        return np.concatenate(self._power)

    def wav(self, play_rate: int) -> bytes:
        """What to play, as a WAV file: at `play_rate` what came at that, of long sounds at the blocks' own rate."""
        if self._played:
            return wav_of(b"".join(self._played), play_rate)
        return wav_of(b"".join(self._blocks), self.config.sample_rate)
