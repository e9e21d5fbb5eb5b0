"""What a start from a trained model is worth on small data: 20 clips of each of 4 genres, unheard artists.

    python bench/transfer.py --init gtzan-crnn --seeds 5

For each seed, artists are dealt anew to learning and to testing. Each run is the quick preset, once
from scratch and once from the model, with the same tracks and the same seed. The data are the half
`outside` of `emotify-audio` below `GENRESCOPE_DATA`, from which no bundled model has learnt; or `demo`.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crnn import evaluation, paths
from crnn.collection import Collection, gather
from crnn.commands.common import find_bundle
from crnn.dataset import Track
from crnn.loading import load_parts
from crnn.orders import TrainingSettings, for_transfer, preset
from crnn.training import NO_TRACKS, TrainingData, predict_logits, train
from crnn.transfer import settings_from, start_from

N_PER_GENRE = 20


def deal(tracks: tuple[Track, ...], seed: int) -> tuple[list[Track], list[Track]]:
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
            # One artist may not fill a genre: someone has to be left to test with.
            if by_artist and n_missing > 0:
                learn += by_artist[:n_missing]
                taken.add(artist)
    return learn, [t for t in tracks if (t.artist or t.track_id) not in taken]


def run(
    collection: Collection, settings: TrainingSettings, learn: list[Track], test: list[Track], init: str | None
) -> tuple[float, float, float]:
    """Accuracy and macro recall on the test tracks, and seconds, of one training."""
    bundle = find_bundle(init) if init else None
    if bundle is not None:
        settings = for_transfer(settings_from(bundle, settings))
    parts = {"train": tuple(learn), "test": tuple(test)}
    loaded = load_parts(collection, parts, collection.genres, settings.features, n_jobs=os.cpu_count() or 1)
    started = time.monotonic()
    data = TrainingData(collection.genres, loaded.parts["train"], NO_TRACKS)
    initial = None if bundle is None else start_from(bundle, data, settings, resumes=False)
    result = train(data, settings, initial=initial)
    seconds = time.monotonic() - started
    unheard = loaded.parts["test"]
    posteriors = evaluation.track_posteriors(predict_logits(result.model, unheard.log_mels, settings.features))
    scores = evaluation.score(unheard.labels, posteriors, collection.genres)
    return scores.accuracy, scores.macro_recall, seconds


def main() -> None:
    """Print a line a run, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--init", default="gtzan-crnn", help="model to start from")
    parser.add_argument("--data", default=str(paths.data_dir() / "emotify-audio"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ.setdefault("GENRESCOPE_HOME", home)
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """All runs."""
    collection = gather([options.data])
    tracks = tuple(t for t in collection.tracks if t.split in {None, "outside"})
    settings = preset("quick")
    scores: dict[str, list[float]] = {"scratch": [], "transfer": []}
    for seed in range(options.seeds):
        learn, test = deal(tracks, seed)
        seeded = dataclasses.replace(
            settings, train=dataclasses.replace(settings.train, seed=seed, epochs=options.epochs)
        )
        for name, init in (("scratch", None), ("transfer", options.init)):
            accuracy, recall, seconds = run(collection, seeded, learn, test, init)
            scores[name].append(accuracy)
            kinds = dict(Counter(t.genre for t in test))
            facts = f"{accuracy:.3f} of {len(test)}, macro recall {recall:.3f}, {seconds:.0f} s"
            print(f"seed {seed} {name:<9} {facts} {kinds}", flush=True)
    means = {name: statistics.mean(found) for name, found in scores.items()}
    print(f"scratch {means['scratch']:.3f}, transfer {means['transfer']:.3f}: {len(scores['scratch'])} seeds")


if __name__ == "__main__":
    main()
