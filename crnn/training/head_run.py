"""An order for a fitted head: embed, fit, judge by folds, save; seconds, and no Keras."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn.bundles.bundle import Bundle
from crnn.bundles.tagging import OtherRule
from crnn.data.collection import split_way
from crnn.data.labelled import LabelledTracks, joined
from crnn.data.splits import DEALT, protection_of
from crnn.data.units import units_of
from crnn.evaluation.cross_fitting import Judged, pooled
from crnn.evaluation.report import build_report
from crnn.inference.listening import Answers
from crnn.intervals import share_interval
from crnn.jobs.order import TrainingOrder
from crnn.training import instant
from crnn.training.inheritance import refused, refused_sentence, taught_other
from crnn.training.materials import Event, Materials, Outcome, Watcher, data_facts, split_facts, split_sentences
from crnn.training.publish import Provenance, publish_findings, publish_head


@dataclass(frozen=True)
class HeadRun:
    """A head fitted to all tracks on the body of a model, and what folds say of it.

    tracks: what it learnt; said: what the network says of them; folds: theirs.
    others: what the network says of music of none of the genres.
    """

    start: Bundle
    tracks: LabelledTracks
    said: list[Answers]
    others: list[Answers]
    folds: npt.NDArray[np.int64]
    fitted: instant.Fitted
    judged: Judged

    @classmethod
    def of(cls, order: TrainingOrder, materials: Materials, start: Bundle, watcher: Watcher) -> HeadRun | None:
        """Embed all tracks to learn from and to check with, and fit; None if it was stopped meanwhile.

        Args:
            order: The split and the seed of the folds.
            materials: Tracks and features.
            start: Whose body is asked for embeddings.
            watcher: Told of stages and progress, and asked whether to stop after each track.
        """
        tracks = joined(list(materials.loaded.parts.values()))
        genres = materials.collection.genres
        watcher.stage("embedding")
        log_mels = (*tracks.log_mels, *materials.others)
        heard = instant.hear(start, log_mels, on_progress=watcher.on_progress, should_stop=watcher.should_stop)
        if len(heard) < len(log_mels):
            return None
        said, others = heard[: len(tracks)], heard[len(tracks) :]
        watcher.stage("head")
        by_id = materials.tracks
        seed = order.settings.train.seed
        learnt = [by_id[name] for name in tracks.track_ids]
        folds = instant.fold_numbers(learnt, order.split, seed, order.folds)
        fitted = instant.fit_unless_stopped(
            [answers.embeddings for answers in said],
            tracks.labels,
            folds,
            len(genres),
            on_progress=watcher.on_progress,
            should_stop=watcher.should_stop,
        )
        if fitted is None:
            return None
        units = units_of(learnt)
        judged = pooled(fitted.logits, tracks.labels, folds, genres, units, as_kept=fitted.as_kept)
        return cls(start, tracks, said, others, folds, fitted, judged)

    @property
    def embeddings(self) -> list[npt.NDArray[np.float32]]:
        """Of each track's segments, `(n_segments, embedding_size)`."""
        return [answers.embeddings for answers in self.said]

    def answers(self) -> list[Answers]:
        """What the network says of each track under the fitted head."""
        logits = self.fitted.head.logits(self.embeddings)
        return [answers._replace(logits=own) for answers, own in zip(self.said, logits, strict=True)]

    def head_without(self, kept_back: npt.NDArray[np.bool_], n_genres: int) -> instant.Head:
        """The head of the tracks that are not kept back, as strong as that of all.

        Args:
            kept_back: One for each of `tracks`.
            n_genres: Logits of the head.
        """
        means = np.stack([track.mean(axis=0, dtype=np.float64) for track in self.embeddings])[~kept_back]
        return instant.fit_head(means, self.tracks.labels[~kept_back], n_genres, self.fitted.strength)

    def right_by_train(self, valid: LabelledTracks, n_genres: int) -> npt.NDArray[np.bool_]:
        """Which validation tracks a head has right that learnt all others.

        Args:
            valid: Some of `tracks`.
            n_genres: Logits of the head.
        """
        without = self.head_without(np.isin(self.tracks.track_ids, valid.track_ids), n_genres)
        of_track = dict(zip(self.tracks.track_ids, self.embeddings, strict=True))
        logits = without.logits([of_track[name] for name in valid.track_ids])
        return np.array([rows.mean(axis=0).argmax() for rows in logits]) == valid.labels


def head_outcome(
    order: TrainingOrder,
    materials: Materials,
    head: HeadRun,
    watcher: Watcher,
    *,
    notes: tuple[str, ...] = (),
    history: list[Event] | None = None,
    compared: dict[str, Any] | None = None,
    stopped: bool = False,
) -> Outcome:
    """The bundle of a fitted head, and its report.

    Args:
        order: What was asked for.
        materials: What it learnt from.
        head: It, and what the folds say.
        watcher: Told that it is being saved.
        notes: What else to say.
        history: Epochs of a network that was trained and not kept.
        compared: How that one did against the head.
        stopped: Whether that one was stopped before its end.
    """
    watcher.stage("saving")
    n_folds = int(head.folds.max()) + 1
    by_id = materials.tracks
    tracks = [by_id[name] for name in head.tracks.track_ids]
    dealt = {
        f"fold {n + 1}": tuple(t for t, fold in zip(tracks, head.folds, strict=True) if fold == n)
        for n in range(n_folds)
    }
    protection, facts = protection_of(dealt, n_folds), data_facts(order, materials, len(tracks))
    other, said_of_other = _taught_other(order, materials, head)
    bundle = publish_head(
        head.fitted,
        head.start,
        order.out,
        tracks=head.tracks,
        embeddings=head.embeddings,
        judged=head.judged,
        other=other,
        genres=materials.collection.genres,
        provenance=Provenance(facts, split_facts(order, materials, dealt, n_folds), order.notes),
        replace=order.replace,
    )
    counts = refused(bundle, head.tracks, head.answers())
    found = (*_train_to_valid(order, materials, head), *said_of_other, refused_sentence(counts, len(head.tracks)))
    bundle = publish_findings(bundle, found)
    notes = (*notes, *materials.faults, *found, *split_sentences(order, materials, n_folds))
    report = build_report(
        bundle,
        materials.collection,
        tracks,
        head.judged.posteriors,
        history=history or [],
        kept_epoch=0,
        protection=protection,
        notes=notes,
        compared=compared,
    )
    return Outcome(bundle, (*notes, *protection), stopped, report)


def _train_to_valid(order: TrainingOrder, materials: Materials, head: HeadRun) -> tuple[str, ...]:
    """What a named split's train says of its valid, which the folds mix; empty where there is no such split."""
    valid = materials.loaded.parts.get("valid")
    way = split_way(materials.collection, order.split)
    learnt = materials.loaded.parts.get("train")
    if order.method != "head" or way in DEALT or not valid or not learnt:
        return ()
    genres = materials.collection.genres
    if len(np.unique(learnt.labels)) < len(genres):
        return ()
    right = head.right_by_train(valid, len(genres))
    low, high = share_interval(right, units_of([materials.tracks[name] for name in valid.track_ids]))
    return (
        f"From train alone such a head has {right.sum()} of the {len(right)} tracks of valid right "
        f"({100 * low:.0f} to {100 * high:.0f} %).",
    )


def _taught_other(
    order: TrainingOrder, materials: Materials, head: HeadRun
) -> tuple[OtherRule | None, tuple[str, ...]]:
    seed, temperature = order.settings.train.seed, head.judged.calibration.temperature
    folds = head.folds, instant.folds_if_any(materials.other_tracks, order.split, seed)
    own = [materials.tracks[name] for name in head.tracks.track_ids]
    units = units_of(own), units_of(materials.other_tracks)
    return taught_other(head.start, head.said, head.others, temperature, folds=folds, units=units, seed=seed)
