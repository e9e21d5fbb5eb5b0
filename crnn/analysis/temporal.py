"""Views of how a sound moves: waveform, loudness, onsets, beats and tempo; librosa is imported late."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from crnn.analysis import tempo_and_key
from crnn.analysis.grids import Curve, FloatArray, Grid, Lines, ViewSettings
from crnn.audio.clip import from_samples

SLOWEST_BPM, FASTEST_BPM = 30.0, 300.0

_MIN_POWER = 1e-20
HOP_LENGTH = 512
_ENVELOPE_POINTS = 4000
_LOUDNESS_SECONDS = 0.4
_LOUDNESS_HOP_SECONDS = 0.1
_QUIETEST_LUFS = -70.0


def _onset_strength(samples: FloatArray, rate: int) -> FloatArray:
    from crnn.analysis.compiled import librosa

    return np.asarray(librosa.onset.onset_strength(y=samples, sr=rate, hop_length=HOP_LENGTH), dtype=np.float32)


def onset_curve(samples: FloatArray, rate: int, settings: ViewSettings, n_between: int = 1) -> Lines:
    """Onset strength without its beats, as finely as is asked.

    Args:
        samples: Mono sound, `(n_samples,)`.
        rate: Its sample rate in Hz.
        settings: `peak` alone: the strength that is 1.
        n_between: Points for each of 512 samples: so often it is found anew, a bit later each time.
    """
    shift = HOP_LENGTH // n_between
    found = [_onset_strength(samples[number * shift :], rate) for number in range(n_between)]
    shortest = min(map(len, found))
    strength = np.stack([each[:shortest] for each in found], axis=1).reshape(-1)
    return _strength_lines(strength, shift / rate, settings)


def _strength_lines(strength: FloatArray, seconds_per_point: float, settings: ViewSettings) -> Lines:
    peak = float(strength.max(initial=0.0)) if settings.peak is None else settings.peak
    curve = Curve("onset strength", strength / np.float32(max(peak, 1e-9)), seconds_per_point)
    return Lines((curve,), "", 0.0, 1.0, peak=peak)


def onsets(samples: FloatArray, rate: int, settings: ViewSettings) -> Lines:
    """Onset strength, the beats that fit it best (Ellis 2007), and the tempo with the doubt that Listen tells.

    Args:
        samples: Mono sound, `(n_samples,)`.
        rate: Its sample rate in Hz.
        settings: `peak` alone: the hop is 512 samples.

    Returns:
        A curve from 0 to 1, and seconds of the beats as marks, none where fewer than three were found.
    """
    from crnn.analysis.compiled import compiling, librosa

    with compiling():
        import librosa.beat
    strength = _onset_strength(samples, rate)
    told = _told_tempo(samples, rate)
    tempo, beats = librosa.beat.beat_track(
        onset_envelope=strength, sr=rate, hop_length=HOP_LENGTH, bpm=None if told is None else told.bpm
    )
    bpm = _even_tempo(beats * HOP_LENGTH / rate) or float(np.atleast_1d(tempo)[0])
    words = tempo_and_key.tempo_words(told) if told is not None else f"Not sure of the tempo: perhaps {bpm:.0f} BPM"
    is_steady = len(beats) > 2 and bpm > 0
    facts = f"{words}, {len(beats)} beats." if is_steady else "No beat found."
    marks = tuple(float(frame) * HOP_LENGTH / rate for frame in beats) if is_steady else ()
    return replace(_strength_lines(strength, HOP_LENGTH / rate, settings), marks=marks, facts=facts)


def _told_tempo(samples: FloatArray, rate: int) -> tempo_and_key.Tempo | None:
    """The tempo as Listen tells it, of the same part at the same rate; None where it is not sure of one."""
    start, end = tempo_and_key.told_part(len(samples) / rate)
    part = samples[round(start * rate) : round(end * rate)]
    return tempo_and_key.tempo(from_samples(part, rate, tempo_and_key.RATE).samples, tempo_and_key.RATE)


def _even_tempo(beat_seconds: npt.NDArray[np.float64]) -> float:
    """BPM of beats that are even to a tenth, finer than the frames that they were found on; else 0."""
    if len(beat_seconds) < 4:
        return 0.0
    steps = np.diff(beat_seconds)
    slope = float(np.polyfit(np.arange(len(beat_seconds)), beat_seconds, 1)[0])
    return 60.0 / slope if np.abs(steps - slope).max() < 0.1 * slope else 0.0


def tempogram(samples: FloatArray, rate: int, settings: ViewSettings) -> Grid:
    """Autocorrelation of the onset strength at each tempo (Grosche et al. 2010).

    Args:
        samples: Mono sound, `(n_samples,)`.
        rate: Its sample rate in Hz.
        settings: None of them is used: the hop is 512 samples, tempi are 30 to 300 BPM.

    Returns:
        `(n_frames, n_tempi)` from 0 to 1, slow tempi first.
    """
    from crnn.analysis.compiled import librosa

    strength = _onset_strength(samples, rate)
    grid = librosa.feature.tempogram(onset_envelope=strength, sr=rate, hop_length=HOP_LENGTH)
    bpm = librosa.tempo_frequencies(len(grid), sr=rate, hop_length=HOP_LENGTH)
    # Lags rise, so tempi fall: turned round for a rising axis.
    kept = np.flatnonzero((bpm >= SLOWEST_BPM) & (bpm <= FASTEST_BPM))[::-1]
    return Grid(
        values=np.nan_to_num(grid[kept].T).astype(np.float32),
        rows=np.asarray(bpm[kept], dtype=np.float64),
        row_unit="BPM",
        unit="",
        low=0.0,
        high=1.0,
        seconds_per_frame=HOP_LENGTH / rate,
    )


def waveform(samples: FloatArray, rate: int, settings: ViewSettings) -> Lines:
    """Lowest and highest sample of each stretch.

    Args:
        samples: Mono sound, `(n_samples,)`.
        rate: Its sample rate in Hz.
        settings: `normalise` alone: whether the axis reaches to the loudest sample or to full scale.

    Returns:
        A band between lows and highs, of at most 4000 points.
    """
    pool = max(1, -(-len(samples) // _ENVELOPE_POINTS))
    padded = np.concatenate([samples, np.repeat(samples[-1:], -len(samples) % pool)]).reshape(-1, pool)
    envelope = np.stack([padded.min(axis=1), padded.max(axis=1)], axis=1)
    reach = _round_reach(float(np.abs(samples).max(initial=0.0))) if settings.normalise else 1.0
    seconds = pool / rate
    curve = Curve("amplitude", envelope.astype(np.float32), seconds, seconds / 2)
    return Lines((curve,), "", -reach, reach)


def _round_reach(loudest: float) -> float:
    """The least of …, 0.1, 0.2, 0.5, 1, … that is not below the loudest sample, so that the axis has round numbers."""
    # What is drawn has four digits.
    loudest = max(loudest, 1e-3)
    decade = 10.0 ** math.floor(math.log10(loudest))
    return float(next(step * decade for step in (1, 2, 5, 10) if step * decade >= loudest * (1 - 1e-6)))


def loudness(
    samples: FloatArray, rate: int, settings: ViewSettings, hop_seconds: float = _LOUDNESS_HOP_SECONDS
) -> Lines:
    """Momentary loudness every 0.1 s where nothing else is asked, and the integrated one (ITU-R BS.1770-4).

    Args:
        samples: Mono sound, `(n_samples,)`.
        rate: Its sample rate in Hz.
        settings: None of them is used: windows of 0.4 s are those of the standard.
        hop_seconds: From the middle of one window to that of the next.

    Returns:
        A curve in LUFS, not below −70, at the middle of each window; the integrated loudness, gated, as a sentence.
    """
    weighted = np.square(k_weighted(samples, rate), dtype=np.float64)
    window, hop = min(len(samples), round(_LOUDNESS_SECONDS * rate)), round(hop_seconds * rate)
    total = np.concatenate([[0.0], np.cumsum(weighted)])
    starts = np.arange(0, len(samples) - window + 1, hop)
    mean_square = (total[starts + window] - total[starts]) / window
    lufs = _lufs(mean_square)
    audible = lufs > _QUIETEST_LUFS
    facts = f"Integrated: {_lufs(_gated(mean_square[audible])):.1f} LUFS." if audible.any() else "Silence."
    curve = Curve("momentary loudness", lufs.astype(np.float32), hop / rate, window / rate / 2)
    return Lines((curve,), "LUFS", -60.0, 0.0, facts=facts.replace("-", "−"))


def _lufs(mean_square: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.maximum(-0.691 + 10 * np.log10(np.maximum(mean_square, _MIN_POWER)), _QUIETEST_LUFS)


def _gated(mean_square: npt.NDArray[np.float64]) -> float:
    # BS.1770: blocks more than 10 LU below the mean of the audible ones do not count.
    return float(mean_square[_lufs(mean_square) > _lufs(mean_square.mean()) - 10].mean())


def k_weighted(samples: FloatArray, rate: int) -> FloatArray:
    """Samples through the K-weighting of ITU-R BS.1770-4, its two filters redesigned for `rate` (De Man 2014).

    Args:
        samples: Mono sound, `(n_samples,)`.
        rate: Its sample rate in Hz.

    Returns:
        float32 `(n_samples,)`, filtered in double precision.
    """
    from scipy import signal

    shelf_db, shelf_hz, shelf_q = 3.999843853973347, 1681.974450955533, 0.7071752369554196
    k, gain = np.tan(np.pi * shelf_hz / rate), 10 ** (shelf_db / 20)
    middle = gain**0.4996667741545416
    a0 = 1 + k / shelf_q + k * k
    upper = [gain + middle * k / shelf_q + k * k, 2 * (k * k - gain), gain - middle * k / shelf_q + k * k]
    lower = [a0, 2 * (k * k - 1), 1 - k / shelf_q + k * k]
    shelved = signal.lfilter(np.array(upper) / a0, np.array(lower) / a0, samples.astype(np.float64))
    cut_hz, cut_q = 38.13547087602444, 0.5003270373238773
    k = np.tan(np.pi * cut_hz / rate)
    a0 = 1 + k / cut_q + k * k
    lower = [1.0, 2 * (k * k - 1) / a0, (1 - k / cut_q + k * k) / a0]
    return np.asarray(signal.lfilter([1.0, -2.0, 1.0], lower, shelved), dtype=np.float32)
