"""A recipe judged by folds: every track answered by a network that did not learn it.

The networks of the folds are watched by nothing and trained to their end, so that what
judges them chose nothing. Each fold that is done is kept on disk, so that an interrupted
run repeats at most the epoch in hand.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from crnn import atomic
from crnn.data.labelled import NO_TRACKS, LabelledTracks, TrainingData
from crnn.evaluation.cross_fitting import Judged, pooled
from crnn.jobs.order import TrainingSettings
from crnn.training.checkpoint import FOLD_PREFIX
from crnn.training.trainer import Event, predict_logits, train

FloatArray = npt.NDArray[np.float32]


def judge(
    data: TrainingData,
    settings: TrainingSettings,
    folds: npt.NDArray[np.int64],
    *,
    start: Callable[[TrainingData, Path], keras.Model | None],
    run_dir: Path,
    resume: bool,
    identity: str,
    watch: Callable[[int], Callable[[Event], None]],
    should_stop: Callable[[], bool],
    units: Sequence[str] | None = None,
) -> Judged | None:
    """Train a network without each fold and let it answer that fold; None if it was stopped.

    Args:
        data: All tracks; those to watch are not looked at.
        settings: The recipe.
        folds: Fold of each track, from 0 on.
        start: The network that training starts from, for tracks and a folder of a checkpoint; None for scratch.
        run_dir: Where folds that are done, and the checkpoint of the one in hand, lie.
        resume: Take up what lies there.
        identity: What checkpoints must be of.
        watch: Gives `train`'s `on_event` for a fold, counted from 0.
        should_stop: As in `train`.
        units: As of `metrics.score`.

    Raises:
        TooFewTracksError: A genre has no track outside a fold.
        TrainingDivergedError: The loss became NaN or infinite.
    """
    n_folds = int(folds.max()) + 1
    logits: list[FloatArray] = [np.zeros((0, len(data.genres)), np.float32)] * len(folds)
    for fold in range(n_folds):
        inside = np.flatnonzero(folds == fold)
        place = run_dir / fold_name(fold + 1)
        place.mkdir(parents=True, exist_ok=True)
        found = _read(place / "logits.npz", len(inside)) if resume else None
        if found is None:
            watch(fold)(
                {"event": "note", "message": f"Fold {fold + 1} of {n_folds}: {len(inside)} tracks are kept back."}
            )
            others = TrainingData(data.genres, _chosen(data.tracks, np.flatnonzero(folds != fold)), NO_TRACKS)
            result = train(
                others,
                settings,
                initial=start(others, place),
                run_dir=place,
                resume=resume,
                identity=identity,
                on_event=watch(fold),
                should_stop=should_stop,
            )
            if result.stopped:
                return None
            found = predict_logits(result.model, _chosen(data.tracks, inside).log_mels, settings.features)
            _write(place / "logits.npz", found)
        for i, answer in zip(inside, found, strict=True):
            logits[i] = answer
    return pooled(logits, data.tracks.labels, folds, data.genres, units)


def fold_name(number: int | str) -> str:
    """Name of the folder of a fold, counted from 1."""
    return f"{FOLD_PREFIX}{number}"


def counted(on_event: Callable[[Event], None], n_before: int, n_runs: int) -> Callable[[Event], None]:
    """Epochs counted through all runs, so that progress and time left are of the whole.

    Args:
        on_event: Who is told.
        n_before: Runs that are done.
        n_runs: How many there are.
    """

    def tell(event: Event) -> None:
        if "epoch" in event and "epochs" in event:
            n = event["epochs"]
            event = event | {"epoch": n_before * n + event["epoch"], "epochs": n_runs * n}
        on_event(event)

    return tell


def _chosen(tracks: LabelledTracks, numbers: npt.NDArray[np.int64]) -> LabelledTracks:
    return LabelledTracks(
        tuple(tracks.track_ids[i] for i in numbers), tuple(tracks.log_mels[i] for i in numbers), tracks.labels[numbers]
    )


def _write(path: Path, logits: list[FloatArray]) -> None:
    with atomic.replacing(path) as file:
        np.savez(file, **{str(i): rows for i, rows in enumerate(logits)})  # type: ignore[arg-type]


def _read(path: Path, n_tracks: int) -> list[FloatArray] | None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return [stored[str(i)] for i in range(n_tracks)] if len(stored.files) == n_tracks else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
