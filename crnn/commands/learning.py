"""`scan`, `features`, `train` and `evaluate`: from a data set to a model and its score."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crnn.commands.common import add_command, add_model_option, find_bundle, fold_count, positive_int, progress
from crnn.errors import CrnnError, TooFewTracksError

if TYPE_CHECKING:
    from crnn.dataset import Dataset, Fault, Track
    from crnn.evaluation import Scores
    from crnn.inference import Classifier
    from crnn.orders import TrainingSettings

_SPLITS = ("column", "fault-filtered", "artist", "random")


def add_commands(commands: Any) -> None:
    """Add `scan`, `features`, `train` and `evaluate`."""
    _add_scan(commands)
    _add_train(commands)
    _add_evaluate(commands)
    parser = add_command(
        commands,
        "features",
        "make a log-mel archive of a data set",
        "Compute the log-mels of a data set once and write them as one file, without the sound:\n"
        "evaluate and train read it instead of the audio.",
    )
    parser.add_argument("dataset", metavar="DATASET")
    parser.add_argument("--out", type=Path, required=True, metavar="X.npz", help="archive to write")
    parser.add_argument(
        "--jobs", type=positive_int, default=os.cpu_count() or 1, metavar="N", help="default: all cores"
    )
    parser.set_defaults(run=make_features)


def _add_scan(commands: Any) -> None:
    parser = add_command(
        commands, "scan", "what a data set holds", "What a data set holds, and every fault in it at once."
    )
    parser.add_argument("dataset", metavar="DATASET")
    parser.add_argument("--listen", action="store_true", help="decode every track: damage, clipping, near copies too")
    parser.add_argument("--jobs", type=positive_int, default=os.cpu_count() or 1, metavar="N", help="for --listen")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
    parser.set_defaults(run=scan)


def _add_train(commands: Any) -> None:
    parser = add_command(
        commands,
        "train",
        "teach a model your genres",
        "Train the CRNN on data sets and save it as a model.\n"
        "Ctrl-C ends the run and keeps the best so far; --resume goes on after a crash.",
    )
    parser.add_argument("datasets", nargs="+", metavar="DATASET")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the model, models/NAME say")
    parser.add_argument("--preset", choices=("quick", "standard", "best"), default="standard", help="default: standard")
    parser.add_argument(
        "--init", default="scratch", metavar="scratch|NAME", help="start from a model (default: scratch)"
    )
    parser.add_argument("--split", choices=_SPLITS, help="default: the data set's own, else by artist, else at random")
    parser.add_argument(
        "--folds", type=fold_count, default=0, metavar="K", help="score by K folds, then learn from all tracks"
    )
    parser.add_argument("--epochs", type=positive_int, metavar="N", help="instead of the preset's")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    parser.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    parser.add_argument("--replace", action="store_true", help="replace a model that is there")
    parser.add_argument("--jobs", type=positive_int, default=os.cpu_count() or 1, metavar="N", help="for the features")
    parser.set_defaults(run=train)


def _add_evaluate(commands: Any) -> None:
    parser = add_command(
        commands,
        "evaluate",
        "score a model on labelled tracks",
        "Score a model by track. Every track counts unless --split names a part: train, valid or test of\n"
        "the data set's own split column, or of the fault-filtered partition if the tracks are GTZAN's.",
    )
    parser.add_argument("dataset", metavar="DATASET")
    add_model_option(parser)
    parser.add_argument("--split", metavar="NAME", help="part to score: train, valid or test")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
    parser.set_defaults(run=evaluate)


def scan(options: argparse.Namespace) -> int:
    """Print what a data set holds."""
    from crnn.dataset import scan as scan_dataset

    dataset = scan_dataset(options.dataset)
    if options.listen:
        dataset = dataclasses.replace(dataset, faults=(*dataset.faults, *_heard(dataset, options.jobs)))
    if options.format == "json":
        print(json.dumps(_dataset_facts(dataset), ensure_ascii=False))
        return 0
    counts = Counter(track.genre for track in dataset.tracks)
    print(f"{dataset.name}: {len(dataset.tracks)} tracks, {len(counts)} genres")
    for genre in dataset.genres:
        print(f"  {genre:<20} {counts[genre]:>6}")
    for line in (*dataset.notes, *(f"{fault.subject}: {fault.message}" for fault in dataset.faults)):
        print(f"  {line}")
    return 0


def _heard(dataset: Dataset, n_jobs: int) -> tuple[Fault, ...]:
    from crnn.collection import join
    from crnn.config import FeatureConfig
    from crnn.listening import listen

    with _counting("tracks") as on_progress:
        return listen(join([dataset]), FeatureConfig(), n_jobs=n_jobs, on_progress=on_progress).faults


def _dataset_facts(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "kind": dataset.kind,
        "n_tracks": len(dataset.tracks),
        "genres": dict(sorted(Counter(track.genre for track in dataset.tracks).items())),
        "splits": dict(sorted(Counter(track.split or "" for track in dataset.tracks).items())),
        "n_artists": len({track.artist for track in dataset.tracks if track.artist}),
        "fingerprint": dataset.fingerprint,
        "notes": list(dataset.notes),
        "faults": [dataclasses.asdict(fault) for fault in dataset.faults],
    }


def make_features(options: argparse.Namespace) -> int:
    """Write the archive; 1 if a track could not be read."""
    from crnn.archive import make_archive, write_archive
    from crnn.collection import join
    from crnn.config import FeatureConfig
    from crnn.dataset import scan as scan_dataset
    from crnn.loading import load_parts

    dataset = scan_dataset(options.dataset)
    config = FeatureConfig()
    with _counting("tracks") as on_progress:
        loaded = load_parts(
            join([dataset]),
            {"all": dataset.tracks},
            dataset.genres,
            config,
            n_jobs=options.jobs,
            on_progress=on_progress,
        )
    by_id = {track.track_id: track for track in dataset.tracks}
    part = loaded.parts["all"]
    tracks = [by_id[track_id] for track_id in part.track_ids]
    archive = make_archive(
        part.track_ids,
        [track.genre for track in tracks],
        part.log_mels,
        splits=[track.split for track in tracks],
        artists=[track.artist for track in tracks],
        titles=[track.title for track in tracks],
        groups=[track.group for track in tracks],
        feature_config=config,
    )
    write_archive(options.out, archive)
    for fault in loaded.faults:
        print(fault.message, file=sys.stderr)
    print(options.out)
    return 1 if loaded.faults else 0


def train(options: argparse.Namespace) -> int:
    """Train, publish, and print the validation score."""
    from crnn.orders import TrainingOrder
    from crnn.workshop import carry_out

    stop = threading.Event()
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), lambda *_: stop.set())
    order = TrainingOrder(
        datasets=tuple(options.datasets),
        out=options.out,
        settings=_settings(options),
        init=None if options.init == "scratch" else options.init,
        split=options.split,
        folds=options.folds,
        resume=options.resume,
        replace=options.replace,
        n_jobs=options.jobs,
    )
    with _epoch_bars() as on_event, _counting("tracks") as on_progress:
        outcome = carry_out(order, on_event=on_event, on_progress=on_progress, should_stop=stop.is_set)
    for note in outcome.notes:
        print(note, file=sys.stderr)
    bundle = outcome.bundle
    if bundle is None:
        return 1
    part = "folds" if options.folds else "valid"
    scores = bundle.scores.get(part)
    if scores:
        low, high = scores["accuracy_interval"]
        what = f"tracks, pooled over {options.folds} folds" if options.folds else "validation tracks"
        print(f"{bundle.name}: {scores['accuracy']:.1%} of {scores['n_tracks']} {what} ({low:.1%} to {high:.1%})")
    print(bundle.path)
    return 0


def _settings(options: argparse.Namespace) -> TrainingSettings:
    from crnn.orders import for_transfer, preset

    settings = preset(options.preset)
    if options.init != "scratch":
        settings = for_transfer(settings)
    changes = {"seed": options.seed} | ({"epochs": options.epochs} if options.epochs else {})
    return dataclasses.replace(settings, train=dataclasses.replace(settings.train, **changes))


class _epoch_bars:  # noqa: N801 - a context manager
    """Progress of a run on stderr: a bar per run, a line per epoch where there is no terminal."""

    def __enter__(self) -> Callable[[dict[str, Any]], None]:
        from tqdm import tqdm

        self._bar = tqdm(unit=" steps", file=sys.stderr, disable=not sys.stderr.isatty())
        return self._on_event

    def __exit__(self, *exc_info: object) -> None:
        self._bar.close()

    def _on_event(self, event: dict[str, Any]) -> None:
        if event["event"] == "step":
            self._bar.set_description(f"epoch {event['epoch']}, loss {event['loss']:.3f}", refresh=False)
            self._bar.update()
        elif event["event"] == "epoch":
            valid = f", valid accuracy {event['valid_accuracy']:.3f}" if "valid_accuracy" in event else ""
            line = f"epoch {event['epoch']} of {event['epochs']}: loss {event['loss']:.3f}{valid}"
            self._bar.write(line, file=sys.stderr)


class _counting:  # noqa: N801 - a context manager
    """A progress bar driven by `(done, total)` calls."""

    def __init__(self, unit: str) -> None:
        self._unit = unit

    def __enter__(self) -> Callable[[int, int], None]:
        from tqdm import tqdm

        self._bar = tqdm(unit=f" {self._unit}", file=sys.stderr, disable=not sys.stderr.isatty(), leave=False)
        return self._on_progress

    def __exit__(self, *exc_info: object) -> None:
        self._bar.close()

    def _on_progress(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)


def evaluate(options: argparse.Namespace) -> int:
    """Print the scores."""
    from crnn.dataset import scan as scan_dataset
    from crnn.dataset import select_part
    from crnn.inference import Classifier

    bundle = find_bundle(options.model)
    dataset = scan_dataset(options.dataset)
    tracks = select_part(dataset.tracks, options.split) if options.split else dataset.tracks
    known = [track for track in tracks if track.genre in bundle.genres]
    notes = list(dataset.notes)
    if len(known) < len(tracks):
        others = sorted({track.genre for track in tracks} - set(bundle.genres))
        notes.append(
            f"{len(tracks) - len(known)} tracks of genres that the model does not know were left out: {others}."
        )
    if not known:
        raise TooFewTracksError(f"No track there is of a genre that “{bundle.name}” knows: {', '.join(bundle.genres)}.")
    scores, faults = _score(Classifier(bundle), dataset, known)
    notes += faults
    if options.format == "json":
        print(json.dumps(scores.to_dict() | {"notes": notes}, ensure_ascii=False))
    else:
        _print_scores(scores, notes)
    return 1 if faults else 0


def _score(classifier: Classifier, dataset: Dataset, tracks: list[Track]) -> tuple[Scores, list[str]]:
    import numpy as np

    from crnn import evaluation

    genres = classifier.bundle.genres
    posteriors = np.zeros((len(tracks), len(genres)))
    faults = []
    answer = _answerer(classifier, dataset)
    for row, track in enumerate(progress(tracks, len(tracks), "tracks")):
        try:
            posteriors[row] = answer(track)
        except CrnnError as err:
            faults.append(f"{track.track_id} counts as wrong: {err}")
    labels = [genres.index(track.genre) for track in tracks]
    return evaluation.score(labels, posteriors, genres), faults


def _answerer(classifier: Classifier, dataset: Dataset) -> Callable[[Track], Any]:
    """How the posterior of a track of this data set is had: from its log-mel or its audio."""
    from crnn.archive import read_archive, to_db
    from crnn.dataset import track_clip

    if dataset.kind == "archive" and dataset.source is not None:
        archive = read_archive(dataset.source)
        return lambda track: classifier.classify_log_mel(to_db(archive.log_mel[track.index or 0])).posterior
    sample_rate = classifier.config.sample_rate

    def answer(track: Track) -> Any:
        if track.path is not None:
            return classifier.classify_file(track.path).posterior
        return classifier.classify(track_clip(track, sample_rate)).posterior

    return answer


def _print_scores(scores: Scores, notes: list[str]) -> None:
    low, high = scores.accuracy_interval
    print(f"accuracy          {scores.accuracy:.3f}  ({low:.3f} to {high:.3f}, {scores.n_tracks} tracks)")
    print(f"macro-F1          {scores.macro_f1:.3f}")
    print(f"macro recall      {scores.macro_recall:.3f}")
    print(f"among first three {scores.top3_accuracy:.3f}")
    print(f"calibration error {scores.expected_calibration_error:.3f}")
    for genre, row in scores.per_genre.items():
        print(f"  {genre:<14} {row['n_tracks']:>5.0f}  precision {row['precision']:.2f}  recall {row['recall']:.2f}")
    for note in notes:
        print(note)
