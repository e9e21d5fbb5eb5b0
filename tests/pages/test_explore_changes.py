"""The Explore page with a second sound, and with the variations that training makes of one."""

from __future__ import annotations

import re

import numpy as np
import pytest
from explore_page import SONG, cells_of, choose, players, titles
from sounds import clicks, noise, sine, wav_bytes
from streamlit.testing.v1 import AppTest

from crnn.synthesis.examples import example_names


def test_two_sounds_are_drawn_alike(explore: AppTest) -> None:
    other = wav_bytes(clicks(4.0))
    explore.file_uploader[0].set_value([("a.wav", SONG, "audio/wav"), ("b.wav", other, "audio/wav")]).run()
    choose(explore, "explore.part", "Two sounds")
    assert not explore.exception
    (player,) = players(explore)
    assert [version["name"] for version in player["versions"]] == ["A: a.wav", "B: b.wav"]
    assert player["seconds"] == pytest.approx(5.0, abs=0.01)
    first, second, both = player["pictures"]
    assert (first["title"], second["title"]) == ("A: a.wav, 0:05.0", "B: b.wav, 0:04.0")
    assert first["rowHz"] == second["rowHz"]
    assert both["title"] == "Difference"
    assert both["columns"] * both["secondsPerColumn"] == pytest.approx(4.0, abs=0.1)


def test_example_is_compared_with_another_example_or_with_itself(explore: AppTest) -> None:
    name = example_names()[0]
    explore.pills(key="listen.example").set_value(name).run()
    choose(explore, "explore.part", "Two sounds")
    assert not explore.exception
    assert titles(explore)[1].startswith(f"B: {example_names()[1]}, ")
    explore.selectbox(key="explore.other").set_value(name).run()
    assert not explore.exception
    assert [version["name"] for version in players(explore)[0]["versions"]] == [f"A: {name}", f"B: {name}"]


def test_files_of_one_name_are_told_apart(explore: AppTest) -> None:
    takes = [("take.wav", wav_bytes(sound), "audio/wav") for sound in (sine(440.0, 4.0), clicks(4.0), noise(4.0))]
    explore.file_uploader[0].set_value(takes).run()
    choose(explore, "explore.part", "Two sounds")
    assert not explore.exception
    assert explore.selectbox(key="explore.other").options[:2] == ["take.wav", "take.wav (2)"]
    clicking = players(explore)[0]["pictures"][1]["cells"]
    explore.selectbox(key="explore.other").select_index(1).run()
    assert not explore.exception
    assert players(explore)[0]["pictures"][1]["cells"] != clicking


@pytest.mark.parametrize(
    ("name", "words"), [("through a phone", "sound itself"), ("higher or lower", "reconstruction")]
)
def test_variations_of_training_are_seen_and_heard(opened: AppTest, name: str, words: str) -> None:
    choose(opened, "explore.part", "What training hears")
    choose(opened, "explore.variation", name)
    assert not opened.exception
    (player,) = players(opened)
    before, after = player["pictures"]
    assert before["cells"] != after["cells"]
    assert any(words in caption.value for caption in opened.main.caption)
    varied, original = player["versions"]
    assert (varied["name"], original["name"]) == ("varied", "as it is")
    assert original["url"] != varied["url"]
    opened.button(key="explore.roll").click().run()
    assert players(opened)[0]["pictures"][1]["cells"] != after["cells"]


def test_the_amount_of_a_shift_is_the_one_that_is_drawn(opened: AppTest) -> None:
    choose(opened, "explore.part", "What training hears")
    choose(opened, "explore.variation", "higher or lower")
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
    choose(explore, "explore.part", "What training hears")
    choose(explore, "explore.variation", "mixed with another")
    assert not explore.exception
    assert explore.selectbox(key="explore.mixed_with").options[0] == "b.wav"
    (player,) = players(explore)
    before, after = (cells_of(picture) for picture in player["pictures"])
    # The other sound's tone lies high where this one has only faint noise.
    treble = slice(100, 115)
    assert after[:, treble].max() > before[:, treble].max() + 20
    words = " ".join(caption.value for caption in explore.main.caption)
    assert "reconstruction" in words
    this, that = map(int, re.findall(r"(\d+)%", words.replace("\\", "")))
    assert this + that == 100
    assert 50 <= this < 90


def test_mixup_takes_a_synthesized_sound_where_no_other_was_given(opened: AppTest) -> None:
    choose(opened, "explore.part", "What training hears")
    choose(opened, "explore.variation", "mixed with another")
    assert not opened.exception
    assert len(players(opened)) == 1
