"""What a user's own model claims by its folds, and what comes true on artists that it has not learnt.

    python -m bench.claims [--init ten-genres] [--draws 8] [--share 0.5]

In each draw the artists of the Magnatune tracks (`emotify-audio` below `GENRESCOPE_DATA`) are dealt in two. The instant
head learns the tracks of one side and claims what it is worth; those of the other side say what is true. Then the rule
of a folder `other`: in turn one of the four genres is other music, dealt by the same artists, and jazz and six further
genres of `gtzan-audio`, dealt track by track. “Off” counts the draws in which claim and truth lie further apart than
their 95 % intervals allow (Newcombe 1998): of claims that hold, one in twenty.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn import paths
from crnn.bundles.bundle import Bundle, Calibration
from crnn.bundles.library import DEFAULT_MODEL, find_bundle
from crnn.data.collection import gather, log_mels
from crnn.data.feature_cache import CACHE_FOLDER
from crnn.data.tracks import Track
from crnn.data.units import artist_key, units_of
from crnn.errors import DatasetError
from crnn.evaluation import metrics
from crnn.evaluation.cross_fitting import Judged, pooled
from crnn.inference.decision import in_prediction_set, is_sure
from crnn.inference.listening import Answers
from crnn.inference.tagging import other_probability
from crnn.intervals import Interval, share_interval
from crnn.training import instant
from crnn.training.inheritance import FittedOther, fit_other

OTHERS = {"jazz": {"jazz"}, "six genres": {"blues", "country", "disco", "hiphop", "metal", "reggae"}}
Heard = list[tuple[Track, Answers]]
Hits = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Trial:
    """Tracks to learn and tracks to judge by, own music and other."""

    name: str
    own: Heard
    own_apart: Heard
    others: Heard
    others_apart: Heard


@dataclass(frozen=True)
class Share:
    """A share that was claimed or came true, with its interval."""

    value: float
    interval: Interval

    @classmethod
    def of(cls, hits: Hits, units: Sequence[str] | None) -> Share:
        """The share of hits, tracks of an artist going together.

        Args:
            hits: Of tracks.
            units: Whose they are.
        """
        return cls(float(hits.mean()) if len(hits) else 0.0, share_interval(hits, units))

    def is_off(self, true: Share) -> bool:
        """Whether it lies further from what came true than both intervals allow."""
        low, high = (self, true) if self.value < true.value else (true, self)
        allowed = math.hypot(low.interval[1] - low.value, high.value - high.interval[0])
        return high.value - low.value > allowed


def main() -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--init", default=DEFAULT_MODEL, help="model to start from")
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--share", type=float, default=0.5, help="of the tracks that are learnt")
    options = parser.parse_args()
    data = paths.data_dir()
    if not (data / "emotify-audio").is_dir():
        print("set GENRESCOPE_DATA to a folder with emotify-audio", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as home:
        os.environ.setdefault("GENRESCOPE_HOME", home)
        bundle = find_bundle(options.init)
        magnatune, gtzan = (_heard(bundle, data / name) for name in ("emotify-audio", "gtzan-audio"))
    _confidence(magnatune, options.draws, options.share)
    if bundle.tagging is not None:
        _others(bundle, magnatune, gtzan, options.draws, options.share)
    return 0


def _heard(bundle: Bundle, folder: Path) -> Heard:
    if not folder.is_dir():
        return []
    collection = gather([folder])
    n_jobs = os.cpu_count() or 1
    found, _ = log_mels(
        collection, collection.tracks, bundle.feature_config, folder=paths.home_dir() / CACHE_FOLDER, n_jobs=n_jobs
    )
    known = [(track, cells) for track, cells in zip(collection.tracks, found, strict=True) if cells is not None]
    answers = instant.hear(bundle, [cells for _, cells in known])
    return [(track, said) for (track, _), said in zip(known, answers, strict=True)]


def _dealt(heard: Heard, draw: int, share: float) -> tuple[Heard, Heard]:
    """Tracks of artists in random order, until there is the share of them; and those of all other artists."""
    artists = sorted({artist_key(track) or "" for track, _ in heard})
    np.random.default_rng(draw).shuffle(artists)
    of_artist = {artist: [one for one in heard if artist_key(one[0]) == artist] for artist in artists}
    first: Heard = []
    for artist in artists:
        if len(first) < share * len(heard):
            first += of_artist[artist]
    taken = {artist_key(track) for track, _ in first}
    return first, [one for one in heard if artist_key(one[0]) not in taken]


@dataclass(frozen=True)
class Learnt:
    """The instant head of some tracks, as `train` makes and judges it."""

    tracks: list[Track]
    genres: tuple[str, ...]
    folds: npt.NDArray[np.int64]
    fitted: instant.Fitted
    judged: Judged

    @classmethod
    def of(cls, own: Heard) -> Learnt:
        """Fit and judge it.

        Args:
            own: What it shall learn.

        Raises:
            TooFewTracksError: A genre has too few artists for folds.
        """
        tracks = [track for track, _ in own]
        genres = tuple(sorted({track.genre for track in tracks}))
        labels = np.array([genres.index(track.genre) for track in tracks])
        folds = instant.fold_numbers(tracks, None, 0)
        fitted = instant.fit([said.embeddings for _, said in own], labels, folds, len(genres))
        judged = pooled(fitted.logits, labels, folds, genres, units_of(tracks), as_kept=fitted.as_kept)
        return cls(tracks, genres, folds, fitted, judged)

    @property
    def calibration(self) -> Calibration:
        """Its temperature and thresholds."""
        return self.judged.calibration


def _confidence(heard: Heard, n_draws: int, share: float) -> None:
    """Print what is claimed of right answers and of confidence, a line a draw and then the means."""
    off: dict[str, list[bool]] = defaultdict(list)
    rows = []
    print("claimed | true: right, confidence above it, answered, of these right, in the set, calibration error")
    for draw in range(n_draws):
        own, apart = _dealt(heard, draw, share)
        try:
            learnt = Learnt.of(own)
        except DatasetError as err:
            print(f"draw {draw}: {err}")
            continue
        known = [one for one in apart if one[0].genre in learnt.genres]
        tracks = [track for track, _ in known]
        labels = np.array([learnt.genres.index(track.genre) for track in tracks])
        logits = learnt.fitted.head.logits([said.embeddings for _, said in known])
        posteriors = metrics.track_posteriors(list(logits), learnt.calibration.temperature)
        true, claimed = metrics.score(labels, posteriors, learnt.genres, units_of(tracks)), learnt.judged.scores
        is_answered = is_sure(posteriors, learnt.calibration)
        right = posteriors.argmax(axis=1) == labels
        in_set = in_prediction_set(posteriors, learnt.calibration)[np.arange(len(labels)), labels]
        row = [
            [claimed[name] for name in ("accuracy", "overconfidence", "answered", "answered_accuracy", "set_coverage")],
            [true.accuracy, true.overconfidence, is_answered.mean(), right[is_answered].mean(), in_set.mean()],
        ]
        row[0].append(claimed["expected_calibration_error"])
        row[1].append(true.expected_calibration_error)
        rows.append(row)
        one = Share(claimed["accuracy"], claimed["accuracy_interval"])
        off["right"].append(one.is_off(Share(true.accuracy, true.accuracy_interval)))
        one = Share(claimed["overconfidence"], claimed["overconfidence_interval"])
        off["confidence"].append(one.is_off(Share(true.overconfidence, true.overconfidence_interval)))
        print(f"draw {draw}, {len(own)} tracks of {len({artist_key(t) for t in learnt.tracks})} artists: {_both(row)}")
    if rows:
        print(f"mean: {_both(np.mean(rows, axis=0).tolist())}; off: {_counts(off)}")


def _both(row: list[list[float]]) -> str:
    return " | ".join(" ".join(f"{value:+.3f}" if i == 1 else f"{value:.3f}" for i, value in enumerate(r)) for r in row)


def _counts(off: dict[str, list[bool]]) -> str:
    return ", ".join(f"{name} {sum(found)} of {len(found)}" for name, found in off.items())


def _trials(magnatune: Heard, gtzan: Heard, draw: int, share: float) -> Iterator[Trial]:
    own, apart = _dealt(magnatune, draw, share)
    for name in sorted({track.genre for track, _ in magnatune}):
        parts = [[one for one in side if (one[0].genre == name) == is_other] for is_other in (False, True) for side in
                 (own, apart)]  # fmt: skip
        yield Trial(name, *parts)
    for name, genres in OTHERS.items():
        chosen = [one for one in gtzan if one[0].genre in genres]
        order = np.random.default_rng(draw).permutation(len(chosen))
        dealt = [[chosen[i] for i in half] for half in np.split(order, [round(share * len(order))])]
        if chosen:
            yield Trial(name, own, apart, *dealt)


def _others(bundle: Bundle, magnatune: Heard, gtzan: Heard, n_draws: int, share: float) -> None:
    """Print what is claimed and true of own tracks lost and of other music told, by kind of music."""
    rows: dict[str, list[tuple[bool, int, list[float]]]] = defaultdict(list)
    for draw in range(n_draws):
        for trial in _trials(magnatune, gtzan, draw, share):
            found = _judge(bundle, trial)
            if found is not None:
                rows[trial.name].append(found)
    print("other music: kept where it tells; own tracks lost, claimed and true; told, claimed and true")
    everything = [row for found in rows.values() for row in found]
    for name, judged in (*rows.items(), ("all", everything)):
        kept = [values for is_kept, _, values in judged if is_kept]
        n_off = sum(n for is_kept, n, _ in judged if is_kept)
        said = " ".join(f"{value:.3f}" for value in np.mean(kept, axis=0)) if kept else "-"
        print(f"{name:<12} kept {len(kept)} of {len(judged)}: {said}; off: {n_off} of {2 * len(kept)} claims")
        if left := [values for is_kept, _, values in judged if not is_kept]:
            print(f"{'':<12} else {' '.join(f'{value:.3f}' for value in np.mean(left, axis=0))}")


def _judge(bundle: Bundle, trial: Trial) -> tuple[bool, int, list[float]] | None:
    """Whether the rule is kept, how many of its two claims are off, and the four shares; None without a rule."""
    assert bundle.tagging is not None
    try:
        learnt = Learnt.of(trial.own)
    except DatasetError:
        return None
    temperature, other_tracks = learnt.calibration.temperature, [track for track, _ in trial.others]
    fitted = fit_other(
        [said for _, said in trial.own],
        [said for _, said in trial.others],
        bundle.tagging,
        temperature,
        folds=(learnt.folds, instant.folds_if_any(other_tracks, None, 0)),
        units=(units_of(learnt.tracks), units_of(other_tracks)),
    )
    if fitted is None or not trial.own_apart or not trial.others_apart:
        return None
    lost = Share(fitted.n_lost / fitted.n_own, fitted.lost_interval)
    told = Share(fitted.n_told / fitted.n_others, fitted.told_interval)
    truly = [_told(fitted, temperature, apart) for apart in (trial.own_apart, trial.others_apart)]
    n_off = lost.is_off(truly[0]) + told.is_off(truly[1])
    return fitted.tells, n_off, [lost.value, truly[0].value, told.value, truly[1].value]


def _told(fitted: FittedOther, temperature: float, heard: Heard) -> Share:
    told = [other_probability(said, temperature, fitted.rule) >= fitted.rule.threshold for _, said in heard]
    return Share.of(np.array(told), units_of([track for track, _ in heard]))


if __name__ == "__main__":
    sys.exit(main())
