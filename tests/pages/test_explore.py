"""The Explore page: what a visitor sees of a good and of a bad sound, and what the controls do."""

from __future__ import annotations

import base64
import csv
import dataclasses
import io
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from sounds import clicks, noise, sine, wav_bytes
from streamlit.testing.v1 import AppTest

from crnn import spectra
from crnn.grids import Grid, ViewSettings
from ui import exploring
from ui.state import Sound

PAGE = "pages/1_Explore.py"
SONG = wav_bytes(sine(440.0, 5.0) + noise(5.0, level=0.001))


@pytest.fixture
def explore(app: AppTest) -> AppTest:
    """The page as first opened."""
    return app.switch_page(PAGE).run()


@pytest.fixture
def opened(explore: AppTest) -> AppTest:
    """The page with a tone of 440 Hz."""
    return explore.file_uploader[0].set_value([("song.wav", SONG, "audio/wav")]).run()


def players(app: AppTest) -> list[dict[str, Any]]:
    """What each listening view was given to draw."""
    found = [e.proto for e in app.get("bidi_component") if e.proto.component_name == "genrescope_player"]
    return [json.loads(json.loads(proto.json)["json"]) for proto in found]


def cells_of(picture: dict[str, Any]) -> np.ndarray:
    """The picture as the browser unpacks it, `(columns, rows)`."""
    cells = np.frombuffer(zlib.decompress(base64.b64decode(picture["cells"])), np.uint8)
    return cells.reshape(picture["columns"], picture["rows"]).astype(int)


def titles(app: AppTest) -> list[str]:
    return [picture["title"] for picture in players(app)[0]["pictures"]]


def choose(app: AppTest, key: str, value: object) -> AppTest:
    app.session_state[key] = value
    return app.run()


def test_says_what_to_do_before_there_is_a_sound(explore: AppTest) -> None:
    assert not explore.exception
    assert "Record, upload or choose an example above" in explore.main.markdown[0].value
    assert players(explore) == []


def test_shows_waveform_and_mel_at_first(opened: AppTest) -> None:
    assert not opened.exception
    assert titles(opened) == ["Waveform", "Mel spectrogram"]
    (player,) = players(opened)
    assert player["seconds"] == pytest.approx(5.0, abs=0.01)
    assert player["lanes"][0]["labels"][0] == "bass"
    assert player["canSelect"]


def test_sound_from_listen_is_already_there(app: AppTest) -> None:
    app.file_uploader[0].set_value([("song.wav", SONG, "audio/wav")]).run()
    app.switch_page(PAGE).run()
    assert titles(app) == ["Waveform", "Mel spectrogram"]


def test_part_of_a_long_sound_is_chosen_first(explore: AppTest) -> None:
    rate = 8000
    long = wav_bytes(sine(440.0, 901.0, rate, level=0.3), rate, "PCM_16")
    digest = Sound("long.wav", long, "upload").digest
    explore.session_state["explore.kept_views"] = ["waveform"]
    explore.session_state[f"explore.long.player.{digest}"] = {"region": {"start": 601.0, "end": 640.0}}
    explore.file_uploader[0].set_value([("long.wav", long, "audio/wav")]).run(timeout=180)
    assert not explore.exception
    assert any("This sound is 15:01.0 long" in markdown.value for markdown in explore.main.markdown)
    overview, part = players(explore)
    assert overview["seconds"] == pytest.approx(901.0, abs=0.1)
    assert part["title"] == "long, 10:00.0 to 10:45.0.wav"
    assert part["seconds"] == pytest.approx(45.0, abs=0.1)
    assert part["lanes"][0]["edges"][-1] == pytest.approx(45.0, abs=0.1)


def test_bad_file_is_named(explore: AppTest) -> None:
    explore.file_uploader[0].set_value([("song.wav", b"no sound at all", "audio/wav")]).run()
    assert not explore.exception
    assert "song.wav" in explore.error[0].value
    assert players(explore) == []


def test_quick_views_and_settings_are_drawn(opened: AppTest) -> None:
    choose(opened, "explore.views", ["linear", "log", "chroma", "mfcc", "shape", "loudness"])
    assert not opened.exception
    pictures = {picture["title"]: picture for picture in players(opened)[0]["pictures"]}
    assert len(pictures) == 6
    assert all(picture["about"] for picture in pictures.values())
    assert pictures["Chroma"]["rowNames"][9] == "A"
    assert pictures["Centroid, bandwidth, roll-off"]["curves"][0]["name"] == "centroid"
    before = pictures["Spectrogram, linear"]["rows"]
    choose(opened, "explore.frequencies", (0, 1600))
    (linear, *_) = players(opened)[0]["pictures"]
    assert linear["rows"] < before
    assert linear["rowHz"][-1] <= 1600


def test_harmonic_and_percussive_part_are_separated_once(opened: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    n_separations = 0

    def parts(samples: np.ndarray, rate: int, settings: ViewSettings) -> tuple[Grid, Grid]:
        nonlocal n_separations
        n_separations += 1
        grid = spectra.logarithmic(samples, rate, settings)
        return grid, dataclasses.replace(grid, values=grid.values[::-1])

    monkeypatch.setattr(spectra, "parts", parts)
    choose(opened, "explore.views", ["harmonic", "percussive"])
    assert not opened.exception
    assert titles(opened) == ["Harmonic part", "Percussive part"]
    first, second = players(opened)[0]["pictures"]
    assert first["cells"] != second["cells"]
    assert n_separations == 1


def test_no_view_says_so(opened: AppTest) -> None:
    choose(opened, "explore.views", [])
    assert opened.info[0].value == "Choose a view above."


def test_part_can_be_looked_at_closer(opened: AppTest) -> None:
    key = f"explore.player.{Sound('song.wav', SONG, 'upload').digest}"
    choose(opened, key, {"region": {"start": 1.0, "end": 2.5}})
    (closer,) = [button for button in opened.button if button.label == "Look closer"]
    closer.click().run()
    assert not opened.exception
    (player,) = players(opened)
    assert player["span"] == [1.0, 2.5]
    mel = player["pictures"][1]
    assert mel["start"] == pytest.approx(1.0, abs=0.03)
    assert mel["columns"] * mel["secondsPerColumn"] == pytest.approx(1.5, abs=0.1)
    (back,) = [button for button in opened.button if button.label == "Back to the whole sound"]
    back.click().run()
    assert players(opened)[0]["span"] is None


@pytest.mark.parametrize("region", [{"start": 3.0, "end": 1.0}, {"start": "x"}, [1], {"start": 0, "end": 1e9}])
def test_nonsense_from_the_browser_is_no_part(opened: AppTest, region: object) -> None:
    choose(opened, f"explore.player.{Sound('song.wav', SONG, 'upload').digest}", {"region": region})
    assert not opened.exception
    assert not [button for button in opened.button if button.label == "Look closer"]


def test_why_lays_reasons_over_the_mel(opened: AppTest) -> None:
    choose(opened, "explore.part", "Why this genre")
    assert not opened.exception
    (player,) = players(opened)
    (mel,) = player["pictures"]
    assert mel["title"] == "What spoke for bass"
    assert mel["tint"]["rows"] == 16
    assert any("the model hears bass with a confidence of" in caption.value for caption in opened.main.caption)
    url = player["url"]
    choose(opened, "explore.why_heard", "what spoke for it")
    assert players(opened)[0]["url"] != url


def test_why_is_reached_from_listen(app: AppTest) -> None:
    app.file_uploader[0].set_value([("a.wav", SONG, "audio/wav"), ("b.wav", wav_bytes(clicks(4.0)), "audio/wav")]).run()
    app.session_state["listen.table"] = {"selection": {"rows": [1], "columns": [], "cells": []}}
    app.run()
    app.button(key="listen.why").click().run()
    assert not app.exception
    (player,) = players(app)
    assert player["title"] == "b.wav"
    assert player["pictures"][0]["title"].startswith("What spoke for")


def test_what_if_shows_the_answer_before_and_after(explore: AppTest) -> None:
    both = wav_bytes(sine(60.0, 5.0, level=0.5) + sine(6000.0, 5.0, level=0.05))
    explore.file_uploader[0].set_value([("both.wav", both, "audio/wav")]).run()
    choose(explore, "explore.part", "What if")
    assert not explore.exception
    text = [markdown.value for markdown in explore.main.markdown]
    assert any("As it is." in line for line in text)
    assert any("With that gone." in line for line in text)
    bars = [
        json.loads(json.loads(e.proto.json)["json"])["bars"]
        for e in explore.get("bidi_component")
        if e.proto.component_name == "genrescope_bars"
    ]
    bass = [{bar["name"]: bar["share"] for bar in shares}["bass"] for shares in bars]
    assert bass[1] < bass[0]
    (gone,) = players(explore)
    (heard,) = [control for control in explore.button_group if control.label == "Hear"]
    heard.set_value("as it is").run()
    assert not explore.exception
    (original,) = players(explore)
    assert original["url"] != gone["url"]
    assert original["pictures"][0]["cells"] == gone["pictures"][0]["cells"]


def test_rectangle_is_asked_for_before_it_is_muted(opened: AppTest) -> None:
    choose(opened, "explore.part", "What if")
    choose(opened, "explore.what_if", "without a rectangle")
    assert "drag a rectangle" in opened.info[0].value
    key = f"explore.what_if.player.{Sound('song.wav', SONG, 'upload').digest}"
    choose(opened, key, {"region": {"start": 0.0, "end": 5.0, "low": 300, "high": 600}})
    assert not opened.exception
    assert not opened.info


def test_model_without_a_map_says_so(opened: AppTest) -> None:
    choose(opened, "explore.part", "Where it lies")
    assert not opened.exception
    assert "without a map" in opened.info[0].value


def test_two_sounds_are_drawn_alike(explore: AppTest) -> None:
    other = wav_bytes(clicks(4.0))
    explore.file_uploader[0].set_value([("a.wav", SONG, "audio/wav"), ("b.wav", other, "audio/wav")]).run()
    choose(explore, "explore.part", "Two sounds")
    assert not explore.exception
    first, second, both = players(explore)
    assert (first["title"], second["title"]) == ("a.wav", "b.wav")
    assert first["seconds"] == second["seconds"]
    assert first["pictures"][0]["rowHz"] == second["pictures"][0]["rowHz"]
    assert both["pictures"][0]["title"] == "Difference"
    assert both["seconds"] == pytest.approx(4.0, abs=0.01)


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
    (heard,) = [control for control in opened.button_group if control.label == "Hear"]
    heard.set_value("as it is").run()
    (original,) = players(opened)
    assert original["title"] == "song.wav, as it is"
    assert original["url"] != player["url"]
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


def test_stopped_reason_says_so_and_goes_on(opened: AppTest) -> None:
    choose(opened, "explore.part", "Why this genre")
    (kept,) = [key for key in opened.session_state["explore.kept"] if key[0] == "why"]
    del opened.session_state["explore.kept"]
    choose(opened, "explore.why_stopped", kept)
    assert not opened.exception
    assert opened.info[0].value.startswith("Stopped.")
    assert players(opened) == []
    opened.button(key="explore.why_again").click().run()
    assert not opened.info
    assert players(opened)[0]["pictures"][0]["title"] == "What spoke for bass"


def test_without_a_model_the_views_are_still_there(models: Path) -> None:
    app = AppTest.from_file(str(Path(__file__).resolve().parents[2] / "app.py"), default_timeout=60).run()
    app.switch_page(PAGE).run()
    app.file_uploader[0].set_value([("song.wav", SONG, "audio/wav")]).run()
    assert not app.exception
    assert titles(app) == ["Waveform", "Mel spectrogram"]


def test_part_of_a_wav_is_that_part() -> None:
    ramp = np.linspace(-0.5, 0.5, 22_050, dtype=np.float32)
    part, rate = soundfile.read(io.BytesIO(exploring.wav_part(wav_bytes(ramp, subtype="PCM_16"), 0.25, 0.5)))
    assert rate == 22_050
    np.testing.assert_allclose(part, ramp[5512 : 5512 + 5512], atol=1e-4)


def test_numbers_can_be_read_back() -> None:
    numbers = {"seconds": np.arange(3.0), "rows": np.array([100.0, 200.0]), "values": np.ones((3, 2)) * -5}
    lines = list(csv.reader(io.StringIO(exploring.to_csv(numbers))))
    assert lines[0] == ["seconds", "100.00", "200.00"]
    assert [float(value) for value in lines[3]] == [2.0, -5.0, -5.0]
    with np.load(io.BytesIO(exploring.to_npz(numbers)), allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["values"], numbers["values"])
