"""Sounds made on the spot that the rejection learns from: music, and what is none.

Voices, words, styles and noises differ from those of `bench.rejection`.
"""

from __future__ import annotations

import itertools
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn.audio.clip import load_clip
from crnn.data import demo
from crnn.synthesis import instruments, negatives

Sound = npt.NDArray[np.float32]

_SEED = 0
_SECONDS = 12.0
_N_DRUMMERS = 40
_N_OF_STYLE = 8
_N_OF_KIND = 20


def music(sample_rate: int) -> list[Sound]:
    """Drums alone, and the demo's pieces of every style; mono, `(n_samples,)` each."""
    drums = [_drums_alone(seed, sample_rate) for seed in range(_N_DRUMMERS)]
    pieces = itertools.product(demo.STYLES, range(_N_OF_STYLE))
    return drums + [demo.synthesize(style, seed, _SECONDS, sample_rate) for style, seed in pieces]


def not_music(sample_rate: int) -> list[Sound]:
    """Noise, tones, hum, clicks and babble, and sentences read by espeak-ng; mono, `(n_samples,)` each."""
    kinds = itertools.product(negatives.KINDS, range(_N_OF_KIND))
    made = [negatives.synthesize(kind, _SEED + i, _SECONDS, sample_rate) for kind, i in kinds]
    return made + _speech(sample_rate)


def _drums_alone(seed: int, sample_rate: int) -> Sound:
    """Twelve seconds of a drummer who keeps a beat and varies it."""
    rng, rate = np.random.default_rng([_SEED, seed]), sample_rate
    sounds = [
        instruments.kick(rate, rng),
        instruments.snare(rate, rng),
        instruments.hat(rate, rng),
        instruments.cymbal(rate, rng),
    ]
    chances = np.zeros((4, 16))
    chances[0, [0, 8]], chances[1, [4, 12]], chances[2, ::2], chances[3, 0] = 0.95, 0.95, 0.9, 0.1
    chances[0] = np.maximum(chances[0], rng.uniform(0, 0.3, 16) * (rng.random(16) < 0.4))
    samples = np.zeros(12 * rate, np.float32)
    step_seconds = 60 / rng.uniform(70, 180) / 4
    for step in range(int(12 / step_seconds)):
        at = int(step * step_seconds * rate)
        for sound, chance, level in zip(sounds, chances[:, step % 16], (1.0, 0.8, 0.3, 0.4), strict=True):
            if rng.random() < chance:
                span = samples[at : at + len(sound)]
                span += np.float32(level * rng.uniform(0.6, 1)) * sound[: len(span)]
    return samples / np.abs(samples).max()


def _speech(sample_rate: int) -> list[Sound]:
    """Sentences read by espeak-ng, in voices and words that no bench uses."""
    read = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        for voice, text in itertools.product(_VOICES, _SENTENCES):
            subprocess.run(["espeak-ng", "-v", voice, "-w", path, text], check=True)
            read.append(load_clip(path, sample_rate).samples)
    return read


_VOICES = (
    "en-us",
    "en-gb",
    "en-us+f2",
    "en-gb+m3",
    "en-us+f5",
    "de",
    "fr+f3",
    "es",
    "pt+m2",
    "sv+f1",
    "pl+m5",
    "nl+f4",
)
_SENTENCES = (
    "Good evening. Here is the news at six. The council has voted to keep the library open on Sundays, after many "
    "readers wrote to ask for it. Traffic on the bridge is slow in both directions this evening.",
    "Once upon a time there was a miller who had three sons, a mill, a donkey and a cat. When he died, the sons shared "
    "what was left, and the youngest got nothing but the cat, which made him sad at first.",
    "One, two, three, four, five, six, seven, eight, nine, ten. Please leave your name and your number after the tone, "
    "and somebody will call you back as soon as the office is open again. Thank you, and goodbye.",
)
