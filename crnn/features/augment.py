"""Random variations of log-mel segments, in NumPy, each from a generator of its own.

A track sounds on as itself when it is a little faster, higher, duller, noisier or
played through a small loudspeaker; training shows it so. Everything works on dB
`(n_frames, n_mels)`, since the labelled archive has no audio; pitch moves along
the true mel scale, not by whole bands.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crnn.config import AugmentConfig, FeatureConfig
from crnn.features import log_mel as features

FloatArray = npt.NDArray[np.float32]


def random_crop(
    log_mel: FloatArray, config: FeatureConfig, augment: AugmentConfig, rng: np.random.Generator
) -> FloatArray:
    """One varied segment of a track, as training sees it.

    Args:
        log_mel: The whole track in dB, `(n_frames, n_mels)`, any reference.
        config: Segment length and floor.
        augment: How much to vary.
        rng: Source of all chance.

    Returns:
        float32 `(config.n_frames, n_mels)`, as the network reads it.
    """
    segment = stretched_crop(log_mel, config.n_frames, augment.tempo, rng)
    segment = segment - segment.max()
    semitones = rng.uniform(-augment.pitch_semitones, augment.pitch_semitones)
    segment = shift_pitch(segment, semitones, config)
    segment = segment + random_equaliser(augment.equaliser_db, config, rng)
    if rng.random() < augment.bandlimit_chance:
        segment = limit_band(segment, config, rng)
    if rng.random() < augment.noise_chance:
        segment = add_noise(segment, rng)
    segment = raise_floor(segment - segment.max(), augment.floor_db, config, rng)
    return mask(features.input_from_db(segment, config), augment, rng)


def stretched_crop(log_mel: FloatArray, n_frames: int, tempo: float, rng: np.random.Generator) -> FloatArray:
    """A random stretch of a track at a random tempo, resampled to `n_frames` frames.

    A track that is too short goes round.

    Args:
        log_mel: Of a track, in dB, `(n_track_frames, n_mels)`.
        n_frames: Length of the crop.
        tempo: The most that it is slowed down or hurried, 0.1 for up to 10 %.
        rng: The source of chance.

    Returns:
        `(n_frames, n_mels)`, in proportion between neighbouring frames.
    """
    speed = float(np.exp(rng.uniform(-1, 1) * np.log1p(tempo)))
    n_source = (n_frames - 1) * speed + 1
    start = rng.uniform(0, max(0.0, len(log_mel) - n_source))
    at = start + speed * np.arange(n_frames)
    below = np.floor(at).astype(np.int64)
    weight = (at - below).astype(np.float32)[:, None]
    n_track = len(log_mel)
    return log_mel[below % n_track] * (1 - weight) + log_mel[np.minimum(below + 1, below.max()) % n_track] * weight


def shift_pitch(segment: FloatArray, semitones: float, config: FeatureConfig) -> FloatArray:
    """`segment` with every frequency multiplied by 2^(semitones / 12); edges repeat.

    Args:
        segment: In dB, `(n_frames, n_mels)`.
        semitones: Up, or down if negative; 0 gives the segment itself.
        config: Its mel bands.
    """
    if semitones == 0:
        return segment
    centres_hz = features.mel_frequencies(config)
    at = np.clip(features.band_of(centres_hz * 2 ** (-semitones / 12), config), 0, config.n_mels - 1)
    below = np.minimum(at.astype(np.int64), config.n_mels - 2)
    weight = (at - below).astype(np.float32)
    return segment[:, below] * (1 - weight) + segment[:, below + 1] * weight


def random_equaliser(most_db: float, config: FeatureConfig, rng: np.random.Generator) -> FloatArray:
    """A smooth random gain per band in dB, `(n_mels,)`: a tilt and a few broad waves.

    Args:
        most_db: About the most that two bands are moved apart by the tilt.
        config: The mel bands.
        rng: The source of chance.
    """
    position = np.linspace(0, 1, config.n_mels, dtype=np.float32)
    gain = rng.uniform(-1, 1) * (2 * position - 1)
    for n_waves in (1, 2, 3):
        gain = gain + rng.uniform(-1, 1) / n_waves * np.sin(2 * np.pi * (n_waves * position + rng.random()))
    return (most_db / 2 * gain).astype(np.float32)


def limit_band(segment: FloatArray, config: FeatureConfig, rng: np.random.Generator) -> FloatArray:
    """`segment` as through a telephone, a small loudspeaker, or a recording at a low rate.

    Args:
        segment: In dB, `(n_frames, n_mels)`.
        config: Its mel bands.
        rng: Of the corners (30 to 400 Hz and 3 to 10 kHz) and the slope (12 to 60 dB an octave, 70 dB at most).
    """
    centres_hz = features.mel_frequencies(config)
    low_hz = np.exp(rng.uniform(np.log(30), np.log(400)))
    high_hz = np.exp(rng.uniform(np.log(3000), np.log(10_000)))
    slope_db = rng.uniform(12, 60)
    octaves_out = np.maximum(0, np.log2(low_hz / np.maximum(centres_hz, 1))) + np.maximum(
        0, np.log2(centres_hz / high_hz)
    )
    return segment - np.minimum(slope_db * octaves_out, 70).astype(np.float32)


def add_noise(segment: FloatArray, rng: np.random.Generator) -> FloatArray:
    """`segment` with steady coloured noise 10 to 40 dB below its loudest cell.

    Args:
        segment: In dB re its loudest cell, `(n_frames, n_mels)`.
        rng: Of level, colour and flutter.
    """
    n_frames, n_mels = segment.shape
    level = rng.uniform(-40, -10) + rng.uniform(-25, 5) * np.linspace(0, 1, n_mels)
    # Mel power of noise is nearly chi-squared: some decibels of flutter.
    noise = level + rng.normal(0, 2, (n_frames, n_mels))
    return (10 * np.log10(10 ** (segment / 10) + 10 ** (noise / 10))).astype(np.float32)


def raise_floor(segment: FloatArray, most_db: float, config: FeatureConfig, rng: np.random.Generator) -> FloatArray:
    """`segment` floored at random: segments of an archive have less range than those of audio.

    Args:
        segment: In dB re its loudest cell, `(n_frames, n_mels)`.
        most_db: How far the floor is raised at most.
        config: Where the floor lies without that.
        rng: The source of chance.
    """
    floor = config.db_floor + rng.uniform(0, most_db)
    return np.maximum(segment, np.float32(floor))


def mask(segment: FloatArray, augment: AugmentConfig, rng: np.random.Generator) -> FloatArray:
    """SpecAugment (Park et al. 2019): random spans of frames and bands set to the mean.

    Args:
        segment: In dB, `(n_frames, n_mels)`.
        augment: How many spans of frames (a tenth of them at most) and of bands (an eighth at most).
        rng: Of their places and widths.
    """
    masked = segment.copy()
    mean = segment.mean()
    n_frames, n_mels = segment.shape
    for _ in range(augment.time_masks):
        width = int(rng.integers(0, max(2, n_frames // 10)))
        start = int(rng.integers(0, n_frames - width + 1))
        masked[start : start + width] = mean
    for _ in range(augment.frequency_masks):
        width = int(rng.integers(0, max(2, n_mels // 8)))
        start = int(rng.integers(0, n_mels - width + 1))
        masked[:, start : start + width] = mean
    return masked


def mixup(
    segments: FloatArray, targets: FloatArray, alpha: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Each segment mixed with another of the batch, targets alike (Zhang et al. 2018).

    Args:
        segments: `(n, n_frames, n_mels)`.
        targets: `(n, n_genres)`.
        alpha: Shape of the beta distribution of the share; 0 leaves all as it is.
        rng: Source of chance.
    """
    if alpha == 0:
        return segments, targets
    share = rng.beta(alpha, alpha, len(segments)).astype(np.float32)
    share = np.maximum(share, 1 - share)
    other = rng.permutation(len(segments))
    by_segment, by_target = share[:, None, None], share[:, None]
    return (
        segments * by_segment + segments[other] * (1 - by_segment),
        targets * by_target + targets[other] * (1 - by_target),
    )
