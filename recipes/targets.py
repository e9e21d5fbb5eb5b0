"""What the teachers hear in music, beside our log-mel: MSD_musicnn in 3-s windows, Choi's CRNN in 30 s.

Computed once and kept as one `.npz` a folder of music; a run that was interrupted goes on
with the next folder. Long pieces are cut into 30-s ones, of which four windows are taken.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from crnn import features
from crnn.archive import to_uint8
from crnn.audio import AudioStream
from crnn.config import FeatureConfig
from crnn.errors import AudioError
from crnn.teachers import choi, musicnn

if TYPE_CHECKING:
    import keras

FloatArray = npt.NDArray[np.float32]

PIECE_SECONDS = 30.0
LEAST_PIECE_SECONDS = 20.0
# Starts of the 14 windows that fit a piece are this many of the teacher's frames apart.
WINDOW_HOP_FRAMES = 2 * musicnn.TAGGRAM_HOP_FRAMES
N_WINDOWS = 14
EVERY_WINDOW = tuple(range(N_WINDOWS))
FOUR_WINDOWS = (0, 4, 8, 12)
_LEAST_PEAK = 3e-3
_WINDOWS_PER_RUN = 16


@dataclass(frozen=True)
class Teachers:
    """Both teachers, from `musicnn.load_musicnn` and `choi.load_choi`."""

    windows: keras.Model
    whole: keras.Model

    def whole_posterior(self, pictures: FloatArray) -> FloatArray:
        """Tags `(n, 50)` of inputs made by `crnn.teachers.choi`."""
        logits = np.asarray(self.whole.predict_on_batch(pictures)["logits"])
        return _sigmoid(logits)


def _sigmoid(logits: FloatArray) -> FloatArray:
    return (1.0 / (1.0 + np.exp(-logits))).astype(np.float32)


@dataclass(frozen=True)
class Targets:
    """Windows of music with the teacher's answers; first axis: windows.

    log_mel: uint8 `(n_windows, n_frames, n_mels)`, 3 s of this project's log-mel.
    frame_mean, frame_deviation: `(n_windows, 753)` of the teacher's features per frame.
    penultimate: `(n_windows, 200)`. tag_posterior: `(n_windows, 50)`.
    whole_posterior: `(n_windows, 50)`, the second teacher's tags of the piece around the window.
    """

    log_mel: npt.NDArray[np.uint8]
    frame_mean: FloatArray
    frame_deviation: FloatArray
    penultimate: FloatArray
    tag_posterior: FloatArray
    whole_posterior: FloatArray

    def __len__(self) -> int:
        return len(self.log_mel)


_NAMES = ("log_mel", "frame_mean", "frame_deviation", "penultimate", "tag_posterior", "whole_posterior")


def targets_of_files(
    paths: Iterable[Path], teachers: Teachers, config: FeatureConfig, windows: tuple[int, ...], cache: Path
) -> Targets:
    """The teacher's answers on audio files, from `cache` if they were computed before.

    Args:
        paths: Music; what cannot be read is left out.
        teachers: Both of them.
        config: The student's features; a segment is a window.
        windows: Which of a piece's windows to take.
        cache: `.npz` to read or write.
    """
    if cache.is_file():
        with np.load(cache, allow_pickle=False) as stored:
            return Targets(*(stored[name] for name in _NAMES))
    parts = [_targets_of_piece(piece, teachers, config, windows) for path in paths for piece in _pieces(path, config)]
    parts = [part for part in parts if part is not None and len(part)]
    joined = join([part for part in parts if part is not None])
    draft = cache.with_name(f".{cache.name}.{os.getpid()}.npz")
    np.savez(draft, **{name: getattr(joined, name) for name in _NAMES})
    draft.replace(cache)
    return joined


def join(parts: list[Targets]) -> Targets:
    """All windows of several sets."""
    return Targets(*(np.concatenate([getattr(part, name) for part in parts]) for name in _NAMES))


def _pieces(path: Path, config: FeatureConfig) -> Iterator[FloatArray]:
    try:
        with AudioStream(path, config.sample_rate) as stream:
            samples = np.concatenate(list(stream))
    except AudioError:
        return
    length = int(PIECE_SECONDS * config.sample_rate)
    for start in range(0, len(samples), length):
        piece = samples[start : start + length]
        if len(piece) >= LEAST_PIECE_SECONDS * config.sample_rate and np.abs(piece).max() >= _LEAST_PEAK:
            yield piece


def _targets_of_piece(
    piece: FloatArray, teachers: Teachers, config: FeatureConfig, windows: tuple[int, ...]
) -> Targets | None:
    heard = musicnn.segment(musicnn.log_mel(piece, config.sample_rate), WINDOW_HOP_FRAMES)
    ours = features.log_mel(piece, config)
    hop_seconds = WINDOW_HOP_FRAMES * musicnn.HOP_LENGTH / musicnn.SAMPLE_RATE
    starts = {window: round(window * hop_seconds * config.frame_rate_hz) for window in windows if window < len(heard)}
    chosen = [window for window, start in starts.items() if start + config.n_frames <= len(ours)]
    if not chosen:
        return None
    runs = [chosen[i : i + _WINDOWS_PER_RUN] for i in range(0, len(chosen), _WINDOWS_PER_RUN)]
    answers = [teachers.windows.predict_on_batch(np.ascontiguousarray(heard[run])) for run in runs]
    frames = np.concatenate([np.asarray(answer["frames"]) for answer in answers])
    logits = np.concatenate([np.asarray(answer["logits"]) for answer in answers])
    whole = teachers.whole_posterior(choi.log_mel(piece, config.sample_rate)[None])
    return Targets(
        np.stack([to_uint8(ours[starts[window] : starts[window] + config.n_frames]) for window in chosen]),
        frames.mean(axis=1),
        frames.std(axis=1),
        np.concatenate([np.asarray(answer["penultimate"]) for answer in answers]),
        _sigmoid(logits),
        np.repeat(whole, len(chosen), axis=0),
    )
