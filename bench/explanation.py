"""Is the explanation faithful? Deletes the cells it names, and asks the network again.

    python -m bench.explanation [--model NAME] [--tracks N] [--audio]

For valid tracks of the archive, or with --audio of those that are there as sound (a model that reads another front
end needs it), it takes the segment in the middle and deletes, to each band's mean, the cells named most important,
the same number at random, and the loudest, and prints how far the posterior of the answer falls. At a fifth of the
cells it must fall 2 times as far as at random, and 1.2 times as far as the loudest. Last it prints how long the
reasons of 30 s take: the first part, and all.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from bench.measuring import ARCHIVE_MODEL, archive_for, labelled
from crnn import paths
from crnn.audio.clip import load_clip
from crnn.bundles.bundle import load_bundle
from crnn.features import log_mel as features
from crnn.features.archive import to_db
from crnn.inference import explanation
from crnn.inference.classifier import Classifier
from crnn.synthesis.examples import example, example_names

SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)
N_RANDOM = 5
FloatArray = npt.NDArray[np.float32]


def _middle_segment(log_mel: npt.NDArray[np.uint8], classifier: Classifier) -> FloatArray:
    """The segment in the middle of a track, as the model reads them."""
    config = classifier.config
    start = max(0, (len(log_mel) - config.n_frames) // 2)
    return features.rereference(to_db(log_mel[start : start + config.n_frames]), config)


def _middle_of_sound(path: Path, classifier: Classifier) -> FloatArray:
    """The segment in the middle of a file, as the model reads them."""
    config = classifier.config
    power = features.mel_power(load_clip(path, config.sample_rate).samples, config)
    start = max(0, (len(power) - config.n_frames) // 2)
    return features.network_input(power[start : start + config.n_frames], config)


def _segments(wanted: argparse.Namespace, classifier: Classifier) -> Iterator[FloatArray]:
    """A segment of each of so many tracks of the split, drawn by chance."""
    rng = np.random.default_rng(0)
    if wanted.audio:
        tracks = labelled(paths.data_dir() / "gtzan-audio", wanted.split)
        for i in rng.permutation(len(tracks))[: wanted.tracks]:
            yield _middle_of_sound(tracks[i][0], classifier)
        return
    archive = archive_for(classifier.bundle)
    members = [i for i, split in enumerate(archive.splits) if split == wanted.split]
    for i in rng.permutation(members)[: wanted.tracks]:
        yield _middle_segment(archive.log_mel[i], classifier)


def seconds_of_reasons(model: str) -> tuple[float, float]:
    """Seconds to the first part of the reasons of 30 s of synthesized music, and to all, warm."""
    # As the page asks: with all the cores.
    classifier = Classifier(load_bundle(paths.models_dir() / model))
    config = classifier.config
    power = features.mel_power(example(example_names()[0], config.sample_rate).samples, config)
    power = np.resize(power, (round(30 * config.frame_rate_hz), config.n_mels))
    genre = classifier.bundle.genres[0]
    for _ in range(2):
        began, times = time.perf_counter(), []
        for _found in explanation.steps(classifier, power, genre):
            times.append(time.perf_counter() - began)
    return times[0], times[-1]


def _loudness_of_cells(segment: FloatArray, shape: tuple[int, int], classifier: Classifier) -> FloatArray:
    """Mean level of each cell in dB, `shape`."""
    n_cell = explanation.cell_frames(classifier.config)
    parts = [segment[i * n_cell : (i + 1) * n_cell].mean(axis=0) for i in range(shape[0])]
    return np.stack(parts).reshape(shape[0], shape[1], -1).mean(axis=2)


def _top(values: npt.NDArray[np.floating], share: float) -> npt.NDArray[np.bool_]:
    """The greatest `share` of the cells."""
    chosen = np.zeros(values.size, dtype=bool)
    chosen[np.argsort(-values.ravel(), kind="stable")[: round(share * values.size)]] = True
    return chosen.reshape(values.shape)


def _falls(classifier: Classifier, segment: FloatArray, rng: np.random.Generator, n_masks: int) -> FloatArray:
    """How far the posterior falls, `(named, random, loudest) × SHARES`."""
    posterior = np.exp(explanation.log_posteriors(classifier, segment[None])[0])
    label = int(posterior.argmax())
    weights, _ = explanation.segment_weights(classifier, segment, label, n_masks=n_masks)
    loud = _loudness_of_cells(segment, weights.shape, classifier)
    masks = [_top(weights, share) for share in SHARES]
    masks += [_top(rng.random(weights.shape), share) for _ in range(N_RANDOM) for share in SHARES]
    masks += [_top(loud, share) for share in SHARES]
    answers = explanation.log_posteriors(classifier, explanation.delete(segment, np.stack(masks), classifier.config))
    fallen = (posterior[label] - np.exp(answers[:, label])).reshape(-1, len(SHARES))
    return np.stack([fallen[0], fallen[1:-1].mean(axis=0), fallen[-1]])


def main() -> int:
    """Print the curves; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=ARCHIVE_MODEL)
    parser.add_argument("--audio", action="store_true")
    parser.add_argument("--split", default="valid")
    parser.add_argument("--tracks", type=int, default=120)
    parser.add_argument("--masks", type=int, default=explanation.N_MASKS)
    wanted = parser.parse_args()
    # One thread: several wait for each other on a busy machine.
    classifier = Classifier(load_bundle(paths.models_dir() / wanted.model), n_threads=1)
    rng = np.random.default_rng(0)
    fallen = [_falls(classifier, segment, rng, wanted.masks) for segment in tqdm(_segments(wanted, classifier))]
    found = np.stack(fallen).mean(axis=0)
    print(f"{wanted.model}: mean fall of the posterior over {len(fallen)} {wanted.split} tracks")
    print("cells deleted   " + "  ".join(f"{share:6.0%}" for share in SHARES))
    for name, row in zip(("most important", "random", "loudest"), found, strict=True):
        print(f"{name:15s} " + "  ".join(f"{value:6.3f}" for value in row))
    named, by_chance, loudest = found[:, SHARES.index(0.2)]
    print(f"at 20 %: {named / by_chance:.2f} times random (bar 2), {named / loudest:.2f} times the loudest (bar 1.2)")
    first, whole = seconds_of_reasons(wanted.model)
    print(f"reasons of 30 s: the first part after {first:.1f} s, all after {whole:.1f} s")
    return int(named < 2 * by_chance or named < 1.2 * loudest)


if __name__ == "__main__":
    sys.exit(main())
