"""What a network reads, turned back for eye and ear, by both front ends."""

from __future__ import annotations

import numpy as np
import pytest

from crnn.analysis import masking
from crnn.config import FeatureConfig, tagger_features
from crnn.features import log_mel
from crnn.features.inverse import density_db, read_in_db

RATE = 22_050
BOTH = pytest.mark.parametrize("config", [FeatureConfig(), tagger_features(level=100.0)], ids=["log_mel", "tagger"])


def read(samples: np.ndarray, config: FeatureConfig) -> np.ndarray:
    return log_mel.network_input(log_mel.mel_power(samples.astype(np.float32), config), config)


@BOTH
def test_noise_of_one_density_is_level_ground(config: FeatureConfig) -> None:
    """By the tagger's bands alone it would rise by 40 dB: they are wider up there, and pre-emphasised."""
    noise = np.random.default_rng(0).normal(0, 0.1, 4 * RATE)
    found = density_db(read(noise, config), config)
    of_bands = 10 * np.log10(np.mean(10 ** (found / 10), axis=0))
    heard = of_bands[2 : log_mel.n_heard_bands(config) - 2]
    assert heard.max() - heard.min() < 4
    assert found.shape[1] == config.n_mels


@BOTH
def test_what_is_heard_of_it_has_the_pitch_and_the_balance_that_it_had(config: FeatureConfig) -> None:
    seconds = np.arange(3 * RATE) / RATE
    sound = (0.2 * np.sin(2 * np.pi * 220 * seconds) + 0.02 * np.sin(2 * np.pi * 3000 * seconds)).astype(np.float32)
    heard = masking.reconstructed(density_db(read(sound, config), config), len(sound), config)
    power = np.abs(np.fft.rfft(heard[RATE : 2 * RATE] * np.hanning(RATE))) ** 2
    low, high = power[150:300], power[2700:3300]
    assert 150 + int(low.argmax()) == pytest.approx(220, abs=25)
    assert 2700 + int(high.argmax()) == pytest.approx(3000, abs=150)
    # 20 dB apart; bands are wider up there than a tone, which spreads.
    assert 10 * np.log10(low.sum() / high.sum()) == pytest.approx(20, abs=8)


@BOTH
def test_what_is_drawn_is_in_decibels_below_the_loudest(config: FeatureConfig) -> None:
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)
    drawn = read_in_db(read(tone, config), config)
    assert drawn.max() == 0
    assert drawn.min() >= config.db_floor
    band = int(np.rint(log_mel.band_of(440.0, config)))
    assert abs(int(drawn[len(drawn) // 2].argmax()) - band) <= 1
    np.testing.assert_allclose(
        drawn, log_mel.input_in_db(log_mel.mel_power(tone.astype(np.float32), config), config), atol=0.01
    )
