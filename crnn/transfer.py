"""A trained model as the start of another: its body, under a head fitted to the new genres.

The head is a logistic regression on the body's embeddings, so that training begins where
the old knowledge ends, and what follows only has to refine it, gently.
"""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import numpy.typing as npt

from crnn.bundle import Bundle
from crnn.config import ModelConfig
from crnn.keras_file import open_keras
from crnn.linear_head import N_FOLDS, attach, choose_strength, embed_tracks, fit_linear_head
from crnn.model import with_new_head
from crnn.orders import TrainingSettings
from crnn.training import TrainingData

# Variations of each track that the head is fitted on, beside its plain segments.
_N_CROPS = 4
_CAUTIOUS_STRENGTH = 0.01


def settings_from(bundle: Bundle, settings: TrainingSettings) -> TrainingSettings:
    """`settings`, with the features and the network of the model that training starts from."""
    sizes = {key: value for key, value in bundle.model.items() if key != "n_parameters"}
    return dataclasses.replace(settings, features=bundle.feature_config, model=ModelConfig.from_dict(sizes))


def start_from(bundle: Bundle, data: TrainingData, settings: TrainingSettings, *, resumes: bool) -> keras.Model:
    """The network of `bundle`, ready to learn the genres of `data`.

    Args:
        bundle: A model of this machine.
        data: What will be learnt; its head is fitted to the tracks to learn from.
        settings: From `settings_from`.
        resumes: A checkpoint will bring all weights: then the head's do not matter.

    Raises:
        BundleError: It has no Keras file, or a bad one.
    """
    model = open_keras(bundle)
    if bundle.genres == data.genres:
        return model
    if resumes:
        return with_new_head(model, len(data.genres))
    labels, n_genres = data.tracks.labels, len(data.genres)
    embedded = embed_tracks(
        model, data.tracks, settings.features, settings.augment, n_crops=_N_CROPS, seed=settings.train.seed
    )
    folds = _folds(labels)
    strength = _CAUTIOUS_STRENGTH
    if folds.max() > 0:
        strength, _ = choose_strength(embedded, labels, folds, n_genres)
    return attach(model, fit_linear_head(embedded, labels, n_genres, strength=strength))


def _folds(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A fold for each track, every genre in all of them; one fold alone if a genre has one track."""
    n_folds = min(N_FOLDS, int(np.bincount(labels)[np.unique(labels)].min()))
    folds = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        folds[members] = np.arange(len(members)) * n_folds // len(members)
    return folds
