import dataclasses

import numpy as np
import pytest

from crnn.config import AugmentConfig, FeatureConfig
from crnn.features import augment, log_mel

CONFIG = FeatureConfig(segment_seconds=2.0, segment_hop_seconds=1.0)
STILL = AugmentConfig(0, 0, 0, 0, 0, 0, 0, 0, 0)


@pytest.fixture
def tone():
    t = np.arange(CONFIG.sample_rate * 4) / CONFIG.sample_rate
    return log_mel.log_mel(np.sin(2 * np.pi * 440 * t).astype(np.float32), CONFIG)


def test_all_off_is_a_plain_crop(tone):
    rng = np.random.default_rng(0)
    segment = augment.random_crop(tone, CONFIG, STILL, rng)
    assert segment.shape == (CONFIG.n_frames, CONFIG.n_mels)
    assert segment.dtype == np.float32
    assert segment.max() == 0
    np.testing.assert_allclose(segment[10], tone[40] - tone.max(), atol=0.2)


def test_same_generator_same_segment_other_generator_other_segment(tone):
    first, again, other = (
        augment.random_crop(tone, CONFIG, AugmentConfig(), np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 0.1


@pytest.mark.parametrize("seed", range(20))
def test_everything_stays_within_the_models_range(tone, seed):
    strong = AugmentConfig(0.5, 12, 24, 60, 1, 1, 8, 8, 1)
    segment = augment.random_crop(tone, CONFIG, strong, np.random.default_rng(seed))
    assert np.isfinite(segment).all()
    assert segment.max() <= 1e-4
    assert segment.min() >= CONFIG.db_floor


@pytest.mark.parametrize("semitones", [-3, -1, 0, 1, 2, 12])
def test_pitch_shift_moves_a_tone_as_many_semitones(tone, semitones):
    shifted = augment.shift_pitch(tone[:48], semitones, CONFIG)
    centres = log_mel.mel_frequencies(CONFIG)
    found_hz = centres[shifted[20].argmax()]
    expected_hz = centres[np.abs(centres - 440 * 2 ** (semitones / 12)).argmin()]
    assert abs(12 * np.log2(found_hz / expected_hz)) <= 1.2


def test_a_track_shorter_than_a_segment_goes_round(tone):
    segment = augment.random_crop(tone[:10], CONFIG, dataclasses.replace(STILL, tempo=0.2), np.random.default_rng(0))
    assert segment.shape == (CONFIG.n_frames, CONFIG.n_mels)
    assert np.isfinite(segment).all()


def test_mixup_keeps_targets_that_sum_to_one_and_the_larger_share_first():
    rng = np.random.default_rng(0)
    segments = np.arange(6, dtype=np.float32)[:, None, None] * np.ones((6, 4, 3), np.float32)
    mixed, targets = augment.mixup(segments, np.eye(6, dtype=np.float32), 0.4, rng)
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
    assert (targets.argmax(axis=1) == np.arange(6)).all()
    np.testing.assert_allclose(mixed[:, 0, 0], targets @ np.arange(6), atol=1e-5)


def test_masks_cover_with_the_mean(tone):
    segment = augment.mask(tone[:48], dataclasses.replace(STILL, time_masks=3), np.random.default_rng(3))
    changed = (segment != tone[:48]).any(axis=1)
    assert changed.any()
    np.testing.assert_allclose(segment[changed], tone[:48].mean(), atol=1e-4)


def test_the_floor_is_raised_by_as_much_as_was_drawn():
    """A share of 0.25 of at most 40 dB, from −80: what lies below −70 dB is lifted to it, the rest is as it was."""

    class Quarter:
        def uniform(self, low: float, high: float) -> float:
            return low + 0.25 * (high - low)

    segment = np.float32([[-80, -71, -70, -69, 0]])
    raised = augment.raise_floor(segment, 40.0, CONFIG, Quarter())  # type: ignore[arg-type]
    np.testing.assert_array_equal(raised, [[-70, -70, -70, -69, 0]])
