"""Sounds that are no music, made by code: what a genre model must learn to decline.

Each kind is drawn anew from its seed: pitch, tempo, level, room and colour vary. All are
mono float32 within [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crnn.synthesis import instruments as syn
from crnn.synthesis.instruments import FloatArray
from crnn.synthesis.mixer import Mixer

# Formants of vowels in Hz (Peterson and Barney 1952, men): a sound between them is a vowel still.
_VOWELS_HZ = np.array(
    [
        *([270, 2290, 3010], [390, 1990, 2550], [530, 1840, 2480], [660, 1720, 2410], [730, 1090, 2440]),
        *([570, 840, 2410], [440, 1020, 2240], [300, 870, 2240], [640, 1190, 2390], [490, 1350, 1690]),
    ],
    dtype=np.float64,
)
_DTMF_HZ = ((697, 770, 852, 941), (1209, 1336, 1477, 1633))


@dataclass(frozen=True)
class _Take:
    """Length, rate and source of chance of the sound being made."""

    seconds: float
    sample_rate: int
    rng: np.random.Generator

    @property
    def n_samples(self) -> int:
        return round(self.seconds * self.sample_rate)

    @property
    def time(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.arange(self.n_samples) / self.sample_rate

    def mixer(self) -> Mixer:
        return Mixer(self.seconds, self.sample_rate, self.rng)

    def noise(self, low_hz: float, high_hz: float) -> FloatArray:
        return syn.band_noise(self.n_samples, self.sample_rate, self.rng, low_hz, high_hz)

    def drift(self, seconds: float) -> FloatArray:
        """A random curve of deviation 1 that changes over `seconds`."""
        n_points = max(4, int(self.seconds / seconds) + 3)
        points = self.rng.standard_normal(n_points)
        return np.interp(self.time, np.linspace(0, self.seconds, n_points), points).astype(np.float32)


def synthesize(kind: str, seed: int, seconds: float, sample_rate: int) -> FloatArray:
    """A sound of one of `KINDS`, float32 `(n_samples,)` within [-1, 1].

    Args:
        kind: A key of `KINDS`.
        seed: The same seed gives the same sound.
        seconds: Length.
        sample_rate: In Hz.

    Raises:
        ValueError: There is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}: {', '.join(KINDS)} are known")
    rng = np.random.default_rng([sorted(KINDS).index(kind), seed])
    sound = KINDS[kind](_Take(seconds, sample_rate, rng))
    if rng.random() < 0.4:
        wet = float(rng.uniform(0.05, 0.4))
        sound = syn.reverberate(sound, sample_rate, rng, seconds=float(rng.uniform(0.2, 1.2)), wet=wet)
    hiss = 10.0 ** (rng.uniform(-90.0, -45.0) / 20.0)
    sound = sound / max(1e-6, float(np.abs(sound).max()))
    sound = sound + np.float32(hiss) * rng.standard_normal(len(sound), dtype=np.float32)
    level = 10.0 ** (rng.uniform(-30.0, -0.5) / 20.0)
    return np.asarray(sound * (level / np.abs(sound).max()), dtype=np.float32)


def _coloured_noise(take: _Take) -> FloatArray:
    # Spectral slopes from brown (−6 dB an octave in amplitude) over pink and white to blue.
    slope = float(take.rng.choice([-1.0, -0.5, 0.0, 0.5])) + float(take.rng.normal(0, 0.1))
    white = take.rng.standard_normal(take.n_samples, dtype=np.float32)
    return syn.equalise(white, take.sample_rate, lambda hz: (np.maximum(hz, 20.0) / 1000.0) ** slope)


def _band_noise(take: _Take) -> FloatArray:
    centre_hz = 2.0 ** take.rng.uniform(6.5, 12.5)
    width = take.rng.uniform(0.1, 1.2)
    return take.noise(centre_hz * 2**-width, centre_hz * 2**width) * (1 + 0.3 * take.drift(take.rng.uniform(0.3, 3)))


def _hum(take: _Take) -> FloatArray:
    base_hz = float(take.rng.choice([50.0, 60.0]))
    slope = take.rng.uniform(0.3, 1.5)
    k = np.arange(1, 40)
    level = k**-slope * take.rng.uniform(0.1, 1.0, len(k)) * np.where(k % 2, 1.0, take.rng.uniform(0, 1))
    phases = take.rng.uniform(0, 6.28, len(k))
    one_second = np.arange(take.sample_rate) / take.sample_rate
    cycle = (level[:, None] * np.sin(2 * np.pi * base_hz * k[:, None] * one_second + phases[:, None])).sum(axis=0)
    hum = np.resize(cycle, take.n_samples).astype(np.float32)
    return hum / np.abs(hum).max() + take.rng.uniform(0, 0.2) * take.noise(30.0, 8000.0)


def _clicks(take: _Take) -> FloatArray:
    mix, rng = take.mixer(), take.rng
    is_steady, gap = rng.random() < 0.5, float(rng.uniform(0.08, 1.2))
    ring_hz, length = 2.0 ** rng.uniform(8.5, 12.5), float(rng.uniform(0.002, 0.03))
    t = np.arange(round(0.1 * take.sample_rate)) / take.sample_rate
    tick = (np.exp(-t / length) * np.sin(2 * np.pi * ring_hz * t)).astype(np.float32)
    at = gap * rng.random()
    while at < take.seconds:
        mix.add(tick, at, float(rng.uniform(0.6, 1.0)))
        at += gap if is_steady else float(rng.exponential(gap)) + 0.01
    return mix.samples


def _tone(take: _Take) -> FloatArray:
    hz = 2.0 ** take.rng.uniform(6.0, 12.0)
    wobble = 1 + take.rng.uniform(0, 0.01) * np.sin(2 * np.pi * take.rng.uniform(0.2, 8.0) * take.time)
    phase = 2 * np.pi * np.cumsum(hz * wobble) / take.sample_rate
    harmonics = take.rng.uniform(0, 0.6, 4) * (take.rng.random() < 0.5)
    sound = np.sin(phase) + sum(level * np.sin((k + 2) * phase) for k, level in enumerate(harmonics))
    return np.asarray(sound, dtype=np.float32)


def _tones(take: _Take) -> FloatArray:
    """Steady tones of any wave, alone or against each other, held or switched on and off."""
    rng = take.rng
    sound = np.zeros(take.n_samples)
    base_hz = 2.0 ** rng.uniform(5.5, 11.5)
    shape = int(rng.integers(4))
    for _ in range(int(rng.integers(1, 4))):
        turns = base_hz * take.time + rng.random()
        waves = (np.sin(2 * np.pi * turns), 2 * (turns % 1) - 1, 4 * np.abs(turns % 1 - 0.5) - 1, turns % 1 < 0.5)
        sound += rng.uniform(0.4, 1.0) * waves[shape]
        # Neighbours that beat, or any other interval.
        base_hz *= rng.uniform(1.001, 1.03) if rng.random() < 0.5 else 2.0 ** rng.uniform(-1, 1)
    if rng.random() < 0.6:
        gate = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.3, 12.0) * take.time)
        sound = sound * (1 - rng.uniform(0.5, 1.0) * (np.round(gate) if rng.random() < 0.5 else gate))
    return (sound - sound.mean()).astype(np.float32)


def _sweep(take: _Take) -> FloatArray:
    low, high = np.sort(take.rng.uniform(5.5, 13.0, 2))
    period = take.rng.uniform(0.3, take.seconds)
    place = (take.time / period) % 1.0
    if take.rng.random() < 0.5:
        place = 1 - np.abs(2 * place - 1)
    hz = 2.0 ** (low + (high - low) * place)
    return np.sin(2 * np.pi * np.cumsum(hz) / take.sample_rate).astype(np.float32)


def _beeps(take: _Take) -> FloatArray:
    mix, rng = take.mixer(), take.rng
    length, gap = float(rng.uniform(0.05, 0.5)), float(rng.uniform(0.05, 1.0))
    pitches_hz = [float(2.0 ** rng.uniform(8.5, 12.0)) for _ in range(int(rng.integers(1, 3)))]
    t = np.arange(round(length * take.sample_rate)) / take.sample_rate
    is_square = rng.random() < 0.4
    at, number = 0.2, 0
    while at < take.seconds:
        wave = np.sin(2 * np.pi * pitches_hz[number % len(pitches_hz)] * t)
        mix.add((np.sign(wave) if is_square else wave).astype(np.float32), at)
        number += 1
        at += length + gap * (3.0 if number % 4 == 0 else 1.0)
    return mix.samples


def _dialling(take: _Take) -> FloatArray:
    mix, rng = take.mixer(), take.rng
    length = float(rng.uniform(0.06, 0.25))
    t = np.arange(round(length * take.sample_rate)) / take.sample_rate
    at = 0.1
    while at < take.seconds:
        pair = [float(rng.choice(row)) for row in _DTMF_HZ]
        mix.add(sum(np.sin(2 * np.pi * hz * t) for hz in pair).astype(np.float32), at)  # type: ignore[union-attr]
        at += length * float(rng.uniform(1.5, 3.0)) + (float(rng.uniform(1, 3)) if rng.random() < 0.1 else 0.0)
    return mix.samples


def _siren(take: _Take) -> FloatArray:
    low_hz = take.rng.uniform(350.0, 800.0)
    high_hz = low_hz * take.rng.uniform(1.25, 2.5)
    place = 0.5 + 0.5 * np.sin(2 * np.pi * take.time * take.rng.uniform(0.2, 4.0))
    if take.rng.random() < 0.4:
        place = np.round(place)
    phase = 2 * np.pi * np.cumsum(low_hz + (high_hz - low_hz) * place) / take.sample_rate
    return np.tanh(take.rng.uniform(0.5, 4.0) * np.sin(phase)).astype(np.float32)


def _room_tone(take: _Take) -> FloatArray:
    quiet = take.noise(20.0, float(take.rng.uniform(150.0, 900.0)))
    fan_hz = take.rng.uniform(80.0, 240.0)
    fan = np.sin(2 * np.pi * fan_hz * take.time + 0.5 * take.drift(0.5)) * take.rng.uniform(0, 0.4)
    return np.asarray(quiet + fan + 0.05 * take.noise(500.0, 9000.0), dtype=np.float32)


def _wind(take: _Take) -> FloatArray:
    low, middle = take.noise(30.0, 300.0), take.noise(250.0, float(take.rng.uniform(700.0, 2500.0)))
    gusts = np.exp(take.rng.uniform(0.3, 0.9) * take.drift(take.rng.uniform(0.4, 2.0)))
    return np.asarray(low * gusts + take.rng.uniform(0.1, 0.8) * middle * gusts**2, dtype=np.float32)


def _rain(take: _Take) -> FloatArray:
    mix, rng = take.mixer(), take.rng
    mix.add(take.noise(800.0, 9500.0), 0.0, float(rng.uniform(0.1, 0.5)))
    t = np.arange(round(0.03 * take.sample_rate)) / take.sample_rate
    drops = [
        (np.sin(2 * np.pi * rng.uniform(900, 6000) * t) * np.exp(-t * rng.uniform(150, 500))).astype(np.float32)
        for _ in range(20)
    ]
    for at in rng.uniform(0, take.seconds, int(take.seconds * rng.uniform(10, 120))):
        mix.add(drops[int(rng.integers(len(drops)))], float(at), float(rng.exponential(0.5)))
    return mix.samples


def _engine(take: _Take) -> FloatArray:
    firing_hz = take.rng.uniform(25.0, 110.0) * 2.0 ** (
        take.rng.uniform(0.05, 0.4) * take.drift(take.rng.uniform(1, 4))
    )
    phase = 2 * np.pi * np.cumsum(firing_hz) / take.sample_rate
    tone = sum(take.rng.uniform(0.2, 1.0) / k**0.7 * np.sin(k * phase + take.rng.uniform(0, 6)) for k in range(1, 16))
    rattle = take.noise(200.0, 5000.0) * (1 + np.sin(phase / 2))
    return np.asarray(tone + take.rng.uniform(0.2, 1.5) * rattle, dtype=np.float32)


def _typing(take: _Take) -> FloatArray:
    mix, rng = take.mixer(), take.rng
    t = np.arange(round(0.06 * take.sample_rate)) / take.sample_rate
    keys = []
    for _ in range(8):
        thump = np.sin(2 * np.pi * rng.uniform(120, 500) * t) * np.exp(-t * 90) * rng.uniform(0.1, 0.6)
        click = syn.band_noise(len(t), take.sample_rate, rng, 1500.0, 8000.0) * np.exp(-t * 160)
        keys.append((thump + click).astype(np.float32))
    at = 0.2
    while at < take.seconds:
        mix.add(keys[int(rng.integers(8))], at, float(rng.uniform(0.4, 1.0)))
        at += float(rng.gamma(3.0, 0.045)) + (float(rng.uniform(0.4, 2.0)) if rng.random() < 0.08 else 0.0)
    mix.add(take.noise(50.0, 2000.0), 0.0, float(rng.uniform(0.0, 0.03)))
    return mix.samples


def _applause(take: _Take) -> FloatArray:
    mix, rng = take.mixer(), take.rng
    hands = [syn.clap(take.sample_rate, rng)[: round(0.05 * take.sample_rate)] for _ in range(12)]
    density = float(rng.uniform(30, 250))
    for at in rng.uniform(0, take.seconds, int(take.seconds * density)):
        mix.add(hands[int(rng.integers(12))], float(at), float(rng.exponential(0.5)))
    swell = np.exp(0.4 * take.drift(3.0))
    return np.asarray(mix.samples * swell, dtype=np.float32)


def speech(seconds: float, sample_rate: int, rng: np.random.Generator, *, syllable_hz: float = 0.0) -> FloatArray:
    """Speech-like sound without words: a voice through wandering formants, with consonants and pauses.

    Args:
        seconds: Length.
        sample_rate: Hz.
        rng: Who speaks, and what.
        syllable_hz: Syllables a second, on the beat; 0 for a speaker's own, uneven ones.
    """
    take = _Take(seconds, sample_rate, rng)
    size = float(rng.uniform(0.95, 1.25))
    base_hz = float(rng.uniform(85.0, 220.0))
    marks, vowels, loudness, is_hiss = _syllables(take, syllable_hz)
    melody = base_hz * 2.0 ** (0.12 * take.drift(0.35) + 0.1 * take.drift(1.5))
    phase = np.cumsum(melody) / sample_rate
    buzz = (2 * (phase % 1.0) - 1).astype(np.float32)
    voice = loudness * (buzz + 0.05 * rng.standard_normal(take.n_samples, dtype=np.float32))
    sound = _through_formants(voice.astype(np.float32), sample_rate, marks, size * vowels)
    hiss = take.noise(2500.0, 9000.0) * is_hiss
    return np.asarray(sound / max(1e-6, np.abs(sound).max()) + 0.25 * hiss, dtype=np.float32)


def _through_formants(voice: FloatArray, sample_rate: int, marks: FloatArray, formants_hz: FloatArray) -> FloatArray:
    """A voice filtered by formants that wander: all of its short overlapping frames at once."""
    size = 512
    starts = np.arange(0, len(voice) - size, size // 2)
    sound = np.zeros(len(voice), dtype=np.float32)
    if not len(starts):
        return sound
    places = (starts + size / 2) / sample_rate
    hz = np.fft.rfftfreq(size, 1 / sample_rate)
    wandering = [np.interp(places, marks, formants_hz[:, i])[:, None] for i in range(3)]
    gain = sum((0.6**i) / (1 + ((hz - f) / (60 + 40 * i)) ** 2) for i, f in enumerate(wandering)) + 0.004
    windows = np.lib.stride_tricks.sliding_window_view(voice, size)[starts] * np.hanning(size).astype(np.float32)
    frames = np.fft.irfft(np.fft.rfft(windows) * gain).astype(np.float32)
    # Frames lie half over their neighbours: every other one fills the sound without a gap.
    for first in (0, 1):
        row = frames[first::2].ravel()
        at = first * size // 2
        sound[at : at + len(row)] += row
    return sound


def _syllables(take: _Take, syllable_hz: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Times and formants of vowels, and curves of the voice's and the consonants' loudness."""
    rng = take.rng
    rate = syllable_hz or float(rng.uniform(3.0, 6.5))
    marks, loudness, hiss = [], np.zeros(take.n_samples), np.zeros(take.n_samples)
    at = 0.05
    while at < take.seconds:
        length = 1 / rate if syllable_hz else float(rng.gamma(6.0, 1 / (6.0 * rate)))
        start, end = (round(x * take.sample_rate) for x in (at, min(take.seconds, at + 0.85 * length)))
        shape = np.sin(np.pi * np.arange(end - start) / max(1, end - start)) ** 0.6
        loudness[start:end] += shape * rng.uniform(0.4, 1.0)
        if rng.random() < 0.45:
            n = min(end - start, round(rng.uniform(0.03, 0.1) * take.sample_rate))
            hiss[start : start + n] = np.hanning(n) * rng.uniform(0.2, 1.0) if n else 0.0
        marks.append(at + length / 2)
        is_pause = rng.random() < (0.12 if not syllable_hz else 0.2)
        at += length * (1 if not is_pause else 1 + round(rng.uniform(1, 4)))
    vowels = _VOWELS_HZ[rng.integers(len(_VOWELS_HZ), size=len(marks))]
    return (np.array(marks), vowels, loudness.astype(np.float32), hiss.astype(np.float32))  # type: ignore[return-value]


def _one_speaker(take: _Take) -> FloatArray:
    return speech(take.seconds, take.sample_rate, take.rng)


def _babble(take: _Take) -> FloatArray:
    n_speakers = int(take.rng.integers(3, 7))
    voices = [speech(take.seconds, take.sample_rate, take.rng) * take.rng.uniform(0.3, 1.0) for _ in range(n_speakers)]
    return np.asarray(np.sum(voices, axis=0), dtype=np.float32)


KINDS: dict[str, Callable[[_Take], FloatArray]] = {
    "applause": _applause,
    "babble": _babble,
    "band_noise": _band_noise,
    "beeps": _beeps,
    "clicks": _clicks,
    "coloured_noise": _coloured_noise,
    "dialling": _dialling,
    "engine": _engine,
    "hum": _hum,
    "rain": _rain,
    "room_tone": _room_tone,
    "siren": _siren,
    "speech": _one_speaker,
    "sweep": _sweep,
    "tone": _tone,
    "tones": _tones,
    "typing": _typing,
    "wind": _wind,
}
