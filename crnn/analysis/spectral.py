"""Views with frequency, pitch or timbre upwards, by librosa, which is imported late: it takes seconds.

Levels are dB re the loudest cell, or re a full-scale sine where that is asked for.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from crnn import text
from crnn.analysis.grids import Curve, FloatArray, Grid, ViewSettings
from crnn.analysis.masking import between
from crnn.config import FeatureConfig
from crnn.features.log_mel import MelStream, mel_frequencies

PITCH_CLASSES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
N_MFCC = 20

_MIN_POWER = 1e-20
_LOWEST_LOG_HZ = 27.5
_LOG_ROWS_PER_OCTAVE = 24
_CQT_OCTAVES = 7
_CQT_BINS_PER_OCTAVE = 24
# Each of seven octaves halves it; where it cannot be halved so often, librosa takes ten times as long.
CQT_HOP_LENGTH, FINEST_CQT_HOP_LENGTH = 512, 32


def _power(samples: FloatArray, settings: ViewSettings) -> FloatArray:
    """STFT power `(n_frames, n_bins)` whose full-scale sine is 1."""
    from crnn.analysis.compiled import librosa

    spectrum = librosa.stft(samples, n_fft=settings.n_fft, hop_length=settings.hop_length)
    return np.square(np.abs(spectrum.T) * np.float32(4.0 / settings.n_fft))


def _levels(power: FloatArray, rows_hz: npt.NDArray[np.float64], rate: int, settings: ViewSettings) -> Grid:
    decibels = 10 * np.log10(np.maximum(power, _MIN_POWER))
    loudest = float(power.max(initial=0.0))
    # The loudest cell of digital silence is not loud.
    own_peak = float(decibels.max()) if loudest > _MIN_POWER else 0.0
    peak = own_peak if settings.peak is None else settings.peak
    if settings.normalise:
        decibels -= peak
    return Grid(
        values=decibels.astype(np.float32),
        rows=rows_hz,
        row_unit="Hz",
        unit="dB" if settings.normalise else "dBFS",
        low=-settings.range_db,
        high=0.0,
        seconds_per_frame=settings.hop_length / rate,
        peak=peak,
    )


def linear(samples: FloatArray, rate: int, settings: ViewSettings) -> Grid:
    """Level at each frequency, rows evenly spaced in Hz.

    Args:
        samples: Mono sound, `(n_samples,)`.
        rate: Its sample rate in Hz.
        settings: `n_fft`, `hop_length`, the bounds `fmin` and `fmax`, and the scale of levels.

    Returns:
        Level `(n_frames, n_bins kept)` in dB, a row for each bin of the STFT.
    """
    hz = np.arange(settings.n_fft // 2 + 1, dtype=np.float64) * rate / settings.n_fft
    kept = (hz >= settings.fmin) & (hz <= settings.fmax)
    return _levels(_power(samples, settings)[:, kept], hz[kept], rate, settings)


def logarithmic(samples: FloatArray, rate: int, settings: ViewSettings) -> Grid:
    """Level at each frequency, 24 rows an octave.

    Args:
        samples: Mono sound, `(n_samples,)`.
        rate: Its sample rate in Hz.
        settings: `n_fft`, `hop_length`, the bounds `fmin` (at least 27.5 Hz here) and `fmax`, and the scale of levels.

    Returns:
        Level `(n_frames, n_rows)` in dB: low rows between two bins, high ones the loudest of theirs.
    """
    return _log_rows(_power(samples, settings), rate, settings)


def _log_rows(power: FloatArray, rate: int, settings: ViewSettings) -> Grid:
    low = max(settings.fmin, _LOWEST_LOG_HZ)
    high = max(2 * low, min(settings.fmax, rate / 2))
    n_rows = int(np.log2(high / low) * _LOG_ROWS_PER_OCTAVE) + 1
    rows_hz = low * 2 ** (np.arange(n_rows) / _LOG_ROWS_PER_OCTAVE)
    half = 2 ** (0.5 / _LOG_ROWS_PER_OCTAVE)
    bins = rows_hz * settings.n_fft / rate
    found = np.empty((len(power), n_rows), dtype=np.float32)
    for row, at in enumerate(bins):
        first, last = int(np.ceil(at / half)), int(np.floor(at * half))
        if last > first:
            # Several bins fall into a row: their loudest, so that no tone is lost.
            found[:, row] = power[:, first : last + 1].max(axis=1)
        else:
            below = min(int(at), power.shape[1] - 2)
            weight = np.float32(at - below)
            found[:, row] = power[:, below] * (1 - weight) + power[:, below + 1] * weight
    return _levels(found, rows_hz, rate, settings)


def mel(samples: FloatArray, rate: int, settings: ViewSettings) -> Grid:
    """Level in mel bands, from the same code that feeds the model.

    Args:
        samples: Mono sound, `(n_samples,)`.
        rate: Its sample rate in Hz; bands end at half of it.
        settings: `n_fft`, `hop_length`, `n_mels`, the bounds `fmin` and `fmax`, and the scale of levels.

    Returns:
        Level `(n_frames, n_mels)` in dB, a row for each band's centre.
    """
    config = FeatureConfig(
        sample_rate=rate,
        n_fft=settings.n_fft,
        hop_length=settings.hop_length,
        n_mels=settings.n_mels,
        fmin=settings.fmin,
        fmax=min(settings.fmax, rate / 2),
    )
    stream = MelStream(config)
    power = np.concatenate([stream.push(samples), stream.finish()]) * np.float32((4.0 / settings.n_fft) ** 2)
    return _levels(power, mel_frequencies(config), rate, settings)


def constant_q(samples: FloatArray, rate: int, settings: ViewSettings, hop_length: int = CQT_HOP_LENGTH) -> Grid:
    """Level at quarter tones from C1 (Brown 1991).

    Args:
        samples: Mono sound, `(n_samples,)`.
        rate: Its sample rate in Hz.
        settings: The scale of levels alone; seven octaves and 24 bins an octave are fixed.
        hop_length: Samples from frame to frame, a power of two from 32 on.

    Returns:
        Level `(n_frames, 168)` in dB; tones of equal level look equal at any pitch.
    """
    from crnn.analysis.compiled import librosa

    n_bins, per_octave, lowest = (
        _CQT_OCTAVES * _CQT_BINS_PER_OCTAVE,
        _CQT_BINS_PER_OCTAVE,
        float(librosa.note_to_hz("C1")),
    )
    spectrum = librosa.cqt(
        samples, sr=rate, hop_length=hop_length, fmin=lowest, n_bins=n_bins, bins_per_octave=per_octave
    )
    rows_hz = librosa.cqt_frequencies(n_bins, fmin=lowest, bins_per_octave=per_octave)
    # librosa scales by the square root of the filter's length: undone, so that tones of equal level look equal.
    lengths, _ = librosa.filters.wavelet_lengths(freqs=rows_hz, sr=rate)
    power = np.square(2 * np.abs(spectrum.T) / np.sqrt(lengths)).astype(np.float32)
    grid = _levels(power, np.asarray(rows_hz), rate, settings)
    return replace(grid, seconds_per_frame=hop_length / rate)


def harmonic(samples: FloatArray, rate: int, settings: ViewSettings) -> Grid:
    """Level of what holds on through time (median filter, Fitzgerald 2010).

    Args:
        samples: Mono sound, `(n_samples,)`.
        rate: Its sample rate in Hz.
        settings: As of `logarithmic`.
    """
    return parts(samples, rate, settings)[0]


def percussive(samples: FloatArray, rate: int, settings: ViewSettings) -> Grid:
    """Level of what is short and wide in frequency (median filter, Fitzgerald 2010).

    Args:
        samples: Mono sound, `(n_samples,)`.
        rate: Its sample rate in Hz.
        settings: As of `logarithmic`.
    """
    return parts(samples, rate, settings)[1]


def parts(samples: FloatArray, rate: int, settings: ViewSettings, hop_length: int | None = None) -> tuple[Grid, Grid]:
    """The harmonic and the percussive part, as `harmonic` and `percussive` give them, in one separation.

    Args:
        samples: Mono sound, `(n_samples,)`.
        rate: Its sample rate in Hz.
        settings: As of `logarithmic`; each part is in dB re its own loudest cell where `normalise` is set.
        hop_length: Samples from frame to frame of what is drawn; what is whose is told apart by the frames of
            `settings`, as the filter's length is in them, and goes from one of these to the next in a straight line.
    """
    from crnn.analysis.compiled import librosa

    power = _power(samples, settings)
    masks: list[FloatArray] = list(librosa.decompose.hpss(np.sqrt(power.T), mask=True))
    if hop_length is not None:
        finer = replace(settings, hop_length=hop_length)
        power = _power(samples, finer)
        at = np.minimum(np.arange(len(power)) * hop_length / settings.hop_length, masks[0].shape[1] - 1)
        masks = [between(mask.T, at).T.astype(np.float32) for mask in masks]
        settings = finer
    first, second = (_log_rows(power * np.square(mask.T), rate, settings) for mask in masks)
    return first, second


def shape(samples: FloatArray, rate: int, settings: ViewSettings) -> Grid:
    """The logarithmic spectrogram under its centroid, bandwidth and roll-off.

    Args:
        samples: Mono sound, `(n_samples,)`.
        rate: Its sample rate in Hz.
        settings: As of `logarithmic`; the lines hear all frequencies, whatever the bounds.

    Returns:
        The grid with three curves in Hz, NaN where nothing sounds, and the mean centroid as a sentence.
    """
    from crnn.analysis.compiled import librosa

    power = _power(samples, settings)
    magnitude = np.sqrt(power.T)
    seconds = settings.hop_length / rate
    centroid = librosa.feature.spectral_centroid(S=magnitude, sr=rate)[0]
    width = librosa.feature.spectral_bandwidth(S=magnitude, sr=rate, centroid=centroid[None])[0]
    rolloff = librosa.feature.spectral_rolloff(S=magnitude, sr=rate, roll_percent=0.85)[0]
    grid = _log_rows(power, rate, settings)
    # In digital silence a spectrum has no shape.
    loudest = float(power.max()) if settings.peak is None else 10 ** (settings.peak / 10)
    silent = power.max(axis=1) <= max(_MIN_POWER, 1e-8 * loudest)
    band = np.stack([centroid - width, centroid + width], axis=1)
    for values in (centroid, rolloff, band):
        values[silent] = np.nan
    lines = [("centroid", centroid), ("centroid ± bandwidth", band), ("roll-off, 85 %", rolloff)]
    curves = tuple(Curve(name, values.astype(np.float32), seconds) for name, values in lines)
    facts = "" if silent.all() else f"Mean centroid {text.hertz(float(np.nanmean(centroid)))}."
    return replace(grid, curves=curves, facts=facts)


def chroma(samples: FloatArray, rate: int, settings: ViewSettings) -> Grid:
    """Energy of each pitch class, the strongest of a frame set to 1 (Ellis 2007).

    Args:
        samples: Mono sound, `(n_samples,)`.
        rate: Its sample rate in Hz.
        settings: `n_fft` and `hop_length` alone.

    Returns:
        `(n_frames, 12)` from 0 to 1, row 0 being C.
    """
    from crnn.analysis.compiled import librosa

    power = _power(samples, settings).T
    # Tuning is fixed at A4 = 440 Hz: estimating it on a sound without pitch would move every row.
    values = librosa.feature.chroma_stft(S=power, sr=rate, n_fft=settings.n_fft, tuning=0.0).T
    return Grid(
        values=np.asarray(values, dtype=np.float32),
        rows=np.arange(12.0),
        row_unit="",
        unit="",
        low=0.0,
        high=1.0,
        seconds_per_frame=settings.hop_length / rate,
        row_names=PITCH_CLASSES,
    )


def mfcc(samples: FloatArray, rate: int, settings: ViewSettings) -> Grid:
    """Cosine transform of the mel spectrum in dB without its mean, 20 numbers a frame (Davis & Mermelstein 1980).

    Args:
        samples: Mono sound, `(n_samples,)`.
        rate: Its sample rate in Hz.
        settings: As of `mel`; cells more than `range_db` below the loudest are raised to that, so that silence counts
            little.

    Returns:
        `(n_frames, 20)`, or one fewer than there are bands; drawn to their 93 % quantile.
    """
    from scipy import fft

    bands = mel(samples, rate, settings)
    # The scale's own top, whether levels are told from it or not.
    top = (bands.peak or 0.0) if not settings.normalise else 0.0
    decibels = np.maximum(bands.values, np.float32(top - settings.range_db))
    n_mfcc = min(N_MFCC, settings.n_mels - 1)
    values = fft.dct(decibels, axis=1, type=2, norm="ortho")[:, 1 : n_mfcc + 1].astype(np.float32)
    reach = float(max(1.0, np.quantile(np.abs(values), 0.93)))
    return Grid(
        values=values,
        rows=np.arange(1.0, n_mfcc + 1),
        row_unit="",
        unit="",
        low=-reach,
        high=reach,
        seconds_per_frame=bands.seconds_per_frame,
        row_names=tuple(str(number) for number in range(1, n_mfcc + 1)),
        peak=bands.peak,
    )
