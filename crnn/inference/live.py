"""A microphone that is still open: answered while it listens, in bounded memory however long that lasts.

The answer is that of the last half a minute at most, and so follows what is played; each
answer adds a cell to the timeline, for the time since the one before it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from crnn.limits import MAX_CLIP_SECONDS

if TYPE_CHECKING:
    from crnn.inference.classifier import Classifier, Prediction

# The first answer; with less sound the network has too little to go by.
FIRST_SECONDS = 3.0
# The answer covers this much of the sound; older segments, of up to ten seconds, are dropped whole.
RECENT_SECONDS = 30.0
# An answer has settled if it named one genre for this long, and this much was heard (`bench.live`).
STEADY_SECONDS, SETTLED_SECONDS = 4.0, 8.0

_BYTES_PER_SAMPLE = 2
_FULL_SCALE = 32_768.0


@dataclass(frozen=True)
class Moment:
    """What was heard between two answers.

    genre: None in silence, and while it does not sound like music.
    posterior: The latest segment's, `(n_genres,)`.
    """

    start_seconds: float
    end_seconds: float
    genre: str | None
    is_silent: bool
    posterior: npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Told:
    seconds: float
    genre: str | None


class LiveListening:
    """Takes in 16-bit mono samples as they come from a microphone; what is kept of the sound is its end.

    Args:
        classifier: Who answers.
        sample_rate: Hz of what comes.
        kept_seconds: How much of the sound, and of its timeline, is kept at most.
    """

    def __init__(self, classifier: Classifier, sample_rate: int, *, kept_seconds: float = MAX_CLIP_SECONDS) -> None:
        import soxr

        self.sample_rate = sample_rate
        self.n_samples = 0
        self.prediction: Prediction | None = None
        self._classifier, self._kept_seconds = classifier, kept_seconds
        self._heard = classifier.listen()
        self._resampler = soxr.ResampleStream(
            sample_rate, classifier.config.sample_rate, 1, dtype="float32", quality="HQ"
        )
        self._blocks: deque[bytes] = deque()
        self._n_kept = 0
        self._moments: deque[Moment] = deque()
        self._told: deque[_Told] = deque()

    @property
    def seconds(self) -> float:
        """How much was heard so far."""
        return self.n_samples / self.sample_rate

    @property
    def kept_seconds(self) -> float:
        """How much of it is kept."""
        return self._n_kept / self.sample_rate

    @property
    def n_kept_bytes(self) -> int:
        """What that takes of memory."""
        return self._n_kept * _BYTES_PER_SAMPLE

    @property
    def moments(self) -> tuple[Moment, ...]:
        """The timeline of what is kept: what was answered when, without gap."""
        return tuple(self._moments)

    @property
    def sound(self) -> bytes:
        """The samples that are kept, as they came."""
        return b"".join(self._blocks)

    @property
    def is_settled(self) -> bool:
        """Whether one genre has been named long enough for the answer to stay."""
        genres = {told.genre for told in self._told}
        is_long = bool(self._told) and self._told[0].seconds <= self.seconds - STEADY_SECONDS
        return self.seconds >= SETTLED_SECONDS and is_long and len(genres) == 1 and None not in genres

    def push(self, block: bytes) -> None:
        """Take in samples, little-endian.

        Raises:
            BundleError: The network fails on them.
        """
        samples = np.frombuffer(block, "<i2").astype(np.float32) / np.float32(_FULL_SCALE)
        self.n_samples += len(samples)
        self._blocks.append(block)
        self._n_kept += len(samples)
        while len(self._blocks) > 1 and self.kept_seconds > self._kept_seconds:
            self._n_kept -= len(self._blocks.popleft()) // _BYTES_PER_SAMPLE
        self._heard.push(np.asarray(self._resampler.resample_chunk(samples), dtype=np.float32))

    def answer(self) -> Prediction | None:
        """The answer for what was heard last; None before `FIRST_SECONDS`.

        Raises:
            BundleError: The network fails.
        """
        if self.seconds < FIRST_SECONDS:
            return None
        self._heard.forget(self.seconds - RECENT_SECONDS)
        found = self._classifier.answer(self._heard, self.seconds, is_open=True)
        began = self._moments[-1].end_seconds if self._moments else 0.0
        if self.seconds > began:
            last = found.timeline[-1]
            is_named = not last.is_silent and found.is_music
            genre = found.genres[int(last.posterior.argmax())] if is_named else None
            self._moments.append(Moment(began, self.seconds, genre, last.is_silent, last.posterior))
            self._told.append(_Told(self.seconds, found.genre))
        while self._moments[0].end_seconds < self.seconds - self._kept_seconds:
            self._moments.popleft()
        # One answer from before that time is kept: it held at its beginning.
        while len(self._told) > 1 and self._told[1].seconds <= self.seconds - STEADY_SECONDS:
            self._told.popleft()
        self.prediction = found
        return found
