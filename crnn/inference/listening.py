"""Sound that arrives in blocks, cut into segments and given to the network as it comes.

What was heard so far can be answered at any time, and more heard after it: a long file
that is left and gone on with, a microphone that is still open.
"""

from __future__ import annotations

import copy
import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from crnn.audio.clip import SILENCE_DB, AudioStream, Source, check_duration
from crnn.config import FeatureConfig
from crnn.features import log_mel as features
from crnn.inference.clicks import are_clicks

if TYPE_CHECKING:
    from crnn.inference.classifier import Classifier, Prediction

FloatArray = npt.NDArray[np.float32]

# A larger batch is no faster on a CPU, starts later, and takes 18 MB a segment (4: 152 MB in all, 16: 378 MB).
SEGMENTS_PER_RUN = 1
# How many runs decoding and features may be ahead of the network.
_RUNS_AHEAD = 4


class Answers(NamedTuple):
    """What the network says of segments: logits, embeddings, and tags (no columns where it has none)."""

    logits: FloatArray
    embeddings: FloatArray
    tags: FloatArray


@dataclass
class Outputs:
    """What the network said of the segments so far."""

    starts: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    silent: list[bool] = field(default_factory=list)
    answers: list[Answers] = field(default_factory=list)
    # Whether each is clicks and nothing else; empty where only an archive's frames were heard.
    clicks: list[bool] = field(default_factory=list)
    # The same of a sound shorter than a segment, with silence after it: one, or none.
    ending: list[Answers] = field(default_factory=list)


class _SegmentCutter:
    """Cuts frames that arrive in blocks as `features.stack_segments` cuts the whole."""

    def __init__(self, config: FeatureConfig, stride: int) -> None:
        self._n_frames, self._n_tail = config.n_frames, config.n_tail_frames
        self._n_hop = config.n_hop_frames * stride
        self._buffer: FloatArray | None = None
        self._offset = 0
        self._next = 0
        self.n_total = 0

    def push(self, frames: FloatArray) -> Iterator[tuple[int, FloatArray]]:
        self._buffer = frames if self._buffer is None else np.concatenate([self._buffer, frames])
        self.n_total += len(frames)
        while self._next + self._n_frames <= self.n_total:
            at = self._next - self._offset
            yield self._next, self._buffer[at : at + self._n_frames]
            self._next += self._n_hop
        # The last segment may begin a whole segment before the end, so that much is kept.
        keep_from = min(self._next, max(0, self.n_total - self._n_frames))
        self._buffer = self._buffer[keep_from - self._offset :]
        self._offset = keep_from

    def finish(self, *, is_open: bool) -> Iterator[tuple[int, FloatArray]]:
        last = max(0, self.n_total - self._n_frames)
        done_up_to = self._next - self._n_hop
        is_first = done_up_to < 0
        n_least = 1 if is_open else self._n_tail
        if self._buffer is not None and len(self._buffer) and (is_first or last - done_up_to >= n_least):
            yield last, self._buffer[last - self._offset :]


class Listening:
    """Takes in blocks of sound and keeps what the network says of their segments.

    Args:
        config: The bundle's features.
        begin: Has the network run on segments, as `Classifier.begin` does.
        companion: Hears the same sound for another network, and its weight in the logits; None is none.
        stride: One of so many segments is heard, and the end.
        hears_ending: A sound shorter than a segment is heard once more, with silence after it.
    """

    def __init__(
        self,
        config: FeatureConfig,
        begin: Callable[[FloatArray], Future[Answers]],
        companion: tuple[Listening, float] | None = None,
        stride: int = 1,
        hears_ending: bool = False,
    ) -> None:
        self._config, self._begin, self._companion, self._hears_ending = config, begin, companion, hears_ending
        self._mel_stream = features.MelStream(config)
        self._cutter = _SegmentCutter(config, stride)
        self._outputs = Outputs()
        self._running: deque[Future[Answers]] = deque()
        self._ending: Future[Answers] | None = None

    def push(self, block: FloatArray) -> FloatArray:
        """Take in mono samples at the config's rate.

        Returns:
            Mel power of the frames that they complete, `(n_frames, n_mels)`.

        Raises:
            AudioError: The samples cannot be used.
            BundleError: The network fails on them, or on what came before.
        """
        power = self._mel_stream.push(block)
        self._take(self._cutter.push(power))
        if self._companion is not None:
            self._companion[0].push(block)
        return power

    def rest(self) -> FloatArray:
        """Mel power of the frames that are whole only when the sound ends here."""
        return copy.copy(self._mel_stream).finish()

    def outputs(self, *, is_open: bool = False) -> Outputs:
        """What the network says of all segments so far, the last one counted back from here.

        Args:
            is_open: More will come: what was heard last counts, however little it is. Of a sound that has ended a
                short remainder gets no segment.

        Raises:
            BundleError: The network fails.
        """
        self._await(0)
        # A copy is ended, so that this one can go on with the next block.
        ended = copy.copy(self)
        ended._cutter = copy.copy(self._cutter)
        ended._outputs = Outputs(**{name: list(values) for name, values in vars(self._outputs).items()})
        ended._running = deque()
        ended._take(ended._cutter.push(self.rest()))
        ended._take(ended._cutter.finish(is_open=is_open))
        if self._companion is None:
            ended._await(0)
            return ended._outputs
        companion, weight = self._companion
        # The companion hears its last segment while the first network hears its own.
        theirs = companion.outputs(is_open=is_open)
        ended._await(0)
        share = of_same_time(theirs, companion._config, ended._outputs, self._config)
        return with_share(ended._outputs, share, weight)

    def forget(self, before_seconds: float) -> None:
        """Let go of what is said of segments that begin before a moment: memory stays bounded, whatever comes.

        Args:
            before_seconds: Counted from the beginning; the last whole segment always stays.

        Raises:
            BundleError: The network fails.
        """
        self._await(0)
        before = before_seconds * self._config.frame_rate_hz
        said = self._outputs
        n_gone = min(sum(start < before for start in said.starts), len(said.starts) - 1)
        if n_gone > 0:
            kept = Answers(*(np.concatenate(part)[n_gone:] for part in zip(*said.answers, strict=True)))
            self._outputs = Outputs(
                said.starts[n_gone:], said.lengths[n_gone:], said.silent[n_gone:], [kept], said.clicks[n_gone:]
            )
        if self._companion is not None:
            # Segments that reach into the time that is kept count there.
            companion = self._companion[0]
            companion.forget(before_seconds - companion._config.segment_seconds)

    def _take(self, cut: Iterable[tuple[int, FloatArray]]) -> None:
        for start, power in cut:
            self._outputs.starts.append(start)
            self._outputs.lengths.append(len(power))
            levels = features.frame_levels_db(power, self._config)
            self._outputs.silent.append(float(levels.max()) < SILENCE_DB)
            self._outputs.clicks.append(are_clicks(levels, self._config))
            segment = features.network_input(features.tiled(power, self._config), self._config)
            self._running.append(self._begin(segment[np.newaxis]))
            if self._hears_ending and len(power) < self._config.n_frames:
                once = features.network_input(power, self._config)
                self._ending = self._begin(features.with_silence_after(once, self._config)[np.newaxis])
            self._await(_RUNS_AHEAD)

    def _await(self, n_running: int) -> None:
        """Wait until at most so many runs are not done."""
        while len(self._running) > n_running:
            self._outputs.answers.append(self._running.popleft().result())
        if self._ending is not None and not self._running:
            self._outputs.ending, self._ending = [self._ending.result()], None


def of_same_time(others: Outputs, others_config: FeatureConfig, outputs: Outputs, config: FeatureConfig) -> FloatArray:
    """What another network says of each segment's time: its logits `(n_segments, n_genres)`, by common seconds.

    Where it heard nothing, or silence, it says nothing: NaN.

    Args:
        others: What the other network said of its own segments.
        others_config: Their length and frame rate.
        outputs: Whose segments it shall be told for.
        config: Theirs.
    """
    logits = np.concatenate([answers.logits for answers in others.answers])
    first, last = _seconds(outputs, config)
    other_first, other_last = _seconds(others, others_config)
    common = np.minimum(last[:, None], other_last) - np.maximum(first[:, None], other_first)
    weights = np.maximum(common, 0.0) * ~np.array(others.silent)
    total = weights.sum(axis=1, keepdims=True)
    share = weights / np.where(total > 0, total, 1.0) @ logits
    return np.asarray(np.where(total > 0, share, np.nan), dtype=np.float32)


def with_share(outputs: Outputs, share: FloatArray, weight: float) -> Outputs:
    """The outputs with the mean of their logits and `share`, this with `weight`.

    Args:
        outputs: What the first network said.
        share: What the second one says of the same segments, `(n_segments, n_genres)`; NaN leaves the first alone.
        weight: Of the second one, between 0 and 1.
    """
    edges = np.cumsum([len(answers.logits) for answers in outputs.answers])[:-1]
    parts = zip(outputs.answers, np.split(share, edges), strict=True)
    answers = [
        said._replace(logits=np.where(np.isnan(part), said.logits, (1 - weight) * said.logits + weight * part))
        for said, part in parts
    ]
    return dataclasses.replace(outputs, answers=answers)


def _seconds(outputs: Outputs, config: FeatureConfig) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    first = np.array(outputs.starts) / config.frame_rate_hz
    return first, first + np.array(outputs.lengths) / config.frame_rate_hz


class FileListening:
    """A file that is listened to block by block; between two blocks it can be left, answered so far, and gone on with.

    Args:
        classifier: Who answers.
        source: A path, or the bytes of a file.
        name: What to call it in messages.
        keep: Given each block at the model's rate, what is to be played of it at `play_rate`, and the mel power of the
            frames that it completes; at the end, of no sound, the power of the last ones.
        play_rate: As of `AudioStream`.

    Raises:
        AudioError: The file cannot be used.
    """

    def __init__(
        self,
        classifier: Classifier,
        source: Source,
        name: str = "",
        *,
        keep: Callable[[FloatArray, FloatArray, FloatArray], None] | None = None,
        play_rate: int = 0,
    ) -> None:
        self._classifier, self._keep = classifier, keep
        self._stream = AudioStream(source, classifier.config.sample_rate, name, play_rate=play_rate)
        self.play_rate = self._stream.play_rate
        self._blocks = iter(self._stream)
        self._heard = classifier.listen()
        self.is_ended = False

    def __enter__(self) -> FileListening:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def seconds(self) -> float:
        """How much was heard so far."""
        return self._stream.duration_seconds

    def step(self) -> bool:
        """Hear one block more; False where there is none.

        Raises:
            AudioError: The file cannot be used.
        """
        block = next(self._blocks, None)
        if block is None:
            if not self.is_ended and self._keep is not None:
                nothing = np.zeros(0, dtype=np.float32)
                self._keep(nothing, nothing, self._heard.rest())
            self.is_ended = True
            return False
        power = self._heard.push(block)
        if self._keep is not None:
            self._keep(block, self._stream.played, power)
        return True

    def answer(self) -> Prediction:
        """The answer for what was heard so far.

        Raises:
            ClipTooShortError: Less than a second.
        """
        # Checked here: networks need not take less than a second.
        check_duration(self.seconds, self._stream.name)
        # The notes are about whole files.
        notes = self._stream.notes if self.is_ended else ()
        return self._classifier.answer(self._heard, self.seconds, notes)

    def close(self) -> None:
        """Let go of the file."""
        self._stream.__exit__()
