"""Listening along: how soon, how often, how true, and in how much memory.

    python -m bench.live [--model NAME|DIR] [--minutes M] [--no-browser] [--clips]

Prints a line of JSON a part. `updates`: seconds that an answer costs in this process, of half a second of new sound.
`memory`: what this process gains between the minute from which no more sound is kept and the last one. `browser`: the
app, served, and Chromium, whose microphone plays music: seconds from the press to the first answer, and from the end to
the verdict, and answers a second. `second_minute`: there, two minutes uploaded, zoomed into, and asked why. `clips`
(needs GENRESCOPE_DATA with gtzan-audio): for each validation track, when it would have ended by itself, and how often
the answer of then is that of the whole track.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from bench import browsing
from bench.measuring import SOURCE_RATE, labelled, music, resident_bytes, write_mp3, write_wav
from crnn import paths
from crnn.audio.clip import load_clip
from crnn.bundles.library import DEFAULT_MODEL, find_bundle
from crnn.inference.classifier import Classifier, Prediction
from crnn.inference.live import LiveListening

_STEP_SECONDS = 0.5
# So much of the sound is kept in the bench of memory; the app keeps fifteen minutes.
_KEPT_SECONDS = 120.0
_LONGEST_SECONDS = 20.0


def _blocks(samples: npt.NDArray[np.floating[Any]], rate: int) -> list[bytes]:
    """Samples as a microphone gives them, half a second at a time."""
    pcm = np.round(np.clip(samples, -1, 1) * 32_767).astype("<i2")
    n_step = round(_STEP_SECONDS * rate)
    return [pcm[start : start + n_step].tobytes() for start in range(0, len(pcm), n_step)]


def updates(classifier: Classifier) -> dict[str, float]:
    """What an answer costs while twenty seconds are heard."""
    costs, cpu_costs = [], []
    for is_warm in (False, True):
        live = LiveListening(classifier, SOURCE_RATE)
        for block in _blocks(music(_LONGEST_SECONDS), SOURCE_RATE):
            began, cpu = time.perf_counter(), time.process_time()
            live.push(block)
            if live.answer() is not None and is_warm:
                costs.append(time.perf_counter() - began)
                cpu_costs.append(time.process_time() - cpu)
    return {
        "median_seconds": round(statistics.median(costs), 3),
        "most_seconds": round(max(costs), 3),
        "median_cpu_seconds": round(statistics.median(cpu_costs), 3),
    }


def _memory(classifier: Classifier, minutes: int) -> dict[str, float]:
    """How this process grows once no more sound is kept."""
    minute = _blocks(music(60.0), SOURCE_RATE)
    live = LiveListening(classifier, SOURCE_RATE, kept_seconds=_KEPT_SECONDS)
    # Twice as long as what is kept: then everything that is dropped has been dropped once.
    first = round(2 * _KEPT_SECONDS / 60)
    before = 0
    for number in tqdm(range(1, minutes + 1), desc="minutes"):
        for block in minute:
            live.push(block)
            live.answer()
        if number == first:
            before = resident_bytes(os.getpid())
    return {
        "from_minute": first,
        "to_minute": minutes,
        "growth_mb": round((resident_bytes(os.getpid()) - before) / 2**20, 1),
    }


def clips(classifier: Classifier) -> dict[str, Any]:
    """When validation tracks would have ended by themselves, and whether the answer stays."""
    ended: list[tuple[float, bool, bool, bool]] = []
    rate = classifier.config.sample_rate
    for path, genre in tqdm(labelled(paths.data_dir() / "gtzan-audio", "valid"), desc="clips"):
        clip = load_clip(path, rate)
        seconds, then = _until_settled(classifier, clip.samples, rate)
        whole = classifier.classify(clip)
        names = [_top(then), _top(whole)]
        ended.append((seconds, names[0] == names[1], names[0] == genre, names[1] == genre))
    early = [row for row in ended if row[0] < _LONGEST_SECONDS]
    return {
        "n_clips": len(ended),
        "ended_by_themselves": len(early),
        "median_seconds_of_those": statistics.median(row[0] for row in early) if early else None,
        "same_as_whole_of_those": round(statistics.mean(row[1] for row in early), 3) if early else None,
        "right_when_it_ended": round(statistics.mean(row[2] for row in ended), 3),
        "right_of_the_whole": round(statistics.mean(row[3] for row in ended), 3),
    }


def _until_settled(
    classifier: Classifier, samples: npt.NDArray[np.float32], rate: int
) -> tuple[float, Prediction | None]:
    live = LiveListening(classifier, rate)
    for block in _blocks(samples, rate):
        live.push(block)
        live.answer()
        if live.is_settled or live.seconds >= _LONGEST_SECONDS:
            break
    return live.seconds, live.prediction


def _top(prediction: Prediction | None) -> str:
    return "" if prediction is None else prediction.ranked()[0][0]


def main() -> int:
    """Print a line of JSON a part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--minutes", type=int, default=30, help="0 leaves the memory out")
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--clips", action="store_true")
    options = parser.parse_args()
    classifier = Classifier(find_bundle(options.model))
    print(json.dumps({"updates": updates(classifier)}), flush=True)
    if options.minutes:
        print(json.dumps({"memory": _memory(classifier, options.minutes)}), flush=True)
    if options.clips:
        print(json.dumps({"clips": clips(classifier)}), flush=True)
    if not options.no_browser:
        with tempfile.TemporaryDirectory() as folder:
            wav = write_wav(Path(folder) / "microphone.wav", music(30.0))
            print(json.dumps({"browser": browsing.live(wav, seconds=15.0)}), flush=True)
            mp3 = write_mp3(Path(folder) / "song.mp3", music(120.0))
            print(json.dumps({"second_minute": browsing.second_minute(mp3)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
