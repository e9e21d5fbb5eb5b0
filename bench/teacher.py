"""The bundled model against the tagger that taught it: the same tracks, folds and kind of head, paired.

    python -m bench.teacher --musicnn musicnn-0.1.0-py3-none-any.whl [--seeds 5] [--model NAME|DIR]

MSD_musicnn hears the tracks of GTZAN whose audio is at hand, in 3-s windows end to end; its head is logistic
regression, on the mean tag logits and on the mean penultimate layer. Ours has the form that the recipe gives it, on
the embeddings of the bundled network. Each gets the strength that is best for it. Heads learn on four folds and are
judged on the fifth, pooled over folds and seeds. Artists are in several folds for all alike; our body has heard the
train tracks without their labels, so the validation tracks are counted apart. Prints accuracies, and ours less the
teacher's with a 95 % paired bootstrap interval over tracks, then JSON. Needs GENRESCOPE_DATA with gtzan-audio.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn import paths
from crnn.audio.clip import load_clip
from crnn.bundles.library import find_bundle
from crnn.config import ModelConfig
from crnn.evaluation.metrics import track_posteriors
from crnn.features import log_mel
from crnn.inference.classifier import Classifier
from recipes import linear_head
from recipes.gtzan_crnn import DISCRIMINANT_WEIGHT
from recipes.teachers import musicnn

N_FOLDS = 5
# The best of these on these folds, for each: none shall lose by a poor choice of another's.
STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
N_RESAMPLED = 10_000

FloatArray = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
# Strength, weight of the discriminant analysis, and parts of the embedding: see `linear_head.fit_linear_head`.
Form = tuple[float, float, tuple[int, ...]]


def main() -> int:
    """Print the table, then JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--musicnn", type=Path, required=True, help="musicnn-0.1.0-py3-none-any.whl")
    parser.add_argument("--model", default="gtzan-crnn")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    folder = paths.data_dir() / "gtzan-audio"
    if not folder.is_dir() or not options.musicnn.is_file():
        print("needs gtzan-audio in GENRESCOPE_DATA, and musicnn's wheel", file=sys.stderr)
        return 2
    with (folder / "tracks.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    genres = sorted({row["genre"] for row in rows})
    labels = np.array([genres.index(row["genre"]) for row in rows])
    is_valid = np.array([row["split"] == "valid" for row in rows])
    classifier = Classifier(find_bundle(options.model))
    network = ModelConfig.from_dict({k: v for k, v in classifier.bundle.model.items() if k != "n_parameters"})
    parts = (network.timbral_embedding_size, network.embedding_size - network.timbral_embedding_size)
    heard = _heard([folder / row["file"] for row in rows], classifier, musicnn.load_musicnn(options.musicnn))
    contestants: dict[str, tuple[list[FloatArray], list[Form]]] = {
        "ours": (heard["ours"], [(strength, DISCRIMINANT_WEIGHT, parts) for strength in STRENGTHS])
    }
    for name in ("tag logits", "penultimate"):
        contestants[f"MSD_musicnn, {name}"] = heard[name], [(strength, 0.0, ()) for strength in STRENGTHS]
    right = {name: _best(inputs, labels, forms, options.seeds) for name, (inputs, forms) in contestants.items()}
    table = []
    for part, chosen in (("all", np.full(len(labels), True)), ("valid", is_valid)):
        for name, hits in right.items():
            low, high = _paired_interval((right["ours"] - hits)[chosen])
            difference = float((right["ours"] - hits)[chosen].mean())
            table.append(
                {"tracks": part, "n": int(chosen.sum()), "contestant": name, "accuracy": float(hits[chosen].mean())}
                | ({} if name == "ours" else {"ours_less": difference, "interval": [low, high]})
            )
            apart = "" if name == "ours" else f"  ours {100 * difference:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
            print(f"{part:<6} {chosen.sum():>4}  {name:<26} {hits[chosen].mean():.3f}{apart}", flush=True)
    print(json.dumps(table))
    return 0


def _heard(files: list[Path], classifier: Classifier, teacher: object) -> dict[str, list[FloatArray]]:
    """What each contestant makes of each file: per track `(n_segments, size)`, one mean row for the teacher."""
    found: dict[str, list[FloatArray]] = {"ours": [], "tag logits": [], "penultimate": []}
    for path in files:
        clip = load_clip(path, classifier.config.sample_rate)
        found["ours"].append(classifier.run(log_mel.segment(clip.samples, classifier.config))[1])
        windows = musicnn.segment(musicnn.log_mel(clip.samples, clip.sample_rate), musicnn.SEGMENT_FRAMES)
        answers = teacher.predict_on_batch(np.ascontiguousarray(windows))  # type: ignore[attr-defined]
        found["tag logits"].append(np.asarray(answers["logits"]).mean(axis=0, keepdims=True))
        found["penultimate"].append(np.asarray(answers["penultimate"]).mean(axis=0, keepdims=True))
    return found


def _best(inputs: list[FloatArray], labels: Ints, forms: list[Form], n_seeds: int) -> npt.NDArray[np.float64]:
    """Share of the seeds in which each track is named rightly, by the form of head that is right most often."""
    embedded = linear_head.Embedded(inputs, [track[:0] for track in inputs])
    n_genres = int(labels.max()) + 1
    tried = []
    for strength, weight, parts in forms:
        hits = []
        for seed in range(n_seeds):
            folds = _stratified(labels, seed)
            logits = linear_head.out_of_fold_logits(
                embedded, labels, folds, n_genres, strength=strength, discriminant_weight=weight, parts=parts
            )
            hits.append(track_posteriors(logits).argmax(axis=1) == labels)
        tried.append(np.mean(hits, axis=0))
    return max(tried, key=np.mean)


def _stratified(labels: Ints, seed: int) -> Ints:
    """Fold of each track, genres spread evenly."""
    rng = np.random.default_rng(seed)
    folds = np.zeros(len(labels), np.int64)
    for genre in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == genre))
        folds[members] = (np.arange(len(members)) + rng.integers(N_FOLDS)) % N_FOLDS
    return folds


def _paired_interval(differences: npt.NDArray[np.float64]) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(differences), (N_RESAMPLED, len(differences)))
    low, high = np.quantile(differences[drawn].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


if __name__ == "__main__":
    sys.exit(main())
