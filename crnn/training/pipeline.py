"""One training order, carried out from data set to bundle: what `train` and the page share.

Nothing here imports Keras: an order for a fitted head is done before TensorFlow would have loaded.
What trains a network lies in `crnn.training.network_run`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

from crnn import paths
from crnn.bundles.bundle import Bundle, check_name, check_place
from crnn.bundles.library import find_bundle
from crnn.data.audit import Heard, heard_in
from crnn.data.collection import Collection, check_usable, gather, log_mels, select_tracks, split_way
from crnn.data.feature_cache import CACHE_FOLDER
from crnn.data.load import in_parts
from crnn.data.splits import check_learnable, check_trainable, fold_parts, most_folds, protection_of
from crnn.data.tracks import Fault
from crnn.errors import BundleError, CrnnError, TrainingBusyError
from crnn.jobs import kept
from crnn.jobs.order import CHECKPOINT_NAME, TrainingOrder, TrainingSettings, settings_from
from crnn.locks import FileLock
from crnn.training.checkpoint import FOLD_PREFIX, clear, has_state, identity_of, take_up
from crnn.training.head_run import HeadRun, head_outcome
from crnn.training.materials import Event, Materials, Outcome, Parts, Watcher, stopped_early

_LOCK_NAME = "writer.lock"


def carry_out(
    order: TrainingOrder,
    *,
    on_event: Callable[[Event], None] = lambda event: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
    home: Path | None = None,
) -> Outcome:
    """Scan, split, compute features, learn, calibrate, save; the bundle and what to know of it.

    The checkpoint lies in `order.run_dir`, or beside the bundle in `.NAME-run`, until the run
    has come to its end: a stopped one can be resumed, under the same settings and on the same data.

    Args:
        order: What is asked for.
        on_event: Called with a dict for each stage, step, epoch and note.
        on_progress: Called with the tracks that a stage is done with, and all of them.
        should_stop: Asked after each track and before each step; epochs in hand are made a model of.
        home: Where features are kept, and what zips held; this process's own if None.

    Raises:
        CrnnError: Anything that a user can mend; what was there before is untouched.
        ModuleNotFoundError: A network is to be trained, and Keras is not installed.
    """
    watcher = Watcher(on_event, on_progress, should_stop)
    home = home or paths.home_dir()
    with kept.in_use(home, order.datasets):
        return _carry_out(order, watcher, home)


def _carry_out(order: TrainingOrder, watcher: Watcher, home: Path) -> Outcome:
    check_name(order.out.name)
    if order.method == "network" and importlib.util.find_spec("keras") is None:
        # Now, not after the minutes that features take.
        raise ModuleNotFoundError("No module named 'keras'", name="keras")
    check_place(order.out, replace=order.replace, otherwise="say --replace")
    initial = find_bundle(order.init) if order.init else None
    run_dir = order.run_dir or order.out.parent / f".{order.out.name}-run"
    with _place_of(run_dir):
        return _run_in(run_dir, order, initial, watcher, home)


def _run_in(run_dir: Path, order: TrainingOrder, initial: Bundle | None, watcher: Watcher, home: Path) -> Outcome:
    resumes = order.resume and any((run_dir / name).exists() for name in (CHECKPOINT_NAME, f"{FOLD_PREFIX}1"))
    watcher.stage("scanning")
    collection = gather(order.datasets, order.genres)
    with _writing_to(run_dir):
        identity = take_up(run_dir, identity_of(order, collection, initial), resume=order.resume)
    # A resumed run that is to stop at once, and keep its model, still needs its features. It is still asked, because
    # a pause is asked for by the same question.
    patient = dataclasses.replace(watcher, should_stop=lambda: watcher.should_stop() and False) if resumes else watcher
    materials = _prepare(order, collection, initial, patient, place=(run_dir, identity), home=home)
    if patient.should_stop():
        return Outcome(None, ("Stopped before anything was learnt.", *materials.faults), stopped=True)
    outcome = dataclasses.replace(_learn(order, materials, initial, watcher), faults=materials.found)
    if not outcome.stopped:
        clear(run_dir)
    return outcome


def _learn(order: TrainingOrder, materials: Materials, initial: Bundle | None, watcher: Watcher) -> Outcome:
    if order.method == "head":
        if initial is None:
            raise BundleError("A head is fitted to a model that is there: name one to start from.")
        head = HeadRun.of(order, materials, initial, watcher)
        return head_outcome(order, materials, head, watcher) if head else stopped_early(materials)
    # TensorFlow takes 6 to 18 s to come.
    watcher.stage("loading")
    from crnn.training.network_run import learn_network

    return learn_network(order, materials, initial, watcher)


def _prepare(
    order: TrainingOrder,
    collection: Collection,
    initial: Bundle | None,
    watcher: Watcher,
    *,
    place: tuple[Path, str],
    home: Path,
) -> Materials:
    """Have the features of all tracks, find copies by them, and split the tracks so that copies stay together."""
    check_trainable(collection.tracks)
    # What cannot be split is told before an hour is spent on features.
    parts = _parts_of(order, collection)
    settings = _settings_of(order, initial)
    watcher.stage("features")
    found, faults = log_mels(
        collection,
        collection.all_tracks,
        settings.features,
        folder=home / CACHE_FOLDER,
        n_jobs=order.n_jobs,
        on_progress=watcher.on_progress,
        should_stop=watcher.should_stop,
    )
    watcher.stage("copies")
    heard = heard_in(
        collection, found, faults, settings.features, folder=home / CACHE_FOLDER, should_stop=watcher.should_stop
    )
    log_mel_of = {t.track_id: m for t, m in zip(collection.all_tracks, found, strict=True) if m is not None}
    collection, parts = _as_heard(order, heard, parts)
    protection = () if order.method == "head" else protection_of(parts, order.folds)
    watcher.on_event(
        {
            "event": "data",
            "name": collection.name,
            "genres": list(collection.genres),
            "parts": _counts(order, parts),
            "protection": list(protection),
        }
    )
    used = {name: part for name, part in parts.items() if part and (order.folds or name in {"train", "valid"})}
    loaded = in_parts(used, collection.genres, log_mel_of, faults, may_be_empty=watcher.should_stop())
    others = [track.track_id for track in collection.others]
    loaded = dataclasses.replace(loaded, faults=(*loaded.faults, *(f for f in faults if f.subject in others)))
    of_others = [(track, log_mel_of[track.track_id]) for track in collection.others if track.track_id in log_mel_of]
    copies, wrong = [[pair.first, pair.second] for pair in heard.copies], _found_wrong(heard)
    materials = Materials(collection, parts, loaded, settings, *place, copies, tuple(of_others), protection, wrong)
    _tell(materials, watcher)
    return materials


def _as_heard(order: TrainingOrder, heard: Heard, parts: Parts) -> tuple[Collection, Parts]:
    """The tracks and their parts, copies together; refused where those that hold nothing leave too little to learn."""
    collection = heard.collection
    if heard.copies:
        parts = _parts_of(order, collection)
    left = dataclasses.replace(collection, faults=(*collection.faults, *heard.unusable))
    check_usable(left)
    if order.method == "network" and not order.folds:
        usable = {track.track_id for track in left.usable_tracks}
        kept = {name: tuple(track for track in part if track.track_id in usable) for name, part in parts.items()}
        check_learnable(kept, collection.genres)
    return collection, parts


def _found_wrong(heard: Heard) -> tuple[Fault, ...]:
    # What is cut flat is learnt all the same; scan --listen tells of it.
    return (*heard.collection.faults, *(fault for fault in heard.faults if fault.kind != "clipped"))


def _tell(materials: Materials, watcher: Watcher) -> None:
    """What to know of the tracks before they are learnt from."""
    for first, second in materials.copies:
        said = f"Copies of one recording: {first} and {second}. They stay together."
        watcher.on_event({"event": "note", "message": said, "copies": [first, second]})
    if materials.faults:
        watcher.on_event({"event": "faults", "messages": list(materials.faults)})


def _settings_of(order: TrainingOrder, initial: Bundle | None) -> TrainingSettings:
    if initial is None:
        return order.settings
    if order.method == "head":
        return dataclasses.replace(order.settings, features=initial.feature_config)
    return settings_from(initial, order.settings)


def _parts_of(order: TrainingOrder, collection: Collection) -> Parts:
    seed = order.settings.train.seed
    if order.folds:
        return fold_parts(collection.tracks, order.folds, order.split, seed)
    if order.method == "head" and split_way(collection, order.split) in {"artist", "random"}:
        # A head learns all tracks and is judged by folds of them, which must be possible; it needs no parts.
        most_folds(collection.tracks, order.split, seed)
        return {"train": collection.tracks}
    parts = select_tracks(collection, order.split, seed)
    if order.method == "head":
        of_head = (*parts.get("train", ()), *parts.get("valid", ()))
        check_learnable({"train": of_head}, collection.genres)
        most_folds(of_head, order.split, seed)
    else:
        check_learnable(parts, collection.genres)
    return parts


def _counts(order: TrainingOrder, parts: Parts) -> dict[str, int]:
    counts = {name: len(tracks) for name, tracks in parts.items() if tracks}
    # A head learns train and valid, and is judged by folds of both.
    of_head = {"train": counts.get("train", 0) + counts.get("valid", 0)}
    return {"train": sum(counts.values())} if order.folds else of_head if order.method == "head" else counts


@contextlib.contextmanager
def _writing_to(run_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        raise CrnnError(f"The training cannot be kept in {run_dir}: {err.strerror or err}.") from err


@contextlib.contextmanager
def _place_of(run_dir: Path) -> Iterator[None]:
    """The folder of a run, for one at a time; gone again where nothing lies there to go on from.

    Done, refused, or stopped too early, that is.
    """
    lock = FileLock(run_dir / _LOCK_NAME)
    with _writing_to(run_dir):
        run_dir.mkdir(parents=True, exist_ok=True)
        is_ours = lock.acquire()
    if not is_ours:
        # It would take the other one's checkpoint away.
        raise TrainingBusyError("Another training of a model of that name is under way. Wait for it, or name another.")
    try:
        yield
    finally:
        lock.release()
        if not has_state(run_dir):
            clear(run_dir)
            # The folder of a run of the page holds more, and stays.
            with contextlib.suppress(OSError):
                lock.path.unlink()
                run_dir.rmdir()
