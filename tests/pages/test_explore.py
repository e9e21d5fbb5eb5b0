"""The Explore page: what a visitor sees of a good and of a bad sound, and what the controls do."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from explore_page import PAGE, SONG, cells_of, choose, players, titles
from sounds import clicks, noise, sine, wav_bytes
from streamlit.testing.v1 import AppTest

from crnn import text
from crnn.analysis import spectral, what_ifs
from crnn.analysis.grids import Grid, ViewSettings
from crnn.audio.clip import Clip
from crnn.inference import explanation
from ui.explore import reasons, views
from ui.shared import media
from ui.shared.state import TAKEN_HOME, Sound
from ui.shared.taken_home import Wanted


def test_says_what_to_do_before_there_is_a_sound(explore: AppTest) -> None:
    assert not explore.exception
    assert "Record, upload or choose an example above" in explore.main.markdown[0].value
    assert players(explore) == []


def test_shows_waveform_and_mel_at_first(opened: AppTest) -> None:
    assert not opened.exception
    assert titles(opened) == ["Waveform", "As the ear hears"]
    (player,) = players(opened)
    assert player["seconds"] == pytest.approx(5.0, abs=0.01)
    assert player["lanes"][0]["labels"][0] == "bass"
    assert player["canSelect"]


def test_sound_from_listen_is_already_there(app: AppTest) -> None:
    app.file_uploader[0].set_value([("song.wav", SONG, "audio/wav")]).run()
    app.switch_page(PAGE).run()
    assert titles(app) == ["Waveform", "As the ear hears"]


def test_each_of_two_files_of_one_name_can_be_looked_at(explore: AppTest) -> None:
    takes = [("take.wav", wav_bytes(sine(440.0, seconds)), "audio/wav") for seconds in (3.0, 4.0)]
    explore.file_uploader[0].set_value(takes).run()
    box = explore.selectbox(key="explore.sound")
    # The browser sends what an option is called: two of one name are one to it.
    assert box.options == ["take.wav", "take.wav (2)"]
    box.select_index(1).run()
    assert not explore.exception
    assert players(explore)[0]["seconds"] == pytest.approx(4.0, abs=0.01)


def test_nothing_is_explained_of_silence(explore: AppTest) -> None:
    quiet = wav_bytes(np.zeros(4 * 22_050, np.float32))
    explore.file_uploader[0].set_value([("quiet.wav", quiet, "audio/wav")]).run()
    assert not explore.exception
    assert explore.button_group(key="explore.part").options == ["Views", "Two sounds"]


def test_part_of_a_long_sound_is_chosen_first(explore: AppTest) -> None:
    rate = 8000
    long = wav_bytes(sine(440.0, 901.0, rate, level=0.3), rate, "PCM_16")
    digest = Sound("long.wav", long, "upload").digest
    explore.session_state["explore.kept_views"] = ["waveform"]
    explore.session_state[f"explore.long.player.{digest}"] = {"region": {"start": 601.0, "end": 640.0}}
    explore.file_uploader[0].set_value([("long.wav", long, "audio/wav")]).run(timeout=240)
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
    assert pictures["Timbre"]["about"].startswith("MFCC. Shape of the mel spectrum")
    assert pictures["Harmony"]["rowNames"][9] == "A"
    assert pictures["Brightness"]["curves"][0]["name"] == "centroid"
    before = pictures["Overtones"]["rows"]
    assert pictures["Overtones"]["rowHz"][-1] == pytest.approx(11_025, rel=0.01), "all that the file has"
    choose(opened, "explore.frequencies.11025", (0, 1600))
    (linear,) = (picture for picture in players(opened)[0]["pictures"] if picture["title"] == "Overtones")
    assert linear["rows"] < before
    assert linear["rowHz"][-1] <= 1600


def test_views_reach_as_high_as_the_file(explore: AppTest) -> None:
    song = wav_bytes(sine(15_000.0, 3.0, 48_000), 48_000)
    explore.session_state["explore.kept_views"] = ["linear"]
    explore.file_uploader[0].set_value([("high.wav", song, "audio/wav")]).run()
    (linear,) = players(explore)[0]["pictures"]
    assert linear["rowHz"][-1] == pytest.approx(22_050, rel=0.01)
    loudest = cells_of(linear).mean(axis=0).argmax()
    assert linear["rowHz"][loudest] == pytest.approx(15_000, rel=0.02)


def test_harmonic_and_percussive_part_are_separated_once(opened: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    n_separations = 0

    def parts(samples: np.ndarray, rate: int, settings: ViewSettings) -> tuple[Grid, Grid]:
        nonlocal n_separations
        # The page has slow views compiled meanwhile, in a thread of their own.
        n_separations += threading.current_thread().name != "warm-up"
        grid = spectral.logarithmic(samples, rate, settings)
        return grid, dataclasses.replace(grid, values=grid.values[::-1])

    monkeypatch.setattr(spectral, "parts", parts)
    choose(opened, "explore.views", ["harmonic", "percussive"])
    assert not opened.exception
    assert titles(opened) == ["Tones alone", "Drums alone"]
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


def test_what_is_zoomed_to_comes_at_the_detail_of_the_screen(opened: AppTest) -> None:
    key = f"explore.player.{Sound('song.wav', SONG, 'upload').digest}"
    assert players(opened)[0]["details"] == {}
    choose(opened, key, {"detail": [1.0, 2.0]})
    assert not opened.exception
    (player,) = players(opened)
    waveform, mel = player["pictures"]
    finer_waveform, finer_mel = player["details"]["0"], player["details"]["1"]
    assert finer_waveform["curves"][0]["start"] == pytest.approx(1.0, abs=0.01)
    assert finer_waveform["curves"][0]["step"] < waveform["curves"][0]["step"] / 4
    assert finer_mel["start"] == pytest.approx(1.0, abs=0.01)
    assert finer_mel["secondsPerColumn"] < mel["secondsPerColumn"] / 20
    # The tone stays as bright as it was.
    assert cells_of(finer_mel).max() == pytest.approx(cells_of(mel).max(), abs=1)
    for nonsense in ([2.0, 1.0], ["a", "b"], [1.0], {"start": 1}):
        choose(opened, key, {"detail": nonsense})
        assert not opened.exception
        assert players(opened)[0]["details"] == {}


def test_nonsense_from_the_browser_is_no_part(opened: AppTest) -> None:
    key = f"explore.player.{Sound('song.wav', SONG, 'upload').digest}"
    for region in ({"start": 3.0, "end": 1.0}, {"start": "x"}, [1], {"start": 0, "end": 1e9}):
        choose(opened, key, {"region": region})
        assert not opened.exception
        assert not [button for button in opened.button if button.label == "Look closer"], region


def test_why_lays_reasons_over_the_mel(opened: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(opened, "explore.part", "Why this genre")
    assert not opened.exception
    (player,) = players(opened)
    (mel,) = player["pictures"]
    assert mel["title"] == "What spoke for bass"
    assert mel["tint"]["rows"] == 16
    assert any("The model hears bass with a confidence of" in caption.value for caption in opened.main.caption)
    # In words: without the band that its 440 Hz lie in, hiss is left.
    (said,) = (words.value for words in opened.main.markdown if "Strongest at" in words.value)
    assert said.startswith("Without the voice band it would be treble. Without the drums or the bass the answer stays")
    assert said.endswith("Strongest at 0:00.2, from 438 Hz to 619 Hz.")
    # Where it is strongest stands on the screen once; who does not see the picture hears it with the picture.
    assert "Strongest at 0:00.2, from 438 Hz to 619 Hz." in mel["name"]
    assert not [caption for caption in opened.main.caption if "most lies near" in caption.value]
    hear, asked_for = reasons._heard, list[bool]()

    def heard(*args: Any) -> Clip:
        asked_for.append(args[-1])
        return hear(*args)

    monkeypatch.setattr(reasons, "_heard", heard)
    urls = [player["url"]]
    for part in ("what spoke for it", "the rest", "the sound"):
        choose(opened, "explore.why_heard", part)
        urls.append(players(opened)[0]["url"])
    assert asked_for == [True, False]
    assert len(set(urls)) == 3
    assert urls[-1] == urls[0]


def test_why_is_reached_from_listen(app: AppTest) -> None:
    app.file_uploader[0].set_value([("a.wav", SONG, "audio/wav"), ("b.wav", wav_bytes(clicks(4.0)), "audio/wav")]).run()
    app.session_state["listen.table"] = {"selection": {"rows": [], "columns": [], "cells": [[1, "File"]]}}
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
    (player,) = players(explore)
    gone, original = player["versions"]
    assert (gone["name"], original["name"]) == ("with that gone", "as it is")
    assert gone["url"] != original["url"]


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


def test_maps_toolbar_never_lies_over_its_legend(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).resolve().parents[2]
    monkeypatch.setenv("GENRESCOPE_MODELS", str(root / "models"))
    app = AppTest.from_file(str(root / "app.py"), default_timeout=240).run()
    explore = app.switch_page("pages/1_Explore.py").run()
    explore.file_uploader[0].set_value([("song.wav", SONG, "audio/wav")]).run()
    choose(explore, "explore.part", "Where it lies")
    assert not explore.exception
    (chart,) = explore.get("plotly_chart")
    assert json.loads(chart.proto.config)["displayModeBar"] is False


def test_reason_begins_where_the_genre_is_strongest_and_follows_the_moment(explore: AppTest) -> None:
    # A minute: treble from 0:35 to 0:45 only, and nowhere anything in the middle.
    song = np.concatenate([sine(60.0, 35.0), sine(6000.0, 10.0), sine(60.0, 15.0)])
    data = wav_bytes(song, subtype="PCM_16")
    explore.file_uploader[0].set_value([("medley.wav", data, "audio/wav")]).run()
    choose(explore, "explore.part", "Why this genre")
    explore.selectbox(key="explore.why_genre").set_value("treble").run()
    assert not explore.exception
    (player,) = players(explore)
    start, end = player["span"]
    assert start <= 35
    assert end >= 45
    assert end - start == 30
    tint = player["pictures"][0]["tint"]
    assert tint["start"] == pytest.approx(start, abs=0.1)
    assert tint["columns"] * tint["secondsPerColumn"] == pytest.approx(30.0, abs=0.6)
    assert any(f"From {text.clock(start)} to " in caption.value for caption in explore.main.caption)
    moment = player["pictures"][0]["moment"]
    assert start <= moment <= end
    assert any(f"trongest at {text.clock(moment)}, from " in words.value for words in explore.main.markdown)
    choose(explore, f"explore.why.{Sound('medley.wav', data, 'upload').digest}", {"moment": 5.0})
    start, end = players(explore)[0]["span"]
    assert (start < 5.0 < end, end - start) == (True, 30)


def test_what_if_words_come_after_the_first_squares_and_before_the_rest(
    explore: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    steps, say = explanation.steps, what_ifs.sentence

    def squares(*args: Any, **others: Any) -> Iterator[explanation.Explanation]:
        for found in steps(*args, **others):
            done.append("squares")
            yield found

    def sentence(*args: Any) -> str:
        done.append("words")
        return say(*args)

    monkeypatch.setattr(explanation, "steps", squares)
    monkeypatch.setattr(what_ifs, "sentence", sentence)
    long = wav_bytes(sine(440.0, 25.0) + noise(25.0, level=0.001))
    explore.file_uploader[0].set_value([("long.wav", long, "audio/wav")]).run()
    choose(explore, "explore.part", "Why this genre")
    assert not explore.exception
    assert done[:3] == ["squares", "words", "squares"]
    assert done.count("words") == 1


def test_stopped_reason_keeps_what_it_knows_and_goes_on(explore: AppTest) -> None:
    long = wav_bytes(sine(440.0, 25.0) + noise(25.0, level=0.001))
    explore.file_uploader[0].set_value([("long.wav", long, "audio/wav")]).run()
    choose(explore, "explore.part", "Why this genre")
    (key,) = [key for key in explore.session_state["explore.kept"] if key[0] == "why"]
    whole = players(explore)[0]["pictures"][0]["tint"]
    del explore.session_state["explore.kept"]
    choose(explore, "explore.why_stopped", key)
    assert not explore.exception
    assert players(explore)[0]["pictures"][0]["tint"]["cells"] != whole["cells"]
    assert any("Without the " in words.value for words in explore.main.markdown)
    explore.button(key="explore.why_again").click().run()
    assert players(explore)[0]["pictures"][0]["tint"] == whole


def test_without_a_model_the_views_are_still_there(models: Path) -> None:
    app = AppTest.from_file(str(Path(__file__).resolve().parents[2] / "app.py"), default_timeout=240).run()
    app.switch_page(PAGE).run()
    app.file_uploader[0].set_value([("song.wav", SONG, "audio/wav")]).run()
    assert not app.exception
    assert titles(app) == ["Waveform", "As the ear hears"]


def test_part_of_a_wav_is_that_part() -> None:
    ramp = np.linspace(-0.5, 0.5, 22_050, dtype=np.float32)
    part, rate = soundfile.read(io.BytesIO(media.wav_part(wav_bytes(ramp, subtype="PCM_16"), 0.25, 0.5)))
    assert rate == 22_050
    np.testing.assert_allclose(part, ramp[5512 : 5512 + 5512], atol=1e-4)


def test_numbers_that_a_refresh_broke_off_are_offered_again(opened: AppTest) -> None:
    assert "Download it again" not in [button.label for button in opened.download_button]
    kept = opened.session_state[TAKEN_HOME]
    kept.deferred(Wanted("song mel.csv", "text/csv", lambda: "seconds", "the page before"))()
    opened.run()
    assert not opened.exception
    assert "The page was loaded anew before song mel.csv was there." in [words.value for words in opened.caption]
    assert "Download it again" in [button.label for button in opened.download_button]


def test_numbers_can_be_read_back() -> None:
    numbers = {"seconds": np.arange(3.0), "rows": np.array([100.0, 200.0]), "values": np.ones((3, 2)) * -5}
    lines = list(csv.reader(io.StringIO(views.to_csv(numbers))))
    assert lines[0] == ["seconds", "100.00", "200.00"]
    assert [float(value) for value in lines[3]] == [2.0, -5.0, -5.0]
    with np.load(io.BytesIO(views.to_npz(numbers)), allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["values"], numbers["values"])
