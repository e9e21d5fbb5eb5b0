"""What a score means: the same data and the same learner, split three ways.

    python -m bench.protocols [--model NAME|DIR] [--seed 0]

Leaky: random segments, so that the same track lies on both sides, scored by segment, as in
most published notebooks. Random tracks: five folds, artists shared, scored by track.
Fault-filtered: the partition of Kereliuk, Sturm & Larsen (2015), learnt on train, scored on
valid by track; no artist on both sides. Two learners: mean and deviation of the mel bands
with a support vector machine, and the bundled CRNN's embeddings with logistic regression
(its body has heard the train tracks without their labels, so its folds are optimistic).
Prints a table with 95 % intervals, then JSON. Needs GENRESCOPE_DATA with gtzan-logmel.npz.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from bench.measuring import ARCHIVE_MODEL, archive_for
from crnn import paths
from crnn.bundles.library import find_bundle
from crnn.data.labelled import plain_segments
from crnn.inference.classifier import Classifier
from crnn.intervals import wilson_interval

N_FOLDS = 5
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
FitPredict = Callable[[Floats, Ints, Floats], Floats]


def _support_vectors(inputs: Floats, labels: Ints, heard: Floats) -> Floats:
    """Decision values for `heard`, `(n, n_genres)`, by an RBF support vector machine."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    machine = make_pipeline(StandardScaler(), SVC(C=10.0, decision_function_shape="ovr"))
    return np.asarray(machine.fit(inputs, labels).decision_function(heard))


def _logistic_regression(inputs: Floats, labels: Ints, heard: Floats) -> Floats:
    """Logarithms of the posteriors of `heard`, `(n, n_genres)`, by multinomial logistic regression."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    regression = LogisticRegression(C=0.01, max_iter=500, class_weight="balanced")
    return np.asarray(make_pipeline(StandardScaler(), regression).fit(inputs, labels).predict_log_proba(heard))


def main() -> int:
    """Print the table, then JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=ARCHIVE_MODEL)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not (paths.data_dir() / "gtzan-logmel.npz").is_file():
        print("needs gtzan-logmel.npz in GENRESCOPE_DATA", file=sys.stderr)
        return 2
    classifier = Classifier(find_bundle(options.model))
    archive = archive_for(classifier.bundle)
    segments = [plain_segments(log_mel, classifier.bundle.feature_config) for log_mel in archive.log_mel]
    track = np.repeat(np.arange(len(segments)), [len(cut) for cut in segments])
    genres = sorted(set(archive.genres))
    labels = np.array([genres.index(genre) for genre in archive.genres])
    is_valid = np.array(archive.splits) == "valid"
    learners: dict[str, tuple[Floats, FitPredict]] = {
        "mel statistics, SVM": (
            np.concatenate([np.concatenate([cut.mean(axis=1), cut.std(axis=1)], axis=1) for cut in segments]),
            _support_vectors,
        ),
        "CRNN embeddings, logistic regression": (
            np.concatenate([classifier.run(cut)[1] for cut in segments]).astype(np.float64),
            _logistic_regression,
        ),
    }
    rng = np.random.default_rng(options.seed)
    fold_of_segment = rng.permutation(len(track)) % N_FOLDS
    fold_of_track = rng.permutation(len(labels)) % N_FOLDS
    # Folds of the segments, and whether tracks are scored.
    protocols = {
        "leaky: random segments, by segment": (fold_of_segment, False),
        f"random tracks, {N_FOLDS} folds, by track": (fold_of_track[track], True),
        "fault-filtered, train to valid, by track": (np.where(is_valid, 0, -1)[track], True),
    }
    table = []
    print(f"{'learner':<38} {'protocol':<42} {'right':>6}  95 % interval")
    for (learner, (inputs, fit_predict)), (protocol, (folds, by_track)) in itertools.product(
        learners.items(), protocols.items()
    ):
        right = _right(inputs, labels[track], folds, fit_predict, track if by_track else None)
        low, high = wilson_interval(int(right.sum()), len(right))
        print(f"{learner:<38} {protocol:<42} {right.mean():>6.3f}  {low:.3f} to {high:.3f} of {len(right)}")
        row = {"learner": learner, "protocol": protocol, "accuracy": float(right.mean())}
        table.append(row | {"interval": [low, high], "n": len(right)})
    print(json.dumps(table))
    return 0


def _right(
    inputs: Floats, labels: Ints, folds: Ints, fit_predict: FitPredict, track: Ints | None = None
) -> npt.NDArray[np.bool_]:
    """Which segments (or, with `track`, which tracks) of the folds from 0 on are named rightly by the others."""
    found = []
    for fold in range(int(folds.max()) + 1):
        inside = folds == fold
        scores = fit_predict(inputs[~inside], labels[~inside], inputs[inside])
        truth = labels[inside]
        if track is not None:
            tracks, first, of_segment = np.unique(track[inside], return_index=True, return_inverse=True)
            summed = np.zeros((len(tracks), scores.shape[1]))
            np.add.at(summed, of_segment, scores)
            scores, truth = summed, truth[first]
        found.append(scores.argmax(axis=1) == truth)
    return np.concatenate(found)


if __name__ == "__main__":
    sys.exit(main())
