"""An order for a network: trained epoch by epoch, judged by a split or by folds, kept where it is worth it.

What starts from a model is held against the head that is fitted to that model's embedding in seconds: the
trained network is kept only where it has more tracks right than chance alone would give it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from crnn.bundles.bundle import Bundle
from crnn.data.labelled import LabelledTracks, TrainingData, joined
from crnn.data.splits import DEALT
from crnn.data.units import units_of
from crnn.evaluation import metrics, paired
from crnn.evaluation.cross_fitting import Judged
from crnn.evaluation.report import build_report
from crnn.jobs.order import CHECKPOINT_NAME, TrainingOrder
from crnn.training.cross_validation import counted, judge
from crnn.training.head_run import HeadRun, head_outcome
from crnn.training.inheritance import refused, refused_sentence, taught_other
from crnn.training.instant import folds_if_any, hear
from crnn.training.materials import (
    Event,
    Materials,
    Outcome,
    Watcher,
    data_facts,
    split_facts,
    split_sentences,
    stopped_early,
)
from crnn.training.publish import Provenance, publish, publish_findings, with_other
from crnn.training.trainer import TrainResult, train
from crnn.training.transfer import start_from


def learn_network(order: TrainingOrder, materials: Materials, initial: Bundle | None, watcher: Watcher) -> Outcome:
    """Carry out an order whose features are there.

    Args:
        order: What was asked for.
        materials: Tracks, parts and features.
        initial: What training starts from; None for scratch.
        watcher: Told of stages and epochs, and asked whether to stop.

    Returns:
        The bundle, that of the fitted head where the network did no better; or none if it was stopped too early.

    Raises:
        CrnnError: Anything that a user can mend.
    """
    head = None
    if initial is not None:
        head = HeadRun.of(order, materials, initial, watcher)
        if head is None:
            return stopped_early(materials)
    watcher.stage("training")
    judged, result = _train(order, materials, head, watcher)
    if result is None:
        said = "Stopped before every fold was done: there is no model yet. Resumed, it goes on from here."
        return Outcome(None, (said, *materials.faults), stopped=True)
    if result.stopped and not result.history:
        return stopped_early(materials)
    posteriors = judged.posteriors if judged else _posteriors(result, materials)
    if head is not None and len(posteriors):
        compared = _against_head(head, materials, posteriors, by_folds=judged is not None)
        facts = compared.to_dict() | {"kept": "network" if compared.second_gains else "head"}
        if not compared.second_gains:
            return head_outcome(
                order,
                materials,
                head,
                watcher,
                notes=(*result.notes, comparison_sentence(facts)),
                history=result.history,
                compared=facts,
                stopped=result.stopped,
            )
        result.notes.append(comparison_sentence(facts))
        return _publish(order, materials, result, judged, initial, watcher, compared=facts)
    return _publish(order, materials, result, judged, initial, watcher)


def comparison_sentence(compared: dict[str, Any]) -> str:
    """How the fitted head and the trained network did on the same unheard tracks, and which was kept."""
    n = compared["n_tracks"]
    counts = (
        f"{compared['n_first']} of {n} unheard tracks right by the fitted head alone, {compared['n_second']} trained"
    )
    if compared["kept"] == "network":
        return f"{counts}: a gain beyond chance, so the trained network was kept."
    return f"{counts}: no gain beyond chance, so the head was kept."


def _against_head(
    head: HeadRun, materials: Materials, posteriors: npt.NDArray[np.float64], *, by_folds: bool
) -> paired.Paired:
    """The head against the network, on tracks that neither had learnt."""
    labels = head.tracks.labels
    if by_folds:
        of_head = metrics.track_posteriors(list(head.fitted.logits))
        return paired.compare(of_head.argmax(axis=1) == labels, posteriors.argmax(axis=1) == labels)
    valid = materials.data.valid
    by_train = head.right_by_train(valid, len(materials.collection.genres))
    return paired.compare(by_train, posteriors.argmax(axis=1) == valid.labels)


def _train(
    order: TrainingOrder, materials: Materials, head: HeadRun | None, watcher: Watcher
) -> tuple[Judged | None, TrainResult | None]:
    """What the folds say, if there are any, and the network to keep; None for it if it was stopped among the folds."""
    data, settings = materials.data, materials.settings

    def start(tracks: TrainingData, folder: Path) -> keras.Model | None:
        if head is None:
            return None
        if order.resume and (folder / CHECKPOINT_NAME).is_file():
            return start_from(head.start, data.genres, None)
        kept_back = ~np.isin(head.tracks.track_ids, tracks.tracks.track_ids)
        return start_from(head.start, data.genres, head.head_without(kept_back, len(data.genres)))

    def watch(n_before: int) -> Callable[[Event], None]:
        return counted(watcher.on_event, n_before, order.folds + 1)

    judged = None
    if order.folds:
        judged = judge(
            data,
            settings,
            materials.folds,
            start=start,
            run_dir=materials.run_dir,
            resume=order.resume,
            identity=materials.identity,
            watch=watch,
            should_stop=watcher.should_stop,
            units=_units(materials, data.tracks),
        )
        if judged is None:
            return None, None
    result = train(
        data,
        settings,
        initial=start(data, materials.run_dir),
        run_dir=materials.run_dir,
        resume=order.resume,
        identity=materials.identity,
        on_event=watch(order.folds),
        should_stop=watcher.should_stop,
    )
    return judged, result


def _publish(  # noqa: PLR0917 - what `learn_network` found, handed on
    order: TrainingOrder,
    materials: Materials,
    result: TrainResult,
    judged: Judged | None,
    initial: Bundle | None,
    watcher: Watcher,
    *,
    compared: dict[str, Any] | None = None,
) -> Outcome:
    watcher.stage("saving")
    data, parts = materials.data, materials.parts
    protection = materials.protection
    bundle = publish(
        result,
        order.out,
        data,
        materials.settings,
        Provenance(
            data_facts(order, materials, len(data.tracks)),
            split_facts(order, materials, parts, order.folds),
            order.notes,
            valid_units=_units(materials, data.valid),
        ),
        calibration=None if judged is None else judged.calibration,
        start=initial,
        further_scores=None if judged is None else {"folds": judged.scores},
        replace=order.replace,
    )
    watcher.stage("checking")
    bundle, said = _with_other(bundle, result, order, materials, initial, watcher)
    notes = (*result.notes, *materials.faults, *said, *split_sentences(order, materials, order.folds))
    checked = data.valid if judged is None else data.tracks
    report = build_report(
        bundle,
        materials.collection,
        [materials.tracks[track_id] for track_id in checked.track_ids],
        _posteriors(result, materials, bundle.calibration.temperature) if judged is None else judged.posteriors,
        history=result.history,
        kept_epoch=result.kept_epoch,
        protection=protection,
        notes=notes,
        compared=compared,
    )
    return Outcome(bundle, (*notes, *protection), result.stopped, report)


def _with_other(  # noqa: PLR0917 - what `_publish` was handed, handed on
    bundle: Bundle,
    result: TrainResult,
    order: TrainingOrder,
    materials: Materials,
    initial: Bundle | None,
    watcher: Watcher,
) -> tuple[Bundle, tuple[str, ...]]:
    """The model, with a rule for other genres if that was taught, and how much it would refuse, as sentences."""
    own = joined([materials.data.tracks, materials.data.valid])
    of_own = result.answers_of(own, materials.settings.features)
    of_others = hear(bundle, materials.others, on_progress=watcher.on_progress) if materials.others else []
    seed, temperature = order.settings.train.seed, bundle.calibration.temperature
    split = order.split if order.split in DEALT else None
    tracks = [materials.tracks[name] for name in own.track_ids]
    folds = folds_if_any(tracks, split, seed), folds_if_any(materials.other_tracks, split, seed)
    units = units_of(tracks), units_of(materials.other_tracks)
    other, sentences = taught_other(initial, of_own, of_others, temperature, folds=folds, units=units, seed=seed)
    with_rule = bundle if other is None else with_other(bundle, other)
    said_of_own = refused_sentence(refused(with_rule, own, of_own), len(own))
    return publish_findings(with_rule, (*sentences, said_of_own)), (*sentences, said_of_own)


def _units(materials: Materials, tracks: LabelledTracks) -> list[str] | None:
    return units_of([materials.tracks[name] for name in tracks.track_ids])


def _posteriors(result: TrainResult, materials: Materials, temperature: float = 1.0) -> npt.NDArray[np.float64]:
    valid = materials.data.valid
    if not len(valid):
        return np.zeros((0, len(materials.collection.genres)))
    said = result.answers_of(valid, materials.settings.features)
    return metrics.track_posteriors([answers.logits for answers in said], temperature)
