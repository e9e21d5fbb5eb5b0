"""Tempo and key of a sound, each with its doubt; quick and without librosa, for Listen tells them with the answer.

The bounds of doubt were set by worked cases (noise, tones, chords of known key), not by a collection: a tempo that
one half or twice as fast explains nearly as well is told with it, and so is a second key.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from crnn.analysis.grids import FloatArray
from crnn.config import FeatureConfig
from crnn.features.log_mel import mel_power

# The windows below are for this rate and its multiples.
RATE = 22_050
# Enough to tell both; more would delay the page.
_TOLD_SECONDS = 120.0
_SPARE_SECONDS = 2.0

_SLOWEST_BPM, _FASTEST_BPM = 40.0, 240.0
_LEAST_SECONDS = 5.0
_RANGE_DB = 80.0
# In frames of 12 ms: hits closer than this are heard as one.
_BLUR_FRAMES = 2.0
_LEAST_RISE_DB = 0.05
# The autocorrelation of the onsets that a beat must reach, and in standard deviations of chance.
_LEAST_RETURN, _CHANCE = 0.2, 4.0
# People tap near 120 BPM, two thirds of them within 0.9 octaves (Ellis 2007).
_TAPPED_BPM, _TAPPED_OCTAVES = 120.0, 0.9
_AS_GOOD_TEMPO = 0.8
# Autocorrelation at half a beat, as a share of that at a beat: 0.4 to 0.6 in slow pieces of the demo, but 0.8 in
# fast ones that were read at half their tempo.
_TWICE_AS_FAST, _FASTEST_TOLD_BPM = 0.7, 210.0

_N_FFT = 8192
# Below it semitones run together; above it overtones are louder than the notes that are played there.
_LOWEST_HZ, _HIGHEST_HZ = 80.0, 1200.0
_NEAR_BINS = 41
_ABOVE_NEAR = 2.0
# What lies sixty decibels below the loudest is hiss or rounding, no note.
_BELOW_LOUDEST = 1e-3
# How far peaks agree on a tuning, and how unequal pitch classes are: noise is near zero in both.
_LEAST_AGREEMENT, _LEAST_CONTRAST = 0.2, 0.25
_LEAST_FIT, _AS_GOOD_FIT = 0.7, 0.12

_MAJOR = ("C", "D♭", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
_MINOR = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "G♯", "A", "B♭", "B")
# How often each pitch class occurs in a key, from the tonic on (Albrecht & Shanahan 2013); of four published pairs the
# one that `bench.tempo_and_key` finds right most often.
_MAJOR_PROFILE = (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081)
_MINOR_PROFILE = (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052)


@dataclass(frozen=True)
class Tempo:
    """Beats a minute, and the other reading of the same beat, where that is nearly as good."""

    bpm: float
    other_bpm: float | None = None


def tempo(samples: FloatArray, rate: int) -> Tempo | None:
    """The tempo whose beat brings the most onsets back; None where none does.

    The autocorrelation of the spectral flux, weighted by where people tap (Ellis 2007), read between its lags and
    then at two, four and eight beats.

    Args:
        samples: Mono sound, `(n_samples,)`.
        rate: Its sample rate in Hz.
    """
    if len(samples) < _LEAST_SECONDS * rate:
        return None
    onsets, frame_rate_hz = _flux(samples, rate)
    if onsets.std() < _LEAST_RISE_DB:
        return None
    returns = _autocorrelation(onsets)
    first = int(frame_rate_hz * 60 / _FASTEST_BPM)
    last = min(int(frame_rate_hz * 60 / _SLOWEST_BPM), len(returns) // 2)
    lags = np.arange(first, last + 1)
    # The blur leaves fewer independent frames than there are.
    chance = _CHANCE * np.sqrt(2 * np.sqrt(np.pi) * _BLUR_FRAMES / len(onsets))
    height = returns[lags]
    is_peak = (height >= returns[lags - 1]) & (height > returns[lags + 1]) & (height > max(_LEAST_RETURN, chance))
    if not is_peak.any():
        return None
    octaves = np.log2(60 * frame_rate_hz / lags / _TAPPED_BPM) / _TAPPED_OCTAVES
    score = np.where(is_peak, height * np.exp(-0.5 * np.square(octaves)), 0.0)
    best = int(score.argmax())
    rival = int(np.where(np.abs(lags / lags[best] - 1) > 0.1, score, 0.0).argmax())
    is_told = score[rival] >= _AS_GOOD_TEMPO * score[best]
    exact = _exact_lag(returns, int(lags[best]))
    bpm = 60 * frame_rate_hz / exact
    if 2 * bpm <= _FASTEST_TOLD_BPM and _is_beaten_twice(returns, exact):
        return Tempo(bpm, 2 * bpm)
    return Tempo(bpm, 60 * frame_rate_hz / _exact_lag(returns, int(lags[rival])) if is_told else None)


def _is_beaten_twice(returns: npt.NDArray[np.float64], lag: float) -> bool:
    """Whether half a beat brings back so much that the music may be twice as fast."""
    half = round(lag / 2)
    near = returns[half - 2 : half + 3]
    is_peak = 0 < int(near.argmax()) < len(near) - 1
    return is_peak and bool(near.max() >= _TWICE_AS_FAST * returns[round(lag)])


def _flux(samples: FloatArray, rate: int) -> tuple[npt.NDArray[np.float64], float]:
    """How much begins in each frame, without its mean, and the frames a second."""
    scale = max(1, round(rate / RATE))
    config = FeatureConfig(sample_rate=rate, n_fft=1024 * scale, hop_length=256 * scale, n_mels=40, fmax=rate / 2)
    power = mel_power(samples, config)
    loudest = float(power.max())
    levels = 10 * np.log10(np.maximum(power / max(loudest, 1e-20), 10 ** (-_RANGE_DB / 10)))
    rises = np.maximum(np.diff(levels, axis=0), 0).mean(axis=1, dtype=np.float64)
    kernel = np.exp(-0.5 * np.square(np.arange(-8, 9) / _BLUR_FRAMES))
    blurred = np.convolve(rises, kernel / kernel.sum(), "same")
    return blurred - blurred.mean(), config.frame_rate_hz


def _autocorrelation(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of each lag up to half the length, unbiased, 1 at lag 0."""
    n_lags = len(values) // 2
    spectrum = fft.rfft(values, 2 * len(values))
    found = fft.irfft(np.square(np.abs(spectrum)), 2 * len(values))[:n_lags] / (len(values) - np.arange(n_lags))
    return np.asarray(found / found[0])


def _exact_lag(returns: npt.NDArray[np.float64], lag: int) -> float:
    """The lag between frames of a peak; finer by peaks at its multiples, as long as there are some as high."""
    exact = _summit(returns, lag)
    for beats in (2, 4, 8):
        near = round(beats * exact)
        if near + 4 > len(returns):
            break
        top = near - 2 + int(returns[near - 2 : near + 3].argmax())
        if returns[top] < 0.5 * returns[lag]:
            break
        exact = _summit(returns, top) / beats
    return exact


def _summit(values: npt.NDArray[np.float64], at: int) -> float:
    before, here, after = values[at - 1 : at + 2]
    curvature = before - 2 * here + after
    return at + (0.5 * (before - after) / curvature if curvature < 0 else 0.0)


def keys(samples: FloatArray, rate: int) -> tuple[str, ...]:
    """The key, or two that fit nearly alike, best first; none where no key is clear.

    Spectral peaks between 80 Hz and 1.2 kHz, tuned to each other, gathered by pitch class (after Gómez 2006), and the
    key whose profile correlates best with them (as Krumhansl 1990 does).

    Args:
        samples: Mono sound, `(n_samples,)`.
        rate: Its sample rate in Hz.
    """
    classes = _pitch_classes(samples, rate)
    if classes is None or classes.std() < _LEAST_CONTRAST * classes.mean():
        return ()
    fits = {}
    for names, profile, mode in ((_MAJOR, _MAJOR_PROFILE, "major"), (_MINOR, _MINOR_PROFILE, "minor")):
        for tonic, name in enumerate(names):
            fits[f"{name} {mode}"] = float(np.corrcoef(np.roll(profile, tonic), classes)[0, 1])
    ranked = sorted(fits, key=lambda name: -fits[name])
    best = fits[ranked[0]]
    as_good = [name for name in ranked if fits[name] > best - _AS_GOOD_FIT]
    return tuple(as_good) if best >= _LEAST_FIT and len(as_good) <= 2 else ()


def _pitch_classes(samples: FloatArray, rate: int) -> npt.NDArray[np.float64] | None:
    """Summed magnitude of the peaks of each pitch class from C on, `(12,)`; None where they agree on no tuning."""
    n_fft = _N_FFT * max(1, round(rate / RATE))
    if len(samples) < n_fft:
        return None
    frames = np.lib.stride_tricks.sliding_window_view(samples, n_fft)[:: n_fft // 2]
    low, high = int(_LOWEST_HZ * n_fft / rate), int(_HIGHEST_HZ * n_fft / rate)
    window = np.hanning(n_fft).astype(np.float32)
    blocks, loudest = [], 0.0
    for k in range(0, len(frames), 64):
        block = np.abs(fft.rfft(frames[k : k + 64] * window, axis=1))
        loudest = max(loudest, float(block.max()))
        blocks.append(block[:, low - 1 : high + 2])
    magnitude = np.concatenate(blocks)
    reach = _NEAR_BINS // 2
    total = np.cumsum(np.pad(magnitude, ((0, 0), (reach + 1, reach)), mode="reflect"), axis=1, dtype=np.float64)
    near = (total[:, _NEAR_BINS:] - total[:, :-_NEAR_BINS]) / _NEAR_BINS
    below, here, above = magnitude[:, :-2], magnitude[:, 1:-1], magnitude[:, 2:]
    is_note = (here > _ABOVE_NEAR * near[:, 1:-1]) & (here > _BELOW_LOUDEST * loudest)
    frame, column = np.nonzero((here > below) & (here >= above) & is_note)
    weight = here[frame, column].astype(np.float64)
    if not weight.sum():
        return None
    left, middle, right = (np.log(np.maximum(part[frame, column], 1e-12)) for part in (below, here, above))
    places = low + column + 0.5 * (left - right) / np.minimum(left - 2 * middle + right, -1e-9)
    semitones = 69 + 12 * np.log2(places * rate / n_fft / 440)
    agreed = np.sum(weight * np.exp(2j * np.pi * semitones)) / weight.sum()
    if abs(agreed) < _LEAST_AGREEMENT:
        return None
    nearest = np.round(semitones - np.angle(agreed) / (2 * np.pi)).astype(int) % 12
    return np.bincount(nearest, weight, 12).astype(np.float64)


def sentence(found: Tempo | None, key: tuple[str, ...]) -> str:
    """Both in a line: “About 128 BPM · A minor or C major”.

    Args:
        found: What `tempo` found.
        key: What `keys` found.
    """
    if found is None and not key:
        return "Not sure of tempo or key."
    return f"{tempo_words(found)} · {' or '.join(key) or 'not sure of the key'}"


def tempo_words(found: Tempo | None) -> str:
    """A tempo with its doubt: “About 75 or 150 BPM”, on whichever page.

    Args:
        found: What `tempo` found.
    """
    if found is None:
        return "Not sure of the tempo"
    other = "" if found.other_bpm is None else f" or {found.other_bpm:.0f}"
    return f"About {found.bpm:.0f}{other} BPM"


def told_part(seconds: float) -> tuple[float, float]:
    """From when to when a sound is heard for its tempo and key: its middle two minutes, or all of it.

    Args:
        seconds: How long it is.
    """
    if seconds <= _TOLD_SECONDS + _SPARE_SECONDS:
        # “Its middle two minutes” would say nothing.
        return 0.0, seconds
    start = (seconds - _TOLD_SECONDS) / 2
    return start, min(seconds, start + _TOLD_SECONDS)
