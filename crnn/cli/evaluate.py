"""`evaluate`: a model's answers for labelled tracks, scored."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crnn.bundles.library import find_bundle
from crnn.cli.common import add_command, add_model_option, progress, result_file, say
from crnn.errors import CrnnError, TooFewTracksError
from crnn.text import number_of, signed, with_interval
from crnn.untrusted import json_line

if TYPE_CHECKING:
    from crnn.data.collection import Collection
    from crnn.data.tracks import Dataset, Track
    from crnn.evaluation.metrics import Scores
    from crnn.evaluation.verdicts import Answered
    from crnn.inference.classifier import Classifier, Prediction


def add_commands(commands: Any) -> None:
    """Add `evaluate`."""
    parser = add_command(
        commands,
        "evaluate",
        "score a model on labelled tracks",
        "Score a model by track. Every track counts unless --split names a part: of the split that the model\n"
        "was trained with if these are its data, else train, valid or test of the data set's own split column,\n"
        "or of the fault-filtered partition if the tracks are GTZAN's.\n"
        "The scores take the top genre of every track; what is answered, and how often that is right, is told\n"
        "beside them, and what is said of tracks whose genre the model does not know.",
    )
    parser.add_argument("dataset", metavar="DATASET")
    add_model_option(parser)
    parser.add_argument("--split", metavar="NAME", help="part to score: train, valid or test")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
    parser.add_argument("--rows", type=result_file(), metavar="FILE", help="write a line of JSON for each track there")
    parser.set_defaults(run=evaluate)


def evaluate(options: argparse.Namespace) -> int:
    """Print the scores."""
    from crnn.data.scan import scan as scan_dataset
    from crnn.data.splits import select_part
    from crnn.evaluation.learnt import learnt_sentence
    from crnn.evaluation.own_split import own_part
    from crnn.evaluation.verdicts import summarize
    from crnn.inference.classifier import Classifier

    bundle = find_bundle(options.model)
    dataset = scan_dataset(options.dataset)
    own = own_part(bundle, dataset, options.split) if options.split else None
    if own is not None:
        tracks = own[1]
    else:
        tracks = select_part(dataset.tracks, options.split) if options.split else dataset.tracks
    if not any(track.genre in bundle.genres for track in tracks):
        raise TooFewTracksError(f"No track there is of a genre that “{bundle.name}” knows: {', '.join(bundle.genres)}.")
    notes = list(dataset.notes)
    tells_other = bundle.tagging is not None and bundle.tagging.other is not None
    notes += _apart(tracks, bundle.genres, tells_other=tells_other)
    classifier = Classifier(bundle)
    answer = _answerer_of_features(classifier, own[0]) if own is not None else None
    answers, faults = answer_all(classifier, dataset, tracks, answer)
    notes += faults
    if learnt := learnt_sentence(bundle, dataset, answers):
        notes.append(learnt)
    if options.rows is not None:
        _write_rows(options.rows, answers)
    scores = score([answer for answer in answers if answer.truth in bundle.genres], bundle.genres)
    summary = summarize(answers, bundle.genres, tells_other=tells_other)
    if options.format == "json":
        sys.stdout.write(json_line(scores.to_dict() | summary | {"notes": notes}))
        if learnt:
            # A program that reads the scores may not look at notes; the table has it among its lines.
            say(learnt, to_stderr=True)
    else:
        _print_scores(scores, notes)
        _print_summary(summary)
    return 1 if faults else 0


def _apart(tracks: Sequence[Track], genres: tuple[str, ...], *, tells_other: bool) -> list[str]:
    """What is said of tracks that are not among the scores, as sentences."""
    from crnn.evaluation.verdicts import is_other

    unknown = [track.genre for track in tracks if track.genre not in genres]
    others = [genre for genre in unknown if tells_other and is_other(genre, genres)]
    strangers = [genre for genre in unknown if not (tells_other and is_other(genre, genres))]
    notes = []
    if strangers:
        said = f"{number_of(len(strangers), 'track')} of genres that the model does not know"
        notes.append(f"{said} left out: {', '.join(sorted(set(strangers)))}.")
    if others:
        said = f"{number_of(len(others), 'track')} of {' and '.join(sorted(set(others)))}, which is none of the genres,"
        notes.append(f"{said} left out of the scores: what is told of them stands beside.")
    return notes


def answer_all(
    classifier: Classifier,
    dataset: Dataset,
    tracks: tuple[Track, ...] | list[Track],
    answer: Callable[[Track], Prediction] | None = None,
) -> tuple[list[Answered], list[str]]:
    """The answers for tracks of a data set, and a sentence for each that could not be read.

    Args:
        classifier: Who answers.
        dataset: Where the tracks come from.
        tracks: Which of them.
        answer: How a track's answer is had; None hears its sound, or reads its archive.
    """
    from crnn.data.units import units_of
    from crnn.evaluation.verdicts import Answered

    answers, faults = [], []
    answer = answer or _answerer(classifier, dataset)
    units: Sequence[str | None] = units_of(tracks) or [None] * len(tracks)
    for track, unit in progress(list(zip(tracks, units, strict=True)), len(tracks), "tracks"):
        prediction = None
        try:
            prediction = answer(track)
        except CrnnError as err:
            faults.append(f"{track.track_id} counts as wrong: {err}")
        answers.append(Answered(track.track_id, track.genre, prediction, unit))
    return answers, faults


def score(answers: list[Answered], genres: tuple[str, ...]) -> Scores:
    """Scores of the top genres, whatever the verdict; what could not be read counts as wrong.

    Args:
        answers: One for each track, of genres that the model knows.
        genres: Names in logit order.
    """
    import numpy as np

    from crnn.evaluation import metrics
    from crnn.evaluation.verdicts import units_of_all

    posteriors = np.zeros((len(answers), len(genres)))
    for row, answer in enumerate(answers):
        if answer.prediction is not None:
            posteriors[row] = answer.prediction.posterior
    labels = [genres.index(answer.truth) for answer in answers]
    return metrics.score(labels, posteriors, genres, units_of_all(answers))


def _answerer(classifier: Classifier, dataset: Dataset) -> Callable[[Track], Prediction]:
    """How the answer for a track of this data set is had: from its log-mel or its audio."""
    from crnn.data.scan import track_clip
    from crnn.features.archive import read_archive, to_db
    from crnn.features.front_ends import check_front_end

    if dataset.kind == "archive" and dataset.source is not None:
        archive, config = read_archive(dataset.source), classifier.config
        check_front_end(archive.made_with, config, dataset.source.name)
        return lambda track: classifier.classify_log_mel(to_db(archive.log_mel[track.index or 0], config))
    sample_rate = classifier.config.sample_rate

    def answer(track: Track) -> Prediction:
        if track.path is not None:
            return classifier.classify_file(track.path)
        return classifier.classify(track_clip(track, sample_rate))

    return answer


def _answerer_of_features(classifier: Classifier, collection: Collection) -> Callable[[Track], Prediction]:
    """The answer for a track as training had it: from the log-mel that was learnt from."""
    from crnn import paths
    from crnn.data.collection import log_mels
    from crnn.data.feature_cache import CACHE_FOLDER
    from crnn.features.archive import to_db

    def answer(track: Track) -> Prediction:
        folder = paths.home_dir() / CACHE_FOLDER
        (cells,), faults = log_mels(collection, [track], classifier.config, folder=folder, n_jobs=1)
        if cells is None:
            raise CrnnError(" ".join(fault.message for fault in faults))
        return classifier.classify_log_mel(to_db(cells, classifier.config))

    return answer


def _write_rows(path: Path, answers: list[Answered]) -> None:
    try:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json_line(answer.to_row()) for answer in answers)
    except OSError as err:
        raise CrnnError(f"{path} cannot be written: {err.strerror or err}.") from err


def _print_scores(scores: Scores, notes: list[str]) -> None:
    from crnn import intervals

    counts = [scores.per_genre[genre]["n_tracks"] for genre in scores.genres]
    confusion = scores.confusion.tolist()
    share = intervals.independent_share(scores.to_dict())
    means, n = intervals.of_means(confusion, counts, share), share * scores.n_tracks
    among_three = intervals.wilson_interval(scores.top3_accuracy * n, n)
    low, high = scores.accuracy_interval
    tell = intervals.tell_as_much(scores.to_dict())
    as_many = f", which {tell}" if tell else ""
    print(f"accuracy          {scores.accuracy:.3f}  ({low:.3f} to {high:.3f}, {scores.n_tracks} tracks{as_many})")
    print(f"macro-F1          {scores.macro_f1:.3f}{_in_brackets(means.macro_f1)}")
    print(f"macro recall      {scores.macro_recall:.3f}{_in_brackets(means.macro_recall)}")
    print(f"among first three {scores.top3_accuracy:.3f}{_in_brackets(among_three)}")
    by_chance = intervals.error_by_chance(scores.reliability, share)
    print(f"calibration error {scores.expected_calibration_error:.3f}  (up to {by_chance or 0:.3f} is chance)")
    less, more = map(signed, scores.overconfidence_interval)
    what = f"({less} to {more}: mean confidence less the share right)"
    print(f"overconfidence    {signed(scores.overconfidence)}  {what}")
    for genre, of_genre in zip(scores.genres, intervals.of_genres(confusion, counts, share), strict=True):
        row = scores.per_genre[genre]
        precision, recall = (with_interval(row[name], getattr(of_genre, name)) for name in ("precision", "recall"))
        say(f"  {genre:<14} {row['n_tracks']:>5.0f}  precision {precision}  recall {recall}")
    for note in notes:
        say(note)


def _in_brackets(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"  ({interval[0]:.3f} to {interval[1]:.3f})"


def _print_summary(summary: dict[str, Any]) -> None:
    shares = ", ".join(f"{name.replace('_', ' ')} {share:.3f}" for name, share in summary["verdicts"].items())
    print(f"verdicts          {shares}")
    if summary["answered_accuracy"] is not None:
        low, high = summary["answered_interval"]
        print(f"answers right     {summary['answered_accuracy']:.3f}  ({low:.3f} to {high:.3f})")
    low, high = summary["set_coverage_interval"]
    held = f"{summary['set_coverage']:.3f}  ({low:.3f} to {high:.3f})"
    print(f"set holds truth   {held}, of {summary['set_size']:.2f} genres on average")
    if other := summary.get("other"):
        low, high = other["told_interval"]
        told = f"{other['told']:.3f} told to be none of the genres  ({low:.3f} to {high:.3f})"
        print(f"other             {number_of(other['n_tracks'], 'track')}, {told}")
    if unknown := summary.get("unknown_genres"):
        low, high = unknown["named_surely_interval"]
        print(
            f"unknown genres    {number_of(unknown['n_tracks'], 'track')}, {unknown['named']:.3f} named, "
            f"{unknown['named_surely']:.3f} with 0.9 or more ({low:.3f} to {high:.3f})"
        )
