"""The tagger's mel: Kaldi's triangles, near to what the tagger was taught on, the same in blocks, deaf to level."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import RATE, FloatArray, chirp, noise, sine

from crnn.analysis import figures
from crnn.config import AugmentConfig, FeatureConfig, tagger_features
from crnn.errors import DatasetError
from crnn.features import archive, front_ends, log_mel, tagger_mel
from crnn.features.augment import random_crop

CONFIG = tagger_features(level=100.0)
PLAIN = tagger_features()
# The tagger as it was taught: 32 kHz, 1024 bins, windows of 800.
TAUGHT = dataclasses.replace(PLAIN, sample_rate=32_000, n_fft=1024, hop_length=320)


def kaldi_triangles(n_fft: int, rate: int, n_mels: int = 128, top_hz: float = 15_000.0) -> FloatArray:
    """Kaldi's mel bank, bin by bin as its source has it."""
    mel = lambda hz: 1127.0 * np.log(1.0 + hz / 700.0)  # noqa: E731
    step = mel(top_hz) / (n_mels + 1)
    bank = np.zeros((n_fft // 2 + 1, n_mels))
    for band in range(n_mels):
        left, centre, right = band * step, (band + 1) * step, (band + 2) * step
        for index in range(n_fft // 2 + 1):
            at = mel(index * rate / n_fft)
            if left < at < right:
                bank[index, band] = (at - left) / (centre - left) if at <= centre else (right - at) / (right - centre)
    return bank


def oracle_at_32_khz(samples: FloatArray) -> FloatArray:
    """The tagger's power, `(n_frames, n_mels)`, of sound at 32 kHz by librosa's STFT and Kaldi's triangles."""
    import librosa

    emphasised = samples[1:] - 0.97 * samples[:-1]
    spectrum = librosa.stft(
        emphasised, n_fft=1024, hop_length=320, win_length=800, window=np.hanning(800), pad_mode="reflect"
    )
    return (np.abs(spectrum.T) ** 2) @ kaldi_triangles(1024, 32_000)


def test_triangles_are_kaldis() -> None:
    for config in (PLAIN, TAUGHT):
        ours = tagger_mel._triangles(config)
        np.testing.assert_allclose(ours, kaldi_triangles(config.n_fft, config.sample_rate), atol=1e-9)


def test_frames_are_a_plain_transform_of_rounded_windows() -> None:
    samples = chirp(1.2) + 0.1 * noise(1.2)
    power = log_mel.mel_power(samples, PLAIN)
    assert power.shape == (120, 128)
    for frame in (3, 4, 57, 115):
        centre = int(np.floor(frame * 220.5 + 0.5))
        spectrum = np.fft.rfft(samples[centre - 275 : centre + 276] * np.hanning(551), 704)
        expected = (np.abs(spectrum) ** 2) @ tagger_mel.mel_filters(PLAIN).astype(np.float64)
        np.testing.assert_allclose(power[frame], expected, rtol=2e-4, atol=1e-6)


def test_near_the_tagger_without_resampling() -> None:
    import soxr

    samples = chirp(5.0) + 0.3 * noise(5.0)
    theirs = oracle_at_32_khz(soxr.resample(samples, RATE, 32_000, quality="VHQ"))
    ours = log_mel.mel_power(samples, PLAIN)[: len(theirs)]
    # The two highest bands straddle our Nyquist frequency, and a resampler's slope reaches below it.
    error = tagger_mel.to_db(ours)[5:-5, :110] - tagger_mel.to_db(theirs.astype(np.float32))[5 : len(ours) - 5, :110]
    assert abs(error.mean()) < 0.3
    assert np.median(np.abs(error)) < 0.6


def test_bands_above_nyquist_are_empty() -> None:
    power = log_mel.mel_power(noise(2.0), PLAIN)
    assert log_mel.n_heard_bands(PLAIN) == 117
    assert (power[:, 117:] == 0).all()
    assert (power[:, :117] > 0).all()
    shares = tagger_mel.heard_shares(PLAIN)
    assert (shares[:115] == 1).all()
    assert 0 < shares[116] < shares[115] < 1


def test_power_is_that_of_noise_of_one_density_in_the_taggers_bins() -> None:
    # Neighbouring triangles add up to 1 in each bin, and the energy of a Hann window of n samples is 3 (n - 1) / 8: of
    # noise of one density, (799 · 32000) / (550 · 22050) of ours under the tagger's, in bins 704 / 689.0625 as wide.
    angle = 2 * np.pi * (100 * 22_050 / 704) / 32_000
    emphasis = 1 + 0.97**2 - 2 * 0.97 * np.cos(angle)
    assert tagger_mel.mel_filters(PLAIN)[100].sum() == pytest.approx(emphasis * 799 * 1024 / (550 * 704), rel=1e-6)


def test_bands_are_heard_as_far_as_they_lie_below_the_nyquist_frequency() -> None:
    # Edges at 0, 1, … 9 steps of which the Nyquist frequency is at 7.5: of the last two triangles, which begin at 6 and
    # at 7, it is three quarters and one quarter of the way up: 1 - 2 / 16 and 2 / 16 of their areas.
    step = float(tagger_mel.hz_to_mel(RATE / 2)) / 7.5
    config = dataclasses.replace(PLAIN, n_mels=8, fmin=0.0, fmax=float(tagger_mel.mel_to_hz(9 * step)))
    np.testing.assert_allclose(tagger_mel.heard_shares(config), [1, 1, 1, 1, 1, 1, 0.875, 0.125], rtol=1e-5)


def test_no_frame_begins_where_the_sound_has_ended() -> None:
    # A second at 32 kHz: frames at 0, 320, … 31680.
    assert len(log_mel.mel_power(noise(2.0)[:32_000], TAUGHT)) == 100
    assert len(log_mel.mel_power(noise(2.0)[:32_001], TAUGHT)) == 101


@pytest.mark.slow
def test_equal_to_the_taggers_own_on_reference_clips(data_dir: Path) -> None:
    checked = data_dir / "teachers" / "mn04" / "check.npz"
    if not checked.is_file():
        pytest.skip("needs the tagger's check values")
    import soxr

    with np.load(checked) as stored:
        for genre in ("blues", "jazz", "metal"):
            path = data_dir / "gtzan-reference" / Path(str(stored[f"{genre}_file"])).with_suffix(".flac").name
            samples, rate = soundfile.read(path, dtype="float32")
            at_32 = soxr.resample(samples, rate, 32_000, quality="HQ")[:320_001]
            mel = stored[f"{genre}_mel"].astype(np.float32).T
            power = oracle_at_32_khz(at_32)[:1000].astype(np.float32)
            assert np.median(np.abs(tagger_mel.network_input(power, PLAIN) - mel)) < 2e-3
            ours = tagger_mel.network_input(log_mel.mel_power(samples, PLAIN)[:1000], PLAIN)
            assert np.median(np.abs(ours - mel)[:, :110]) < 0.01, genre


@pytest.mark.parametrize("block_size", [1, 100, 220, 333, 914, 22_050, 10**6])
def test_blocks_equal_the_whole(block_size: int) -> None:
    seconds = 0.2 if block_size == 1 else 2.01
    samples = chirp(seconds) + noise(seconds)
    stream = log_mel.MelStream(PLAIN)
    parts = [stream.push(samples[i : i + block_size]) for i in range(0, len(samples), block_size)]
    np.testing.assert_array_equal(np.concatenate([*parts, stream.finish()]), log_mel.mel_power(samples, PLAIN))


@pytest.mark.parametrize("n_samples", [0, 1, 200, 275, 276, 277, 551, 22_050, 22_051])
def test_the_ends_are_reflected(n_samples: int) -> None:
    samples = noise(1.1)[:n_samples]
    power = log_mel.mel_power(samples, PLAIN)
    assert len(power) == (0 if n_samples == 0 else 1 + int((n_samples - 1) / 220.5))
    if n_samples > 275:
        padded = np.pad(samples, 275, mode="reflect")
        for frame in (0, len(power) - 1):
            at = int(np.floor(frame * 220.5 + 0.5))
            energy = np.abs(np.fft.rfft(padded[at : at + 551] * np.hanning(551), 704)) ** 2
            np.testing.assert_allclose(power[frame], energy @ tagger_mel.mel_filters(PLAIN), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("gain_db", [-50, -20, 20])
def test_deaf_to_level(gain_db: float) -> None:
    samples = (chirp(11.0) + noise(11.0)).astype(np.float32)
    louder = samples * np.float32(10 ** (gain_db / 20))
    np.testing.assert_allclose(log_mel.segment(louder, CONFIG), log_mel.segment(samples, CONFIG), atol=2e-4)


def test_a_segment_is_brought_to_its_level_by_itself() -> None:
    quiet_then_loud = np.concatenate([0.01 * noise(10.0), noise(10.0)])
    power = log_mel.stack_segments(log_mel.mel_power(quiet_then_loud, CONFIG), CONFIG)
    for segment in tagger_mel.levelled(power, CONFIG):
        assert segment.sum(axis=1).mean() == pytest.approx(100.0, rel=1e-4)
    assert (tagger_mel.levelled(np.zeros((5, 128), np.float32), CONFIG) == 0).all()


def test_a_frame_says_its_level() -> None:
    """A sine of amplitude 0.1 is at -23 dB; so is noise, whatever the band."""
    for hz in (100.0, 440.0, 3000.0, 9000.0):
        levels = log_mel.frame_levels_db(log_mel.mel_power(0.1 / 0.5 * sine(hz), PLAIN), PLAIN)
        assert np.median(levels) == pytest.approx(-23.0, abs=1.0), hz
    assert log_mel.frame_levels_db(log_mel.mel_power(np.zeros(RATE, np.float32), PLAIN), PLAIN).max() < -100


@pytest.mark.parametrize(
    ("seconds", "starts"),
    [(3.0, [0]), (10.0, [0]), (12.9, [0]), (13.1, [0, 310]), (20.0, [0, 1000]), (30.01, [0, 1000, 2000])],
)
def test_segments_of_ten_seconds(seconds: float, starts: list[int]) -> None:
    assert log_mel.segment_starts(round(100 * seconds), CONFIG) == starts


def test_a_short_sound_is_repeated_where_the_settings_say_so() -> None:
    frames = np.arange(300 * 128, dtype=np.float32).reshape(300, 128)
    assert log_mel.stack_segments(frames, CONFIG).shape == (1, 300, 128)
    (tiled,) = log_mel.stack_segments(frames, dataclasses.replace(CONFIG, is_tiled=True))
    assert tiled.shape == (1000, 128)
    np.testing.assert_array_equal(tiled[300:600], frames)
    np.testing.assert_array_equal(tiled[900:], frames[:100])


def test_silence_after_a_short_sound_leaves_its_level() -> None:
    power = log_mel.mel_power(chirp(2.0), CONFIG)
    alone = log_mel.network_input(power, CONFIG)
    heard = log_mel.with_silence_after(alone, CONFIG)
    assert (heard.shape, heard.dtype) == ((1000, 128), np.float32)
    np.testing.assert_array_equal(heard[: len(power)], alone)
    # (ln(1e-5) + 4.5) / 5, the tagger's input of no power at all.
    np.testing.assert_allclose(heard[len(power) :], -1.40258, atol=1e-5)


def test_cells_of_an_archive_give_the_input_back() -> None:
    power = log_mel.mel_power(chirp(12.0) + noise(12.0), CONFIG)
    cells = archive.cells_of(power, CONFIG)
    back = log_mel.input_from_db(log_mel.stack_segments(archive.to_db(cells, CONFIG), CONFIG), CONFIG)
    exact = log_mel.network_input(log_mel.stack_segments(power, CONFIG), CONFIG)
    assert np.abs(back - exact).mean() < 0.006
    assert (back[..., 117:] == exact[..., 117:]).all()


def test_archives_say_which_model_reads_them(tmp_path: Path) -> None:
    cells = archive.cells_of(log_mel.mel_power(noise(3.0), CONFIG), CONFIG)
    made = archive.make_archive(["a"], ["rock"], [cells], feature_config=CONFIG)
    archive.write_archive(tmp_path / "x.npz", made)
    found = archive.read_archive(tmp_path / "x.npz")
    assert found.feature_config == CONFIG
    np.testing.assert_array_equal(found.log_mel[0], cells)
    front_ends.check_front_end(found.made_with, PLAIN, "x.npz")
    with pytest.raises(DatasetError, match=r"“x.npz” holds the tagger's mel of 128 bands up to 15 kHz at 100.0 frames"):
        front_ends.check_front_end(found.made_with, FeatureConfig(), "x.npz")


def test_an_archive_from_32_khz_is_heard_as_from_ours(tmp_path: Path) -> None:
    """The form of the tagger's own archives: no settings, cells from -1.5 to 3, all bands full."""
    cells = np.full((20, 128), 200, np.uint8)
    ends = {"low": np.float32(-1.5), "high": np.float32(3.0)}
    columns = {"track_ids": np.array(["a"]), "genres": np.array(["rock"]), "offsets": np.array([0, 20])}
    np.savez(tmp_path / "x.npz", frames=np.asfortranarray(cells), **columns, **ends)
    found = archive.read_archive(tmp_path / "x.npz")
    assert found.feature_config == tagger_features()
    assert (found.log_mel[0][:, :115] == 200).all()
    assert (found.log_mel[0][:, 117:] == archive.cells_of(np.zeros((1, 128), np.float32), PLAIN)[0, 0]).all()
    assert (np.diff(found.log_mel[0][0, 115:118].astype(int)) < 0).all()
    np.savez(tmp_path / "y.npz", frames=cells, **columns, low=np.float32(0.0), high=np.float32(3.0))
    with pytest.raises(DatasetError, match="cells from 0.0 to 3.0"):
        archive.read_archive(tmp_path / "y.npz")


def test_a_varied_crop_hears_nothing_above_nyquist(rng: np.random.Generator) -> None:
    cells = archive.cells_of(log_mel.mel_power(noise(12.0), CONFIG), CONFIG)
    still = AugmentConfig(noise_chance=1.0, time_masks=0, frequency_masks=0)
    crop = random_crop(archive.to_db(cells, CONFIG), CONFIG, still, rng)
    empty = float(tagger_mel.network_input(np.zeros((1, 1), np.float32), PLAIN)[0, 0])
    assert crop.shape == (1000, 128)
    np.testing.assert_allclose(crop[:, 117:], empty, atol=1e-6)
    assert crop[:, :115].max() > 0


def test_what_is_drawn_is_what_is_fed() -> None:
    samples = sine(1000.0, 12.0) + 0.01 * noise(12.0)
    power = log_mel.mel_power(samples, CONFIG)
    picture = figures.segment_picture(power, CONFIG, 2.0)
    assert picture.cells.shape == (1000, 117)
    assert picture.seconds_per_column == 0.01
    assert picture.row_hz[int(picture.cells.mean(axis=0).argmax())] == pytest.approx(1000, rel=0.03)
    fed = log_mel.network_input(power[200:1200], CONFIG)[:, :117]
    decibels = picture.cells / 255 * 80.0 - 80
    np.testing.assert_allclose(decibels, 50 / np.log(10) * (fed - fed.max()), atol=0.2)


def test_bands_of_frequencies() -> None:
    for config in (FeatureConfig(), PLAIN):
        centres = log_mel.mel_frequencies(config)
        np.testing.assert_allclose(log_mel.band_of(centres, config), np.arange(128), atol=1e-6)
    assert log_mel.band_of(0.0, PLAIN) == pytest.approx(-1.0)
