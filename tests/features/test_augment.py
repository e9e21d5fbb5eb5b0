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


class Drawn:
    """A generator whose draws are known: how far up each range, as given; the greatest whole number; no flutter."""

    def __init__(self, *shares: float) -> None:
        self._shares = list(shares)

    def uniform(self, low: float, high: float) -> float:
        return low + self._shares.pop(0) * (high - low)

    def random(self) -> float:
        return 0.0

    def integers(self, low: int, high: int) -> int:
        return high - 1

    def normal(self, mean: float, deviation: float, shape: tuple[int, int]) -> np.ndarray:
        return np.full(shape, mean)


def test_the_floor_is_raised_by_as_much_as_was_drawn():
    """A share of 0.25 of at most 40 dB, from −80: what lies below −70 dB is lifted to it, the rest is as it was."""
    segment = np.float32([[-80, -71, -70, -69, 0]])
    raised = augment.raise_floor(segment, 40.0, CONFIG, Drawn(0.25))
    np.testing.assert_array_equal(raised, [[-70, -70, -70, -69, 0]])


@pytest.mark.parametrize(
    ("tempo", "shares", "expected"),
    [
        # As it is, and begun half way through the six frames in which it can begin.
        (0.0, (0.5, 0.5), [3, 4, 5, 6]),
        # Twice as fast, seven frames are needed; begun as late as can be.
        (1.0, (1.0, 1.0), [3, 5, 7, 9]),
        # Half as fast, two and a half.
        (1.0, (0.0, 1.0), [7.5, 8, 8.5, 9]),
    ],
)
def test_a_crop_begins_anywhere_and_goes_as_fast_as_was_drawn(tempo, shares, expected):
    ramp = np.arange(10, dtype=np.float32)[:, None]
    np.testing.assert_allclose(augment.stretched_crop(ramp, 4, tempo, Drawn(*shares))[:, 0], expected, atol=1e-5)


def test_beyond_its_corners_a_small_loudspeaker_falls_off_by_its_slope():
    """Corners of 400 Hz and 3 kHz, 60 dB an octave, 70 dB at most."""
    centres_hz = log_mel.mel_frequencies(CONFIG)
    lost = [min(70.0, 60 * max(np.log2(400 / hz), np.log2(hz / 3000), 0.0)) for hz in centres_hz]
    assert lost[0] == lost[-1] == 70
    limited = augment.limit_band(np.zeros((2, 128), np.float32), CONFIG, Drawn(1.0, 0.0, 1.0))
    np.testing.assert_allclose(limited, [np.negative(lost)] * 2, rtol=1e-5)


def test_noise_as_strong_as_the_sound_doubles_its_power():
    # 10 dB below the loudest cell, the same in all bands: twice the power is 3.01 dB more.
    heard = augment.add_noise(np.float32([[0.0] + [-10.0] * 7]), Drawn(1.0, 25 / 30))
    np.testing.assert_allclose(heard, [[10 * np.log10(1.1)] + [-10 + 10 * np.log10(2)] * 7], rtol=1e-5)


def test_a_tilt_moves_the_ends_apart_by_what_was_asked_for():
    gain = augment.random_equaliser(12.0, CONFIG, Drawn(1.0, 0.5, 0.5, 0.5))
    np.testing.assert_allclose(gain[[0, -1]], [-6, 6], rtol=1e-5)


def test_masks_of_bands_lie_across_all_frames():
    """Of 16 bands 1, of 20 frames 1, each the last: an eighth and a tenth of them are two, and fewer are drawn."""
    segment = np.zeros((20, 16), np.float32)
    segment[0, 0] = -320.0
    expected = segment.copy()
    expected[:, 15] = -1.0
    across = augment.mask(segment, dataclasses.replace(STILL, frequency_masks=1), Drawn())
    np.testing.assert_array_equal(across, expected)
    expected = segment.copy()
    expected[19] = -1.0
    np.testing.assert_array_equal(augment.mask(segment, dataclasses.replace(STILL, time_masks=1), Drawn()), expected)


@pytest.mark.parametrize("way", ["noise_chance", "bandlimit_chance"])
def test_what_is_certain_to_be_done_is_done(way):
    track = np.zeros((97, 128), np.float32)
    track[:, ::2] = -60.0
    plain, done = (
        augment.random_crop(track, CONFIG, dataclasses.replace(STILL, **{way: chance}), np.random.default_rng(0))
        for chance in (0.0, 1.0)
    )
    np.testing.assert_allclose(plain, track[: CONFIG.n_frames], atol=1e-4)
    assert not np.allclose(done, plain, atol=0.1)


def test_a_crop_is_floored_before_it_is_masked():
    track = np.zeros((97, 128), np.float32)
    track[:, ::2] = CONFIG.db_floor
    # A draw of nothing at all has no chance.
    floored = augment.random_crop(track, CONFIG, dataclasses.replace(STILL, floor_db=60), np.random.default_rng(0))
    assert len(np.unique(floored)) == 2
    assert floored.min() > CONFIG.db_floor
