"""One hearing gives the answer, the picture and what is played."""

from __future__ import annotations

import numpy as np
import pytest
from sounds import RATE, chirp, sine, wav_bytes

from crnn.analysis.figures import clip_picture
from crnn.audio.clip import AudioStream, load_clip
from crnn.config import FeatureConfig
from crnn.features.log_mel import MelStream, mel_power
from ui.shared import media, taken
from ui.shared.answer_cache import View
from ui.shared.holdings import HELD
from ui.shared.taken import FULL_BAND_RATE, Taken

CONFIG = FeatureConfig()
NOTHING = np.zeros(0, np.float32)


def taken_of(content: bytes) -> tuple[Taken, int]:
    found, mel_stream = Taken(CONFIG), MelStream(CONFIG)
    with AudioStream(content, RATE, play_rate=FULL_BAND_RATE) as stream:
        for block in stream:
            found.take(block, stream.played, mel_stream.push(block))
        found.take(NOTHING, NOTHING, mel_stream.finish())
        return found, stream.play_rate


@pytest.mark.parametrize(
    ("source_rate", "play_rate"), [(48_000, 44_100), (44_100, 44_100), (32_000, 32_000), (RATE, RATE), (8_000, RATE)]
)
@pytest.mark.parametrize("n_channels", [1, 2])
def test_both_rates_are_those_of_two_decodings(source_rate: int, play_rate: int, n_channels: int) -> None:
    content = wav_bytes(np.repeat(chirp(7.0, source_rate, 50, 3000)[:, None], n_channels, axis=1), source_rate)
    found, rate = taken_of(content)
    assert rate == play_rate
    samples = load_clip(content, RATE).samples
    np.testing.assert_array_equal(found.power(), mel_power(samples, CONFIG))
    assert found.peak == np.abs(samples).max()
    assert found.wav(rate) == media.wav_bytes(load_clip(content, play_rate))


def test_what_is_played_follows_a_rate_that_changes_on_the_way() -> None:
    content = wav_bytes(sine(400, 3.0, 48_000), 48_000, "PCM_16") + wav_bytes(sine(400, 2.0, 32_000), 32_000, "PCM_16")
    found, rate = taken_of(content)
    assert len(found.power()) == 1 + 5 * RATE // CONFIG.hop_length
    assert len(found.wav(rate)) == 44 + 2 * 5 * 44_100


def test_of_a_long_sound_less_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taken, "FULL_BAND_SECONDS", 3.0)
    monkeypatch.setattr(taken, "MAX_CLIP_SECONDS", 6.0)
    four, rate = taken_of(wav_bytes(chirp(4.0, 44_100), 44_100))
    assert four.is_whole
    assert four.wav(rate) == media.wav_bytes(load_clip(wav_bytes(chirp(4.0, 44_100), 44_100), RATE))
    seven, _ = taken_of(wav_bytes(chirp(7.0, 44_100), 44_100))
    assert not seven.is_whole
    samples = load_clip(wav_bytes(chirp(7.0, 44_100), 44_100), RATE).samples
    picture = seven.picture(CONFIG)
    assert picture is not None
    np.testing.assert_array_equal(picture.cells, clip_picture(mel_power(samples, CONFIG), CONFIG).cells)
    assert seven.picture(FeatureConfig(hop_length=457)) is None


def test_all_that_is_kept_of_a_sound_is_counted() -> None:
    found = Taken(CONFIG)
    assert HELD.weights()[id(found)] == 0
    found.take(np.zeros(100, np.float32), np.zeros(200, np.float32), np.zeros((3, 4), np.float32))
    # Two bytes a sample, four a cell.
    assert HELD.weights()[id(found)] == 2 * 100 + 2 * 200 + 4 * 12
    view = View(np.zeros((3, 4), np.float32), b"12345", -6.0)
    assert (HELD.weights()[id(view.power)], HELD.weights()[id(view.wav)]) == (48, 5)
