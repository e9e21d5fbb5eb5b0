"""A small synthesizer: voices, drums and effects, in NumPy alone; `crnn.synthesis.mixer` plays them.

Everything is mono float32. Pitches are MIDI numbers (69 is A at 440 Hz), times are
seconds, and every random choice comes from a generator that the caller seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

_TABLE_SIZE = 2048
_MIN_RELEASE_SECONDS = 0.005


def note_hz(midi: float) -> float:
    """Frequency in Hz of a MIDI number."""
    return float(440.0 * 2.0 ** ((midi - 69.0) / 12.0))


@dataclass(frozen=True)
class Voice:
    """An instrument of harmonics whose level falls as a power of their number.

    slope: the exponent: 1 is bright like a saw, 3 dull like a flute.
    even: level of the even harmonics; 0 is hollow like a clarinet.
    attack_seconds, release_seconds: the ends of a note.
    decay_seconds: time to fall by 60 dB at middle C, lower notes longer; 0 sustains.
    darkening: how much faster the upper harmonics decay than the note; 1 is no faster.
    vibrato: depth in semitones; its rate is about 5.5 Hz.
    n_unison, detune: copies, spread over plus and minus `detune` semitones.
    noise: breath or bow, relative to the tone.
    formant_hz: centre of a broad resonance, 0 for none.
    """

    slope: float = 1.5
    even: float = 1.0
    attack_seconds: float = 0.01
    release_seconds: float = 0.05
    decay_seconds: float = 0.0
    darkening: float = 1.0
    vibrato: float = 0.0
    n_unison: int = 1
    detune: float = 0.08
    noise: float = 0.0
    formant_hz: float = 0.0


PIANO = Voice(
    slope=1.7, attack_seconds=0.003, release_seconds=0.15, decay_seconds=5.0, darkening=4.0, n_unison=2, detune=0.015
)
ELECTRIC_PIANO = Voice(slope=2.6, even=0.4, attack_seconds=0.004, release_seconds=0.2, decay_seconds=3.5, darkening=6.0)
GUITAR = Voice(slope=1.3, attack_seconds=0.002, release_seconds=0.08, decay_seconds=2.5, darkening=5.0)
HARPSICHORD = Voice(slope=0.7, attack_seconds=0.001, release_seconds=0.1, decay_seconds=2.5, darkening=2.0)
UPRIGHT_BASS = Voice(slope=2.1, attack_seconds=0.008, release_seconds=0.08, decay_seconds=1.4, darkening=5.0)
ELECTRIC_BASS = Voice(slope=1.8, attack_seconds=0.005, release_seconds=0.05, decay_seconds=3.0, darkening=4.0)
SUB_BASS = Voice(slope=4.0, attack_seconds=0.01, release_seconds=0.08)
STRINGS = Voice(slope=1.3, attack_seconds=0.12, release_seconds=0.25, vibrato=0.12, n_unison=4, detune=0.07, noise=0.01)
VIOLIN = Voice(slope=1.1, attack_seconds=0.06, release_seconds=0.12, vibrato=0.25, noise=0.02, formant_hz=2500.0)
FLUTE = Voice(slope=2.8, attack_seconds=0.05, release_seconds=0.08, vibrato=0.15, noise=0.08)
CLARINET = Voice(slope=1.6, even=0.1, attack_seconds=0.03, release_seconds=0.06, noise=0.02)
BRASS = Voice(slope=1.0, attack_seconds=0.04, release_seconds=0.07, n_unison=3, detune=0.05, formant_hz=1200.0)
SAXOPHONE = Voice(
    slope=1.2, even=0.8, attack_seconds=0.03, release_seconds=0.06, vibrato=0.2, noise=0.05, formant_hz=1400.0
)
ORGAN = Voice(slope=1.4, attack_seconds=0.01, release_seconds=0.05, n_unison=2, detune=0.03)
ACCORDION = Voice(slope=1.0, attack_seconds=0.03, release_seconds=0.05, n_unison=3, detune=0.12)
CHOIR = Voice(
    slope=1.5,
    attack_seconds=0.15,
    release_seconds=0.3,
    vibrato=0.2,
    n_unison=5,
    detune=0.15,
    noise=0.02,
    formant_hz=700.0,
)
SAW = Voice(slope=1.0, attack_seconds=0.003, release_seconds=0.03, n_unison=3, detune=0.1)
SQUARE = Voice(slope=1.0, even=0.0, attack_seconds=0.002, release_seconds=0.01)


def render(voice: Voice, midi: float, seconds: float, sample_rate: int, rng: np.random.Generator) -> FloatArray:
    """One note, its release included, with a peak near 1.

    Args:
        voice: The instrument.
        midi: Pitch.
        seconds: Length up to the release.
        sample_rate: Hz.
        rng: Phases, detuning and noise come from it.
    """
    hz = note_hz(midi)
    release = max(voice.release_seconds, _MIN_RELEASE_SECONDS)
    n_samples = max(8, round((seconds + release) * sample_rate))
    t = np.arange(n_samples) / sample_rate
    bright = _unison(voice, hz, t, sample_rate, rng, dull=False)
    if voice.decay_seconds:
        rate = 6.9 / (voice.decay_seconds * (262.0 / hz) ** 0.5)
        sound = bright * np.exp(-rate * voice.darkening * t)
        if voice.darkening > 1:
            sound = 0.5 * sound + 0.5 * _unison(voice, hz, t, sample_rate, rng, dull=True) * np.exp(-rate * t)
    else:
        sound = bright
    if voice.noise:
        breath = rng.standard_normal(n_samples, dtype=np.float32)
        sound = sound + voice.noise * (breath + np.roll(breath, 1) + np.roll(breath, 2))
    return np.asarray(sound * _envelope(n_samples, voice.attack_seconds, release, sample_rate), dtype=np.float32)


def _unison(
    voice: Voice, hz: float, t: npt.NDArray[np.float64], sample_rate: int, rng: np.random.Generator, *, dull: bool
) -> FloatArray:
    n_harmonics = max(1, min(80, int(0.45 * sample_rate / hz)))
    table = _wave_table(voice.slope + (1.2 if dull else 0.0), voice.even, n_harmonics, hz, voice.formant_hz)
    offsets = np.linspace(-1, 1, voice.n_unison) if voice.n_unison > 1 else np.zeros(1)
    total = np.zeros(len(t), dtype=np.float32)
    for offset in offsets:
        cycles = hz * 2.0 ** (offset * voice.detune / 12.0) * t + rng.random()
        if voice.vibrato:
            rate_hz = 5.5 + 0.6 * rng.standard_normal()
            depth = hz * voice.vibrato * 0.0578 / (2 * np.pi * rate_hz)
            cycles = cycles + depth * np.sin(2 * np.pi * rate_hz * t + 6.28 * rng.random()) * np.minimum(1.0, 3.0 * t)
        total += table[(cycles * _TABLE_SIZE).astype(np.int64) % _TABLE_SIZE]
    return total / np.float32(np.sqrt(len(offsets)))


@lru_cache(maxsize=4096)
def _wave_table(slope: float, even: float, n_harmonics: int, hz: float, formant_hz: float) -> FloatArray:
    k = np.arange(1, n_harmonics + 1)
    level = k**-slope * np.where(k % 2, 1.0, even)
    if formant_hz:
        level = level * (0.25 + np.exp(-(np.log2(k * hz / formant_hz) ** 2)))
    # Fixed odd phases keep the crest low, as real instruments do.
    spectrum = np.zeros(_TABLE_SIZE // 2 + 1, dtype=np.complex128)
    spectrum[1 : n_harmonics + 1] = level * np.exp(1j * np.pi * k * k / n_harmonics)
    wave = np.fft.irfft(spectrum)
    return (wave / np.abs(wave).max()).astype(np.float32)


def _envelope(n_samples: int, attack_seconds: float, release_seconds: float, sample_rate: int) -> FloatArray:
    envelope = np.ones(n_samples, dtype=np.float32)
    n_attack = min(n_samples // 2, max(1, round(attack_seconds * sample_rate)))
    n_release = min(n_samples // 2, max(1, round(release_seconds * sample_rate)))
    envelope[:n_attack] *= np.linspace(0, 1, n_attack, dtype=np.float32)
    envelope[-n_release:] *= np.linspace(1, 0, n_release, dtype=np.float32) ** 2
    return envelope


def pluck(
    midi: float, seconds: float, sample_rate: int, rng: np.random.Generator, brightness: float = 0.5
) -> FloatArray:
    """A plucked string (Karplus and Strong 1983), tuned by reading it at a fractional rate.

    Args:
        midi: Pitch.
        seconds: Length.
        sample_rate: Hz.
        rng: The noise that starts the string.
        brightness: 0 dull to 1 bright.
    """
    hz = note_hz(midi)
    period = max(2, int(sample_rate / hz))
    n_needed = round(seconds * sample_rate)
    n_periods = n_needed // period + 3
    string = rng.uniform(-1, 1, period).astype(np.float32)
    keep = np.float32(0.5 + 0.5 * brightness)
    rows = np.empty((n_periods, period), dtype=np.float32)
    for row in rows:
        row[:] = string
        string = np.float32(0.997) * (keep * string + (1 - keep) * np.roll(string, 1))
    # The average delays by part of a sample, and the period is a whole number.
    ratio = hz * (period + 1 - float(keep)) / sample_rate
    positions = np.arange(n_needed) * ratio
    sound = np.interp(positions, np.arange(rows.size), rows.ravel()).astype(np.float32)
    return sound * _envelope(n_needed, 0.0005, 0.02, sample_rate)


# Drums


def kick(sample_rate: int, rng: np.random.Generator, *, low_hz: float = 48.0, seconds: float = 0.3) -> FloatArray:
    """A bass drum: a falling tone and a click.

    Args:
        sample_rate: In Hz.
        rng: Of the click.
        low_hz: Where the tone falls to.
        seconds: Length; the tone decays to 1/150 in it.
    """
    t = _time(seconds, sample_rate)
    cycles = low_hz * t + 3.0 * (1 - np.exp(-35.0 * t))
    tone = np.sin(2 * np.pi * cycles) * np.exp(-t * 5.0 / seconds)
    click = rng.standard_normal(len(t)) * np.exp(-t * 400.0) * 0.4
    return (tone + click).astype(np.float32)


def snare(sample_rate: int, rng: np.random.Generator, *, tone_hz: float = 190.0, seconds: float = 0.22) -> FloatArray:
    """A snare drum: a short tone and rattling noise.

    Args:
        sample_rate: In Hz.
        rng: Of the noise.
        tone_hz: Where the tone falls to.
        seconds: Length; the noise decays to 1/90 in it.
    """
    t = _time(seconds, sample_rate)
    rattle = band_noise(len(t), sample_rate, rng, 1200.0, 9500.0) * np.exp(-t * 4.5 / seconds)
    skin = np.sin(2 * np.pi * tone_hz * t * (1 + 0.3 * np.exp(-60 * t))) * np.exp(-t * 25.0)
    return (0.7 * rattle + 0.6 * skin).astype(np.float32)


def hat(sample_rate: int, rng: np.random.Generator, *, seconds: float = 0.06) -> FloatArray:
    """A hi-hat: high noise; long for an open one.

    Args:
        sample_rate: In Hz.
        rng: Of the noise.
        seconds: Length: 0.06 is closed, 0.3 open.
    """
    t = _time(seconds, sample_rate)
    return (band_noise(len(t), sample_rate, rng, 6000.0, 11_000.0) * np.exp(-t * 5.0 / seconds)).astype(np.float32)


def cymbal(sample_rate: int, rng: np.random.Generator, *, seconds: float = 1.2, ring: float = 0.5) -> FloatArray:
    """A cymbal: noise, and `ring` of inharmonic partials (a ride rings, a crash hisses).

    Args:
        sample_rate: In Hz.
        rng: Of the noise and of the partials.
        seconds: Length; it decays to 1/55 in it.
        ring: Share of the partials, from 0 to 1.
    """
    t = _time(seconds, sample_rate)
    noise = band_noise(len(t), sample_rate, rng, 3000.0, 11_000.0)
    partials_hz = rng.uniform(2500.0, 9500.0, 14)
    bell = np.sin(2 * np.pi * np.outer(partials_hz, t) + rng.uniform(0, 6.28, (14, 1))).sum(axis=0) / 4
    return ((noise * (1 - ring) + bell * ring) * np.exp(-t * 4.0 / seconds)).astype(np.float32)


def clap(sample_rate: int, rng: np.random.Generator) -> FloatArray:
    """Several hands, nearly together.

    Args:
        sample_rate: In Hz.
        rng: Of the noise.

    Returns:
        A quarter of a second, float32.
    """
    t = _time(0.25, sample_rate)
    envelope = np.exp(-t * 25.0)
    for delay in (0.0, 0.011, 0.023):
        envelope += 1.5 * np.exp(-np.maximum(t - delay, 0) * 180.0) * (t >= delay)
    return (band_noise(len(t), sample_rate, rng, 800.0, 5000.0) * envelope * 0.5).astype(np.float32)


def _time(seconds: float, sample_rate: int) -> npt.NDArray[np.float64]:
    return np.arange(round(seconds * sample_rate)) / sample_rate


# Noise and effects


def band_noise(n_samples: int, sample_rate: int, rng: np.random.Generator, low_hz: float, high_hz: float) -> FloatArray:
    """Noise between two frequencies, with a deviation of 0.35.

    Args:
        n_samples: Length.
        sample_rate: In Hz.
        rng: Of the noise.
        low_hz: Lower edge.
        high_hz: Upper edge.
    """
    noise = band_pass(rng.standard_normal(n_samples, dtype=np.float32), sample_rate, low_hz, high_hz)
    return noise * np.float32(0.35 / max(1e-6, float(noise.std())))


def band_pass(samples: FloatArray, sample_rate: int, low_hz: float, high_hz: float, order: float = 4.0) -> FloatArray:
    """`samples` between two frequencies, without delay; the slopes are those of Butterworth filters.

    Args:
        samples: Shape `(n_samples,)`.
        sample_rate: Hz.
        low_hz: Lower edge; 0 for none.
        high_hz: Upper edge.
        order: Steepness, 6 dB an octave each.
    """

    def gain(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        passed = 1.0 / np.sqrt(1.0 + (hz / high_hz) ** (2 * order))
        if low_hz > 0:
            passed = passed / np.sqrt(1.0 + (low_hz / np.maximum(hz, 1e-3)) ** (2 * order))
        return passed

    return equalise(samples, sample_rate, gain)


def equalise(
    samples: FloatArray, sample_rate: int, gain: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
) -> FloatArray:
    """`samples` with the amplitude at each frequency in Hz multiplied by `gain` of it.

    Args:
        samples: Mono sound, `(n_samples,)`.
        sample_rate: In Hz.
        gain: Factors of the amplitude for frequencies in Hz, all asked for at once.
    """
    from scipy import fft

    n_fft = fft.next_fast_len(len(samples) + 256, real=True)
    spectrum = fft.rfft(samples, n_fft)
    spectrum *= gain(np.arange(n_fft // 2 + 1) * (sample_rate / n_fft)).astype(np.float32)
    return np.asarray(fft.irfft(spectrum, n_fft)[: len(samples)], dtype=np.float32)


def reverberate(
    samples: FloatArray, sample_rate: int, rng: np.random.Generator, *, seconds: float = 1.5, wet: float = 0.25
) -> FloatArray:
    """`samples` in a room: convolved with noise that decays by 60 dB in `seconds`, its highs sooner.

    Args:
        samples: Mono sound, `(n_samples,)`; what rings on behind its end is cut off.
        sample_rate: In Hz.
        rng: Of the room.
        seconds: Reverberation time.
        wet: Share of the room in the sound, from 0 to 1.
    """
    from scipy import fft

    t = _time(seconds, sample_rate)
    noise = rng.standard_normal(len(t), dtype=np.float32)
    dull = band_pass(rng.standard_normal(len(t), dtype=np.float32), sample_rate, 100.0, 1800.0, 1.0)
    response = 0.5 * noise * np.exp(-t * 16.0 / seconds) + dull * np.exp(-t * 6.9 / seconds)
    response *= np.minimum(1.0, t / 0.012)
    response /= np.sqrt((response**2).sum())
    n_fft = fft.next_fast_len(len(samples) + len(t), real=True)
    spectrum = fft.rfft(samples, n_fft) * fft.rfft(response.astype(np.float32), n_fft)
    room = fft.irfft(spectrum, n_fft)[: len(samples)]
    return np.asarray((1 - wet) * samples + wet * room, dtype=np.float32)


def distort(samples: FloatArray, sample_rate: int, *, drive: float = 8.0, cabinet_hz: float = 4500.0) -> FloatArray:
    """An overdriven amplifier with a loudspeaker behind it; peaks near 1.

    Args:
        samples: Mono sound, `(n_samples,)`, of any level.
        sample_rate: In Hz.
        drive: How far the peak is driven into the curve of `tanh`.
        cabinet_hz: Where the loudspeaker's highs end.
    """
    loud = np.tanh(drive * samples / max(1e-6, float(np.abs(samples).max())))
    return band_pass(np.asarray(loud, dtype=np.float32), sample_rate, 80.0, cabinet_hz, 2.0)


def compress(samples: FloatArray, amount: float = 2.0) -> FloatArray:
    """`samples` with their peaks rounded off, at a peak of 0.9.

    Args:
        samples: Mono sound, `(n_samples,)`, of any level.
        amount: How far the peak is driven into the curve of `tanh`.
    """
    scaled = np.tanh(amount * samples / max(1e-6, float(np.abs(samples).max())))
    return np.asarray(scaled * (0.9 / np.abs(scaled).max(initial=1e-6)), dtype=np.float32)
