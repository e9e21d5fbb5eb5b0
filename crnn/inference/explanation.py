"""Which times and frequencies spoke for a genre and which against it, without gradients.

A log-mel segment is cut into cells of some half a second by some bands. Many times a
fifth of them, in random patches, is set to the mean of its band, the network answers,
and a ridge regression of the log-posterior on what was deleted gives each cell its weight
(after LIME, Ribeiro et al. 2016, and RISE, Petsiuk et al. 2018). After a first round of
deletions, further ones favour the cells that seem to matter: half as many runs of the
network then tell as much as deletions by chance alone. A positive weight
spoke for the genre: without it the genre is less likely. ONNX Runtime does all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crnn.config import FeatureConfig
from crnn.features import log_mel
from crnn.inference.classifier import Classifier
from crnn.inference.decision import softmax

FloatArray = npt.NDArray[np.float32]

BANDS_PER_CELL = 8
CELL_SECONDS = 0.5
N_MASKS = 24
MAX_SECONDS = 30.0
DELETED_SHARE = 0.2

# Random deletions in the first round, and in each later one, which favours cells that mattered so far.
_FIRST_ROUND, _LATER_ROUND = 16, 8
_PATCH_CELLS = 0.8
_FAVOUR = 2.0
# Strong, since there are more cells than answers.
_RIDGE = 30.0
_SEED = 4


@dataclass(frozen=True)
class Explanation:
    """What spoke for a genre in a stretch of sound.

    weights: change of the genre's log-posterior that each cell is answerable for,
        `(n_columns, n_rows)`, low bands first; positive speaks for it.
    start_seconds: Where the first column begins.
    seconds_per_column: Width of a column.
    posterior: The genre's posterior over the stretch.
    share_done: How much of the stretch was asked about; the weights of the rest are 0.
    """

    genre: str
    weights: FloatArray
    start_seconds: float
    seconds_per_column: float
    posterior: float
    share_done: float = 1.0

    @property
    def end_seconds(self) -> float:
        """Where the last column ends."""
        return self.start_seconds + len(self.weights) * self.seconds_per_column

    def shares(self) -> FloatArray:
        """Weights relative to the greatest, −1 to 1."""
        return self.weights / np.float32(max(float(np.abs(self.weights).max(initial=0.0)), 1e-9))


def steps(
    classifier: Classifier, power: FloatArray, genre: str, *, start_seconds: float = 0.0
) -> Iterator[Explanation]:
    """What spoke for `genre`, segment after segment, where it is strongest first: each step knows more.

    Args:
        classifier: Who answered.
        power: Mel power of the clip, shape `(n_frames, n_mels)`.
        genre: One of the bundle's.
        start_seconds: Where to begin; up to `MAX_SECONDS` from there are explained.

    Raises:
        ValueError: The model does not know the genre.
        BundleError: The network fails.
    """
    genres, config = classifier.bundle.genres, classifier.config
    if genre not in genres:
        raise ValueError(f"genre {genre!r}: {', '.join(genres)} are known")
    label, n_cell = genres.index(genre), cell_frames(config)
    first = min(round(start_seconds * config.frame_rate_hz), max(0, len(power) - config.n_frames))
    n_used = min(len(power) - first, max(config.n_frames, round(MAX_SECONDS * config.frame_rate_hz)))
    starts = _starts(n_used, config)
    segments = [
        log_mel.network_input(power[first + start : first + start + config.n_frames], config) for start in starts
    ]
    posteriors = np.exp(log_posteriors(classifier, np.stack(segments))[:, label])
    n_columns = -(-n_used // n_cell)
    sums, counts = np.zeros((n_columns, n_rows(config))), np.zeros((n_columns, 1))
    for n_done, number in enumerate(np.argsort(-posteriors, kind="stable").tolist(), start=1):
        found, _ = segment_weights(classifier, segments[number], label)
        at = round(starts[number] / n_cell)
        length = min(len(found), n_columns - at)
        sums[at : at + length] += found[:length]
        counts[at : at + length] += 1
        yield Explanation(
            genre=genre,
            weights=np.asarray(sums / np.maximum(counts, 1), dtype=np.float32),
            start_seconds=first / config.frame_rate_hz,
            seconds_per_column=n_cell / config.frame_rate_hz,
            posterior=float(np.mean(posteriors)),
            share_done=n_done / len(starts),
        )


def cell_frames(config: FeatureConfig) -> int:
    """Frames that a cell is wide."""
    return max(1, round(CELL_SECONDS * config.frame_rate_hz))


def n_rows(config: FeatureConfig) -> int:
    """Cells from the lowest to the highest band."""
    return -(-config.n_mels // BANDS_PER_CELL)


def _starts(n_frames: int, config: FeatureConfig) -> list[int]:
    # One after another, the last one back from the end, so that nothing is left out.
    last = n_frames - config.n_frames
    if last <= 0:
        return [0]
    return [*range(0, last, config.n_frames), last]


def segment_weights(
    classifier: Classifier,
    segment: FloatArray,
    label: int,
    *,
    n_masks: int = N_MASKS,
) -> tuple[FloatArray, float]:
    """Weights `(n_columns, n_rows)` of one log-mel segment's cells, and the genre's posterior.

    Args:
        classifier: Who answered.
        segment: dB, `(n_frames, n_mels)`.
        label: The genre's index.
        n_masks: How many deletions are tried; each runs the network once.
    """
    shape = (-(-len(segment) // cell_frames(classifier.config)), n_rows(classifier.config))
    # Always the same masks: a second look shows the same picture.
    rng = np.random.default_rng(_SEED)
    deleted, scores = np.zeros((0, *shape), dtype=bool), np.zeros(0)
    weights = np.zeros(shape)
    while len(deleted) < n_masks:
        n_new = min(n_masks - len(deleted), _LATER_ROUND if len(deleted) else _FIRST_ROUND)
        favour = _FAVOUR * weights / max(float(weights.std()), 1e-12)
        new = np.stack([_patches(favour, rng) for _ in range(n_new)])
        answers = log_posteriors(classifier, delete(segment, new, classifier.config))[:, label]
        deleted, scores = np.concatenate([deleted, new]), np.concatenate([scores, answers])
        weights = _regress(deleted, scores)
    whole = float(np.exp(log_posteriors(classifier, segment[None])[0, label]))
    return weights.astype(np.float32), whole


def _patches(favour: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """A fifth of the cells: where smooth noise, and what is favoured, are greatest."""
    from scipy import ndimage

    noise = ndimage.gaussian_filter(rng.normal(size=favour.shape), _PATCH_CELLS, mode="wrap")
    heights = (favour + noise / max(float(noise.std()), 1e-12)).ravel()
    chosen = np.zeros(heights.size, dtype=bool)
    chosen[np.argsort(-heights, kind="stable")[: max(1, round(DELETED_SHARE * heights.size))]] = True
    return chosen.reshape(favour.shape)


def _regress(deleted: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    design = deleted.reshape(len(deleted), -1).astype(np.float64)
    design -= design.mean(axis=0)
    # More cells than answers, so the dual form is solved. Sound is smooth: the prior covariance of the weights falls
    # off over about a cell.
    prior = _smooth_prior(deleted.shape[1:])
    kernel = design @ prior @ design.T + _RIDGE * DELETED_SHARE * np.eye(len(design))
    weights = -(prior @ design.T) @ np.linalg.solve(kernel, scores - scores.mean())
    return weights.reshape(deleted.shape[1:])


def _smooth_prior(shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    columns, rows = np.indices(shape).reshape(2, -1)
    return np.exp(-np.abs(columns[:, None] - columns) / 1.0 - np.abs(rows[:, None] - rows) / 1.0)


def delete(segment: FloatArray, deleted: npt.NDArray[np.bool_], config: FeatureConfig) -> FloatArray:
    """Copies of a segment, in each of which some cells are set to the mean of their bands.

    Args:
        segment: dB, `(n_frames, n_mels)`.
        deleted: `(n, n_columns, n_rows)`.
        config: Gives the size of a cell.

    Returns:
        float32 `(n, n_frames, n_mels)`.
    """
    n_cell = cell_frames(config)
    fine = deleted.repeat(n_cell, axis=1).repeat(BANDS_PER_CELL, axis=2)[:, : len(segment), : segment.shape[1]]
    return np.where(fine, segment.mean(axis=0), segment).astype(np.float32)


def log_posteriors(classifier: Classifier, segments: FloatArray) -> npt.NDArray[np.float64]:
    """Natural logarithms of the posteriors of log-mel segments, `(n, n_genres)`.

    Args:
        classifier: Whose first network is asked.
        segments: What it reads, `(n, n_frames, n_mels)`.
    """
    logits, _ = classifier.run(segments)
    posteriors = softmax(logits, classifier.bundle.calibration.temperature).astype(np.float64)
    return np.log(np.maximum(posteriors, 1e-12))
