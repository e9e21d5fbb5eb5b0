"""What a student hears while it learns: windows of music, good sound and bad, with the teachers' answers.

Batches are drawn by numpy alone and depend on the leg's seed and the step only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crnn.config import FeatureConfig
from crnn.features import augment
from crnn.features import log_mel as features
from crnn.features.archive import to_db
from recipes.targets import N_BAD, N_GOOD, PIECE_SECONDS, Targets
from recipes.teachers import choi, musicnn

FloatArray = npt.NDArray[np.float32]
Batch = tuple[FloatArray, ...]

FROM_AUDIO, FROM_ARCHIVE = 46, 18
_STACK_BATCH = 32
_LEAST_RATE = 0.02


@dataclass(frozen=True)
class Source:
    """Music with targets, and its share of what is heard."""

    targets: Targets
    share: float


@dataclass(frozen=True)
class TaggedWindows:
    """Windows of the archive, `(n, n_frames, n_mels)` uint8, with published tags and the whole's, `(n, 50)`."""

    log_mel: npt.NDArray[np.uint8]
    tag_posterior: FloatArray
    whole_posterior: FloatArray


@dataclass(frozen=True)
class Leg:
    """A stretch of distillation: `steps` of a cosine schedule that would take `of_steps`.

    whole_weight: timbral half: weight of the second teacher's tags in the loss.
    bad_share: share of the windows that are heard through bad sound.
    n_good: kinds of good sound that are heard, of `N_GOOD`.
    seed: of the windows drawn; another leg of the same seed would hear the same ones again.
    """

    steps: int
    of_steps: int
    learning_rate: float = 1e-3
    whole_weight: float = 0.0
    bad_share: float = 0.0
    n_good: int = N_GOOD
    warmup_steps: int = 50
    seed: int = 1

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        cosine = 0.5 * (1 + math.cos(math.pi * step / self.of_steps))
        return self.learning_rate * min(1.0, (step + 1) / self.warmup_steps) * max(_LEAST_RATE, cosine)


@dataclass(frozen=True)
class TimbralBatches:
    """Windows of music and of the archive for the timbral half.

    audio: Music with targets.
    archive: Windows that have tags alone.
    config: Length of a window.
    """

    audio: Sequence[Source]
    archive: TaggedWindows
    config: FeatureConfig

    def __call__(self, leg: Leg, step: int) -> Batch:
        """Log-mels, then targets in the order of the loss's parts."""
        rng = np.random.default_rng([leg.seed, step])
        windows, taught, wholes = [], [], []
        for index in _drawn(self.audio, FROM_AUDIO, rng):
            source = self.audio[index].targets
            window = rng.integers(len(source.piece))
            piece, start = source.piece[window], source.start[window]
            kind, is_bad = _kind_of_sound(leg, rng)
            heard = source.log_mel[piece, kind]
            windows.append(_window(heard[start : start + self.config.n_frames], self.config, rng, vary=not is_bad))
            names = ("frame_mean", "frame_deviation", "penultimate", "tag_posterior")
            taught.append([getattr(source, name)[window] for name in names])
            wholes.append(source.whole_posterior[piece])
        from_archive = rng.integers(0, len(self.archive.log_mel), FROM_ARCHIVE)
        for window in self.archive.log_mel[from_archive]:
            decibels = to_db(window)
            if rng.random() < 0.5 * leg.bad_share:
                decibels = augment.limit_band(decibels - decibels.max(), self.config, rng)
            windows.append(_varied(decibels, self.config, rng))
        return (
            np.stack(windows),
            *(np.stack(values) for values in zip(*taught, strict=True)),
            self.archive.tag_posterior[from_archive],
            np.concatenate([np.stack(wholes), self.archive.whole_posterior[from_archive]]),
        )


class StackBatches:
    """Six-second segments for the stack.

    Args:
        audio: Music with targets.
        chunks: For each of them what the teacher's recurrent part hears in the `N_STEPS` steps from each of
            `FIRST_STEPS`, `(n_pieces, len(FIRST_STEPS), size)`.
        config: Length of a segment.
    """

    N_STEPS = 3
    # The first and last step hear the padding.
    FIRST_STEPS = tuple(range(1, choi.N_STEPS - N_STEPS))

    def __init__(self, audio: Sequence[Source], chunks: Sequence[FloatArray], config: FeatureConfig) -> None:
        self.audio, self.chunks, self.config = audio, chunks, config
        middle_seconds = (PIECE_SECONDS - choi.N_FRAMES * choi.HOP_LENGTH / choi.SAMPLE_RATE) / 2
        # A segment is 0.14 s shorter than three steps.
        seconds = middle_seconds + choi.step_seconds(self.FIRST_STEPS) + 0.07
        self._starts = np.round(seconds * config.frame_rate_hz).astype(np.int64)

    def __call__(self, leg: Leg, step: int) -> Batch:
        """Log-mels, chunks, steps."""
        rng = np.random.default_rng([leg.seed, step])
        segments, of_chunks, of_steps = [], [], []
        for index in _drawn(self.audio, _STACK_BATCH, rng):
            targets, chunks = self.audio[index].targets, self.chunks[index]
            piece, place = rng.integers(len(targets.log_mel)), rng.integers(len(self.FIRST_STEPS))
            kind, is_bad = _kind_of_sound(leg, rng)
            start = self._starts[place] + rng.integers(-3, 4)
            heard = targets.log_mel[piece, kind, start : start + self.config.n_frames]
            vary = not is_bad or bool(rng.random() < 0.3)
            segments.append(_window(heard, self.config, rng, vary=vary))
            first = self.FIRST_STEPS[place]
            of_chunks.append(chunks[piece, place])
            of_steps.append(targets.steps[piece, first : first + self.N_STEPS])
        return np.stack(segments), np.stack(of_chunks), np.stack(of_steps)


def _varied(segment: FloatArray, config: FeatureConfig, rng: np.random.Generator) -> FloatArray:
    """A window as it is, or, every other time, through an equaliser, a small shift, noise, a raised floor."""
    segment = segment - segment.max()
    if rng.random() < 0.5:
        segment = augment.shift_pitch(segment, rng.uniform(-0.7, 0.7), config)
        segment = segment + augment.random_equaliser(4.0, config, rng)
        if rng.random() < 0.1:
            segment = augment.limit_band(segment, config, rng)
        if rng.random() < 0.15:
            segment = augment.add_noise(segment, rng)
        segment = augment.raise_floor(segment - segment.max(), 20.0, config, rng)
    return features.rereference(segment, config)


def _window(
    log_mel: npt.NDArray[np.uint8], config: FeatureConfig, rng: np.random.Generator, *, vary: bool
) -> FloatArray:
    """A window in dB; one that ends with the piece is filled up with its last frame."""
    missing = config.n_frames - len(log_mel)
    decibels = to_db(np.pad(log_mel, ((0, missing), (0, 0)), mode="edge") if missing > 0 else log_mel)
    return _varied(decibels, config, rng) if vary else features.rereference(decibels, config)


def _kind_of_sound(leg: Leg, rng: np.random.Generator) -> tuple[int, bool]:
    """Which of a piece's log-mels is heard, and whether it is bad sound."""
    is_bad = bool(rng.random() < leg.bad_share)
    return int(N_GOOD + rng.integers(N_BAD) if is_bad else rng.integers(leg.n_good)), is_bad


def _drawn(sources: Sequence[Source], n: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Indices of sources, drawn by their shares."""
    shares = np.array([source.share for source in sources])
    return rng.choice(len(sources), n, p=shares / shares.sum())


def archive_windows(
    log_mels: list[npt.NDArray[np.uint8]],
    column_seconds: npt.NDArray[np.float64],
    taggrams: list[FloatArray],
    whole_posteriors: FloatArray,
    config: FeatureConfig,
) -> TaggedWindows:
    """Windows of archive tracks beside their published taggrams.

    Args:
        log_mels: Per track uint8 `(n_columns, n_mels)`.
        column_seconds: Time of each column, shape `(n_columns,)`.
        taggrams: Per track `(n_windows, 50)`, window k from 0.976 · k s.
        whole_posteriors: `(n_tracks, 50)`, the second teacher's.
        config: Length of a window.
    """
    hop_seconds = musicnn.TAGGRAM_HOP_FRAMES * musicnn.HOP_LENGTH / musicnn.SAMPLE_RATE
    windows, tags, wholes = [], [], []
    for log_mel, taggram, whole in zip(log_mels, taggrams, whole_posteriors, strict=True):
        for index, posterior in enumerate(taggram):
            start = min(int(np.searchsorted(column_seconds, index * hop_seconds)), len(log_mel) - config.n_frames)
            windows.append(log_mel[start : start + config.n_frames])
            tags.append(posterior)
            wholes.append(whole)
    return TaggedWindows(np.stack(windows), np.stack(tags).astype(np.float32), np.stack(wholes))
