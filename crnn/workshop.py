"""One training order, carried out from data set to bundle: what `train` and the page share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crnn.bundle import KERAS_NAME, Bundle, check_name
from crnn.commands.common import find_bundle, select_tracks
from crnn.dataset import Dataset, Track, check_trainable, scan, split_notes
from crnn.errors import BundleError
from crnn.loading import load_parts
from crnn.training import CHECKPOINT_NAME, NO_TRACKS, Event, TrainingData, TrainingSettings, train


@dataclass(frozen=True)
class TrainingOrder:
    """What to train on, from what, and where to put it.

    init: name or folder of the model to start from; None for scratch.
    split: `column`, `fault-filtered`, `artist`, `random`, or None for the best the data allow.
    """

    datasets: tuple[str, ...]
    out: Path
    settings: TrainingSettings
    init: str | None = None
    split: str | None = None
    resume: bool = False
    replace: bool = False
    n_jobs: int = 1
    notes: str = ""


def carry_out(
    order: TrainingOrder,
    *,
    on_event: Callable[[Event], None] = lambda event: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[Bundle, list[str]]:
    """Scan, split, compute features, train, calibrate, save; the bundle and what to know of it.

    The checkpoint lies beside the bundle, in `.NAME-run`, until the bundle is saved.

    Raises:
        CrnnError: Anything that a user can mend; what was there before is untouched.
    """
    from crnn.publishing import Provenance, publish

    check_name(order.out.name)
    if order.out.exists() and not order.replace:
        raise BundleError(f"A model “{order.out.name}” is there already. Choose another name, or say --replace.")
    initial_bundle = find_bundle(order.init) if order.init else None
    dataset = _joined([scan(name) for name in order.datasets])
    check_trainable(dataset.tracks)
    parts = select_tracks(dataset, order.split, order.settings.train.seed)
    settings = order.settings
    if initial_bundle is not None:
        settings = _settings_of(initial_bundle, settings)
    learnt = {name: parts[name] for name in ("train", "valid") if parts.get(name)}
    loaded = load_parts(
        dataset, learnt, dataset.genres, settings.features, n_jobs=order.n_jobs, on_progress=on_progress
    )
    data = TrainingData(dataset.genres, loaded.parts["train"], loaded.parts.get("valid", NO_TRACKS))
    run_dir = order.out.parent / f".{order.out.name}-run"
    run_dir.mkdir(parents=True, exist_ok=True)
    result = train(
        data,
        settings,
        initial=_initial_model(initial_bundle, dataset.genres),
        run_dir=run_dir,
        resume=order.resume,
        on_event=on_event,
        should_stop=should_stop,
    )
    provenance = Provenance(_data_facts(dataset), _split_facts(order, parts), order.notes)
    bundle = publish(result, order.out, data, settings, provenance, replace=order.replace)
    (run_dir / CHECKPOINT_NAME).unlink(missing_ok=True)
    if not any(run_dir.iterdir()):
        run_dir.rmdir()
    notes = [*result.notes, *split_notes(parts), *(fault.message for fault in loaded.faults)]
    return bundle, notes


def _joined(datasets: list[Dataset]) -> Dataset:
    if len(datasets) > 1:
        raise BundleError("One data set at a time can be trained on; put several into one folder.")
    return datasets[0]


def _settings_of(bundle: Bundle, settings: TrainingSettings) -> TrainingSettings:
    """`settings`, with the features and the network of the model that training starts from."""
    import dataclasses

    from crnn.config import ModelConfig

    sizes = {key: value for key, value in bundle.model.items() if key != "n_parameters"}
    return dataclasses.replace(settings, features=bundle.feature_config, model=ModelConfig.from_dict(sizes))


def _initial_model(bundle: Bundle | None, genres: tuple[str, ...]) -> Any:
    if bundle is None:
        return None
    import keras

    from crnn.model import with_new_head

    model = keras.saving.load_model(bundle.file(KERAS_NAME), compile=False, safe_mode=True)
    return model if bundle.genres == genres else with_new_head(model, len(genres))


def _data_facts(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "kind": dataset.kind,
        "n_tracks": len(dataset.tracks),
        "fingerprint": dataset.fingerprint,
    }


def _split_facts(order: TrainingOrder, parts: dict[str, tuple[Track, ...]]) -> dict[str, Any]:
    return {
        "name": order.split or "chosen by the data",
        "seed": order.settings.train.seed,
        **{f"n_{name}": len(tracks) for name, tracks in parts.items()},
    }
