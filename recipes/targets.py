"""What the teachers hear in music, beside our log-mel: MSD_musicnn in 3-s windows, Choi's CRNN in 30 s.

Computed once and kept as one `.npz` a folder of music; a run that was interrupted goes on
with the next folder. Long music is cut into 30-s pieces. Of every piece the student gets
the log-mel as it is, as the archive would hold it, after a codec, and through three kinds of bad sound;
the teachers hear it as it is.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import soxr

from crnn import atomic
from crnn.audio.clip import AudioStream
from crnn.config import FeatureConfig
from crnn.errors import AudioError
from crnn.features import log_mel as features
from crnn.features.archive import to_db, to_uint8
from recipes.bad_sound import coded, degrade
from recipes.teachers import choi, musicnn

if TYPE_CHECKING:
    import keras

FloatArray = npt.NDArray[np.float32]

PIECE_SECONDS = 30.0
LEAST_PIECE_SECONDS = 18.0
# As it is, as the archive would hold it, coded, and as the archive does hold it or, where it does not, coded again.
N_GOOD = 4
N_BAD = 3
# Starts of the 14 windows that fit a piece are this many of the teacher's frames apart.
WINDOW_HOP_FRAMES = 2 * musicnn.TAGGRAM_HOP_FRAMES
_LEAST_PEAK = 3e-3
_MOST_SPEED = 1.2
ARCHIVE_HOP_LENGTH = 512


@dataclass(frozen=True)
class Teachers:
    """Both teachers, from `musicnn.load_musicnn` and `choi.load_choi`."""

    windows: keras.Model
    whole: keras.Model


@dataclass(frozen=True)
class StoredLogMel:
    """A track of the archive: uint8 `(n_columns, n_mels)`, and the time of each column in seconds."""

    log_mel: npt.NDArray[np.uint8]
    column_seconds: npt.NDArray[np.float64]


Piece = tuple[FloatArray, StoredLogMel | None]


@dataclass(frozen=True)
class Targets:
    """Pieces of music with the teachers' answers.

    log_mel: uint8 `(n_pieces, N_GOOD + N_BAD, n_frames, n_mels)`; the first is the piece as it is.
    piece, start: `(n_windows,)`, the piece of each 3-s window and its first frame.
    frame_mean, frame_deviation: `(n_windows, 753)` of the first teacher's features per frame.
    penultimate: `(n_windows, 200)`. tag_posterior: `(n_windows, 50)`.
    whole_posterior, steps: the second teacher's tags `(n_pieces, 50)`, and what its convolutions
        hear, `(n_pieces, 15, 128)`.
    """

    log_mel: npt.NDArray[np.uint8]
    piece: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    frame_mean: FloatArray
    frame_deviation: FloatArray
    penultimate: FloatArray
    tag_posterior: FloatArray
    whole_posterior: FloatArray
    steps: FloatArray


def sigmoid(logits: npt.ArrayLike) -> FloatArray:
    """Posteriors of independent tags."""
    return (1.0 / (1.0 + np.exp(-np.asarray(logits)))).astype(np.float32)


def targets_of_files(
    paths: Iterable[Path],
    teachers: Teachers,
    config: FeatureConfig,
    n_windows: int,
    cache: Path,
    *,
    with_copies: bool = False,
    stored: Mapping[str, StoredLogMel] | None = None,
) -> Targets:
    """The teachers' answers on audio files, from `cache` if they were computed before.

    Args:
        paths: Music; what cannot be read, is too short or silent is left out.
        teachers: Both of them.
        config: The student's features; a segment is a window.
        n_windows: Windows of a piece, drawn at random, that the first teacher hears.
        cache: `.npz` to read or write.
        with_copies: Every piece also at another speed, and mixed with another one: more music of a kind of
            which there is little.
        stored: What the archive holds of tracks, by the stems of their files.

    Raises:
        ValueError: No piece of music was found.
    """
    names = [field.name for field in dataclasses.fields(Targets)]
    if cache.is_file():
        with np.load(cache, allow_pickle=False) as cached:
            return Targets(*(cached[name] for name in names))
    pieces: Iterable[Piece] = (piece for path in paths for piece in _pieces(path, config.sample_rate, stored or {}))
    if with_copies:
        originals = list(pieces)
        copies = _copies([samples for samples, _ in originals], np.random.default_rng(1))
        pieces = itertools.chain(originals, ((samples, None) for samples in copies))
    listening = _Listening(teachers, config, n_windows, np.random.default_rng(0), np.random.default_rng(2))
    found = [listening.targets(piece) for piece in pieces]
    if not found:
        raise ValueError(f"no music of {LEAST_PIECE_SECONDS:.0f} s for {cache.stem}")
    # Bad sound may be a frame shorter.
    n_frames = min(part.log_mel.shape[2] for part in found)
    joined = Targets(
        np.concatenate([part.log_mel[:, :, :n_frames] for part in found]),
        np.concatenate([part.piece + index for index, part in enumerate(found)]),
        *(np.concatenate([getattr(part, name) for part in found]) for name in names[2:]),
    )
    with atomic.replacing(cache) as file:
        np.savez(file, **{name: getattr(joined, name) for name in names})
    return joined


def _pieces(path: Path, sample_rate: int, stored: Mapping[str, StoredLogMel]) -> Iterator[Piece]:
    try:
        with AudioStream(path, sample_rate) as stream:
            samples = np.concatenate(list(stream))
    except AudioError:
        return
    length = int(PIECE_SECONDS * sample_rate)
    for start in range(0, len(samples), length):
        piece = samples[start : start + length]
        if len(piece) >= LEAST_PIECE_SECONDS * sample_rate and np.abs(piece).max() >= _LEAST_PEAK:
            # Clips of which the archive holds more were cut, nobody tells where.
            is_whole = start == 0 and len(piece) > (PIECE_SECONDS - 1) * sample_rate
            yield piece, stored.get(path.stem) if is_whole else None


def _copies(pieces: Sequence[FloatArray], rng: np.random.Generator) -> Iterator[FloatArray]:
    for piece in pieces:
        yield _at_another_speed(piece, rng)
        other = np.resize(pieces[int(rng.integers(len(pieces)))], len(piece))
        loudness = np.sqrt((piece**2).mean() / ((other**2).mean() + 1e-12)) * 10 ** (-rng.uniform(0, 6) / 20)
        mixed = piece + other * np.float32(min(loudness, 100.0))
        yield _at_another_speed(mixed / max(1.0, np.abs(mixed).max()), rng)


def _at_another_speed(piece: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Faster and higher, or slower and lower, as a tape would be; no longer than before."""
    speed = float(_MOST_SPEED ** rng.uniform(-1, 1))
    return np.asarray(soxr.resample(piece, speed, 1.0)[: len(piece)], np.float32)


def _as_archive(samples: FloatArray, n_frames: int, config: FeatureConfig, rng: np.random.Generator) -> FloatArray:
    """The log-mel that the archive would hold: of frames a hop of 512 apart the next one, not one at the very time."""
    finer = dataclasses.replace(config, hop_length=ARCHIVE_HOP_LENGTH)
    frames = features.log_mel(samples, finer)
    at = np.arange(n_frames) * config.hop_length / ARCHIVE_HOP_LENGTH + rng.uniform(-1, 0)
    return frames[np.clip(np.ceil(at).astype(np.int64), 0, len(frames) - 1)]


def _as_stored(stored: StoredLogMel, n_frames: int, config: FeatureConfig) -> FloatArray:
    """The archive's own log-mel: the column nearest to the time of each frame."""
    middles = (stored.column_seconds[1:] + stored.column_seconds[:-1]) / 2
    return to_db(stored.log_mel[np.searchsorted(middles, np.arange(n_frames) / config.frame_rate_hz)])


@dataclass(frozen=True)
class _Listening:
    """Makes targets of pieces; codecs have a chance of their own."""

    teachers: Teachers
    config: FeatureConfig
    n_windows: int
    rng: np.random.Generator
    of_codecs: np.random.Generator

    def targets(self, piece: Piece) -> Targets:
        samples, stored = piece
        config = self.config
        # A short piece goes round: silence at its end would be no music.
        whole = np.resize(samples, int(PIECE_SECONDS * config.sample_rate))
        log_mel = np.stack([to_uint8(log_mel) for log_mel in self._log_mels(whole, stored)])
        heard = musicnn.segment(musicnn.log_mel(samples, config.sample_rate), WINDOW_HOP_FRAMES)
        hop_seconds = WINDOW_HOP_FRAMES * musicnn.HOP_LENGTH / musicnn.SAMPLE_RATE
        starts = np.round(np.arange(len(heard)) * hop_seconds * config.frame_rate_hz).astype(np.int64)
        n_frames = int(len(samples) / config.sample_rate * config.frame_rate_hz)
        fitting = np.flatnonzero(starts + config.n_frames <= n_frames)
        chosen = np.sort(self.rng.choice(fitting, min(self.n_windows, len(fitting)), replace=False))
        of_windows = self.teachers.windows.predict_on_batch(np.ascontiguousarray(heard[chosen]))
        of_whole = self.teachers.whole.predict_on_batch(choi.log_mel(whole, config.sample_rate)[None])
        frames = np.asarray(of_windows["frames"])
        return Targets(
            log_mel[None],
            np.zeros(len(chosen), np.int64),
            starts[chosen],
            frames.mean(axis=1),
            frames.std(axis=1),
            np.asarray(of_windows["penultimate"]),
            sigmoid(of_windows["logits"]),
            sigmoid(of_whole["logits"]),
            np.asarray(of_whole["steps"]),
        )

    def _log_mels(self, whole: FloatArray, stored: StoredLogMel | None) -> list[FloatArray]:
        config = self.config
        bad = [features.log_mel(degrade(whole, config.sample_rate, self.rng), config) for _ in range(N_BAD)]
        as_it_is = features.log_mel(whole, config)
        n_frames = len(as_it_is)
        good = [as_it_is, _as_archive(whole, n_frames, config, self.rng)]
        good += [features.log_mel(coded(whole, config.sample_rate, self.of_codecs), config) for _ in range(2)]
        if stored is not None:
            good[-1] = _as_stored(stored, n_frames, config)
        return good + bad
