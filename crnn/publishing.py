"""From a trained network to a bundle: calibration, scores, exports and the model card."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from crnn import bundle as bundles
from crnn import evaluation, export, negatives, training
from crnn.archive import to_uint8
from crnn.bundle import Bundle, Calibration, Rejection
from crnn.card import model_card
from crnn.config import FeatureConfig
from crnn.features import log_mel
from crnn.orders import TrainingSettings
from crnn.rejection import fit_rejection
from crnn.training import LabelledTracks, TrainingData, TrainResult

FloatArray = npt.NDArray[np.float32]

_LEAST_TO_CALIBRATE = 20
_NEGATIVES_PER_KIND = 12
_NEGATIVE_SECONDS = 12.0
_VERSIONS_OF = ("tensorflow-cpu", "tensorflow", "keras", "numpy", "scipy", "onnx", "onnxruntime", "scikit-learn")


@dataclass(frozen=True)
class Provenance:
    """Where a model's knowledge comes from: facts of data set and split, for bundle and card."""

    data: dict[str, Any]
    split: dict[str, Any]
    notes: str = ""


def publish(
    result: TrainResult,
    folder: Path,
    data: TrainingData,
    settings: TrainingSettings,
    provenance: Provenance,
    *,
    calibration: Calibration | None = None,
    rejection: Rejection | None = None,
    further_scores: dict[str, dict[str, Any]] | None = None,
    replace: bool = False,
) -> Bundle:
    """Save a trained network as a bundle, calibrated on the validation tracks.

    Args:
        result: What training gave.
        folder: Where the bundle shall lie.
        data: The tracks it learnt from, and those to calibrate and score on (they may be none).
        settings: What it was trained with.
        provenance: Data set and split.
        calibration: Thresholds from elsewhere (cross-fitted, say) instead of the validation tracks.
        rejection: From elsewhere, instead of one fitted on the train tracks and negatives made on the spot.
        further_scores: Scores of other parts than the validation tracks, by name.
        replace: Whether a bundle there may be replaced.

    Raises:
        BundleError: It cannot be saved, or an export answers differently.
    """
    config, genres, tracks, valid = settings.features, data.genres, data.tracks, data.valid
    logits = training.predict_logits(result.model, valid.log_mels, config) if len(valid) else []
    fitted = calibration or fit_calibration(logits, valid.labels)
    scores: dict[str, Any] = {}
    if len(valid):
        posteriors = evaluation.track_posteriors(logits, fitted.temperature)
        level = {"level": "track", "part": "valid"}
        scores["valid"] = evaluation.score(valid.labels, posteriors, genres).to_dict() | level
    embeddings = embed(result.model, tracks.log_mels, config)
    facts = Bundle(
        name=folder.name,
        feature_config=config,
        genres=genres,
        embedding_size=settings.model.embedding_size,
        calibration=fitted,
        rejection=rejection or fit_rejection(embeddings, embed_negatives(result.model, settings)),
        data=provenance.data,
        split=provenance.split,
        scores=scores | (further_scores or {}),
        model=settings.model.to_dict() | {"n_parameters": int(result.model.count_params())},
        training=settings.to_dict() | {"epochs_trained": len(result.history), "kept_epoch": result.kept_epoch},
        versions=versions(),
        created=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        notes=provenance.notes,
    )
    check = np.concatenate([training.plain_segments(track, config)[:1] for track in tracks.log_mels[:16]])

    def write_files(draft: Path) -> None:
        # A network without its optimiser: a third of the size.
        keras.Model(result.model.inputs, result.model.outputs, name="crnn").save(draft / bundles.KERAS_NAME)
        _deflate(draft / bundles.KERAS_NAME)
        export.write_onnx(result.model, draft / bundles.ONNX_NAME, check)
        _write_embeddings(draft / bundles.EMBEDDINGS_NAME, embeddings, tracks)
        (draft / bundles.CARD_NAME).write_text(model_card(facts), encoding="utf-8")

    return bundles.save_bundle(facts, folder, write_files, replace=replace)


def _deflate(path: Path) -> None:
    """Pack a `.keras` file, which Keras stores as it is: rounded weights shrink to two thirds."""
    with zipfile.ZipFile(path) as source:
        members = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)


def fit_calibration(logits: Sequence[npt.NDArray[np.floating]], labels: npt.NDArray[np.int64]) -> Calibration:
    """Temperature and thresholds that fit validation tracks; plain defaults for fewer than 20."""
    if len(logits) < _LEAST_TO_CALIBRATE:
        return Calibration(unsure_below=0.5)
    temperature = evaluation.fit_temperature(list(logits), labels)
    posteriors = evaluation.track_posteriors(list(logits), temperature)
    coverage = Calibration.set_coverage
    return Calibration(
        temperature=temperature,
        unsure_below=evaluation.fit_unsure_threshold(posteriors, labels),
        set_threshold=evaluation.fit_set_threshold(posteriors, labels, coverage),
        set_coverage=coverage,
    )


def embed(model: keras.Model, log_mels: Sequence[npt.NDArray[np.uint8]], config: FeatureConfig) -> list[FloatArray]:
    """Embeddings of each track's segments, `(n_segments, embedding_size)`."""
    network = export.OnnxNetwork(model)
    return [network.run(training.plain_segments(log_mel, config))[1] for log_mel in log_mels]


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that shaped the model."""
    found = {"python": platform.python_version()}
    for name in _VERSIONS_OF:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def embed_negatives(model: keras.Model, settings: TrainingSettings) -> list[FloatArray]:
    """Embeddings of sounds that are no music, made on the spot: `_NEGATIVES_PER_KIND` of each kind."""
    config = settings.features
    sounds = [
        negatives.synthesize(kind, settings.train.seed + i, _NEGATIVE_SECONDS, config.sample_rate)
        for kind in negatives.KINDS
        for i in range(_NEGATIVES_PER_KIND)
    ]
    return embed(model, [to_uint8(log_mel(sound, config)) for sound in sounds], config)


def _write_embeddings(path: Path, embeddings: list[FloatArray], tracks: LabelledTracks) -> None:
    """The map of the training tracks: their mean embeddings and the plane they spread most in."""
    means = np.stack([track.mean(axis=0) for track in embeddings])
    centre = means.mean(axis=0)
    _, _, directions = np.linalg.svd(means - centre, full_matrices=False)
    np.savez_compressed(
        path,
        embeddings=means.astype(np.float16),
        labels=tracks.labels.astype(np.int16),
        track_ids=np.array(tracks.track_ids),
        centre=centre.astype(np.float32),
        axes=directions[:2].T.astype(np.float32),
    )
