"""The one log-mel: equal to librosa, to the archive, to itself in blocks; deaf to level."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile
from golden.make import golden_log_mel
from sounds import RATE, SOUNDS, FloatArray, chirp, noise, sine

from crnn.config import FeatureConfig
from crnn.errors import AudioError
from crnn.features import log_mel as features

CONFIG = FeatureConfig()
SMALL = FeatureConfig(n_fft=1024, hop_length=400, n_mels=64, fmin=30.0, fmax=8000.0, db_floor=-60.0)


def librosa_log_mel(samples: FloatArray, config: FeatureConfig) -> FloatArray:
    import librosa

    power = librosa.feature.melspectrogram(
        y=samples,
        sr=config.sample_rate,
        n_fft=config.n_fft,
        hop_length=config.hop_length,
        n_mels=config.n_mels,
        fmin=config.fmin,
        fmax=config.fmax,
    )
    # amin far down: librosa's own default would let quiet sound touch an absolute floor.
    return librosa.power_to_db(power, ref=np.max, amin=1e-20, top_db=-config.db_floor).T


@pytest.mark.parametrize("config", [CONFIG, SMALL], ids=["default", "small"])
def test_equal_to_librosa_on_synthesized_sound(sound: FloatArray, config: FeatureConfig) -> None:
    ours = features.log_mel(sound, config)
    theirs = librosa_log_mel(sound, config)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.slow
def test_equal_to_librosa_on_real_clips(data_dir: Path) -> None:
    for path in sorted((data_dir / "gtzan-reference").glob("*.flac")):
        samples, rate = soundfile.read(path, dtype="float32")
        assert rate == RATE
        np.testing.assert_allclose(features.log_mel(samples, CONFIG), librosa_log_mel(samples, CONFIG), atol=1e-3)


@pytest.mark.slow
def test_equal_to_the_archive_on_its_reference_clips(data_dir: Path) -> None:
    config = FeatureConfig(hop_length=512)
    paths = sorted((data_dir / "gtzan-reference").glob("*.flac"))
    assert len(paths) == 10
    with np.load(data_dir / "gtzan-logmel.npz") as archive:
        row = {str(track): i for i, track in enumerate(archive["track_ids"])}
        frame_index, log_mel = archive["frame_index"], archive["log_mel"]
    for path in paths:
        samples, _ = soundfile.read(path, dtype="float32")
        ours = features.log_mel(samples, config)
        columns = np.minimum(np.floor((np.arange(len(frame_index)) + 2) / 724.5 * len(ours)).astype(int), len(ours) - 1)
        if len(ours) == 1293:
            np.testing.assert_array_equal(columns, frame_index)
        theirs = log_mel[row[path.stem]] / 255 * 80.0 - 80.0
        assert np.median(np.abs(ours[columns] - theirs)) <= 0.2, path.stem
        assert np.corrcoef(ours[columns].ravel(), theirs.ravel())[0, 1] >= 0.985, path.stem


@pytest.mark.parametrize("block_size", [1, 333, 914, 2048, 22_050, 10**6])
def test_blocks_equal_the_whole(block_size: int) -> None:
    samples = (chirp(1.3) if block_size == 1 else chirp(4.0)) + noise(1.3 if block_size == 1 else 4.0)
    whole = features.mel_power(samples, CONFIG)
    stream = features.MelStream(CONFIG)
    parts = [stream.push(samples[i : i + block_size]) for i in range(0, len(samples), block_size)]
    streamed = np.concatenate([*parts, stream.finish()])
    assert streamed.shape == whole.shape
    np.testing.assert_allclose(streamed, whole, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(features.power_to_db(streamed, CONFIG), features.power_to_db(whole, CONFIG), atol=1e-3)


@pytest.mark.parametrize("gain_db", [-30, 30, -60])
def test_level_does_not_matter(sound: FloatArray, gain_db: float) -> None:
    louder = (sound * 10 ** (gain_db / 20)).astype(np.float32)
    np.testing.assert_allclose(features.log_mel(louder, CONFIG), features.log_mel(sound, CONFIG), atol=2e-3)


@pytest.mark.parametrize("frequency_hz", [110.0, 440.0, 1000.0, 3000.0, 8000.0])
def test_a_tone_peaks_in_its_band(frequency_hz: float) -> None:
    bands = features.log_mel(sine(frequency_hz), CONFIG)[5:-5].mean(axis=0)
    assert bands.argmax() == np.abs(features.mel_frequencies(CONFIG) - frequency_hz).argmin()


def test_440_hz_peaks_in_band_16() -> None:
    # By hand: 440 Hz is 6.6 mel; the top, 11025 Hz, 15 + 27 ln(11.025) / ln 6.4 = 49.91 mel. In 129 steps up to
    # there, 6.6 is at 17.06; the first band's centre is step 1.
    assert features.log_mel(sine(440.0), CONFIG)[10].argmax() == 16
    assert features.hz_to_mel(440.0) == pytest.approx(6.6)
    assert features.hz_to_mel(11_025.0) == pytest.approx(49.91, abs=0.005)


def test_mel_scale_and_back() -> None:
    hz = np.geomspace(1, 11_025, 200)
    np.testing.assert_allclose(features.mel_to_hz(features.hz_to_mel(hz)), hz, rtol=1e-12)
    assert np.all(np.diff(features.hz_to_mel(hz)) > 0)


@pytest.mark.parametrize("n_samples", [1, 100, 913, 914, 915, 22_050, 50_001])
def test_frames_are_one_a_hop_and_one(n_samples: int) -> None:
    log_mel = features.log_mel(noise(3.0)[:n_samples], CONFIG)
    assert log_mel.shape == (1 + n_samples // CONFIG.hop_length, CONFIG.n_mels)
    assert log_mel.dtype == np.float32


def test_log_mel_lies_between_floor_and_zero(sound: FloatArray) -> None:
    log_mel = features.log_mel(sound, SMALL)
    assert log_mel.max() == 0.0
    assert log_mel.min() >= SMALL.db_floor
    assert np.isfinite(log_mel).all()


def test_silence_is_finite() -> None:
    assert np.isfinite(features.log_mel(np.zeros(RATE, dtype=np.float32), CONFIG)).all()


@pytest.mark.parametrize("samples", [np.zeros((2, 100), np.float32), np.float32([0, np.nan]), np.float32([np.inf, 0])])
def test_samples_that_cannot_be_used(samples: FloatArray) -> None:
    with pytest.raises(AudioError, match=r"NaN or infinity|of one dimension"):
        features.log_mel(samples, CONFIG)


def test_each_segment_of_a_batch_has_its_own_reference() -> None:
    power = features.mel_power(noise(4.0), CONFIG)
    loud_and_quiet = np.stack([power, power * np.float32(1e-6)])
    first, second = features.power_to_db(loud_and_quiet, CONFIG)
    np.testing.assert_allclose(first, second, atol=1e-3)
    np.testing.assert_array_equal(first, features.power_to_db(power, CONFIG))


def test_a_segment_does_not_depend_on_its_neighbours() -> None:
    quiet, loud = noise(10.0, level=1e-3), noise(10.0, level=1.0, seed=8)
    alone = features.segment(np.concatenate([quiet, quiet]), CONFIG)[0]
    beside_loud = features.segment(np.concatenate([quiet, loud]), CONFIG)[0]
    # Its last frame reaches over the border.
    np.testing.assert_allclose(alone[:-2] - alone[:-2].max(), beside_loud[:-2] - beside_loud[:-2].max(), atol=1e-3)


def test_rereferenced_archive_segments_touch_zero() -> None:
    decibels = np.full((3, 4, 5), -70.0, dtype=np.float32)
    decibels[0, 1, 2] = -10.0
    out = features.rereference(decibels, CONFIG)
    assert out[0].max() == 0.0
    assert out[0].min() == -60.0
    np.testing.assert_array_equal(out[1:], 0.0)
    assert features.rereference(np.float32([[0.0, -100.0]]), CONFIG).tolist() == [[0.0, -80.0]]


def test_segments_cover_everything_and_overlap() -> None:
    config = FeatureConfig(segment_seconds=2.0, segment_hop_seconds=0.5)
    for n_frames in [1, 5, 47, 48, 49, 60, 61, 200, 723]:
        starts = features.segment_starts(n_frames, config)
        covered = {i for start in starts for i in range(start, min(start + config.n_frames, n_frames))}
        assert covered == set(range(n_frames))
        assert starts == sorted(set(starts))
        assert starts[-1] + config.n_frames <= max(n_frames, config.n_frames)
        assert all(later - earlier <= config.n_hop_frames for earlier, later in itertools.pairwise(starts))


def test_exact_segment_starts() -> None:
    config = FeatureConfig()
    assert (config.n_frames, config.n_hop_frames) == (241, 60)
    assert features.segment_starts(100, config) == [0]
    assert features.segment_starts(241, config) == [0]
    assert features.segment_starts(242, config) == [0, 1]
    assert features.segment_starts(400, config) == [0, 60, 120, 159]


@pytest.mark.parametrize("frequency_hz", [100.0, 440.0, 1000.0, 5000.0])
@pytest.mark.parametrize("level_db", [0.0, -20.0, -60.0])
def test_level_of_a_sine_is_3_db_below_its_peak(frequency_hz: float, level_db: float) -> None:
    power = features.mel_power(sine(frequency_hz, level=10 ** (level_db / 20)), CONFIG)
    levels = features.frame_levels_db(power, CONFIG)[3:-3]
    np.testing.assert_allclose(levels, level_db - 3.01, atol=0.1)


def test_level_of_noise_is_its_rms() -> None:
    samples = noise(10.0, level=0.1)
    levels = features.frame_levels_db(features.mel_power(samples, CONFIG), CONFIG)[3:-3]
    assert 10 * np.log10(np.mean(10 ** (levels / 10))) == pytest.approx(-20.0, abs=0.3)


def test_level_of_silence_is_far_down_and_finite() -> None:
    levels = features.frame_levels_db(np.zeros((3, CONFIG.n_mels), np.float32), CONFIG)
    assert np.isfinite(levels).all()
    assert (levels < -150).all()


def test_golden_log_mel_has_not_moved() -> None:
    """Sound of every kind gives what it gave; a change needs a line in CHANGELOG.md and `tests/golden/make.py`."""
    with np.load(Path(__file__).parents[1] / "golden" / "log_mel.npz") as golden:
        assert set(golden.files) - {"versions"} == set(SOUNDS)
        for name, expected in golden.items():
            if name != "versions":
                np.testing.assert_allclose(golden_log_mel(name), expected, atol=2e-3, err_msg=name)
