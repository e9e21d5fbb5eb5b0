"""`scan`, `features` and `train`: from a data set to a model."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crnn.bundles.library import BUNDLED_MODELS, DEFAULT_MODEL, find_bundle
from crnn.cli.common import (
    add_command,
    counting,
    file_path,
    fold_count,
    job_count,
    positive_int,
    result_file,
    say,
    seed,
)
from crnn.errors import CrnnError, WrongUseError
from crnn.jobs.order import INSTANT, PRESETS
from crnn.text import number_of, right_of
from crnn.untrusted import json_line

if TYPE_CHECKING:
    from crnn.data.tracks import Dataset, Fault
    from crnn.jobs.order import TrainingSettings
    from crnn.training.materials import Outcome

_SPLITS = ("column", "fault-filtered", "artist", "random")


def add_commands(commands: Any) -> None:
    """Add `scan`, `features` and `train`."""
    _add_scan(commands)
    _add_train(commands)
    parser = add_command(
        commands,
        "features",
        "make a log-mel archive of a data set",
        "Compute the log-mels of a data set once and write them as one file, without the sound:\n"
        "classify, evaluate and train read it instead of the audio.",
    )
    parser.add_argument("dataset", metavar="DATASET")
    parser.add_argument("--out", type=_archive_path, required=True, metavar="X.npz", help="archive to write")
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        metavar="NAME|DIR|scratch",
        help=f"the model that shall read them, or scratch: a training from nothing (default: {DEFAULT_MODEL})",
    )
    parser.add_argument("--jobs", type=job_count, default=os.cpu_count() or 1, metavar="N", help="default: all cores")
    parser.set_defaults(run=make_features)


def _archive_path(text: str) -> Path:
    path = result_file(".npz", makes_folder=True)(text)
    if path.suffix.lower() != ".npz":
        raise argparse.ArgumentTypeError(f"an archive is known by its ending: {path}.npz")
    return path


def _add_scan(commands: Any) -> None:
    parser = add_command(
        commands, "scan", "what a data set holds", "What a data set holds, and every fault in it at once."
    )
    parser.add_argument("dataset", metavar="DATASET")
    parser.add_argument("--listen", action="store_true", help="decode every track: damage, clipping, near copies too")
    parser.add_argument("--jobs", type=job_count, default=os.cpu_count() or 1, metavar="N", help="for --listen")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
    parser.set_defaults(run=scan)


def _add_train(commands: Any) -> None:
    parser = add_command(
        commands,
        "train",
        "teach a model your genres",
        "Fit a head to what a model hears, or train a network, on data sets; and save the model.\n"
        "Ctrl-C ends the run and keeps the best epoch so far; --resume --replace goes on from there,\n"
        "under the same settings and data.",
    )
    parser.add_argument("datasets", nargs="+", metavar="DATASET")
    parser.add_argument(
        "--out", type=file_path, required=True, metavar="DIR", help="folder of the model, models/NAME say"
    )
    parser.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        help="; ".join(f"{name}: {preset.words}" for name, preset in PRESETS.items())
        + "; the network is that of --init, from scratch the preset's own"
        + " (default: instant, but standard from scratch or with --epochs)",
    )
    parser.add_argument(
        "--init",
        metavar="scratch|NAME",
        help="the model to start from, or scratch: from nothing, far worse on few tracks "
        f"(default: {DEFAULT_MODEL}, or the bundled model that reads what an archive holds)",
    )
    parser.add_argument(
        "--split",
        choices=_SPLITS,
        help="default: the data set's own if every track has a part there, else by artist if those of half of them "
        "are known, else at random",
    )
    parser.add_argument(
        "--folds", type=fold_count, default=0, metavar="K", help="score by K folds, then learn from all tracks"
    )
    parser.add_argument("--epochs", type=positive_int, metavar="N", help="instead of the preset's")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="default: 0")
    parser.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    parser.add_argument("--replace", action="store_true", help="replace a model that is there")
    parser.add_argument("--jobs", type=job_count, default=os.cpu_count() or 1, metavar="N", help="for the features")
    parser.set_defaults(run=train)


def scan(options: argparse.Namespace) -> int:
    """Print what a data set holds."""
    from crnn.data.collection import join
    from crnn.data.scan import scan as scan_dataset

    dataset = scan_dataset(options.dataset)
    if options.listen:
        dataset = dataclasses.replace(dataset, faults=(*dataset.faults, *_heard(dataset, options.jobs)))
    obstacles = _obstacles(dataset)
    if options.format == "json":
        sys.stdout.write(json_line(_dataset_facts(dataset) | {"obstacles": obstacles}))
        return 1 if obstacles else 0
    counts = Counter(track.genre for track in dataset.tracks)
    say(f"{dataset.name}: {number_of(len(dataset.tracks), 'track')}, {number_of(len(counts), 'genre')}")
    for genre in dataset.genres:
        say(f"  {genre:<20} {counts[genre]:>6}")
    for line in (*join([dataset]).notes, *(f"{fault.subject}: {fault.message}" for fault in dataset.faults)):
        say(f"  {line}")
    for line in obstacles:
        say(line)
    return 1 if obstacles else 0


def _obstacles(dataset: Dataset) -> list[str]:
    """What `train` would refuse, and labels that contradict each other, as sentences."""
    from crnn.data.collection import check_usable, join, select_tracks
    from crnn.data.splits import check_trainable

    found, collection = [], join([dataset])
    try:
        check_trainable(collection.tracks)
        check_usable(collection)
        select_tracks(collection, None, 0)
    except CrnnError as err:
        found.append(str(err))
    contradictions = [fault for fault in dataset.faults if fault.contradicts]
    if contradictions:
        found.append(
            f"{number_of(len(contradictions), 'recording')} under two genres: one of the labels is wrong. "
            "Take one of the copies away."
        )
    return found


def _heard(dataset: Dataset, n_jobs: int) -> tuple[Fault, ...]:
    from crnn.config import FeatureConfig
    from crnn.data.audit import listen
    from crnn.data.collection import join

    with counting(" tracks") as on_progress:
        return listen(join([dataset]), FeatureConfig(), n_jobs=n_jobs, on_progress=on_progress).faults


def _dataset_facts(dataset: Dataset) -> dict[str, Any]:
    from crnn.data.collection import join

    return {
        "name": dataset.name,
        "kind": dataset.kind,
        "n_tracks": len(dataset.tracks),
        "genres": dict(sorted(Counter(track.genre for track in dataset.tracks).items())),
        "splits": dict(sorted(Counter(track.split or "" for track in dataset.tracks).items())),
        "n_artists": len({track.artist for track in dataset.tracks if track.artist}),
        "fingerprint": dataset.fingerprint,
        "notes": list(join([dataset]).notes),
        "faults": [dataclasses.asdict(fault) for fault in dataset.faults],
    }


def make_features(options: argparse.Namespace) -> int:
    """Write the archive; 1 if a track could not be read."""
    from crnn.config import FeatureConfig
    from crnn.data.collection import join
    from crnn.data.load import load_parts
    from crnn.data.scan import scan as scan_dataset
    from crnn.features.archive import make_archive, write_archive

    dataset = scan_dataset(options.dataset)
    config = FeatureConfig() if options.model == "scratch" else find_bundle(options.model).feature_config
    with counting(" tracks") as on_progress:
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
        say(fault.message, to_stderr=True)
    print(options.out)
    return 1 if loaded.faults else 0


def train(options: argparse.Namespace) -> int:
    """Train, publish, and print the validation score; 1 if some of the data could not be used, too."""
    from crnn.jobs.order import TrainingOrder
    from crnn.training.pipeline import carry_out

    preset_name, init = _chosen_start(options)
    stop = threading.Event()
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), lambda *_: stop.set())
    order = TrainingOrder(
        datasets=tuple(options.datasets),
        out=options.out,
        settings=_settings(options, preset_name, init),
        init=init,
        method="head" if preset_name == INSTANT else "network",
        split=options.split,
        folds=options.folds,
        resume=options.resume,
        replace=options.replace,
        n_jobs=options.jobs,
    )
    with _epoch_bars() as on_event, counting(" tracks") as on_progress:
        outcome = carry_out(order, on_event=on_event, on_progress=on_progress, should_stop=stop.is_set)
    for note in (*_told(outcome), *outcome.notes):
        say(note, to_stderr=True)
    bundle = outcome.bundle
    if bundle is None:
        return 1
    scores = bundle.scores.get("folds") or bundle.scores.get("valid")
    if scores:
        low, high = scores["accuracy_interval"]
        n_folds = bundle.split.get("folds")
        what = f"tracks, pooled over {n_folds} folds" if n_folds else "validation tracks"
        say(f"{bundle.name}: {scores['accuracy']:.1%} of {scores['n_tracks']} {what} ({low:.1%} to {high:.1%})")
    if outcome.stopped:
        say("Stopped: the best so far was kept. The same command with --resume --replace goes on.", to_stderr=True)
    print(bundle.path)
    return 1 if any(fault.is_failure for fault in outcome.faults) else 0


def _told(outcome: Outcome) -> list[str]:
    """What is wrong with the data and not among the notes, as `scan` says it."""
    others = [fault for fault in outcome.faults if fault.message not in outcome.notes]
    return [f"{fault.subject}: {fault.message}" for fault in others]


def _settings(options: argparse.Namespace, name: str, init: str | None) -> TrainingSettings:
    from crnn.jobs.order import preset, with_frozen_body

    settings = preset(name, is_transfer=init is not None)
    changes = {"seed": options.seed} | ({"epochs": options.epochs} if options.epochs else {})
    settings = dataclasses.replace(settings, train=dataclasses.replace(settings.train, **changes))
    return with_frozen_body(settings) if init is not None else settings


def _chosen_start(options: argparse.Namespace) -> tuple[str, str | None]:
    """The preset, and the model to start from; None for scratch."""
    if options.preset == INSTANT and (options.init == "scratch" or options.epochs):
        raise WrongUseError("The preset instant fits a head to a model, without epochs: leave out --epochs or scratch.")
    init = options.init or _start_for(options.datasets)
    start = None if init in {None, "scratch"} else str(init)
    # A model to start from is one, whether it was named or not.
    return options.preset or ("standard" if start is None or options.epochs else INSTANT), start


def _start_for(datasets: list[str]) -> str | None:
    """Where nothing is said, a model that knows music: a start from nothing is far worse on few tracks.

    Of those that are bundled the first that reads the archives among the data sets: what they hold was computed for
    one front end. None, from scratch, where neither does; the default, which will be refused, where nothing does.
    """
    from crnn.config import FeatureConfig
    from crnn.features.archive import read_archive
    from crnn.features.front_ends import check_front_end

    paths = [path for name in datasets if (path := Path(name).expanduser()).suffix.lower() == ".npz" and path.is_file()]
    archives, reason = [(path.name, read_archive(path)) for path in paths], ""
    for start in (*BUNDLED_MODELS, None) if paths else ():
        try:
            config = FeatureConfig() if start is None else find_bundle(start).feature_config
            for name, archive in archives:
                check_front_end(archive.made_with, config, name)
        except CrnnError as err:
            reason = reason or str(err)
            continue
        if reason:
            said = f"It starts from {start or 'scratch'}, not from {DEFAULT_MODEL}: {_first_sentence(reason)}"
            say(said, to_stderr=True)
        return start
    return DEFAULT_MODEL


def _first_sentence(text: str) -> str:
    return f"{text.partition('. ')[0].removesuffix('.')}."


@contextlib.contextmanager
def _epoch_bars() -> Iterator[Callable[[dict[str, Any]], None]]:
    """Progress of a run on stderr: a bar per run, a line per epoch where there is no terminal."""
    from tqdm import tqdm

    with tqdm(unit=" steps", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:

        def on_event(event: dict[str, Any]) -> None:
            if event["event"] == "step":
                bar.set_description(f"epoch {event['epoch']}, loss {event['loss']:.3f}", refresh=False)
                bar.update()
            elif event["event"] == "epoch":
                valid = f", {right_of(event['confusion'])} validation tracks right" if "confusion" in event else ""
                line = f"epoch {event['epoch']} of {event['epochs']}: loss {event['loss']:.3f}{valid}"
                bar.write(line, file=sys.stderr)

        yield on_event
