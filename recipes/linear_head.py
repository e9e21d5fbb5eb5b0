"""A genre head for a frozen CRNN: logistic regression on its embeddings.

When a model's body already knows music, a linear head is the fast and safe way to new
genres: seconds instead of minutes, nothing to overfit but one layer. It is fitted on
plain segments and random variations of every track, and its strength is chosen by
folds in which no track lies on both sides.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from crnn.config import AugmentConfig, FeatureConfig
from crnn.data.labelled import LabelledTracks, plain_segments
from crnn.evaluation.calibration import fit_temperature
from crnn.evaluation.metrics import track_posteriors
from crnn.features.archive import to_db
from crnn.features.augment import random_crop
from crnn.networks.crnn import LOGITS, with_new_head
from crnn.networks.onnx_export import OnnxNetwork
from crnn.training.instant import STRENGTHS, Head

FloatArray = npt.NDArray[np.float32]

N_FOLDS = 5
_SHRINKAGE = 0.3
# Brings the logits of the discriminant analysis, which are far too sure, to the size of the regression's.
_DISCRIMINANT_SCALE = 0.1


@dataclass(frozen=True)
class Embedded:
    """Embeddings of tracks.

    plain: per track those of the segments that inference cuts, `(n_segments, size)`.
    varied: per track those of random variations, `(n_crops, size)`.
    """

    plain: list[FloatArray]
    varied: list[FloatArray]


def embed_tracks(
    model: keras.Model,
    tracks: LabelledTracks,
    config: FeatureConfig,
    augment: AugmentConfig,
    *,
    n_crops: int,
    seed: int,
) -> Embedded:
    """Embeddings of plain segments and of `n_crops` random variations of each track.

    Args:
        model: A CRNN; its head does not matter.
        tracks: Log-mels of the tracks.
        config: Segment length and floor.
        augment: How much to vary.
        n_crops: Variations per track.
        seed: Of the variations.
    """
    plain_inputs = [plain_segments(log_mel, config) for log_mel in tracks.log_mels]
    varied_inputs = [
        np.stack(
            [
                random_crop(to_db(log_mel, config), config, augment, np.random.default_rng([seed, index, crop]))
                for crop in range(n_crops)
            ]
        )
        for index, log_mel in enumerate(tracks.log_mels)
        if n_crops
    ]
    network = OnnxNetwork(model)
    plain = [network.run(segments).embeddings for segments in plain_inputs]
    varied = [network.run(crops).embeddings for crops in varied_inputs]
    return Embedded(plain, varied or [track[:0] for track in plain])


def fit_linear_head(
    embedded: Embedded,
    labels: npt.NDArray[np.int64],
    n_genres: int,
    *,
    strength: float,
    discriminant_weight: float = 0.0,
    parts: tuple[int, ...] = (),
    seed: int = 0,
) -> Head:
    """Multinomial logistic regression; every genre and every track of it weighs the same.

    To its logits those of a shrunk linear discriminant analysis can be added, which errs otherwise: it
    describes the genres instead of parting them. Where the embedding has parts that know the music from
    different sides, a head for each and the sum of their logits, a product of experts (Hinton 2002),
    errs less than one head for all of it.

    Args:
        embedded: Embeddings of the tracks to learn from.
        labels: Their genres.
        n_genres: Number of genres; each needs a track.
        strength: Inverse of the L2 penalty (scikit-learn's `C`), per standardised dimension.
        discriminant_weight: Of the discriminant analysis's logits.
        parts: Widths of the embedding's parts, each of which gets a head; none is one head for all of it.
        seed: Of the solver.

    Raises:
        ValueError: `parts` do not add up to the width of the embedding.
    """
    if parts:
        heads = [
            fit_linear_head(
                part, labels, n_genres, strength=strength, discriminant_weight=discriminant_weight, seed=seed
            )
            for part in _parted(embedded, parts)
        ]
        weights = np.concatenate([head.weights for head in heads])
        return Head(weights, np.sum([head.bias for head in heads], axis=0, dtype=np.float32))
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression

    per_track = [np.concatenate(pair) for pair in zip(embedded.plain, embedded.varied, strict=True)]
    inputs = np.concatenate(per_track).astype(np.float64)
    lengths = np.array([len(track) for track in per_track])
    per_genre = np.bincount(labels, minlength=n_genres)
    weight_of_track = len(labels) / (n_genres * per_genre[labels]) / lengths
    mean, deviation = inputs.mean(axis=0), inputs.std(axis=0) + 1e-3
    standardised, of_segment = (inputs - mean) / deviation, np.repeat(labels, lengths)
    regression = LogisticRegression(C=strength, max_iter=400, random_state=seed)
    regression.fit(standardised, of_segment, np.repeat(weight_of_track, lengths))
    coefficients, intercept = _one_row_per_genre(regression)
    if discriminant_weight:
        analysis = LinearDiscriminantAnalysis(
            solver="lsqr", shrinkage=_SHRINKAGE, priors=np.full(n_genres, 1 / n_genres)
        )
        further = _one_row_per_genre(analysis.fit(standardised, of_segment))
        coefficients = coefficients + discriminant_weight * _DISCRIMINANT_SCALE * further[0]
        intercept = intercept + discriminant_weight * _DISCRIMINANT_SCALE * further[1]
    weights = (coefficients / deviation).T
    return Head(weights.astype(np.float32), (intercept - mean @ weights).astype(np.float32))


def _parted(embedded: Embedded, parts: tuple[int, ...]) -> list[Embedded]:
    width = embedded.plain[0].shape[1]
    if sum(parts) != width:
        raise ValueError(f"parts {parts} of an embedding of {width}")
    bounds = np.cumsum((0, *parts))
    return [
        Embedded([track[:, low:high] for track in embedded.plain], [track[:, low:high] for track in embedded.varied])
        for low, high in itertools.pairwise(bounds)
    ]


def _one_row_per_genre(fitted: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Coefficients `(n_genres, size)` and intercept `(n_genres,)`; scikit-learn gives one row for two classes."""
    if len(fitted.coef_) > 1:
        return fitted.coef_, fitted.intercept_
    return np.concatenate([-fitted.coef_, fitted.coef_]) / 2, np.array([-1, 1]) * fitted.intercept_ / 2


def out_of_fold_logits(
    embedded: Embedded,
    labels: npt.NDArray[np.int64],
    folds: npt.NDArray[np.int64],
    n_genres: int,
    *,
    strength: float,
    discriminant_weight: float = 0.0,
    parts: tuple[int, ...] = (),
) -> list[FloatArray]:
    """Logits of each track's plain segments by heads that did not see the track's fold.

    Args:
        embedded: Embeddings of the tracks' segments, plain and varied.
        labels: Genres, `(n_tracks,)`.
        folds: Fold of each track, `(n_tracks,)`.
        n_genres: Logits of a head.
        strength: As of `fit_linear_head`, like the next two.
        discriminant_weight: How much of the head is discriminant analysis.
        parts: Sizes of the stretches of the embedding that get a head each.

    Returns:
        Per track `(n_segments, n_genres)`.
    """
    logits: list[FloatArray] = [np.zeros((0, n_genres), np.float32)] * len(labels)
    for fold in np.unique(folds):
        inside, outside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        learnt = Embedded([embedded.plain[i] for i in outside], [embedded.varied[i] for i in outside])
        head = fit_linear_head(
            learnt,
            labels[outside],
            n_genres,
            strength=strength,
            discriminant_weight=discriminant_weight,
            parts=parts,
        )
        for i, track_logits in zip(inside, head.logits([embedded.plain[i] for i in inside]), strict=True):
            logits[i] = track_logits
    return logits


def choose_strength(
    embedded: Embedded,
    labels: npt.NDArray[np.int64],
    folds: npt.NDArray[np.int64],
    n_genres: int,
    *,
    discriminant_weight: float = 0.0,
    parts: tuple[int, ...] = (),
) -> tuple[float, dict[float, float]]:
    """The strength of the lowest loss over the folds, and the loss of each that was tried.

    Args:
        embedded: Embeddings of the tracks' segments, plain and varied.
        labels: Genres, `(n_tracks,)`.
        folds: Fold of each track, `(n_tracks,)`.
        n_genres: Logits of a head.
        discriminant_weight: As of `fit_linear_head`.
        parts: As of `fit_linear_head`.
    """
    losses = {}
    for strength in STRENGTHS:
        logits = out_of_fold_logits(
            embedded,
            labels,
            folds,
            n_genres,
            strength=strength,
            discriminant_weight=discriminant_weight,
            parts=parts,
        )
        losses[strength] = _loss(logits, labels)
    return min(losses, key=losses.__getitem__), losses


def _loss(logits: list[FloatArray], labels: npt.NDArray[np.int64]) -> float:
    """Mean negative log of the true genres' posteriors of tracks, at the best temperature.

    Without the temperature, which is fitted afterwards anyway, the least regular head would win for being bold.
    """
    temperature = fit_temperature(list(logits), labels)
    of_true = track_posteriors(list(logits), temperature)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(of_true, 1e-9)).mean())


def attach(model: keras.Model, head: Head) -> keras.Model:
    """The body of `model` under the fitted head.

    Args:
        model: A CRNN; its layers are shared, not copied.
        head: Fitted to its embeddings.
    """
    renewed = with_new_head(model, len(head.bias))
    renewed.get_layer(LOGITS).set_weights([head.weights, head.bias])
    return renewed
