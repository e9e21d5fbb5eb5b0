"""Explanations point at what the model really goes by; masks play back what they keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sounds import RATE, clicks, noise, sine
from tiny_bundle import tiny_bundle

from crnn.analysis import masking
from crnn.audio.clip import Clip
from crnn.bundles.bundle import Bundle
from crnn.bundles.track_map import TrackMap, load_map
from crnn.config import FeatureConfig, tagger_features
from crnn.features import log_mel
from crnn.inference import explanation
from crnn.inference.classifier import Classifier

CONFIG = FeatureConfig()


@pytest.fixture
def classifier(bundle: Bundle) -> Classifier:
    return Classifier(bundle, n_threads=1)


def explained(classifier: Classifier, power: log_mel.FloatArray, genre: str) -> explanation.Explanation:
    """The last of the steps, which knows all."""
    *_, found = explanation.steps(classifier, power, genre)
    return found


def test_burst_speaks_for_the_genre_that_it_makes(classifier: Classifier) -> None:
    """The hand-made model hears treble by its mean level: only the loud second can speak for it."""
    samples = noise(10.0, level=1e-4)
    samples[5 * RATE : 6 * RATE] += sine(6000.0, 1.0)
    power = log_mel.mel_power(samples, classifier.config)
    found = explained(classifier, power, "treble")
    column, row = np.unravel_index(int(found.weights.argmax()), found.weights.shape)
    assert 4.5 <= found.start_seconds + column * found.seconds_per_column <= 6.0
    row_hz = log_mel.mel_frequencies(CONFIG)[row * explanation.BANDS_PER_CELL]
    assert 4000 <= row_hz <= 7500
    assert np.abs(found.shares()).max() == pytest.approx(1.0)
    assert found.genre == "treble"


def test_explains_what_the_tagger_front_end_reads(tmp_path: Path) -> None:
    config = tagger_features(level=100.0)
    heard = Classifier(tiny_bundle(tmp_path / "tagger", config=config), n_threads=1)
    samples = sine(300.0, 10.0, config.sample_rate, level=0.1) + noise(10.0, config.sample_rate, level=0.01)
    answer = heard.classify(Clip(samples, config.sample_rate))
    found = explained(heard, log_mel.mel_power(samples, config), "bass")
    # One segment: what is explained is what was answered. As dB below the loudest cell it would be 0.02.
    assert found.posterior == pytest.approx(float(answer.posterior[0]), abs=1e-4)
    assert found.posterior == pytest.approx(0.30, abs=0.01)


def test_explanation_is_the_same_twice_and_covers_the_clip(classifier: Classifier) -> None:
    power = log_mel.mel_power(noise(23.0) + sine(300.0, 23.0), classifier.config)
    first, second = (explained(classifier, power, "bass") for _ in range(2))
    np.testing.assert_array_equal(first.weights, second.weights)
    assert first.end_seconds == pytest.approx(23.0, abs=0.6)
    assert first.share_done == pytest.approx(1.0)


def test_strongest_part_is_explained_first(classifier: Classifier) -> None:
    samples = np.concatenate([sine(60.0, 12.0), sine(6000.0, 6.0), sine(60.0, 6.0)]) + noise(24.0, level=1e-4)
    power = log_mel.mel_power(samples, classifier.config)
    first, *others = explanation.steps(classifier, power, "treble")
    columns = np.flatnonzero(np.abs(first.weights).max(axis=1)) * first.seconds_per_column
    assert columns.min() <= 12
    assert columns.max() >= 17
    assert [found.share_done for found in (first, *others)] == pytest.approx([1 / 3, 2 / 3, 1.0])
    np.testing.assert_array_equal(others[-1].weights, explained(classifier, power, "treble").weights)


def test_unknown_genre_is_a_programmers_mistake(classifier: Classifier) -> None:
    with pytest.raises(ValueError, match="genre 'polka'"):
        explained(classifier, np.ones((300, 128), np.float32), "polka")


def test_deletion_sets_cells_to_the_mean_of_their_bands(rng: np.random.Generator) -> None:
    segment = rng.uniform(-80, 0, (CONFIG.n_frames, CONFIG.n_mels)).astype(np.float32)
    deleted = np.zeros((1, -(-CONFIG.n_frames // explanation.cell_frames(CONFIG)), explanation.n_rows(CONFIG)), bool)
    deleted[0, 2, 3] = True
    (found,) = explanation.delete(segment, deleted, CONFIG)
    n_cell, bands = explanation.cell_frames(CONFIG), slice(24, 32)
    frames = slice(2 * n_cell, 3 * n_cell)
    np.testing.assert_allclose(found[frames, bands], np.tile(segment.mean(axis=0)[bands], (n_cell, 1)), rtol=1e-6)
    found[frames, bands] = segment[frames, bands]
    np.testing.assert_array_equal(found, segment)


def test_gains_of_one_give_the_sound_back() -> None:
    samples = noise(1.3) + sine(440.0, 1.3)
    gains = np.ones((masking.n_frames(len(samples)), len(masking.bins_hz(RATE))), np.float32)
    np.testing.assert_allclose(masking.masked(samples, gains), samples, atol=1e-5)


def test_muted_band_is_gone_and_the_rest_is_left() -> None:
    low, high = sine(100.0, 2.0, level=0.3), sine(3000.0, 2.0, level=0.3)
    changed = masking.masked(low + high, masking.band_gains(len(low), RATE, 0.0, 200.0))
    middle = slice(4096, -4096)
    np.testing.assert_allclose(changed[middle], high[middle], atol=0.01)


def test_rectangle_is_muted_in_its_time_only() -> None:
    tone = sine(1000.0, 3.0)
    gains = masking.rectangle_gains(len(tone), RATE, (1.0, 2.0), (800.0, 1200.0))
    changed = masking.masked(tone, gains)
    assert np.abs(changed[round(1.2 * RATE) : round(1.8 * RATE)]).max() < 0.01
    np.testing.assert_allclose(changed[: round(0.8 * RATE)], tone[: round(0.8 * RATE)], atol=0.01)


def test_clicks_are_percussive_and_a_tone_is_not() -> None:
    tone = sine(1000.0, 2.0)
    tone[RATE] += 0.9
    share = masking.percussive_share(tone)
    click, bin_hz = RATE // masking.HOP_LENGTH, RATE / masking.N_FFT
    assert share[click, round(6000 / bin_hz)] > 0.9
    assert share[click // 2, round(1000 / bin_hz)] < 0.1


def test_cells_become_gains_at_their_time_and_frequency() -> None:
    cells = np.zeros((4, 16), np.float32)
    cells[1, 8] = 1.0
    gains = masking.grid_gains(cells, 3 * RATE, CONFIG, start_seconds=0.5, seconds_per_column=0.5)
    frames, bins = np.nonzero(gains)
    seconds = masking.frame_seconds(3 * RATE, RATE)[frames]
    assert 1.0 <= seconds.min() <= seconds.max() <= 1.5
    mels = log_mel.hz_to_mel(masking.bins_hz(RATE)[bins]) / log_mel.hz_to_mel(11_025.0)
    assert 0.5 <= mels.min() <= mels.max() <= 0.5625


def test_level_is_matched_without_clipping() -> None:
    quiet, loud = sine(440.0, level=0.01), sine(440.0, level=0.5)
    assert np.abs(masking.level_matched(quiet, loud)).max() == pytest.approx(0.5, rel=0.01)
    spiky = np.zeros(RATE, np.float32)
    spiky[100] = 0.1
    assert np.abs(masking.level_matched(spiky, loud)).max() <= 0.99
    np.testing.assert_array_equal(masking.level_matched(np.zeros(9, np.float32), loud), np.zeros(9, np.float32))


def test_change_of_the_picture_is_heard() -> None:
    tone = sine(1000.0, 2.0, level=0.2)
    change = np.zeros((49, CONFIG.n_mels), np.float32)
    change[:, log_mel.mel_frequencies(CONFIG) < 2000] = -20
    quieter = masking.masked(tone, masking.mel_gains(change, len(tone), CONFIG))
    assert np.abs(quieter[4096:-4096]).max() == pytest.approx(0.02, rel=0.05)


def test_reconstruction_has_the_tone_of_the_picture() -> None:
    tone = sine(1000.0, 2.0)
    found = masking.reconstructed(log_mel.log_mel(tone, CONFIG), len(tone), CONFIG)
    peak_hz = np.abs(np.fft.rfft(found)).argmax() * RATE / len(found)
    assert peak_hz == pytest.approx(1000.0, rel=0.05)


def test_nearest_tracks_come_first() -> None:
    tracks = TrackMap(
        embeddings=np.float32([[1, 0, 0], [0, 1, 0], [0.9, 0.1, 0]]),
        labels=np.array([0, 1, 0]),
        track_ids=("a", "b", "c"),
        centre=np.zeros(3, np.float32),
        axes=np.float32([[1, 0], [0, 1], [0, 0]]),
    )
    nearest = tracks.nearest(np.float32([2, 0, 0]), 2)
    assert [index for index, _ in nearest] == [0, 2]
    assert nearest[0][1] == pytest.approx(1.0)
    np.testing.assert_allclose(tracks.place(np.float32([[3, 4, 5]])), [[3, 4]])


def test_bundle_without_a_map_has_none(bundle: Bundle) -> None:
    assert load_map(bundle) is None


def test_percussive_part_is_nearly_librosas() -> None:
    import librosa

    tone = sum((sine(hertz, 6.0) for hertz in (220.0, 331.0, 1760.0)), np.zeros(6 * RATE, np.float32))
    samples = (0.3 * tone + clicks(6.0, per_second=3.0)).astype(np.float32)
    magnitude = np.abs(masking.stft(samples))
    _, mask = librosa.decompose.hpss(magnitude.T, kernel_size=(17, 31), mask=True)
    is_loud = magnitude > 0.01 * magnitude.max()
    assert np.abs(masking.percussive_share(samples) - mask.T)[is_loud].mean() < 0.05
