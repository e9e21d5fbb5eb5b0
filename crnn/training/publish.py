"""From a trained network to a bundle: calibration, scores, exports and the model card."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import platform
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from crnn.bundles import bundle as bundles
from crnn.bundles.bundle import Bundle, Calibration, Rejection
from crnn.bundles.lineage import program, with_leg
from crnn.bundles.model_card import FOUND, model_card
from crnn.bundles.tagging import OtherRule, Tagging
from crnn.config import FeatureConfig
from crnn.data import labelled
from crnn.data.labelled import LabelledTracks, TrainingData
from crnn.data.no_music import no_music
from crnn.errors import BundleError
from crnn.evaluation import metrics
from crnn.evaluation.calibration import calibrate
from crnn.evaluation.cross_fitting import Judged
from crnn.inference.decision import softmax
from crnn.jobs.order import TrainingSettings
from crnn.networks.new_head import onnx_with_head, write_keras_with_head
from crnn.networks.onnx_export import MAX_POSTERIOR_DIFFERENCE, OnnxNetwork, write_onnx
from crnn.onnx_runtime import onnx_runtime, resting_options
from crnn.training.inheritance import inherited_rejection, inherited_tagging
from crnn.training.instant import Fitted
from crnn.training.rejection import fit_rejection

if TYPE_CHECKING:
    from crnn.training.trainer import TrainResult

FloatArray = npt.NDArray[np.float32]

_N_CHECKED = 16
_VERSIONS_OF = ("tensorflow-cpu", "tensorflow", "keras", "numpy", "scipy", "onnx", "onnxruntime", "scikit-learn")


@dataclass(frozen=True)
class Provenance:
    """Where a model's knowledge comes from, for bundle and card: facts of data set and split, and earlier legs.

    legs: what was done before, JSON-ready, where that was not a bundle's making.
    valid_units: whose each validation track is, as of `metrics.score`.
    """

    data: dict[str, Any]
    split: dict[str, Any]
    notes: str = ""
    legs: tuple[dict[str, Any], ...] = ()
    valid_units: Sequence[str] | None = None


def publish(
    result: TrainResult,
    folder: Path,
    data: TrainingData,
    settings: TrainingSettings,
    provenance: Provenance,
    *,
    calibration: Calibration | None = None,
    rejection: Rejection | None = None,
    tagging: Tagging | None = None,
    start: Bundle | None = None,
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
        rejection: From elsewhere, instead of the start's, or one fitted on the train tracks and negatives made
            on the spot.
        tagging: What the network's tags say, if it gives any; they tell music from other sound, and no
            rejection is fitted. None takes over the start's.
        start: The bundle that training started from.
        further_scores: Scores of other parts than the validation tracks, by name.
        replace: Whether a bundle there may be replaced.

    Raises:
        BundleError: It cannot be saved, or an export answers differently.
    """
    config, genres, tracks, valid = settings.features, data.genres, data.tracks, data.valid
    logits = [said.logits for said in result.answers_of(valid, config)]
    fitted = calibration or calibrate(logits, valid.labels, provenance.valid_units)
    scores: dict[str, Any] = {}
    if len(valid):
        posteriors = metrics.track_posteriors(logits, fitted.temperature)
        level = {"level": "track", "part": "valid"}
        scores["valid"] = metrics.score(valid.labels, posteriors, genres, provenance.valid_units).to_dict() | level
    embeddings = [said.embeddings for said in result.answers_of(tracks, config)]
    check = _some_segments(tracks, config)
    tagging = tagging or inherited_tagging(start)
    facts = Bundle(
        name=folder.name,
        feature_config=config,
        genres=genres,
        embedding_size=settings.model.embedding_size,
        calibration=fitted,
        rejection=rejection or _rejection(result.network, embeddings, settings, tagging, start),
        tagging=tagging,
        data=provenance.data,
        split=provenance.split,
        scores=scores | (further_scores or {}),
        model=settings.model.to_dict() | {"n_parameters": int(result.model.count_params())},
        training=settings.to_dict() | _learnt(result, start, provenance),
        versions=versions(),
        created=made_now(),
        notes=provenance.notes,
    )

    def write_files(draft: Path) -> None:
        _write_networks(result.network, draft, check)
        _write_embeddings(draft / bundles.EMBEDDINGS_NAME, embeddings, tracks)
        (draft / bundles.CARD_NAME).write_text(model_card(facts), encoding="utf-8")

    return bundles.save_bundle(facts, folder, write_files, replace=replace)


def _write_networks(network: OnnxNetwork, draft: Path, check: FloatArray) -> None:
    import keras

    from crnn.networks.crnn import has_tags

    model = network.model
    # A network without its optimiser: a third of the size.
    outputs = model.output if has_tags(model) else model.outputs
    keras.Model(model.inputs, outputs, name="crnn").save(draft / bundles.KERAS_NAME)
    _deflate(draft / bundles.KERAS_NAME)
    write_onnx(network, draft / bundles.ONNX_NAME, check)


def publish_head(
    fitted: Fitted,
    start: Bundle,
    folder: Path,
    *,
    tracks: LabelledTracks,
    embeddings: list[FloatArray],
    judged: Judged,
    other: OtherRule | None = None,
    genres: tuple[str, ...],
    provenance: Provenance,
    replace: bool = False,
) -> Bundle:
    """Save a fitted head on the body of `start` as a bundle; what that body knows besides genres goes along.

    Args:
        fitted: The head.
        start: Whose body it was fitted on.
        folder: Where the bundle shall lie.
        tracks: What it learnt from.
        embeddings: Theirs.
        judged: What the folds say of it.
        other: How to tell music of none of the genres, if that was taught.
        genres: Names in logit order.
        provenance: Data set and split.
        replace: Whether a bundle there may be replaced.

    Raises:
        BundleError: It cannot be saved, or answers otherwise than it should.
    """
    head = fitted.head
    legs = with_leg(start, {"what": f"head fitted to “{start.name}”"} | _leg_facts(provenance))
    facts = dataclasses.replace(
        start,
        name=folder.name,
        genres=genres,
        calibration=judged.calibration,
        rejection=inherited_rejection(start, embeddings),
        tagging=inherited_tagging(start, other),
        # It knows the start's genres alone.
        companion=None,
        data=provenance.data,
        split=provenance.split,
        scores={"folds": judged.scores},
        training={"method": "fitted head", "start": start.name, "strength": fitted.strength, "legs": legs},
        versions=versions(),
        created=made_now(),
        notes=provenance.notes,
        path=None,
    )
    check = _some_segments(tracks, start.feature_config)

    def write_files(draft: Path) -> None:
        content = onnx_with_head(start.file(bundles.ONNX_NAME).read_bytes(), head.weights, head.bias)
        _check_head(content, fitted, check)
        (draft / bundles.ONNX_NAME).write_bytes(content)
        if start.is_trainable:
            write_keras_with_head(start.file(bundles.KERAS_NAME), draft / bundles.KERAS_NAME, head.weights, head.bias)
        _write_embeddings(draft / bundles.EMBEDDINGS_NAME, embeddings, tracks)
        (draft / bundles.CARD_NAME).write_text(model_card(facts), encoding="utf-8")

    return bundles.save_bundle(facts, folder, write_files, replace=replace)


def with_other(bundle: Bundle, other: OtherRule) -> Bundle:
    """The bundle with a rule for music of none of its genres, which only its own network could teach.

    Args:
        bundle: With tags.
        other: The rule.
    """
    assert bundle.tagging is not None
    return dataclasses.replace(bundle, tagging=dataclasses.replace(bundle.tagging, other=other))


def publish_findings(bundle: Bundle, found: Sequence[str]) -> Bundle:
    """The bundle at its place with what it was found to do, which only the published one could be asked, in its card.

    Args:
        bundle: As it was published, or with another rule.
        found: Sentences.

    Raises:
        BundleError: It cannot be saved.
    """
    assert bundle.path is not None
    facts = dataclasses.replace(bundle, training=bundle.training | {FOUND: list(found)})
    try:
        (bundle.path / bundles.CARD_NAME).write_text(model_card(facts), encoding="utf-8")
    except OSError as err:
        raise BundleError(f"The model's card could not be written: {err.strerror or err}.") from err
    return bundles.rewrite_json(facts)


def _check_head(content: bytes, fitted: Fitted, segments: FloatArray) -> None:
    session = onnx_runtime().InferenceSession(content, resting_options(), providers=["CPUExecutionProvider"])
    logits, embedding = session.run(["logits", "embedding"], {session.get_inputs()[0].name: segments})
    (expected,) = fitted.head.logits([np.asarray(embedding)])
    difference = float(np.abs(softmax(np.asarray(logits)) - softmax(expected)).max())
    if not difference <= MAX_POSTERIOR_DIFFERENCE:
        raise BundleError(f"The network with its new head answers differently by {difference:.1e}. It was not saved.")


def _learnt(result: TrainResult, start: Bundle | None, provenance: Provenance) -> dict[str, Any]:
    n = len(result.history)
    leg = {"what": "network trained", "epochs": n} if n else {"what": "heads fitted"}
    legs = with_leg(start, leg | _leg_facts(provenance))
    return {"epochs_trained": n, "kept_epoch": result.kept_epoch, "legs": [*provenance.legs, *legs]}


def _leg_facts(provenance: Provenance) -> dict[str, Any]:
    known = {name: provenance.data[name] for name in ("name", "fingerprint") if name in provenance.data}
    return {"data": known, "created": made_now()}


def made_now() -> str:
    """The moment, as bundles note it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _some_segments(tracks: LabelledTracks, config: FeatureConfig) -> FloatArray:
    """The first segments of some tracks, `(n, n_frames, n_mels)`: of the length that most of them have.

    Tracks shorter than a segment give shorter ones, which cannot be in one batch with the others.
    """
    firsts = [labelled.plain_segments(track, config)[:1] for track in tracks.log_mels[:_N_CHECKED]]
    lengths = Counter(segments.shape[1] for segments in firsts)
    commonest = max(lengths, key=lambda length: (lengths[length], length))
    return np.concatenate([segments for segments in firsts if segments.shape[1] == commonest])


def _deflate(path: Path) -> None:
    """Pack a `.keras` file, which Keras stores as it is: rounded weights shrink to two thirds."""
    with zipfile.ZipFile(path) as source:
        members = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)


def embed(network: OnnxNetwork, log_mels: Sequence[npt.NDArray[np.uint8]], config: FeatureConfig) -> list[FloatArray]:
    """Embeddings of each track's segments, `(n_segments, embedding_size)`.

    Args:
        network: An exported network.
        log_mels: Archive cells of the tracks, each `(n_frames, n_mels)`.
        config: What they were computed with.
    """
    return [network.run(labelled.plain_segments(log_mel, config)).embeddings for log_mel in log_mels]


def versions() -> dict[str, str]:
    """Versions of the program, of Python and of the libraries that shaped the model."""
    found = program() | {"python": platform.python_version()}
    for name in _VERSIONS_OF:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _rejection(
    network: OnnxNetwork,
    embeddings: list[FloatArray],
    settings: TrainingSettings,
    tagging: Tagging | None,
    start: Bundle | None,
) -> Rejection | None:
    if tagging is not None and tagging.music is not None:
        return None
    inherited = inherited_rejection(start, embeddings)
    if inherited is not None:
        return inherited
    other = no_music(settings.features, settings.train.seed)
    return fit_rejection(embeddings, embed(network, other, settings.features))


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
