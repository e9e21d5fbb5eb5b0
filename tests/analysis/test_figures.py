"""Colours by rule, pictures by number."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from sounds import RATE, chirp, noise, sine

from crnn.analysis import figures
from crnn.config import FeatureConfig, tagger_features
from crnn.features import log_mel

CONFIG = FeatureConfig()


def test_ten_genres_have_their_fixed_colours() -> None:
    assert figures.genre_color("jazz") == "#EE8866"
    assert figures.genre_color("Hip-Hop") == figures.genre_color("hiphop") == "#44AA99"
    assert len(set(figures.GENRE_COLORS.values())) == 10


def test_other_genres_get_a_lasting_colour_of_their_own() -> None:
    colors = [figures.genre_color(name) for name in ("fado", "techno", "flamenco", "ambient", "gnawa", "日本")]
    assert colors[:2] == ["#9872CA", "#4EBC67"]
    assert all(re.fullmatch("#[0-9A-F]{6}", color) for color in colors)
    assert all(a != b for a, b in itertools.combinations(colors, 2))
    assert colors == [figures.genre_color(name) for name in ("Fado", "TECHNO", "flamenco", "ambient", "gnawa", "日本")]


def test_picture_is_the_models_mel_power_in_decibels() -> None:
    power = log_mel.mel_power(chirp(), CONFIG)
    picture = figures.clip_picture(power, CONFIG)
    decibels = picture.low_db + picture.cells / 255 * (picture.high_db - picture.low_db)
    np.testing.assert_allclose(decibels, log_mel.power_to_db(power, CONFIG), atol=80 / 255 / 2 + 1e-4)
    assert picture.start_seconds == pytest.approx(-0.5 * 914 / RATE)


def test_long_picture_is_pooled_by_its_maximum() -> None:
    power = log_mel.mel_power(noise(10.0), CONFIG)
    picture = figures.clip_picture(power, CONFIG, max_columns=100)
    assert len(picture.cells) == 81
    assert picture.seconds_per_column == pytest.approx(3 * 914 / RATE)
    whole = figures.clip_picture(power, CONFIG).cells
    np.testing.assert_array_equal(picture.cells[:80], whole[:240].reshape(80, 3, -1).max(axis=1))


def test_segment_is_shown_as_the_model_reads_it() -> None:
    samples = np.concatenate([sine(300.0, 6.0, level=0.9), 0.001 * sine(2000.0, 14.0)])
    power = log_mel.mel_power(samples, CONFIG)
    exact = log_mel.segment(samples, CONFIG)[3]
    picture = figures.segment_picture(power, CONFIG, 3 * CONFIG.n_hop_frames / CONFIG.frame_rate_hz)
    np.testing.assert_allclose(picture.cells / 255 * 80 - 80, exact, atol=80 / 255 / 2 + 1e-4)


def test_digital_silence_is_dark_and_has_no_outline() -> None:
    power = log_mel.mel_power(np.zeros(RATE, dtype=np.float32), CONFIG)
    assert not figures.clip_picture(power, CONFIG).cells.any()
    assert figures.outline(power, CONFIG) is None


def test_outline_finds_a_tone() -> None:
    samples = np.concatenate([sine(1000.0, 2.0, level=0.1), sine(1000.0, 1.0, level=0.8)])
    facts = figures.outline(log_mel.mel_power(samples, CONFIG), CONFIG)
    assert facts is not None
    assert facts.loudest_hz == pytest.approx(1000.0, rel=0.05)
    assert 1.9 < facts.loudest_seconds < 3.0
    assert facts.low_hz <= facts.loudest_hz <= facts.high_hz


BOTH = pytest.mark.parametrize("config", [CONFIG, tagger_features(level=100.0)], ids=["log-mel", "tagger's"])


@BOTH
def test_outline_is_of_the_sound_not_of_what_a_network_is_fed(config: FeatureConfig) -> None:
    # The treble has a hundredth of the bass's power; the tagger's pre-emphasis makes it seven times as strong.
    samples = sine(100.0, 3.0, level=0.5) + sine(5000.0, 3.0, level=0.05)
    facts = figures.outline(log_mel.mel_power(samples, config), config)
    assert facts is not None
    assert (facts.loudest_hz, facts.low_hz, facts.high_hz) == pytest.approx((100.0, 100.0, 100.0), abs=30.0)
    # White noise has as much in every hertz: four fifths of it lie between a tenth and nine tenths of its band.
    facts = figures.outline(log_mel.mel_power(noise(5.0), config), config)
    assert facts is not None
    assert (facts.low_hz, facts.high_hz) == pytest.approx((0.1 * RATE / 2, 0.9 * RATE / 2), rel=0.02)


@BOTH
def test_part_is_drawn_finer_and_as_bright_as_the_whole(config: FeatureConfig) -> None:
    # Two clicks 40 ms apart in three minutes: one column of the whole picture, many in that of the part.
    samples = noise(180.0, level=1e-4)
    for at in (100.0, 100.04):
        samples[round(at * RATE) : round(at * RATE) + 40] += 0.5
    samples[round(20.0 * RATE) : round(20.1 * RATE)] += sine(1000.0, 0.1, level=0.9)
    whole = figures.clip_picture(log_mel.mel_power(samples, config), config)
    part = samples[round(99.5 * RATE) : round(100.5 * RATE)]
    detail = figures.detail_picture(part, config, whole, 99.5)
    assert whole.seconds_per_column > 0.04
    assert detail.seconds_per_column < 0.001
    assert len(detail.cells) * detail.seconds_per_column == pytest.approx(1.0, abs=0.01)
    loudest = detail.start_seconds + detail.seconds_per_column * (
        int(detail.cells.sum(axis=1, dtype=int).argmax()) + 0.5
    )
    assert loudest == pytest.approx(100.02, abs=0.06)
    there = whole.cells[whole.columns_of(99.5, 1.0)]
    assert int(detail.cells.max()) == int(there.max()) < 255
