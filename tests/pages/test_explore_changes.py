"""The Explore page with a second sound."""

from __future__ import annotations

import numpy as np
import pytest
from explore_page import SONG, cells_of, choose, players, titles
from sounds import clicks, noise, sine, wav_bytes
from streamlit.testing.v1 import AppTest

from crnn.synthesis.examples import example_names
from ui.explore import pair
from ui.shared.state import Sound


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
    assert explore.selectbox(key="explore.other").options[:2] == ["take.wav (2)", "take.wav (3)"]
    clicking = players(explore)[0]["pictures"][1]["cells"]
    explore.selectbox(key="explore.other").select_index(1).run()
    assert not explore.exception
    assert players(explore)[0]["pictures"][1]["cells"] != clicking


def test_what_is_zoomed_to_is_drawn_finer_in_both_sounds_and_in_their_difference(explore: AppTest) -> None:
    # The other is 20 dB softer where it is zoomed to than later.
    tone = sine(440.0, 5.0)
    swelling = tone * np.where(np.arange(len(tone)) < 3.5 * 22_050, 0.1, 1.0).astype(np.float32)
    first, second = (wav_bytes(sound + noise(5.0, level=0.001)) for sound in (tone, swelling))
    explore.file_uploader[0].set_value([("a.wav", first, "audio/wav"), ("b.wav", second, "audio/wav")]).run()
    choose(explore, "explore.part", "Two sounds")
    assert players(explore)[0]["canDetail"]
    choose(explore, f"explore.pair.{Sound('a.wav', first, 'upload').digest}", {"detail": [2.0, 3.0]})
    assert not explore.exception
    (player,) = players(explore)
    for number, whole in enumerate(player["pictures"]):
        fine = player["details"][str(number)]
        assert fine["start"] == pytest.approx(2.0, abs=0.01)
        assert fine["columns"] * fine["secondsPerColumn"] == pytest.approx(1.0, abs=0.01)
        assert fine["secondsPerColumn"] < whole["secondsPerColumn"] / 10
        columns = slice(round(2 / whole["secondsPerColumn"]), round(3 / whole["secondsPerColumn"]))
        row = int(cells_of(player["pictures"][0]).mean(axis=0).argmax())
        # In the levels of the whole.
        levels = [np.quantile(cells[:, row], (0.2, 0.8)) for cells in (cells_of(fine), cells_of(whole)[columns])]
        np.testing.assert_allclose(*levels, atol=8)
    # Beyond the end of both there is nothing.
    choose(explore, f"explore.pair.{Sound('a.wav', first, 'upload').digest}", {"detail": [4.95, 5.0]})
    assert players(explore)[0]["details"] == {}


def test_the_second_sound_is_played_as_loud_as_the_first_and_their_difference_ends_with_the_shorter(
    explore: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: dict[str, bytes] = {}
    monkeypatch.setattr(pair, "serve", lambda data, key: played.setdefault(key.rsplit(".", 1)[1], data) and "")
    first, second = (wav_bytes(sine(440.0, seconds, level=level)) for seconds, level in ((5.0, 0.1), (3.0, 0.4)))
    explore.file_uploader[0].set_value([("a.wav", first, "audio/wav"), ("b.wav", second, "audio/wav")]).run()
    choose(explore, "explore.part", "Two sounds")
    peaks = {letter: np.abs(np.frombuffer(data[44:], "<i2")).max() / 32_767 for letter, data in played.items()}
    assert peaks == pytest.approx({"A": 0.1, "B": 0.1}, abs=1e-3)
    choose(explore, f"explore.pair.{Sound('a.wav', first, 'upload').digest}", {"detail": [2.0, 4.0]})
    assert not explore.exception
    ends = {name: fine["columns"] * fine["secondsPerColumn"] for name, fine in players(explore)[0]["details"].items()}
    assert ends == pytest.approx({"0": 2.0, "1": 1.0, "2": 1.0}, abs=0.03)


@pytest.mark.parametrize(
    ("part", "key", "choice"),
    [
        ("Why this genre", "why", {}),
        ("What if", "what_if.player", {}),
        ("What if", "what_if.player", {"explore.what_if": "without a rectangle"}),
    ],
)
def test_what_is_zoomed_to_is_drawn_finer_in_reasons_and_what_ifs(
    opened: AppTest, part: str, key: str, choice: dict[str, str]
) -> None:
    for name, value in choice.items():
        opened.session_state[name] = value
    opened.session_state[f"explore.{key}.{Sound('song.wav', SONG, 'upload').digest}"] = {"detail": [1.0, 2.0]}
    choose(opened, "explore.part", part)
    assert not opened.exception
    (player,) = players(opened)
    whole, fine = player["pictures"][0], player["details"]["0"]
    assert fine["start"] == pytest.approx(1.0, abs=0.01)
    assert fine["secondsPerColumn"] < whole["secondsPerColumn"] / 10
    assert cells_of(fine).max() == pytest.approx(cells_of(whole).max(), abs=8)
