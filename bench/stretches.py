"""How true are the stretches of one genre in a long sound? Joined clips of GTZAN's validation tracks.

    python -m bench.stretches [--model NAME|DIR] [--sweep]

Three kinds of sounds, always the same ones: `medley`, 40 times three to six pieces of 10 to 30 s of different
genres; `set`, all the tracks in runs of one genre; `alike`, up to five minutes of different tracks of one genre.
For each: share error (half the sum of the differences between true and found shares of the time), the share
of the true boundaries that were found within 5 s, the median distance of these, and how many stretches are found
for one that is there. `joined` is the timeline with equal neighbours joined, without smoothing.
--sweep tries other settings: the ones in `crnn.inference.stretches` were chosen so, on these validation tracks,
which also chose the model: an unseen collection may fare worse. No pop: none of those tracks has sound here.
Needs GENRESCOPE_DATA with gtzan-audio.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.measuring import labelled
from crnn import paths
from crnn.audio.clip import Clip, load_clip
from crnn.bundles.library import DEFAULT_MODEL, find_bundle
from crnn.inference.classifier import Classifier, Prediction
from crnn.inference.stretches import CHANGE_COST, POSTERIOR_FLOOR, Stretch, shares, stretches

_TOLERANCE_SECONDS = 5.0
_COSTS = (0.0, 2.0, 4.0, 6.0, 9.0, 12.0, 18.0, 25.0, 35.0, 50.0)
_FLOORS = (0.01, 0.02, 0.05, 0.1)

Pieces = list[tuple[str, npt.NDArray[np.float32]]]


@dataclass(frozen=True)
class Joined:
    """A sound made of pieces: what it is, and what the model said."""

    kind: str
    truth: tuple[Stretch, ...]
    prediction: Prediction


def main() -> int:
    """Print a table, then JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--sweep", action="store_true", help="try other settings too")
    options = parser.parse_args()
    if not (paths.data_dir() / "gtzan-audio").is_dir():
        print("needs gtzan-audio in GENRESCOPE_DATA", file=sys.stderr)
        return 2
    classifier = Classifier(find_bundle(options.model))
    joined = [_joined(classifier, kind, pieces) for kind, pieces in _sounds(classifier.config.sample_rate)]
    settings = {"joined": (0.0, 1e-9), "smoothed": (CHANGE_COST, POSTERIOR_FLOOR)}
    if options.sweep:
        settings |= {f"{cost:g}/{floor:g}": (cost, floor) for floor in _FLOORS for cost in _COSTS}
    figures = {}
    print(f"{'':<10} {'sound':<7} {'share error':>11} {'found':>6} {'median s':>9} {'stretches for one':>17}")
    for name, (cost, floor) in settings.items():
        figures[name] = {kind: _figures(joined, kind, cost, floor) for kind in ("medley", "set", "alike")}
        for kind, row in figures[name].items():
            print(
                f"{name:<10} {kind:<7} {row['share_error']:>11.3f} {row['boundaries_found']:>6.2f} "
                f"{row['median_seconds']:>9.2f} {row['stretches_for_one']:>17.2f}"
            )
    print(json.dumps({"model": classifier.bundle.name, "tolerance_seconds": _TOLERANCE_SECONDS, "figures": figures}))
    return 0


def _sounds(sample_rate: int) -> list[tuple[str, Pieces]]:
    by_genre: dict[str, list[npt.NDArray[np.float32]]] = defaultdict(list)
    for path, genre in labelled(paths.data_dir() / "gtzan-audio", "valid"):
        by_genre[genre].append(load_clip(path, sample_rate).samples)
    rng = np.random.default_rng(15)
    genres = sorted(by_genre)
    sounds: list[tuple[str, Pieces]] = []
    for _ in range(40):
        pieces: Pieces = []
        for genre in rng.permutation(genres)[: rng.integers(3, 7)]:
            track = by_genre[genre][rng.integers(len(by_genre[genre]))]
            pieces.append((str(genre), track[: int(rng.uniform(10, 30) * sample_rate)]))
        sounds.append(("medley", pieces))
    whole = [(genre, by_genre[genre][i : i + 4]) for genre in genres for i in range(0, len(by_genre[genre]), 4)]
    order = rng.permutation(len(whole))
    sounds.append(("set", [(whole[i][0], track) for i in order for track in whole[i][1]]))
    sounds += [("alike", [(genre, track) for track in by_genre[genre][:10]]) for genre in genres]
    return sounds


def _joined(classifier: Classifier, kind: str, pieces: Pieces) -> Joined:
    rate = classifier.config.sample_rate
    edges = np.concatenate([[0], np.cumsum([len(samples) for _, samples in pieces])]) / rate
    truth: list[Stretch] = []
    for (genre, _), start, end in zip(pieces, edges[:-1], edges[1:], strict=True):
        goes_on = bool(truth) and truth[-1].genre == genre
        first = truth.pop().start_seconds if goes_on else float(start)
        truth.append(Stretch(first, float(end), genre, 1.0))
    # One step of level would tell where a piece ends; every recording is as loud as the others instead.
    level = [samples / max(float(np.sqrt(np.mean(samples**2))), 1e-6) * np.float32(0.1) for _, samples in pieces]
    prediction = classifier.classify(Clip(np.concatenate(level).astype(np.float32), rate, kind))
    return Joined(kind, tuple(truth), prediction)


def _figures(joined: list[Joined], kind: str, cost: float, floor: float) -> dict[str, float]:
    errors, distances = [], []
    n_found = n_true = 0
    for sound in joined:
        if sound.kind != kind:
            continue
        found = stretches(sound.prediction.timeline, sound.prediction.genres, change_cost=cost, posterior_floor=floor)
        true_shares, found_shares = shares(sound.truth), shares(found)
        names = {*true_shares, *found_shares}
        errors.append(sum(abs(true_shares.get(name, 0) - found_shares.get(name, 0)) for name in names) / 2)
        n_found += len(found)
        n_true += len(sound.truth)
        starts = np.array([stretch.start_seconds for stretch in found[1:]])
        for stretch in sound.truth[1:]:
            distances.append(np.abs(starts - stretch.start_seconds).min() if len(starts) else np.inf)
    near = [distance for distance in distances if distance <= _TOLERANCE_SECONDS]
    return {
        "share_error": float(np.mean(errors)),
        "boundaries_found": len(near) / len(distances) if distances else 1.0,
        "median_seconds": float(np.median(near)) if near else 0.0,
        "stretches_for_one": n_found / n_true,
    }


if __name__ == "__main__":
    sys.exit(main())
