"""One training order, carried out from data set to bundle: what `train` and the page share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crnn import evaluation
from crnn.bundle import Bundle, check_name
from crnn.collection import Collection, gather
from crnn.commands.common import find_bundle, select_tracks
from crnn.dataset import Track, check_trainable, split_notes
from crnn.errors import BundleError, CrnnError, DatasetError
from crnn.loading import Loaded, load_parts
from crnn.orders import CHECKPOINT_NAME, TrainingOrder, TrainingSettings
from crnn.report import Report, build_report
from crnn.training import (
    NO_TRACKS,
    Event,
    TrainingData,
    TrainResult,
    predict_logits,
    train,
)
from crnn.transfer import settings_from, start_from

_FINGERPRINT_NAME = "data.sha256"

Parts = dict[str, tuple[Track, ...]]


@dataclass(frozen=True)
class Outcome:
    """What came of an order.

    bundle: None if it was stopped before there was anything to keep.
    notes: what to know of it, as sentences.
    stopped: whether it was stopped before its end.
    """

    bundle: Bundle | None
    notes: tuple[str, ...]
    stopped: bool
    report: Report | None = None


@dataclass(frozen=True)
class _Materials:
    """What training and publishing take: the tracks, their parts and features, the settings."""

    collection: Collection
    parts: Parts
    loaded: Loaded
    settings: TrainingSettings

    @property
    def data(self) -> TrainingData:
        valid = self.loaded.parts.get("valid", NO_TRACKS)
        return TrainingData(self.collection.genres, self.loaded.parts["train"], valid)

    @property
    def faults(self) -> tuple[str, ...]:
        return tuple(fault.message for fault in self.loaded.faults)


def carry_out(
    order: TrainingOrder,
    *,
    on_event: Callable[[Event], None] = lambda event: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Scan, split, compute features, train, calibrate, save; the bundle and what to know of it.

    The checkpoint lies in `order.run_dir`, or beside the bundle in `.NAME-run`, until the run
    has come to its end: a stopped one can be resumed.

    Raises:
        CrnnError: Anything that a user can mend; what was there before is untouched.
    """
    check_name(order.out.name)
    if order.out.exists() and not order.replace:
        raise BundleError(f"A model “{order.out.name}” is there already. Choose another name, or say --replace.")
    initial = find_bundle(order.init) if order.init else None
    run_dir = order.run_dir or order.out.parent / f".{order.out.name}-run"
    with _writing_to(run_dir):
        run_dir.mkdir(parents=True, exist_ok=True)
    resumes = order.resume and (run_dir / CHECKPOINT_NAME).is_file()
    on_event({"event": "stage", "stage": "scanning"})
    collection = gather(order.datasets, order.genres)
    _check_same_data(run_dir, collection, resumes=resumes)
    # A run that is resumed to be stopped at once, and kept, needs its features all the same.
    stop_early = should_stop if not resumes else (lambda: False)
    materials = _prepare(order, collection, initial, on_event, on_progress, should_stop=stop_early)
    if stop_early():
        return Outcome(None, ("Stopped before anything was learnt.", *materials.faults), stopped=True)
    on_event({"event": "stage", "stage": "training"})
    result = train(
        materials.data,
        materials.settings,
        initial=None if initial is None else start_from(initial, materials.data, materials.settings, resumes=resumes),
        run_dir=run_dir,
        resume=order.resume,
        on_event=on_event,
        should_stop=should_stop,
    )
    if result.stopped and not result.history:
        said = "Stopped before the first epoch was done: nothing was kept."
        return Outcome(None, (said, *materials.faults), stopped=True)
    on_event({"event": "stage", "stage": "saving"})
    outcome = _publish(order, materials, result)
    if not result.stopped:
        _clear(run_dir)
    return outcome


def _prepare(
    order: TrainingOrder,
    collection: Collection,
    initial: Bundle | None,
    on_event: Callable[[Event], None],
    on_progress: Callable[[int, int], None],
    *,
    should_stop: Callable[[], bool],
) -> _Materials:
    """Split the tracks and have their features."""
    check_trainable(collection.tracks)
    parts = select_tracks(collection, order.split, order.settings.train.seed)
    settings = order.settings if initial is None else settings_from(initial, order.settings)
    on_event(
        {
            "event": "data",
            "name": collection.name,
            "genres": list(collection.genres),
            "parts": {name: len(tracks) for name, tracks in parts.items() if tracks},
            "protection": list(split_notes(parts)),
        }
    )
    on_event({"event": "stage", "stage": "features"})
    loaded = load_parts(
        collection,
        {name: parts[name] for name in ("train", "valid") if parts.get(name)},
        collection.genres,
        settings.features,
        n_jobs=order.n_jobs,
        on_progress=on_progress,
        should_stop=should_stop,
    )
    materials = _Materials(collection, parts, loaded, settings)
    if materials.faults:
        on_event({"event": "faults", "messages": list(materials.faults)})
    return materials


def _publish(order: TrainingOrder, materials: _Materials, result: TrainResult) -> Outcome:
    from crnn.publishing import Provenance, publish

    data, settings, parts = materials.data, materials.settings, materials.parts
    protection = split_notes(parts)
    provenance = Provenance(_data_facts(materials.collection), _split_facts(order, parts), order.notes)
    bundle = publish(result, order.out, data, settings, provenance, replace=order.replace)
    notes = (*result.notes, *materials.faults)
    by_id = {track.track_id: track for track in parts.get("valid", ())}
    logits = predict_logits(result.model, data.valid.log_mels, settings.features)
    temperature = bundle.calibration.temperature
    posteriors = evaluation.track_posteriors(logits, temperature) if logits else np.zeros((0, len(data.genres)))
    report = build_report(
        bundle,
        materials.collection,
        [by_id[track_id] for track_id in data.valid.track_ids],
        posteriors,
        history=result.history,
        kept_epoch=result.kept_epoch,
        protection=protection,
        notes=notes,
    )
    return Outcome(bundle, (*notes, *protection), result.stopped, report)


def _check_same_data(run_dir: Path, collection: Collection, *, resumes: bool) -> None:
    """A checkpoint goes with its data: on other tracks its split would leak."""
    path = run_dir / _FINGERPRINT_NAME
    if resumes and path.is_file() and path.read_text(encoding="utf-8") != collection.fingerprint:
        raise DatasetError(
            f"“{collection.name}” changed since this training began, so it cannot be resumed on it. "
            "Put the tracks back as they were, or start a new training."
        )
    with _writing_to(run_dir):
        path.write_text(collection.fingerprint, encoding="utf-8")


@contextlib.contextmanager
def _writing_to(run_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        raise CrnnError(f"The training cannot be kept in {run_dir}: {err.strerror or err}.") from err


def _clear(run_dir: Path) -> None:
    for name in (CHECKPOINT_NAME, _FINGERPRINT_NAME):
        (run_dir / name).unlink(missing_ok=True)
    if not any(run_dir.iterdir()):
        run_dir.rmdir()


def _data_facts(collection: Collection) -> dict[str, Any]:
    return {
        "name": collection.name,
        "kind": collection.kind,
        "n_tracks": len(collection.tracks),
        "fingerprint": collection.fingerprint,
    }


def _split_facts(order: TrainingOrder, parts: Parts) -> dict[str, Any]:
    return {
        "name": order.split or "chosen by the data",
        "seed": order.settings.train.seed,
        **{f"n_{name}": len(tracks) for name, tracks in parts.items()},
    }
