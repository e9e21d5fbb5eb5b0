"""One training order, carried out from data set to bundle: what `train` and the page share."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from crnn import evaluation
from crnn.bundle import Bundle, check_name
from crnn.collection import Collection, gather
from crnn.commands.common import find_bundle, select_tracks
from crnn.dataset import Track, check_trainable, fold_parts, protection_of
from crnn.errors import BundleError, CrnnError, DatasetError
from crnn.folding import Judged, counted, fold_name, joined, judge
from crnn.listening import listen
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
        if "train" not in self.loaded.parts:
            return TrainingData(self.collection.genres, joined(list(self.loaded.parts.values())), NO_TRACKS)
        valid = self.loaded.parts.get("valid", NO_TRACKS)
        return TrainingData(self.collection.genres, self.loaded.parts["train"], valid)

    @property
    def folds(self) -> npt.NDArray[np.int64]:
        """Fold of each track of `data`, where the parts are folds."""
        return np.repeat(np.arange(len(self.loaded.parts)), [len(part) for part in self.loaded.parts.values()])

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
    resumes = order.resume and any((run_dir / name).exists() for name in (CHECKPOINT_NAME, fold_name(1)))
    on_event({"event": "stage", "stage": "scanning"})
    collection = gather(order.datasets, order.genres)
    _check_same_data(run_dir, collection, resumes=resumes)
    # A run that is resumed to be stopped at once, and kept, needs its features all the same.
    stop_early = should_stop if not resumes else (lambda: False)
    materials = _prepare(order, collection, initial, on_event, on_progress, should_stop=stop_early)
    if stop_early():
        return Outcome(None, ("Stopped before anything was learnt.", *materials.faults), stopped=True)
    on_event({"event": "stage", "stage": "training"})
    judged, result = _train(order, materials, initial, run_dir, on_event, should_stop)
    if result is None:
        said = "Stopped before every fold was done: there is no model yet. Resumed, it goes on from here."
        return Outcome(None, (said, *materials.faults), stopped=True)
    if result.stopped and not result.history:
        said = "Stopped before the first epoch was done: nothing was kept."
        return Outcome(None, (said, *materials.faults), stopped=True)
    on_event({"event": "stage", "stage": "saving"})
    outcome = _publish(order, materials, result, judged)
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
    """Have the features of all tracks, find copies by them, and split the tracks so that copies stay together."""
    check_trainable(collection.tracks)
    # What cannot be split is told before an hour is spent on features.
    _parts_of(order, collection)
    settings = order.settings if initial is None else settings_from(initial, order.settings)
    on_event({"event": "stage", "stage": "features"})
    heard = listen(collection, settings.features, n_jobs=order.n_jobs, on_progress=on_progress, should_stop=should_stop)
    collection = heard.collection
    parts = _parts_of(order, collection)
    on_event(
        {
            "event": "data",
            "name": collection.name,
            "genres": list(collection.genres),
            "parts": _counts(order, parts),
            "protection": list(protection_of(parts, order.folds)),
        }
    )
    loaded = load_parts(
        collection,
        {name: part for name, part in parts.items() if part and (order.folds or name in {"train", "valid"})},
        collection.genres,
        settings.features,
        n_jobs=order.n_jobs,
        on_progress=on_progress,
        should_stop=should_stop,
    )
    materials = _Materials(collection, parts, loaded, settings)
    for pair in heard.copies:
        on_event({"event": "note", "message": f"One recording: {pair.first} and {pair.second}. They stay together."})
    if materials.faults:
        on_event({"event": "faults", "messages": list(materials.faults)})
    return materials


def _train(  # noqa: PLR0917 - what `carry_out` was given, handed on
    order: TrainingOrder,
    materials: _Materials,
    initial: Bundle | None,
    run_dir: Path,
    on_event: Callable[[Event], None],
    should_stop: Callable[[], bool],
) -> tuple[Judged | None, TrainResult | None]:
    """What the folds say, if there are any, and the network to keep; None for it if it was stopped among the folds."""
    data, settings = materials.data, materials.settings

    def start(tracks: TrainingData, place: Path) -> keras.Model | None:
        has_checkpoint = order.resume and (place / CHECKPOINT_NAME).is_file()
        return None if initial is None else start_from(initial, tracks, settings, resumes=has_checkpoint)

    def watch(n_before: int) -> Callable[[Event], None]:
        return counted(on_event, n_before, order.folds + 1)

    judged = None
    if order.folds:
        judged = judge(
            data,
            settings,
            materials.folds,
            start=start,
            run_dir=run_dir,
            resume=order.resume,
            watch=watch,
            should_stop=should_stop,
        )
        if judged is None:
            return None, None
    result = train(
        data,
        settings,
        initial=start(data, run_dir),
        run_dir=run_dir,
        resume=order.resume,
        on_event=watch(order.folds),
        should_stop=should_stop,
    )
    return judged, result


def _parts_of(order: TrainingOrder, collection: Collection) -> Parts:
    seed = order.settings.train.seed
    if order.folds:
        return fold_parts(collection.tracks, order.folds, order.split, seed)
    return select_tracks(collection, order.split, seed)


def _counts(order: TrainingOrder, parts: Parts) -> dict[str, int]:
    counts = {name: len(tracks) for name, tracks in parts.items() if tracks}
    return {"train": sum(counts.values())} if order.folds else counts


def _publish(order: TrainingOrder, materials: _Materials, result: TrainResult, judged: Judged | None) -> Outcome:
    from crnn.publishing import Provenance, publish

    data, parts = materials.data, materials.parts
    protection = protection_of(parts, order.folds)
    provenance = Provenance(_data_facts(materials.collection), _split_facts(order, parts), order.notes)
    bundle = publish(
        result,
        order.out,
        data,
        materials.settings,
        provenance,
        calibration=None if judged is None else judged.calibration,
        further_scores=None if judged is None else {"folds": judged.scores},
        replace=order.replace,
    )
    notes = (*result.notes, *materials.faults)
    by_id = {track.track_id: track for tracks in parts.values() for track in tracks}
    checked = data.valid if judged is None else data.tracks
    posteriors = _valid_posteriors(result, bundle, data) if judged is None else judged.posteriors
    report = build_report(
        bundle,
        materials.collection,
        [by_id[track_id] for track_id in checked.track_ids],
        posteriors,
        history=result.history,
        kept_epoch=result.kept_epoch,
        protection=protection,
        notes=notes,
    )
    return Outcome(bundle, (*notes, *protection), result.stopped, report)


def _valid_posteriors(result: TrainResult, bundle: Bundle, data: TrainingData) -> npt.NDArray[np.float64]:
    logits = predict_logits(result.model, data.valid.log_mels, bundle.feature_config)
    if not logits:
        return np.zeros((0, len(data.genres)))
    return evaluation.track_posteriors(logits, bundle.calibration.temperature)


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
    for folder in run_dir.glob(fold_name("*")):
        shutil.rmtree(folder, ignore_errors=True)
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
        "name": (f"{order.folds} folds, " if order.folds else "") + (order.split or "chosen by the data"),
        "seed": order.settings.train.seed,
        **{f"n_{name.replace(' ', '_')}": len(tracks) for name, tracks in parts.items()},
    }
