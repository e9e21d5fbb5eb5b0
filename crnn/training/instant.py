"""The instant head: genres of one's own on the embedding of a model, fitted in seconds and without Keras.

A track is the mean of its segments' embeddings, which is exact: the answer for a track is the softmax of its
segments' mean logits, and a linear layer's mean is the layer of the mean. On few tracks nothing that trains
the body was better (`bench.transfer`); so this is what a user's own genres begin with.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from crnn.bundles.bundle import Bundle
from crnn.data.labelled import plain_segments
from crnn.data.splits import fold_parts, most_folds
from crnn.data.tracks import Track
from crnn.errors import DatasetError
from crnn.evaluation.calibration import LEAST_TO_CALIBRATE, fit_temperature
from crnn.inference.classifier import Classifier
from crnn.inference.listening import Answers

FloatArray = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

# Inverse of the L2 penalty per standardised dimension, as scikit-learn's `C`.
STRENGTHS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
_MAX_ITERATIONS = 400
# How many tracks the common spread of all dimensions counts for.
_PRIOR_TRACKS = 10
_TEMPERATURES = np.geomspace(0.1, 8.0, 24)


@dataclass(frozen=True)
class Head:
    """Weights `(embedding_size, n_genres)` and bias `(n_genres,)` of the logits, for raw embeddings."""

    weights: FloatArray
    bias: FloatArray

    def logits(self, embeddings: Sequence[FloatArray]) -> list[FloatArray]:
        """Logits per track, `(n_segments, n_genres)`."""
        return [np.asarray(track @ self.weights + self.bias, dtype=np.float32) for track in embeddings]


@dataclass(frozen=True)
class Fitted:
    """A head for all tracks, and what heads say that did not see a track's fold.

    logits: per track `(n_segments, n_genres)`, by the head of the other folds, whose strength these chose; on the
        scale of `head`: what is penalised less is surer, right or wrong.
    as_kept: the same by heads of the strength of `head`, for its calibration.
    strength: the inverse penalty that was chosen.
    """

    head: Head
    logits: list[FloatArray]
    as_kept: list[FloatArray]
    strength: float


def hear(
    bundle: Bundle,
    log_mels: Sequence[npt.NDArray[np.uint8]],
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[Answers]:
    """What the network that the bundle serves says of each track's segments: embeddings, and tags if it has any.

    Args:
        bundle: Whose body; an imported one, without Keras, will do.
        log_mels: Tracks as log-mel archives hold them.
        on_progress: Called with the tracks done and all of them.
        should_stop: Asked after each track; what is there by then is returned.

    Raises:
        BundleError: The network cannot be opened.
    """
    # A companion has a say in the genre, not in the embedding.
    classifier = Classifier(dataclasses.replace(bundle, companion=None))
    found: list[Answers] = []
    for cells in log_mels:
        if should_stop():
            break
        found.append(classifier.run_all(plain_segments(cells, bundle.feature_config)))
        on_progress(len(found), len(log_mels))
    return found


def fold_numbers(tracks: Sequence[Track], split: str | None, seed: int, n_folds: int = 0) -> Labels:
    """Fold of each track, from 0 on.

    Args:
        tracks: What is learnt.
        split: As in `most_folds`.
        seed: As in `most_folds`.
        n_folds: So many; 0 takes as many as the smallest genre allows.

    Raises:
        TooFewTracksError: Not even two folds can be dealt.
    """
    parts = fold_parts(tracks, n_folds, split, seed) if n_folds else most_folds(tracks, split, seed)
    fold_of = {track.track_id: number for number, part in enumerate(parts.values()) for track in part}
    return np.array([fold_of[track.track_id] for track in tracks])


def folds_if_any(tracks: Sequence[Track], split: str | None, seed: int) -> Labels | None:
    """Fold of each track, as `fold_numbers` deals them; None where not even two can be dealt.

    Args:
        tracks: As in `fold_numbers`.
        split: As in `most_folds`.
        seed: As in `most_folds`.
    """
    try:
        return fold_numbers(tracks, split, seed) if tracks else None
    except DatasetError:
        return None


class _StoppedError(Exception):
    """Somebody asked for it."""


def fit(
    embeddings: Sequence[FloatArray],
    labels: Labels,
    folds: Labels,
    n_genres: int,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Fitted:
    """A head for all tracks, and its honest answers: strength and weights are chosen without the fold they answer.

    Args:
        embeddings: Per track, `(n_segments, embedding_size)`.
        labels: Genre of each.
        folds: Fold of each; every genre lies outside each fold.
        n_genres: Number of genres.
        on_progress: Called with the fits done and all of them; what it raises ends the fitting.
    """
    means = np.stack([track.mean(axis=0, dtype=np.float64) for track in embeddings])
    with threadpool_limits(1, user_api="blas"):
        return _fitted(means, embeddings, labels, folds, n_genres, on_progress)


def fit_unless_stopped(
    embeddings: Sequence[FloatArray],
    labels: Labels,
    folds: Labels,
    n_genres: int,
    *,
    on_progress: Callable[[int, int], None],
    should_stop: Callable[[], bool],
) -> Fitted | None:
    """As `fit`; None if it was stopped meanwhile.

    Args:
        embeddings: As of `fit`.
        labels: As of `fit`.
        folds: As of `fit`.
        n_genres: As of `fit`.
        on_progress: As of `fit`.
        should_stop: Asked after each fit.
    """

    def tell(done: int, total: int) -> None:
        on_progress(done, total)
        if should_stop():
            raise _StoppedError

    try:
        return fit(embeddings, labels, folds, n_genres, on_progress=tell)
    except _StoppedError:
        return None


def _fitted(  # noqa: PLR0917 - what `fit` was given
    means: npt.NDArray[np.float64],
    embeddings: Sequence[FloatArray],
    labels: Labels,
    folds: Labels,
    n_genres: int,
    on_progress: Callable[[int, int], None],
) -> Fitted:
    numbers = np.unique(folds).tolist()
    pairs = _pairs(numbers)
    n_fits, done = len(pairs) + len(numbers) + 1, itertools.count(1)

    def fits(chosen: npt.NDArray[np.bool_]) -> dict[float, Head]:
        found = _fits(means, labels, chosen, n_genres)
        on_progress(next(done), n_fits)
        return found

    inner = {pair: fits(~np.isin(folds, pair)) for pair in pairs}
    outer = {fold: fits(folds != fold) for fold in numbers}
    kept = _best(outer, means, labels, folds)
    scale = _temperature(outer, kept, means, labels, folds)
    logits: list[FloatArray] = [np.zeros((0, n_genres), np.float32)] * len(labels)
    as_kept = list(logits)
    for fold in numbers:
        others = {other: inner[min(fold, other), max(fold, other)] for other in numbers if other != fold}
        # With two folds no other is left to choose by, so the middle of the range is taken.
        strength, by_fold = (_best(others, means, labels, folds), others) if len(others) > 1 else (_MIDDLE, outer)
        ratio = scale / _temperature(by_fold, strength, means, labels, folds)
        inside = np.flatnonzero(folds == fold).tolist()
        heard = [embeddings[i] for i in inside]
        answers, alike = outer[fold][strength].logits(heard), outer[fold][kept].logits(heard)
        for i, answer, like_kept in zip(inside, answers, alike, strict=True):
            logits[i], as_kept[i] = answer * np.float32(ratio), like_kept
    whole = fit_head(means, labels, n_genres, kept)
    on_progress(n_fits, n_fits)
    return Fitted(whole, logits, as_kept, kept)


_MIDDLE = STRENGTHS[len(STRENGTHS) // 2]


def _pairs(numbers: list[int]) -> list[tuple[int, int]]:
    return list(itertools.combinations(numbers, 2)) if len(numbers) > 2 else [(numbers[0], numbers[1])]


def _fits(
    means: npt.NDArray[np.float64], labels: Labels, chosen: npt.NDArray[np.bool_], n_genres: int
) -> dict[float, Head]:
    if len(np.unique(labels[chosen])) < n_genres:
        return {}
    reduced = _Reduced(means[chosen])
    return {strength: reduced.fit(labels[chosen], n_genres, strength) for strength in STRENGTHS}


ByFold = dict[int, dict[float, Head]]


def _best(by_fold: ByFold, means: npt.NDArray[np.float64], labels: Labels, folds: Labels) -> float:
    """The strength of the lowest loss on folds, each answered by heads that did not see it."""
    if not any(by_fold.values()):
        return _MIDDLE
    losses = {strength: _loss(*_answers(by_fold, strength, means, labels, folds)) for strength in STRENGTHS}
    return min(losses, key=losses.__getitem__)


def _temperature(
    by_fold: ByFold, strength: float, means: npt.NDArray[np.float64], labels: Labels, folds: Labels
) -> float:
    """The temperature of such answers; 1 for too few to tell."""
    logits, true = _answers(by_fold, strength, means, labels, folds)
    return fit_temperature([row[None] for row in logits], true) if len(true) >= LEAST_TO_CALIBRATE else 1.0


def _answers(
    by_fold: ByFold, strength: float, means: npt.NDArray[np.float64], labels: Labels, folds: Labels
) -> tuple[npt.NDArray[np.float64], Labels]:
    """Logits of the tracks of the folds that have heads, each by those that did not see it, and their genres."""
    logits = np.zeros((len(labels), int(labels.max()) + 1))
    answered = np.zeros(len(labels), dtype=bool)
    for fold, heads in by_fold.items():
        if heads:
            inside = folds == fold
            logits[inside] = means[inside] @ heads[strength].weights + heads[strength].bias
            answered |= inside
    return logits[answered], labels[answered]


def _loss(logits: npt.NDArray[np.float64], labels: Labels) -> float:
    """Mean negative log of the true genres' posteriors at the best temperature.

    Without the temperature, which is fitted afterwards anyway, the boldest head would win.
    """
    scaled = logits[None] / _TEMPERATURES[:, None, None]
    scaled -= scaled.max(axis=2, keepdims=True)
    log_posteriors = scaled - np.log(np.exp(scaled).sum(axis=2, keepdims=True))
    return float(-log_posteriors[:, np.arange(len(labels)), labels].mean(axis=1).max())


def fit_head(means: npt.NDArray[np.float64], labels: Labels, n_genres: int, strength: float) -> Head:
    """Multinomial logistic regression on the mean embeddings of tracks; every genre weighs the same.

    Args:
        means: `(n_tracks, embedding_size)`.
        labels: Genre of each; every genre has a track.
        n_genres: Number of genres.
        strength: Inverse of the L2 penalty.
    """
    return _Reduced(means).fit(labels, n_genres, strength)


class _Reduced:
    """Tracks standardised, in the space they span: the penalty does not notice, and fits take milliseconds."""

    def __init__(self, means: npt.NDArray[np.float64]) -> None:
        self._mean, variance = means.mean(axis=0), means.var(axis=0)
        # The spread of a dimension over few tracks is mostly chance: where it happens to be small, an unheard
        # track would be thrown far off. So it is drawn towards that of all dimensions.
        shrunk = (len(means) * variance + _PRIOR_TRACKS * variance.mean()) / (len(means) + _PRIOR_TRACKS)
        self._deviation = np.sqrt(shrunk + 1e-6)
        standardised = (means - self._mean) / self._deviation
        left, sizes, self._axes = np.linalg.svd(standardised, full_matrices=False)
        self._inputs = left * sizes

    def fit(self, labels: Labels, n_genres: int, strength: float) -> Head:
        from scipy.optimize import minimize

        x, n_dims = self._inputs, self._inputs.shape[1]
        weight = len(labels) / (n_genres * np.bincount(labels, minlength=n_genres)[labels])
        truth = np.eye(n_genres)[labels]

        def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
            weights, bias = flat[: n_dims * n_genres].reshape(n_dims, n_genres), flat[n_dims * n_genres :]
            logits = x @ weights + bias
            logits -= logits.max(axis=1, keepdims=True)
            log_sum = np.log(np.exp(logits).sum(axis=1, keepdims=True))
            wrong = (np.exp(logits - log_sum) - truth) * weight[:, None]
            value = float((weight * (log_sum[:, 0] - (logits * truth).sum(axis=1))).sum())
            gradient = np.concatenate([(x.T @ wrong + weights / strength).ravel(), wrong.sum(axis=0)])
            return value + float((weights**2).sum()) / (2 * strength), gradient

        start = np.zeros((n_dims + 1) * n_genres)
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _MAX_ITERATIONS}).x
        inner, bias = found[: n_dims * n_genres].reshape(n_dims, n_genres), found[n_dims * n_genres :]
        weights = (self._axes.T @ inner) / self._deviation[:, None]
        return Head(weights.astype(np.float32), (bias - self._mean @ weights).astype(np.float32))
