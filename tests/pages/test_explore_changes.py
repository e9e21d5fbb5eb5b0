"""The Explore page with a second sound."""

from __future__ import annotations

import pytest
from explore_page import SONG, choose, players, titles
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
