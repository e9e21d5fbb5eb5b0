"""Random variations of log-mel segments, in NumPy, each from a generator of its own.

A track sounds on as itself when it is a little faster, higher, duller, noisier or
played through a small loudspeaker; training shows it so. Everything works on dB
`(n_frames, n_mels)`, since the labelled archive has no audio; pitch moves along
the true mel scale, not by whole bands.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crnn import features
from crnn.config import AugmentConfig, FeatureConfig

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
        float32 `(config.n_frames, n_mels)`, dB re its loudest cell, floored.
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
    return mask(segment, augment, rng)


def stretched_crop(log_mel: FloatArray, n_frames: int, tempo: float, rng: np.random.Generator) -> FloatArray:
    """A random stretch of a track at a random tempo, resampled to `n_frames` frames.

    A track that is too short goes round.
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
    """`segment` with every frequency multiplied by 2^(semitones / 12); edges repeat."""
    if semitones == 0:
        return segment
    centres_hz = features.mel_frequencies(config)
    mels = features.hz_to_mel(centres_hz)
    step = (mels[-1] - mels[0]) / (config.n_mels - 1)
    at = (features.hz_to_mel(centres_hz * 2 ** (-semitones / 12)) - mels[0]) / step
    at = np.clip(at, 0, config.n_mels - 1)
    below = np.minimum(at.astype(np.int64), config.n_mels - 2)
    weight = (at - below).astype(np.float32)
    return segment[:, below] * (1 - weight) + segment[:, below + 1] * weight


def random_equaliser(most_db: float, config: FeatureConfig, rng: np.random.Generator) -> FloatArray:
    """A smooth random gain per band in dB, `(n_mels,)`: a tilt and a few broad waves."""
    position = np.linspace(0, 1, config.n_mels, dtype=np.float32)
    gain = rng.uniform(-1, 1) * (2 * position - 1)
    for n_waves in (1, 2, 3):
        gain = gain + rng.uniform(-1, 1) / n_waves * np.sin(2 * np.pi * (n_waves * position + rng.random()))
    return (most_db / 2 * gain).astype(np.float32)


def limit_band(segment: FloatArray, config: FeatureConfig, rng: np.random.Generator) -> FloatArray:
    """`segment` as through a telephone, a small loudspeaker, or a recording at a low rate."""
    centres_hz = features.mel_frequencies(config)
    low_hz = np.exp(rng.uniform(np.log(30), np.log(400)))
    high_hz = np.exp(rng.uniform(np.log(3000), np.log(10_000)))
    slope_db = rng.uniform(12, 60)
    octaves_out = np.maximum(0, np.log2(low_hz / np.maximum(centres_hz, 1))) + np.maximum(
        0, np.log2(centres_hz / high_hz)
    )
    return segment - np.minimum(slope_db * octaves_out, 70).astype(np.float32)


def add_noise(segment: FloatArray, rng: np.random.Generator) -> FloatArray:
    """`segment` with steady coloured noise 10 to 40 dB below its loudest cell."""
    n_frames, n_mels = segment.shape
    level = rng.uniform(-40, -10) + rng.uniform(-25, 5) * np.linspace(0, 1, n_mels)
    # Mel power of noise is nearly chi-squared: some decibels of flutter.
    noise = level + rng.normal(0, 2, (n_frames, n_mels))
    return (10 * np.log10(10 ** (segment / 10) + 10 ** (noise / 10))).astype(np.float32)


def raise_floor(segment: FloatArray, most_db: float, config: FeatureConfig, rng: np.random.Generator) -> FloatArray:
    """`segment` floored at random: segments of an archive have less range than those of audio."""
    floor = config.db_floor + rng.uniform(0, most_db)
    return np.maximum(segment, np.float32(floor))


def mask(segment: FloatArray, augment: AugmentConfig, rng: np.random.Generator) -> FloatArray:
    """SpecAugment (Park et al. 2019): random spans of frames and bands set to the mean."""
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
