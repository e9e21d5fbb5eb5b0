import hashlib
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from crnn.bundles.bundle import load_bundle
from crnn.config import FeatureConfig
from crnn.data import demo
from crnn.data.scan import scan
from crnn.data.splits import split_notes, split_tracks
from crnn.data.tracks import Track
from crnn.features import log_mel
from crnn.inference.classifier import Classifier
from crnn.paths import models_dir
from crnn.synthesis.examples import EXAMPLES

CONFIG = FeatureConfig()
RATE = CONFIG.sample_rate
STYLES = sorted(demo.STYLES)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("seconds", "rate"), [(3.0, RATE), (1.5, 16_000)])
def test_a_style_is_sound_of_the_length_and_rate_asked_for(style: str, seconds: float, rate: int):
    sound = demo.synthesize(style, 3, seconds, rate)
    assert sound.shape == (round(seconds * rate),)
    assert sound.dtype == np.float32
    assert np.isfinite(sound).all()
    assert 0.05 < np.abs(sound).max() <= 1.0


@pytest.mark.parametrize("style", STYLES)
def test_the_seed_alone_decides(style: str):
    first = demo.synthesize(style, 1, 2.0, RATE)
    assert np.array_equal(first, demo.synthesize(style, 1, 2.0, RATE))
    assert not np.array_equal(first, demo.synthesize(style, 2, 2.0, RATE))


def test_a_track_sounds_the_same_in_another_process():
    track = demo.tracks(1)[0]
    program = (
        "from crnn.data import demo; import hashlib;"
        f"print(hashlib.sha256(demo.render(demo.tracks(1)[0], {RATE}).tobytes()).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(demo.__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert there.stdout.strip() == hashlib.sha256(demo.render(track, RATE).tobytes()).hexdigest()


def test_scanning_the_demo_gives_six_styles_or_more_with_artists():
    found = scan("demo")
    assert found.kind == "demo"
    assert len(found.genres) >= 6
    assert set(Counter(track.genre for track in found.tracks).values()) == {demo.N_PER_GENRE}
    assert found.fingerprint == scan("demo").fingerprint
    assert all(track.artist and track.path is None for track in found.tracks)


def test_the_demo_can_be_split_by_artist():
    parts = split_tracks(demo.tracks(12), name="artist", seed=0)
    assert {track.genre for track in parts["valid"]} == set(STYLES)
    assert "No artist is in two parts." in split_notes(parts)


def test_tracks_of_one_band_differ():
    first, second = (demo.render(track, RATE) for track in demo.tracks(2)[:2])
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("bad", ["polka.0.0001", "waltz", "waltz.x.0001", "mysong.wav"])
def test_other_tracks_are_not_rendered(bad: str):
    with pytest.raises(ValueError, match="no track of the demo"):
        demo.render(Track(bad, "waltz", None), RATE)


def test_unknown_styles_are_named():
    with pytest.raises(ValueError, match="polka.*waltz"):
        demo.synthesize("polka", 0, 1.0, RATE)


def mean_bands(sound: np.ndarray) -> np.ndarray:
    """Mean and movement of 16 wide bands in dB: what timbre and rhythm leave in a coarse picture."""
    bands = log_mel.log_mel(sound, CONFIG).reshape(-1, 16, 8).mean(axis=2)
    centred = bands - bands.mean()
    return np.concatenate([centred.mean(axis=0), np.abs(np.diff(bands, axis=0)).mean(axis=0)])


@pytest.mark.slow
def test_styles_can_be_told_apart_but_not_by_their_mean_spectrum_alone():
    found = {style: [mean_bands(demo.synthesize(style, seed, 10.0, RATE)) for seed in range(8)] for style in STYLES}
    centres = {style: np.mean(rows[:4], axis=0) for style, rows in found.items()}

    def nearest(row: np.ndarray, part: slice) -> str:
        return min(STYLES, key=lambda style: float(np.abs(row[part] - centres[style][part]).sum()))

    held_out = [(style, row) for style in STYLES for row in found[style][4:]]
    both = np.mean([nearest(row, slice(None)) == style for style, row in held_out])
    spectrum = np.mean([nearest(row, slice(16)) == style for style, row in held_out])
    assert both > 3 / len(STYLES)
    assert spectrum < 0.8


@pytest.mark.parametrize("name", demo.example_names())
def test_examples_are_clips_of_a_moderate_length(name: str):
    clip = demo.example(name, RATE)
    assert 20 <= clip.duration_seconds <= 30
    assert clip.samples.dtype == np.float32
    assert np.isfinite(clip.samples).all()
    assert np.abs(clip.samples).max() < 1.0
    assert clip.name == name
    assert "Synthesized" in clip.notes[0]
    assert np.array_equal(clip.samples, demo.example(name, RATE).samples)


def test_examples_hold_music_noise_and_silence():
    names = demo.example_names()
    assert len(names) >= 6
    assert not demo.example("silence", RATE).samples.any()
    assert all(a != b for a, b in pairwise(names))


@pytest.mark.slow
def test_the_bundled_model_names_at_least_two_examples_rightly_and_hears_silence():
    classifier = Classifier(load_bundle(models_dir() / "gtzan-crnn"))
    answers = {name: classifier.classify(demo.example(name, classifier.config.sample_rate)) for name in EXAMPLES}
    right = [name for name, answer in answers.items() if answer.genre and answer.genre == EXAMPLES[name].genre]
    assert len(right) >= 2
    assert answers["silence"].verdict == "silence"
    assert answers["murmuring voice"].verdict != "genre"


def test_unknown_examples_are_named():
    with pytest.raises(ValueError, match="nothing.*silence"):
        demo.example("nothing", RATE)
