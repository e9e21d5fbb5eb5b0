"""The Listen page: what a visitor reads after giving good and bad sound."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sounds import noise, sine, wav_bytes
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle

from crnn.bundle import Calibration, Rejection
from crnn.examples import example_names
from ui.state import Sound

APP = str(Path(__file__).resolve().parents[2] / "app.py")
TREBLE = wav_bytes(sine(6000.0, 12.0))
BASS = wav_bytes(sine(60.0, 12.0))


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    return app.file_uploader[0].set_value([(name, data, "audio/wav") for name, data in files]).run()


def read(app: AppTest) -> str:
    """All that the main part of the page says."""
    main = app.main
    kinds = (main.subheader, main.markdown, main.caption, main.error, main.info, main.warning)
    return "\n".join(element.value for elements in kinds for element in elements)


def verdict(app: AppTest) -> str:
    return str(app.main.subheader[0].value)


def component(app: AppTest, name: str) -> dict[str, Any]:
    """What a component was given to draw."""
    for element in app.get("bidi_component"):
        if element.proto.component_name == f"genrescope_{name}":
            return dict(json.loads(json.loads(element.proto.json)["json"]))
    raise AssertionError(f"no {name} on the page")


def test_says_what_to_do_before_there_is_a_sound(app: AppTest) -> None:
    assert not app.exception
    assert "Record ten seconds of music, upload songs, or choose an example." in read(app)
    assert "This model knows 3 genres: bass, middle, treble." in read(app)
    assert "never sent anywhere or written to disk" in app.sidebar.caption[0].value


@pytest.mark.parametrize(("sound", "genre"), [(TREBLE, "treble"), (BASS, "bass")])
def test_names_the_genre_of_an_upload(app: AppTest, sound: bytes, genre: str) -> None:
    upload(app, ("song.wav", sound))
    assert not app.exception
    assert verdict(app).startswith(f"Sounds like {genre}. ")
    bars = component(app, "bars")["bars"]
    assert bars[0]["name"] == genre
    assert sum(bar["share"] for bar in bars) == pytest.approx(1.0, abs=0.001)


def test_player_gets_timeline_picture_and_sound(app: AppTest) -> None:
    upload(app, ("song.wav", TREBLE))
    view = component(app, "player")
    assert view["url"].startswith("/mock/media/")
    assert view["url"].endswith(".wav")
    assert view["seconds"] == pytest.approx(12.0, abs=0.01)
    (lane,) = view["lanes"]
    assert lane["labels"][0] == "treble"
    assert lane["edges"][0] == 0.0
    assert lane["edges"][-1] == pytest.approx(12.0, abs=0.01)
    (picture,) = view["pictures"]
    assert picture["rows"] == 128
    assert "near 6.0 kHz" in picture["name"]


def test_shows_a_segments_input_when_asked(app: AppTest) -> None:
    upload(app, ("song.wav", TREBLE))
    key = f"listen.player.{Sound('song.wav', TREBLE, 'upload').digest}"
    assert component(app, "player")["closeUp"] is None
    app.session_state[key] = {"segment": 1}
    app.run()
    close_up = component(app, "player")["closeUp"]
    assert close_up["segment"] == 1
    assert close_up["columns"] == 241
    assert close_up["caption"].startswith("What the model heard from 0:02.0 to 0:12.0")


def test_answers_a_recording(app: AppTest) -> None:
    app.audio_input[0].set_value(
        ("recording.wav", wav_bytes(sine(60.0, 8.0, 44_100), 44_100, "PCM_16"), "audio/wav")
    ).run()
    assert verdict(app).startswith("Sounds like bass.")
    assert "Level check: its loudest moment is at −6 dB." in read(app)
    assert "Resampled" not in read(app)


def test_last_sound_given_is_the_one_answered(app: AppTest) -> None:
    upload(app, ("song.wav", TREBLE))
    app.audio_input[0].set_value(("recording.wav", wav_bytes(sine(60.0, 8.0)), "audio/wav")).run()
    assert verdict(app).startswith("Sounds like bass.")


def test_examples_are_said_to_be_synthesized(app: AppTest) -> None:
    app.pills[0].set_value(example_names()[0]).run()
    assert not app.exception
    assert "Synthesized on this machine just now; nobody recorded it." in read(app)
    assert verdict(app).startswith(("Sounds like ", "Can't tell"))


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("notes.wav", b"these are words, not music\n" * 40, "“notes.wav” is a text file. Give audio: wav, mp3"),
        ("empty.mp3", b"", "“empty.mp3” is empty (0 bytes)."),
        ("short.wav", wav_bytes(sine(440.0, 0.4)), "“short.wav” is 0.40 s long. At least 1 s is needed"),
        ("noise.mp3", np.random.default_rng(3).bytes(4000), "“noise.mp3” cannot be decoded"),
    ],
)
def test_says_what_is_wrong_with_a_file(app: AppTest, name: str, data: bytes, sentence: str) -> None:
    upload(app, (name, data))
    assert not app.exception
    assert sentence in app.error[0].value
    assert not app.get("bidi_component") or "player" not in {e.proto.component_name for e in app.get("bidi_component")}


def test_recovers_after_a_bad_file(app: AppTest) -> None:
    upload(app, ("notes.wav", b"words only\n" * 40))
    upload(app, ("song.wav", TREBLE))
    assert not app.error
    assert verdict(app).startswith("Sounds like treble.")


def test_hostile_name_stays_text(app: AppTest) -> None:
    name = "![x](http://evil.example/x.png) <b>b</b> :red[r] $x$.wav"
    upload(app, (name, b"words only\n" * 40))
    shown = app.error[0].value
    assert "![" not in shown
    assert "<b>" not in shown
    assert ":red[" not in shown
    assert "http://" not in shown


@pytest.mark.parametrize(
    ("sound", "sentence"),
    [
        (np.zeros(22_050 * 6, dtype=np.float32), "Silence: nothing above −60 dB."),
        (noise(6.0, level=1e-5), "Silence: nothing above −60 dB."),
    ],
)
def test_silence_is_said_and_gets_no_bars(app: AppTest, sound: np.ndarray, sentence: str) -> None:
    upload(app, ("quiet.wav", wav_bytes(sound)))
    assert verdict(app) == sentence
    assert "No genre is judged in silence." in read(app)


def test_notes_stand_beside_the_verdict(app: AppTest) -> None:
    loud = np.clip(noise(3.0, 44_100, level=2.0), -1, 1)
    upload(app, ("loud.wav", wav_bytes(np.stack([loud, loud], axis=1), 44_100)))
    text = read(app)
    assert "The recording is clipped" in text
    assert "2 channels were mixed to mono." in text
    assert "Resampled from 44.1 to 22.05 kHz." in text
    assert "Only 3.0 s long: ten seconds or more give a better answer." in text


def test_unsure_and_not_music_are_answers(models: Path) -> None:
    tiny_bundle(models / "a-unsure", calibration=Calibration(temperature=50.0, unsure_below=0.9, set_threshold=0.3))
    app = upload(AppTest.from_file(APP, default_timeout=60).run(), ("song.wav", TREBLE))
    assert verdict(app).startswith("Can't tell: ")
    shutil.rmtree(models / "a-unsure")
    tiny_bundle(models / "b-music", rejection=Rejection(weights=(0.0, 0.0, 0.0), bias=-5.0))
    app.run()
    assert verdict(app) == "That doesn't sound like music."
    assert "If it were music:" in read(app)


def test_downloads_follow_the_contract(app: AppTest) -> None:
    upload(app, ("my song.wav", TREBLE))
    labels = [button.label for button in app.download_button]
    assert labels == ["JSON, everything", "CSV, the timeline", "Audacity labels"]


def test_text_equivalent_tells_what_the_charts_show(app: AppTest) -> None:
    upload(app, ("song.wav", TREBLE))
    text = "\n".join(element.value for element in app.expander[0].markdown)
    assert "| treble |" in text
    assert "| 0:00.0 | 0:12.0 | treble |" in text
    assert "Loudest at" in text


def test_several_files_give_a_table_and_a_chosen_row_its_detail(app: AppTest) -> None:
    upload(app, ("high.wav", TREBLE), ("low.wav", BASS), ("notes.wav", b"words only\n" * 40))
    table = app.dataframe[0].value
    assert list(table["File"]) == ["high.wav", "low.wav", "notes.wav"]
    assert list(table["Answer"][:2]) == ["treble", "bass"]
    assert "is a text file" in table["Answer"][2]
    assert "Choose a row to see and hear that sound" in read(app)
    assert not [element for element in app.main.subheader if element.value.startswith("Sounds like")]


def test_without_a_model_says_how_to_get_one(models: Path) -> None:
    app = AppTest.from_file(APP, default_timeout=60).run()
    assert not app.exception
    assert "There is no model yet." in app.info[0].value
    assert "python -m crnn train demo" in app.info[0].value
    upload(app, ("song.wav", TREBLE))
    assert not app.exception


def test_a_damaged_model_is_named_and_the_others_serve(models: Path) -> None:
    tiny_bundle(models / "good")
    tiny_bundle(models / "bad")
    (models / "bad" / "model.onnx").write_bytes(b"damaged")
    (models / "ugly").mkdir()
    app = AppTest.from_file(APP, default_timeout=60).run()
    faults = " ".join(warning.value for warning in app.sidebar.warning)
    assert "model.onnx of the model “bad” was changed or damaged." in faults
    assert "“ugly” is no model" in faults
    assert app.selectbox[0].options == ["model: good"]
    upload(app, ("song.wav", TREBLE))
    assert verdict(app).startswith("Sounds like treble.")


def test_choice_of_model_changes_the_answer(models: Path) -> None:
    tiny_bundle(models / "first")
    tiny_bundle(models / "second", genres=("calm", "lively", "shrill"))
    app = upload(AppTest.from_file(APP, default_timeout=60).run(), ("song.wav", TREBLE))
    assert verdict(app).startswith("Sounds like treble.")
    app.selectbox[0].set_value("second").run()
    assert verdict(app).startswith("Sounds like shrill.")


def test_a_sound_too_long_to_hold_gets_its_timeline(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.hearing.MAX_CLIP_SECONDS", 10.0)
    upload(app, ("long.wav", TREBLE))
    view = component(app, "player")
    assert view["pictures"] == []
    assert view["lanes"][0]["edges"][-1] == pytest.approx(12.0, abs=0.01)


def test_uploads_are_never_spooled_to_disk(app: AppTest) -> None:
    from starlette.formparsers import MultiPartParser

    assert MultiPartParser.spool_max_size > 200 * 2**20
