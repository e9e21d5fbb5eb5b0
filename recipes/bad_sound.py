"""Music as microphones, rooms and codecs leave it: what the student hears while the teachers hear it whole.

Every step is drawn anew: filters of any slope, small loudspeakers with resonances, rooms,
noise, clipping, low sample rates. `bench.robustness` has sounds and numbers of its own.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from scipy import signal

Sound = npt.NDArray[np.float64]
Rng = np.random.Generator

_BLOCK = 8192


def degrade(samples: npt.NDArray[np.float32], sample_rate: int, rng: Rng) -> npt.NDArray[np.float32]:
    """`samples` through one to four random faults, in the order in which they would occur.

    Args:
        samples: Mono audio, `(n_samples,)`.
        sample_rate: Hz.
        rng: Source of all chance.
    """
    n_faults = int(rng.choice([1, 2, 3, 4], p=[0.35, 0.25, 0.25, 0.15]))
    sound = samples.astype(np.float64)
    for index in sorted(rng.choice(len(_FAULTS), n_faults, replace=False, p=[chance for _, chance in _FAULTS])):
        sound = _FAULTS[index][0](sound, sample_rate, rng)
    return np.nan_to_num(sound).astype(np.float32)


def coded(samples: npt.NDArray[np.float32], sample_rate: int, rng: Rng) -> npt.NDArray[np.float32]:
    """`samples` after Ogg Vorbis or MP3 of some 30 to 60 kbit/s: good sound, but other in its quiet cells.

    Args:
        samples: Mono audio, `(n_samples,)`.
        sample_rate: Hz.
        rng: Source of all chance.
    """
    kind, subtype, most = (("OGG", "VORBIS", 1.0), ("MP3", "MPEG_LAYER_III", 0.85))[int(rng.random() < 0.4)]
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", sample_rate, 1, subtype, format=kind, compression_level=rng.uniform(0.4, most)
    ) as coder:
        # libsndfile's Vorbis encoder overflows its stack with a long block.
        for start in range(0, len(samples), _BLOCK):
            coder.write(np.clip(samples[start : start + _BLOCK], -1, 1))
    file.seek(0)
    sound, _ = soundfile.read(file, len(samples), dtype="float32", fill_value=0.0)
    return np.asarray(sound)


def _peak(sound: Sound) -> float:
    return float(np.abs(sound).max()) + 1e-9


def _log_uniform(rng: Rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _filtered(sound: Sound, sample_rate: int, order: int, hz: float | tuple[float, float], kind: str) -> Sound:
    sections = signal.butter(order, hz, kind, fs=sample_rate, output="sos")
    return np.asarray(signal.sosfilt(sections, sound))


def _band(sound: Sound, sample_rate: int, rng: Rng) -> Sound:
    low_hz, high_hz = _log_uniform(rng, 80, 600), _log_uniform(rng, 2200, 9000)
    kind, order = int(rng.integers(3)), int(rng.integers(1, 6))
    if kind == 0:
        return _filtered(sound, sample_rate, order, low_hz, "highpass")
    if kind == 1:
        return _filtered(sound, sample_rate, order, high_hz, "lowpass")
    return _filtered(sound, sample_rate, order, (low_hz, high_hz), "bandpass")


def _loudspeaker(sound: Sound, sample_rate: int, rng: Rng) -> Sound:
    sound = _filtered(sound, sample_rate, int(rng.integers(1, 5)), _log_uniform(rng, 120, 650), "highpass")
    for _ in range(int(rng.integers(0, 4))):
        numerator, denominator = signal.iirpeak(_log_uniform(rng, 300, 6000), rng.uniform(0.7, 5), fs=sample_rate)
        sound = sound + rng.uniform(-0.7, 1.5) * signal.lfilter(numerator, denominator, sound)
    return np.tanh(rng.uniform(0.5, 3) * sound / _peak(sound)) if rng.random() < 0.5 else sound


def _room(sound: Sound, sample_rate: int, rng: Rng) -> Sound:
    seconds = rng.uniform(0.15, 1.2)
    times = np.arange(int(seconds * sample_rate)) / sample_rate
    tail = rng.normal(size=len(times)) * 10 ** (-3 * times / seconds)
    tail = _filtered(tail, sample_rate, 1, rng.uniform(1500, 9000), "lowpass")
    tail *= 10 ** (-rng.uniform(-3, 12) / 20) / np.sqrt((tail**2).sum())
    return sound + signal.fftconvolve(sound, tail)[: len(sound)]


def _noise(sound: Sound, sample_rate: int, rng: Rng) -> Sound:
    del sample_rate
    spectrum = np.fft.rfft(rng.normal(size=len(sound)))
    spectrum /= np.maximum(np.arange(len(spectrum)), 20) ** rng.uniform(0, 1.2)
    noise = np.fft.irfft(spectrum, len(sound))
    level = np.sqrt((sound**2).mean() / (noise**2).mean()) * 10 ** (-rng.uniform(8, 35) / 20)
    return np.asarray(sound + noise * level)


def _clipping(sound: Sound, sample_rate: int, rng: Rng) -> Sound:
    del sample_rate
    return np.clip(sound * 10 ** (rng.uniform(1, 15) / 20) / _peak(sound), -1, 1)


def _low_rate(sound: Sound, sample_rate: int, rng: Rng) -> Sound:
    rate = int(rng.choice([6000, 8000, 8000, 11_025, 12_000, 16_000]))
    there_and_back = soxr.resample(soxr.resample(sound, sample_rate, rate), rate, sample_rate)
    return np.asarray(there_and_back[: len(sound)], np.float64)


# In the order of the chain, each with its chance.
_FAULTS: tuple[tuple[Callable[[Sound, int, Rng], Sound], float], ...] = (
    (_band, 0.20),
    (_loudspeaker, 0.25),
    (_room, 0.15),
    (_noise, 0.10),
    (_clipping, 0.08),
    (_low_rate, 0.22),
)
