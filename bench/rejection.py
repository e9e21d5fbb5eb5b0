"""What is called music, and what is not: sounds of kinds that no training heard.

    python -m bench.rejection [--model NAME|DIR] [--real FOLDER] [--music FOLDER]

Not music: speech by flite and festival (other synthesizers than the one that training may
use) and by espeak-ng voices kept for this bench, noises and tones by sox. Music: GTZAN's
valid tracks, the `outside` half of emotify, and drums alone. Prints the share that is
declined per kind; the aim is at least 95 % of the first, at most 2 % of the second.
Needs espeak-ng, flite, festival and sox; music needs GENRESCOPE_DATA. With --real it is real sound instead,
in FOLDER a folder for each kind, and with --music real music besides: each kind with its 95 % interval, and how
many of it are clicks and nothing else.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.measuring import labelled
from crnn import paths
from crnn.audio.clip import Clip, from_samples, load_clip
from crnn.audio.folders import contents
from crnn.bundles.library import DEFAULT_MODEL, find_bundle
from crnn.config import FeatureConfig
from crnn.errors import AudioError
from crnn.features import log_mel
from crnn.inference.classifier import Classifier
from crnn.inference.clicks import are_clicks
from crnn.intervals import wilson_interval

RATE = 22_050
SECONDS = 12
TEXTS = (
    "The train to the coast leaves at seven minutes past nine from the platform on the left, so do not be late. "
    "Bring a coat, some bread and whatever you would like to read; the journey takes most of the morning.",
    "Well, I told him that the meeting was moved to Thursday, and he said that nobody had asked him. "
    "So now there are two meetings, and I shall have to go to both of them, which is a nuisance.",
    "Forecast for the islands: wind north west, five to seven, rain at times, visibility moderate or poor. "
    "Outlook for the following day: the low moves away to the east, with sunny intervals.",
)
# Voices and words that no training uses.
ESPEAK_VOICES = ("en-gb+f4", "en-us+m7", "de+f2", "fr+m4", "it+f5", "es+m6")
FLITE_VOICES = ("kal", "slt", "rms", "awb")
SOX_NOISES = {
    "pink noise": "pinknoise vol 0.3",
    "brown noise in bursts": "brownnoise tremolo 0.7 90 vol 0.5",
    "hum at 100 Hz": "sawtooth 100 lowpass 700 vol 0.3",
    "two tones": "sine 523 sine 530 vol 0.3",
    "slow sweep": "sine 100:4000 vol 0.3",
    "square beeps": "square 880 tremolo 2 100 vol 0.2",
    "hiss": "whitenoise highpass 3000 vol 0.1",
    "rumble": "brownnoise lowpass 120 vol 0.9",
    "filtered wind": "pinknoise band 500 300 tremolo 0.2 60 vol 0.6",
    "triangle drone": "triangle 60 vol 0.4",
}


def speech() -> Iterator[tuple[str, Clip]]:
    """Sentences read by synthesizers and voices kept for this bench."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        for number, text in enumerate(TEXTS):
            for voice in ESPEAK_VOICES:
                subprocess.run(["espeak-ng", "-v", voice, "-s", str(140 + 15 * number), "-w", path, text], check=True)
                yield "speech, espeak-ng", load_clip(path, RATE)
            for voice in FLITE_VOICES:
                subprocess.run(["flite", "-voice", voice, "-o", path, "-t", text], check=True, capture_output=True)
                yield "speech, flite", load_clip(path, RATE)
            subprocess.run(["text2wave", "-o", path], input=text.encode(), check=True, capture_output=True)
            yield "speech, festival", load_clip(path, RATE)


def noises() -> Iterator[tuple[str, Clip]]:
    """sox's noises and tones, with a room's faint hiss under half of them; and silence."""
    for index, (name, effects) in enumerate(SOX_NOISES.items()):
        for draw in range(3):
            words = effects.split()
            synth = list(itertools.takewhile(lambda word: word not in _SOX_EFFECTS, words))
            rest = words[len(synth) :]
            command = ["sox", "-R", "-n", "-r", str(RATE), "-c", "1", "-t", "f32", "-", "synth", str(SECONDS)]
            raw = subprocess.run([*command, *synth, *rest], capture_output=True, check=True).stdout
            rng = np.random.default_rng([index, draw])
            samples = np.frombuffer(raw, dtype="<f4") * 10 ** (-10 * draw / 20)
            yield f"noise, {name}", Clip((samples + 1e-4 * rng.normal(size=len(samples))).astype(np.float32), RATE)
    yield "silence", Clip(np.zeros(SECONDS * RATE, np.float32), RATE)


_SOX_EFFECTS = {"vol", "tremolo", "lowpass", "highpass", "band"}


def music() -> Iterator[tuple[str, Clip]]:
    """Recorded music that no training learnt from, and drums alone."""
    data = paths.data_dir()
    for kind, folder, split in (
        ("music, GTZAN valid", "gtzan-audio", "valid"),
        ("music, outside", "emotify-audio", "outside"),
    ):
        if (data / folder).is_dir():
            for path, _ in labelled(data / folder, split):
                yield kind, load_clip(path, RATE)
    for seed in range(12):
        yield "music, drums alone", _drums(seed)


def _drums(seed: int) -> Clip:
    """A four-bar beat of bass drum, snare and hi-hat, built here from decaying sines and noise."""
    rng = np.random.default_rng(seed)
    beat = 60 / rng.uniform(80, 140)
    samples = np.zeros(int(SECONDS * RATE), np.float32)
    times = np.arange(int(0.3 * RATE)) / RATE
    kick = np.sin(2 * np.pi * 55 * times * (1 + 2 * np.exp(-times * 60))) * np.exp(-times * 12)
    snare = (rng.normal(size=len(times)) * 0.6 + np.sin(2 * np.pi * 190 * times)) * np.exp(-times * 20)
    hat = np.diff(rng.normal(size=len(times) + 1)) * np.exp(-times * 70)
    for step in range(int(SECONDS / beat * 4)):
        at = int((step * beat / 4 + rng.normal(0, 0.004)) * RATE)
        hits = [hat * 0.25] if step % 2 == 0 else []
        hits += [kick] if step % 8 in {0, 5} or rng.random() < 0.06 else []
        hits += [snare * 0.7] if step % 8 == 4 else []
        for hit in hits:
            span = samples[max(0, at) : at + len(hit)]
            span += (hit[: len(span)] * rng.uniform(0.7, 1)).astype(np.float32)
    return from_samples(samples / np.abs(samples).max(), RATE, RATE)


def main() -> int:
    """Print the table, then JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--real", type=Path, metavar="FOLDER", help="sound that is no music, in a folder for each kind")
    parser.add_argument("--music", type=Path, metavar="FOLDER", help="music, in a folder for each kind")
    options = parser.parse_args()
    classifier = Classifier(find_bundle(options.model))
    if options.real or options.music:
        return _real(classifier, options.real, options.music)
    missing = [name for name in ("espeak-ng", "flite", "text2wave", "sox") if not shutil.which(name)]
    if missing:
        print(f"needs {', '.join(missing)}", file=sys.stderr)
        return 2
    counts: dict[str, list[int]] = {}
    for kind, clip in itertools.chain(speech(), noises(), music()):
        is_declined = not classifier.classify(clip).is_music
        counts.setdefault(kind, []).append(int(is_declined))
    groups: dict[str, list[int]] = {"not music": [], "music": []}
    for kind, declined in counts.items():
        groups["music" if kind.startswith("music") else "not music"] += declined
        print(f"{kind:<32} declined {sum(declined)} of {len(declined)}")
    summary = {}
    for name, declined in groups.items():
        low, high = wilson_interval(sum(declined), len(declined))
        summary[name] = {"declined": float(np.mean(declined)), "interval": [low, high], "n": len(declined)}
        print(f"{name:<32} declined {np.mean(declined):.3f} ({low:.3f} to {high:.3f}) of {len(declined)}")
    print(json.dumps({"kinds": {kind: [sum(d), len(d)] for kind, d in counts.items()}} | summary))
    return 0


def _real(classifier: Classifier, real: Path | None, music_folder: Path | None) -> int:
    """Print what is declined of each kind in two folders; an unreadable or too short file is left out, and told."""
    for title, folder in (("not music", real), ("music", music_folder)):
        counts: dict[str, list[tuple[bool, bool]]] = {}
        for path in contents(folder).audio if folder else ():
            try:
                clip = load_clip(path, classifier.config.sample_rate)
                found = not classifier.classify(clip).is_music, _is_clicks(clip, classifier.config)
            except AudioError as err:
                print(err, file=sys.stderr)
                continue
            counts.setdefault(path.parent.name, []).append(found)
        for kind, of_kind in (*counts.items(), (f"all {title}", [one for found in counts.values() for one in found])):
            if of_kind:
                n_declined, n_clicks = (sum(column) for column in zip(*of_kind, strict=True))
                low, high = wilson_interval(n_declined, len(of_kind))
                share = f"{n_declined / len(of_kind):.3f} ({low:.3f} to {high:.3f})"
                print(f"{kind:<32} declined {n_declined} of {len(of_kind)}: {share}; clicks alone {n_clicks}")
    return 0


def _is_clicks(clip: Clip, config: FeatureConfig) -> bool:
    levels = log_mel.frame_levels_db(log_mel.mel_power(clip.samples, config), config)
    starts = log_mel.segment_starts(len(levels), config)
    return all(are_clicks(levels[start : start + config.n_frames], config) for start in starts)


if __name__ == "__main__":
    sys.exit(main())
