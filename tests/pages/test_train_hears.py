"""Train, “What training hears”: the variations that training makes of a sound, seen and heard."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from explore_page import SONG, cells_of, choose, players
from sounds import sine, wav_bytes
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle

from crnn.config import FeatureConfig, tagger_features
from crnn.features import log_mel
from crnn.synthesis.examples import example_names

TRAIN = "pages/2_Train.py"


def hears(app: AppTest) -> AppTest:
    app.switch_page(TRAIN).run()
    return choose(app, "train.way.kept", "What training hears")


@pytest.mark.parametrize(
    ("name", "words"), [("through a phone", "sound itself"), ("higher or lower", "reconstruction")]
)
def test_variations_of_training_are_seen_and_heard(opened: AppTest, name: str, words: str) -> None:
    hears(opened)
    choose(opened, "train.hears.kind", name)
    assert not opened.exception
    (player,) = players(opened)
    before, after = player["pictures"]
    assert before["cells"] != after["cells"]
    assert any(words in caption.value for caption in opened.main.caption)
    varied, original = player["versions"]
    assert (varied["name"], original["name"]) == ("varied", "as it is")
    assert original["url"] != varied["url"]
    opened.button(key="train.hears.roll").click().run()
    assert players(opened)[0]["pictures"][1]["cells"] != after["cells"]


def test_the_amount_of_a_shift_is_the_one_that_is_drawn(opened: AppTest) -> None:
    hears(opened)
    choose(opened, "train.hears.kind", "higher or lower")
    before, after = (cells_of(picture) for picture in players(opened)[0]["pictures"])
    words = players(opened)[0]["pictures"][1]["about"]
    semitones, direction = re.match(r"([\d.]+) semitones (up|down),", words).groups()
    assert 0 < float(semitones) <= 1.5
    rows = np.arange(before.shape[1])
    centre_before, centre_after = (
        (rows * cells.max(axis=0) ** 4.0).sum() / (cells.max(axis=0) ** 4.0).sum() for cells in (before, after)
    )
    assert (centre_after > centre_before) == (direction == "up")


def test_mixup_is_seen_heard_and_called_a_reconstruction(explore: AppTest) -> None:
    other = wav_bytes(sine(6000.0, 4.0))
    explore.file_uploader[0].set_value([("a.wav", SONG, "audio/wav"), ("b.wav", other, "audio/wav")]).run()
    hears(explore)
    choose(explore, "train.hears.kind", "mixed with another")
    assert not explore.exception
    assert explore.selectbox(key="train.hears.mixed_with").options[0] == "b.wav"
    (player,) = players(explore)
    before, after = (cells_of(picture) for picture in player["pictures"])
    # The other sound's tone lies high where this one has only faint noise.
    treble = slice(100, 115)
    assert after[:, treble].max() > before[:, treble].max() + 20
    words = " ".join(caption.value for caption in explore.main.caption)
    assert "reconstruction" in words
    this, that = map(int, re.findall(r"(\d+)\s%", words.replace("\\", "")))
    assert this + that == 100
    assert 50 <= this < 90


def test_mixup_takes_a_synthesized_sound_where_no_other_was_given(opened: AppTest) -> None:
    hears(opened)
    choose(opened, "train.hears.kind", "mixed with another")
    assert not opened.exception
    assert len(players(opened)) == 1


def test_without_a_sound_an_example_is_varied(app: AppTest) -> None:
    hears(app)
    assert app.selectbox(key="train.hears.sound").value == example_names()[0]
    assert not app.exception
    assert len(players(app)) == 1


def test_pictures_are_what_the_model_reads_that_training_starts_from(opened: AppTest, models: Path) -> None:
    """The tagger's mel where a bundled model hears by it; log-mels from scratch, and of a model that hears so."""
    for name, config in (("tiny", FeatureConfig()), ("ten-genres", tagger_features(level=100.0))):
        if name != "tiny":
            tiny_bundle(models / name, config=config)
        hears(opened)
        for kind in ("through a phone", "all of it, by chance", "mixed with another"):
            choose(opened, "train.hears.kind", kind)
            assert not opened.exception
            heard = log_mel.mel_frequencies(config)[: log_mel.n_heard_bands(config)]
            (player,) = players(opened)
            assert player["pictures"][1]["rowHz"] == pytest.approx(heard.tolist(), abs=0.01)
        assert any(f"The pictures are what the model {name} reads" in c.value for c in opened.main.caption)


def test_sound_that_cannot_be_read_is_told(explore: AppTest) -> None:
    explore.file_uploader[0].set_value([("notes.wav", b"words only\n" * 40, "audio/wav")]).run()
    hears(explore)
    assert "is a text file" in explore.error[0].value
    choose(explore, "train.hears.sound", example_names()[0])
    assert not explore.error


def test_page_where_nobody_trains_has_it_too(explore: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_MODE", "public")
    hears(explore)
    assert not explore.exception
    assert list(explore.segmented_control(key="train.way").options) == ["Clip by clip", "What training hears"]
    assert len(players(explore)) == 1
