"""What a trained model is worth on small data: 20 clips of each of 4 genres, unheard artists.

    python -m bench.transfer --init ten-genres --seeds 5

For each seed, artists are dealt anew to learning and to testing. On the same tracks and the same seed: statistics
of MFCCs under a logistic regression, the quick preset from scratch, the instant head on the model's embedding, and
the quick preset from that head on (what a start from a model did before there was the head alone). Intervals of
differences are bootstrapped over tracks, those that several seeds test together.

Then genres that were not taught: in turn one genre is left out, the instant head is fitted to the others, and the
clips of the one that was left out are given to the whole model with its verdicts.

The data are the half `outside` of `emotify-audio` below `GENRESCOPE_DATA`, from which no bundled model has learnt;
or `demo`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from crnn import paths
from crnn.bundles.bundle import Bundle
from crnn.bundles.library import DEFAULT_MODEL, find_bundle
from crnn.config import FeatureConfig
from crnn.data.collection import Collection, gather
from crnn.data.labelled import NO_TRACKS, LabelledTracks, TrainingData
from crnn.data.load import load_parts
from crnn.data.tracks import Track
from crnn.data.units import units_of
from crnn.evaluation import metrics, paired
from crnn.evaluation.cross_fitting import pooled
from crnn.features.archive import to_db
from crnn.inference.classifier import Classifier
from crnn.inference.verdict import Verdict
from crnn.intervals import wilson_interval
from crnn.jobs.order import TrainingSettings, preset, settings_from, with_frozen_body
from crnn.training import instant
from crnn.training.inheritance import inherited_rejection, inherited_tagging
from crnn.training.trainer import predict_logits, train
from crnn.training.transfer import start_from

N_PER_GENRE = 20
WAYS = ("mfcc", "scratch", "head", "trained")
N_MFCC = 20
N_RESAMPLED = 4000
SURE = 0.9
Right = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Dealt:
    """Tracks to learn from and tracks of other artists, under one seed."""

    collection: Collection
    learn: list[Track]
    test: list[Track]
    seed: int

    def load(self, config: FeatureConfig) -> tuple[LabelledTracks, LabelledTracks]:
        """Features of both, computed once for each front end."""
        parts = {"train": tuple(self.learn), "test": tuple(self.test)}
        loaded = load_parts(self.collection, parts, self.collection.genres, config, n_jobs=os.cpu_count() or 1)
        return loaded.parts["train"], loaded.parts["test"]


def _deal(tracks: tuple[Track, ...], seed: int) -> tuple[list[Track], list[Track]]:
    """Tracks to learn from, `N_PER_GENRE` of each genre, and those of all other artists.

    Artists come in random order; one goes to learning while it is needed there.
    """
    rng = np.random.default_rng(seed)
    artists = sorted({track.artist or track.track_id for track in tracks})
    rng.shuffle(artists)
    learn: list[Track] = []
    taken: set[str] = set()
    for genre in sorted({track.genre for track in tracks}):
        for artist in artists:
            by_artist = [t for t in tracks if (t.artist or t.track_id) == artist and t.genre == genre]
            n_missing = N_PER_GENRE - sum(t.genre == genre for t in learn)
            # What else a taken artist has is left out of both: whoever is learnt from is not tested.
            if by_artist and n_missing > 0:
                learn += by_artist[:n_missing]
                taken.add(artist)
    return learn, [t for t in tracks if (t.artist or t.track_id) not in taken]


def posteriors_of(dealt: Dealt, settings: TrainingSettings, way: str, bundle: Bundle) -> npt.NDArray[np.float64]:
    """What one way to learn says of the test tracks, `(n_tracks, n_genres)`.

    Args:
        dealt: The tracks.
        settings: Of the networks that are trained.
        way: One of `WAYS`.
        bundle: Model whose body `head` and `trained` stand on.
    """
    genres = dealt.collection.genres
    if way in {"mfcc", "scratch"}:
        known, unheard = dealt.load(settings.features)
        if way == "mfcc":
            return _by_mfcc(known, unheard, settings.features)
        network = train(TrainingData(genres, known, NO_TRACKS), settings).model
        return metrics.track_posteriors(predict_logits(network, unheard.log_mels, settings.features))
    known, unheard = dealt.load(bundle.feature_config)
    fitted, _ = _fit_head(bundle, known, dealt.learn, dealt.seed, genres)
    if way == "head":
        answers = instant.hear(bundle, unheard.log_mels)
        return metrics.track_posteriors(list(fitted.head.logits([heard.embeddings for heard in answers])))
    rate = preset("quick", is_transfer=True).train.learning_rate
    slower = dataclasses.replace(settings, train=dataclasses.replace(settings.train, learning_rate=rate))
    settings = settings_from(bundle, with_frozen_body(slower))
    initial = start_from(bundle, genres, fitted.head)
    network = train(TrainingData(genres, known, NO_TRACKS), settings, initial=initial).model
    return metrics.track_posteriors(predict_logits(network, unheard.log_mels, settings.features))


def _by_mfcc(known: LabelledTracks, unheard: LabelledTracks, config: FeatureConfig) -> npt.NDArray[np.float64]:
    """Logistic regression on mean and spread of MFCCs and of their steps from frame to frame."""
    from scipy.fft import dct
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def statistics_of(tracks: LabelledTracks) -> npt.NDArray[np.float64]:
        rows = []
        for cells in tracks.log_mels:
            mfcc = dct(to_db(cells, config), axis=1, norm="ortho")[:, :N_MFCC]
            steps = np.diff(mfcc, axis=0)
            rows.append(np.concatenate([mfcc.mean(0), mfcc.std(0), steps.mean(0), steps.std(0)]))
        return np.stack(rows).astype(np.float64)

    regression = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))
    regression.fit(statistics_of(known), known.labels)
    found: npt.NDArray[np.float64] = regression.predict_proba(statistics_of(unheard))
    return found


def _fit_head(
    bundle: Bundle, known: LabelledTracks, tracks: list[Track], seed: int, genres: tuple[str, ...]
) -> tuple[instant.Fitted, Bundle]:
    """The instant head, and the facts of the model that it makes: calibration, and what it takes over."""
    by_id = {track.track_id: track for track in tracks}
    embeddings = [heard.embeddings for heard in instant.hear(bundle, known.log_mels)]
    learnt = [by_id[name] for name in known.track_ids]
    folds = instant.fold_numbers(learnt, None, seed)
    fitted = instant.fit(embeddings, known.labels, folds, len(genres))
    judged = pooled(fitted.logits, known.labels, folds, genres, units_of(learnt), as_kept=fitted.as_kept)
    facts = dataclasses.replace(
        bundle,
        genres=genres,
        calibration=judged.calibration,
        rejection=inherited_rejection(bundle, embeddings),
        tagging=inherited_tagging(bundle),
        companion=None,
    )
    return fitted, facts


def _untaught(dealt: Dealt, bundle: Bundle) -> Counter[str]:
    """Verdicts on the test tracks of each genre when it alone was not taught; `sure` counts those named so."""
    counts: Counter[str] = Counter()
    known, unheard = dealt.load(bundle.feature_config)
    said = instant.hear(bundle, unheard.log_mels)
    for left_out, name in enumerate(dealt.collection.genres):
        genres = tuple(genre for genre in dealt.collection.genres if genre != name)
        chosen = np.flatnonzero(known.labels != left_out)
        labels = np.array([genres.index(dealt.collection.genres[label]) for label in known.labels[chosen]])
        taught = LabelledTracks(
            tuple(known.track_ids[i] for i in chosen), tuple(known.log_mels[i] for i in chosen), labels
        )
        fitted, facts = _fit_head(bundle, taught, dealt.learn, dealt.seed, genres)
        # Its network was asked already; what is left is to decide.
        classifier = Classifier(facts, opened=lambda _: cast(Any, None))
        for i in np.flatnonzero(unheard.labels == left_out):
            (logits,) = fitted.head.logits([said[i].embeddings])
            found = classifier.decide(said[i]._replace(logits=logits), len(unheard.log_mels[i]))
            counts[found.verdict] += 1
            counts["sure"] += found.genre is not None and found.confidence >= SURE
    return counts


def _interval_of_difference(first: list[Right], second: list[Right], tracks: list[list[str]]) -> tuple[float, ...]:
    """Mean difference of two shares of right answers, and its 95 % interval by resampling tracks."""
    names = sorted({name for tested in tracks for name in tested})
    numbers = {name: number for number, name in enumerate(names)}
    sums, sizes = np.zeros(len(names)), np.zeros(len(names))
    for one, other, tested in zip(first, second, tracks, strict=True):
        for name, difference in zip(tested, one.astype(float) - other.astype(float), strict=True):
            sums[numbers[name]] += difference
            sizes[numbers[name]] += 1
    drawn = np.random.default_rng(0).integers(len(names), size=(N_RESAMPLED, len(names)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(sums.sum() / sizes.sum()), float(low), float(high)


def main() -> None:
    """Print a line a run, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--init", default=DEFAULT_MODEL, help="model to start from")
    parser.add_argument("--data", default=str(paths.data_dir() / "emotify-audio"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=list(WAYS), help="which to run, in this order")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="JSON Lines of what is done, not done again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ.setdefault("GENRESCOPE_HOME", home)
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """All runs, way by way."""
    collection, bundle = gather([options.data]), find_bundle(options.init)
    tracks = tuple(t for t in collection.tracks if t.split in {None, "outside"})
    dealt = [Dealt(collection, *_deal(tracks, seed), seed) for seed in range(options.seeds)]
    for each in dealt:
        print(f"seed {each.seed}: {len(each.test)} tracks, {dict(Counter(t.genre for t in each.test))}", flush=True)
    kept = Kept(options.keep)
    found: dict[str, list[Right]] = {}
    verdicts: Counter[str] = Counter()
    for way in options.ways:
        found[way] = [_run(each, way, bundle, options.epochs, kept) for each in dealt]
    for each in dealt:
        name = f"untaught {each.seed}"
        if name not in kept.runs:
            kept.add(name, _untaught(each, bundle))
        verdicts += Counter(kept.runs[name])
    _tell(found, [[track.track_id for track in each.test] for each in dealt], verdicts)


class Kept:
    """Runs that are done, by name, in a file if there is one."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else []
        self.runs: dict[str, Any] = dict(json.loads(line) for line in lines)

    def add(self, name: str, outcome: Any) -> None:
        """Keep one more.

        Args:
            name: Of the run.
            outcome: What it gave, as JSON has it.
        """
        self.runs[name] = outcome
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([name, outcome]) + "\n")


def _run(dealt: Dealt, way: str, bundle: Bundle, epochs: int, kept: Kept) -> Right:
    """Which test tracks one way had right, under one seed; told in a line."""
    name = f"{way} {dealt.seed}"
    genres = dealt.collection.genres
    labels = np.array([genres.index(track.genre) for track in dealt.test])
    if name not in kept.runs:
        settings = preset("quick")
        settings = dataclasses.replace(
            settings, train=dataclasses.replace(settings.train, seed=dealt.seed, epochs=epochs)
        )
        started = time.monotonic()
        posteriors = posteriors_of(dealt, settings, way, bundle)
        kept.add(name, {"answers": posteriors.argmax(axis=1).tolist(), "seconds": time.monotonic() - started})
    answers = np.array(kept.runs[name]["answers"])
    recall = metrics.score(labels, np.eye(len(genres))[answers], genres).macro_recall
    right: Right = answers == labels
    facts = f"{right.mean():.3f}, macro recall {recall:.3f}, {kept.runs[name]['seconds']:.0f} s"
    print(f"seed {dealt.seed} {way:<8} {facts}", flush=True)
    return right


def _tell(found: dict[str, list[Right]], tested: list[list[str]], verdicts: Counter[str]) -> None:
    """Means, differences with their intervals, and what became of genres that were not taught."""
    for way, right in found.items():
        each = [float(of_seed.mean()) for of_seed in right]
        print(f"{way:<8} {statistics.mean(each):.3f} ({min(each):.3f} to {max(each):.3f} by seed)")
    if "head" in found:
        for way in [way for way in found if way != "head"]:
            mean, low, high = _interval_of_difference(found["head"], found[way], tested)
            test = paired.compare(np.concatenate(found[way]), np.concatenate(found["head"]))
            alone = f"{way} alone right {test.only_first}, head alone right {test.only_second}"
            print(f"head minus {way:<8} {100 * mean:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f}); {alone}")
    n = sum(verdicts[name] for name in Verdict)
    named, sure = verdicts[Verdict.GENRE], verdicts["sure"]
    low, high = wilson_interval(named, n)
    said_apart = {Verdict.GENRE, Verdict.SILENCE}
    others = ", ".join(f"{name} {verdicts[name]}" for name in reversed(Verdict) if name not in said_apart)
    print(f"untaught genres: {named} of {n} named as a taught one ({low:.3f} to {high:.3f}), {sure} surely; {others}")


if __name__ == "__main__":
    main()
