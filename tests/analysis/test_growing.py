"""The picture of a sound of any length, made while it is heard."""

from __future__ import annotations

import numpy as np
import pytest
from sounds import RATE, chirp, noise

from crnn.analysis import growing
from crnn.analysis.figures import clip_picture
from crnn.analysis.growing import GrowingPicture
from crnn.config import FeatureConfig, tagger_features
from crnn.features.log_mel import MelStream, mel_power

SOUND = (chirp(21.3) + noise(21.3, level=0.001)).astype(np.float32)


def grown(samples: np.ndarray, config: FeatureConfig, block: int) -> GrowingPicture:
    picture, mel_stream = GrowingPicture(config), MelStream(config)
    for start in range(0, len(samples), block):
        picture.push(mel_stream.push(samples[start : start + block]))
    picture.push(mel_stream.finish())
    return picture


@pytest.mark.parametrize("config", [FeatureConfig(), tagger_features(level=100.0)])
def test_short_sound_has_the_picture_of_the_whole(config: FeatureConfig) -> None:
    expected, found = clip_picture(mel_power(SOUND, config), config), grown(SOUND, config, RATE).picture()
    np.testing.assert_array_equal(found.cells, expected.cells)
    assert found.seconds_per_column == expected.seconds_per_column
    assert found.start_seconds == expected.start_seconds


@pytest.mark.parametrize("block", [RATE // 3, RATE, 7 * RATE])
def test_columns_widen_and_stay_in_their_places(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(growing, "_LEAST_COLUMNS", 20)
    config = FeatureConfig()
    found = grown(SOUND, config, block).picture()
    assert 20 <= len(found.cells) <= 41
    pool = round(found.seconds_per_column * config.frame_rate_hz)
    assert pool in {16, 32}
    power = mel_power(SOUND, config)
    for number, column in enumerate(found.cells[:-1]):
        there = power[number * pool : (number + 1) * pool].max(axis=0)
        expected = 255 * (1 + np.maximum(10 * np.log10(np.maximum(there, 1e-20) / power.max()), -80) / 80)
        np.testing.assert_allclose(column, expected, atol=1.5)


def test_silence_has_a_picture() -> None:
    assert not grown(np.zeros(5 * RATE, np.float32), FeatureConfig(), RATE).picture().cells.any()
