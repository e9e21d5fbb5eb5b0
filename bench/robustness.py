"""What bad sound costs: tracks as they are, and as microphones and codecs leave them.

    python -m bench.robustness [--music FOLDER] [--model NAME|DIR] [--draws 5] [--tracks 104]

FOLDER has a folder of tracks for each genre that the model knows; without it the tracks are the valid ones of GTZAN,
which the bundled heads have learnt. `outside` takes emotify's Magnatune tracks of whose artists nothing was learnt.
Every degraded track is compared with itself. Prints a row a condition: the change of accuracy in points with a 95 %
bootstrap interval over tracks, the share of tracks whose top genre and whose verdict stay, the median total variation
of the posterior; and the shares of tracks that get an answer, of answers that are right, and of tracks refused as no
music. Needs GENRESCOPE_DATA with gtzan-audio or emotify-audio, and ffmpeg for the codecs.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from scipy import signal

from crnn import paths
from crnn.audio.clip import Clip, load_clip
from crnn.bundles.library import DEFAULT_MODEL, find_bundle
from crnn.data.scan import scan, track_clip
from crnn.data.splits import select_part
from crnn.data.tracks import Track
from crnn.errors import CrnnError
from crnn.inference.classifier import Classifier, Prediction
from crnn.inference.verdict import Verdict

Sound = npt.NDArray[np.float32]
Rng = np.random.Generator
RATE = 22_050


def _gain(samples: Sound, rng: Rng) -> Sound:
    """Between −30 and +30 dB, kept from clipping only by floating point."""
    return samples * np.float32(10 ** (rng.uniform(-30, 30) / 20))


def _clipping(samples: Sound, rng: Rng) -> Sound:
    """3 to 12 dB into the ceiling."""
    peak = np.abs(samples).max() + 1e-9
    return np.clip(samples * np.float32(10 ** (rng.uniform(3, 12) / 20) / peak), -1, 1)


def _telephone(samples: Sound, rng: Rng) -> Sound:
    """300 to 3400 Hz."""
    del rng
    return _filtered(samples, signal.butter(4, (300, 3400), "bandpass", fs=RATE, output="sos"))


def _room(samples: Sound, rng: Rng) -> Sound:
    """A decaying random tail of 0.3 to 0.9 s, direct sound 0 to 8 dB above it."""
    seconds = rng.uniform(0.3, 0.9)
    times = np.arange(int(seconds * RATE)) / RATE
    tail = rng.normal(size=len(times)) * 10 ** (-3 * times / seconds)
    tail *= 10 ** (-rng.uniform(0, 8) / 20) / np.sqrt((tail**2).sum())
    return (samples + signal.fftconvolve(samples, tail)[: len(samples)]).astype(np.float32)


def _background(samples: Sound, rng: Rng) -> Sound:
    """White to brown noise, 15 dB below the music."""
    spectrum = np.fft.rfft(rng.normal(size=len(samples)))
    spectrum /= np.maximum(np.arange(len(spectrum)), 20) ** rng.uniform(0, 1)
    noise = np.fft.irfft(spectrum, len(samples))
    level = np.sqrt((samples**2).mean()) * 10 ** (-15 / 20)
    return (samples + noise * level / np.sqrt((noise**2).mean())).astype(np.float32)


def _small_loudspeaker(samples: Sound, rng: Rng) -> Sound:
    """Nothing below 200 to 500 Hz, a resonance, a little distortion."""
    high_passed = _filtered(samples, signal.butter(3, rng.uniform(200, 500), "highpass", fs=RATE, output="sos"))
    numerator, denominator = signal.iirpeak(rng.uniform(800, 3000), 2, fs=RATE)
    resonant = high_passed + signal.lfilter(numerator, denominator, high_passed)
    return np.tanh(1.5 * resonant / (np.abs(resonant).max() + 1e-9)).astype(np.float32)


def _at_rate(rate: int) -> Callable[[Sound, Rng], Sound]:
    """Recorded at `rate` Hz."""

    def degrade(samples: Sound, rng: Rng) -> Sound:
        del rng
        return soxr.resample(soxr.resample(samples, RATE, rate), rate, RATE)[: len(samples)]

    return degrade


def _phone_in_a_room(samples: Sound, rng: Rng) -> Sound:
    """A telephone that lies in a room: 250 to 6000 Hz, echoes, 18 dB quieter, pink noise 20 dB below the music."""
    heard = _filtered(samples, signal.butter(4, (250, 6000), "bandpass", fs=RATE, output="sos"))
    echoed = heard.copy()
    for seconds, share in ((0.013, 0.5), (0.029, 0.4), (0.047, 0.3), (0.083, 0.2)):
        delay = int(seconds * RATE)
        echoed[delay:] += share * heard[:-delay]
    spectrum = np.fft.rfft(rng.normal(size=len(echoed)))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 20))
    noise = np.fft.irfft(spectrum, len(echoed))
    noise *= np.sqrt((echoed**2).mean()) * 10 ** (-20 / 20) / np.sqrt((noise**2).mean())
    return ((echoed + noise) * 10 ** (-18 / 20)).astype(np.float32)


def _everything(samples: Sound, rng: Rng) -> Sound:
    """Small loudspeaker, room, background and gain, one after the other."""
    for degrade in (_small_loudspeaker, _room, _background, _gain):
        samples = degrade(samples, rng)
    return samples


def _as_file(*codec: str, suffix: str, channels: int = 1) -> Callable[[Sound, Rng], Sound]:
    """Through ffmpeg with the given options, and decoded again."""

    def degrade(samples: Sound, rng: Rng) -> Sound:
        del rng
        source = io.BytesIO()
        soundfile.write(source, np.repeat(samples[:, None], channels, axis=1), RATE, format="WAV", subtype="FLOAT")
        command = ["ffmpeg", "-v", "error", "-i", "-", *codec, "-f", suffix, "-"]
        coded = subprocess.run(command, input=source.getvalue(), capture_output=True, check=True).stdout
        return load_clip(coded, RATE).samples

    return degrade


def _filtered(samples: Sound, sections: npt.NDArray[np.float64]) -> Sound:
    return signal.sosfilt(sections, samples).astype(np.float32)


CONDITIONS: dict[str, Callable[[Sound, Rng], Sound]] = {
    "30 dB quieter": lambda samples, rng: samples * np.float32(10 ** (-30 / 20)),
    "48 kHz stereo": _as_file("-ar", "48000", suffix="wav", channels=2),
    "mp3, 64 kbit/s": _as_file("-b:a", "64k", suffix="mp3"),
    "gain of ±30 dB": _gain,
    "clipping": _clipping,
    "telephone": _telephone,
    "room": _room,
    "noise at 15 dB": _background,
    "8 kHz": _at_rate(8000),
    "16 kHz": _at_rate(16_000),
    "small loudspeaker": _small_loudspeaker,
    "phone in a room": _phone_in_a_room,
    "all together": _everything,
}
# These are the same for every draw.
FIXED = {"30 dB quieter", "48 kHz stereo", "mp3, 64 kbit/s", "telephone", "8 kHz", "16 kHz"}


def main() -> int:
    """Print the table, then JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--music", metavar="FOLDER", help="a folder of genres, or: outside")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--tracks", type=int, default=0, help="only that many (default: all)")
    options = parser.parse_args()
    if not shutil.which("ffmpeg"):
        print("needs ffmpeg", file=sys.stderr)
        return 2
    try:
        classifier = Classifier(find_bundle(options.model))
        rows = [track for track in _tracks(options.music) if track.genre in classifier.bundle.genres]
    except CrnnError as err:
        print(err, file=sys.stderr)
        return 2
    if not rows:
        print("No track there is of a genre that the model knows.", file=sys.stderr)
        return 2
    rows = rows[:: max(1, len(rows) // options.tracks)][: options.tracks] if options.tracks else rows
    clips = [track_clip(track, RATE).samples for track in rows]
    labels = [track.genre for track in rows]
    clean = [_answer(classifier, samples) for samples in clips]
    conditions: dict[str, Any] = {}
    titles = ("change in points", "genre stays", "verdict stays", "variation", "answered", "of them right", "no music")
    print(f"{'condition':<20} {titles[0]:>24} " + " ".join(f"{title:>13}" for title in titles[1:]))
    _print_row("as they are", _compare(clean, [clean], labels))
    for name, degrade in CONDITIONS.items():
        n_draws = 1 if name in FIXED else options.draws
        answers = [
            [_answer(classifier, degrade(samples, np.random.default_rng([draw, i]))) for i, samples in enumerate(clips)]
            for draw in range(n_draws)
        ]
        row = _compare(clean, answers, labels)
        conditions[name] = row
        _print_row(name, row)
    accuracy = float(np.mean(_right(clean, labels)))
    print(json.dumps({"n_tracks": len(clips), "accuracy": accuracy, "conditions": conditions}))
    return 0


def _tracks(music: str | None) -> list[Track]:
    """The valid part of GTZAN, the `outside` part of emotify's, or all of a folder."""
    if music is not None and music != "outside":
        return list(scan(music).tracks)
    name, part = ("emotify-audio", "outside") if music else ("gtzan-audio", "valid")
    return list(select_part(scan(str(paths.data_dir() / name)).tracks, part))


def _print_row(name: str, row: dict[str, Any]) -> None:
    low, high = row["change_interval"]
    change = f"{row['change']:+.1f} ({low:+.1f} to {high:+.1f})"
    kinds = ("genre_stays", "verdict_stays", "median_variation", "answered", "answers_right", "no_music")
    print(f"{name:<20} {change:>24} " + " ".join(f"{row[kind]:>13.3f}" for kind in kinds), flush=True)


def _answer(classifier: Classifier, samples: Sound) -> Prediction:
    return classifier.classify(Clip(samples.astype(np.float32), RATE))


def _right(answers: list[Prediction], labels: list[str]) -> npt.NDArray[np.float64]:
    return np.array([answer.ranked()[0][0] == label for answer, label in zip(answers, labels, strict=True)], float)


def _compare(clean: list[Prediction], draws: list[list[Prediction]], labels: list[str]) -> dict[str, Any]:
    change = np.mean([_right(answers, labels) for answers in draws], axis=0) - _right(clean, labels)
    rng = np.random.default_rng(0)
    resampled = [change[rng.integers(0, len(change), len(change))].mean() for _ in range(2000)]
    pairs = [(a, b) for answers in draws for a, b in zip(clean, answers, strict=True)]
    variation = [0.5 * float(np.abs(a.posterior - b.posterior).sum()) for a, b in pairs]
    told = [
        answer.genre == label
        for answers in draws
        for answer, label in zip(answers, labels, strict=True)
        if answer.verdict == Verdict.GENRE
    ]
    verdicts = [answer.verdict for answers in draws for answer in answers]
    return {
        "change": 100 * float(change.mean()),
        "change_interval": [100 * float(q) for q in np.quantile(resampled, (0.025, 0.975))],
        "genre_stays": float(np.mean([a.ranked()[0][0] == b.ranked()[0][0] for a, b in pairs])),
        "verdict_stays": float(np.mean([(a.verdict, a.genre) == (b.verdict, b.genre) for a, b in pairs])),
        "median_variation": float(np.median(variation)),
        "answered": len(told) / len(verdicts),
        "answers_right": float(np.mean(told)) if told else float("nan"),
        "no_music": verdicts.count(Verdict.NOT_MUSIC) / len(verdicts),
        "n_draws": len(draws),
    }


if __name__ == "__main__":
    sys.exit(main())
