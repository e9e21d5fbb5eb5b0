"""A visit to the Listen page: several sounds, one after the other and at once, and which model hears them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from listen_page import APP, BASS, TREBLE, component, upload, verdict
from page_words import read
from sounds import RATE, sine, wav_bytes
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle

from crnn import text
from crnn.audio import isolation
from crnn.inference.classifier import Classifier
from crnn.inference.listening import FileListening
from crnn.synthesis.examples import example_names
from ui.shared import chrome
from ui.shared.state import SOUNDS, Sound, find_models


def test_last_sound_given_is_the_one_answered(app: AppTest) -> None:
    upload(app, ("song.wav", TREBLE))
    app.audio_input[0].set_value(("recording.wav", wav_bytes(sine(60.0, 8.0)), "audio/wav")).run()
    assert verdict(app).startswith("Sounds like bass.")


def test_silence_in_the_table_has_no_confidence(app: AppTest) -> None:
    upload(app, ("high.wav", TREBLE), ("quiet.wav", wav_bytes(np.zeros(4 * RATE, np.float32))))
    table = app.dataframe[0].value
    assert list(table["Answer"]) == ["treble", "Silence: nothing above −60 dB."]
    assert list(table["Confidence"]) == ["0.60", ""]


def test_several_files_give_a_table_and_a_chosen_row_its_detail(app: AppTest) -> None:
    upload(app, ("high.wav", TREBLE), ("low.wav", BASS), ("notes.wav", b"words only\n" * 40))
    table = app.dataframe[0].value
    assert list(table["File"]) == ["high.wav", "low.wav", "notes.wav"]
    assert list(table["Answer"][:2]) == ["treble", "bass"]
    assert list(table["Confidence"]) == ["0.60", "0.77", ""]
    assert "is a text file" in table["Answer"][2]
    assert "**high.wav**" in read(app)
    assert verdict(app).startswith("Sounds like treble.")
    app.session_state["listen.table"] = {"selection": {"rows": [], "columns": [], "cells": [[1, "Answer"]]}}
    app.run()
    assert verdict(app).startswith("Sounds like bass.")
    # Another page and back: the row is still chosen, though its widget is gone.
    app.switch_page("pages/1_Explore.py").run()
    app.switch_page("app.py").run()
    assert "**low.wav**" in read(app)
    app.session_state["listen.table"] = {"selection": {"rows": [], "columns": [], "cells": [[2, "File"]]}}
    app.run()
    assert "Give audio: wav, mp3" in app.error[0].value, "an error is told in full"


def test_file_that_is_added_to_others_is_the_one_on_show(app: AppTest) -> None:
    upload(app, ("high.wav", TREBLE), ("low.wav", BASS))
    app.session_state["listen.table"] = {"selection": {"rows": [], "columns": [], "cells": [[1, "Answer"]]}}
    app.run()
    assert "**low.wav**" in read(app)
    upload(app, ("high.wav", TREBLE), ("low.wav", BASS), ("higher.wav", wav_bytes(sine(7000.0, 12.0))))
    app.session_state["listen.table"] = {"selection": {"rows": [], "columns": [], "cells": [[1, "Answer"]]}}
    app.run()
    assert "**higher.wav**" in read(app), "the table's cell is that of before"


def test_file_that_is_given_twice_is_one(app: AppTest) -> None:
    upload(app, ("song.wav", TREBLE), ("song.wav", BASS), ("song.wav", TREBLE))
    assert list(app.dataframe[0].value["Answer"]) == ["treble", "bass"]
    # The table, the list of the visit, the line over the answer and the downloads tell the two apart by one number.
    assert list(app.dataframe[0].value["File"]) == ["song.wav", "song.wav (2)"]
    assert [button.label for button in app.sidebar.button][:4:2] == ["song.wav", "song.wav (2)"]
    app.session_state["listen.table"] = {"selection": {"rows": [], "columns": [], "cells": [[1, "File"]]}}
    app.run()
    assert "**song.wav (2)**" in read(app)
    assert component(app, "player")["title"] == "song.wav (2)"
    assert len(app.session_state["genrescope.heard"]) == 2


def test_number_of_a_name_stays_with_its_sound(app: AppTest) -> None:
    upload(app, ("song.wav", TREBLE))
    upload(app, ("song.wav", BASS))
    assert [button.label for button in app.sidebar.button][:4:2] == ["song.wav (2)", "song.wav"]
    assert component(app, "player")["title"] == "song.wav (2)"
    # Brought back, and then alone: what a visitor has learnt to call it does not change under him.
    app.button(key="heard.0").click().run()
    assert component(app, "player")["title"] == "song.wav (2)"
    app.button(key="heard.remove.1").click().run()
    assert [button.label for button in app.sidebar.button][:1] == ["song.wav (2)"]


def test_table_tells_a_sound_that_changes_as_the_headline_does_without_shares(app: AppTest) -> None:
    changes = wav_bytes(np.concatenate([sine(6000.0, 40.0), sine(60.0, 40.0)]))
    upload(app, ("changes.wav", changes), ("low.wav", BASS))
    assert verdict(app).startswith("Changes: ")
    assert app.dataframe[0].value["Answer"][0] == re.sub(r" \d+ %( of the time)?", "", verdict(app))


def test_stopped_sound_keeps_what_was_heard_and_goes_on(app: AppTest) -> None:
    long = wav_bytes(np.tile(sine(60.0, 30.0, 8000), 20), 8000, "PCM_16")
    (model,) = find_models()[0]
    key = (Sound("long.wav", long, "upload").digest, model.fingerprint)
    app.session_state["genrescope.stopped"] = {key}
    # A script that was left while it listened: some of it is heard already.
    listening = FileListening(Classifier(model.bundle), long, "long.wav")
    for _ in range(3):
        assert listening.step()
    heard = listening.seconds
    app.session_state["genrescope.left"] = {key: listening}
    upload(app, ("long.wav", long))
    assert not app.exception
    assert any(m.value == f"Stopped at {text.clock(heard)} of 10:00.0. So far:" for m in app.main.markdown)
    assert verdict(app).startswith("Sounds like bass.")
    assert component(app, "player")["seconds"] == pytest.approx(heard, abs=0.01)
    app.button(key="listen.go_on").click().run()
    assert component(app, "player")["seconds"] == pytest.approx(600.0, abs=0.01)
    assert not [m for m in app.main.markdown if m.value.startswith("Stopped")]


def test_visit_lists_what_was_heard_and_brings_it_back(app: AppTest) -> None:
    upload(app, ("high.wav", TREBLE))
    upload(app, ("low.wav", BASS))
    assert [button.label for button in app.sidebar.button][::2][:2] == ["low.wav", "high.wav"]
    told = [caption.value for caption in app.sidebar.caption]
    assert any(words.startswith("bass, ") for words in told)
    app.button(key="heard.1").click().run()
    assert verdict(app).startswith("Sounds like treble.")
    app.switch_page("pages/1_Explore.py").run()
    app.button(key="heard.0").click().run()
    app.button(key="heard.remove.1").click().run()
    app.switch_page("app.py").run()
    assert verdict(app).startswith("Sounds like bass.")
    assert next(button.label for button in app.sidebar.button) == "low.wav"
    app.button(key="heard.clear").click().run()
    assert "Let music play to the microphone" in read(app)


def test_what_could_not_be_read_is_told_in_the_list(app: AppTest) -> None:
    upload(app, ("letter.mp3", b"This is a letter. " * 100))
    (told,) = [caption.value for caption in app.sidebar.caption if "·" in caption.value]
    assert re.fullmatch(r"not read · \d\d:\d\d", told)


def test_ways_to_give_show_the_sound_on_show_or_nothing(app: AppTest) -> None:
    first, second = example_names()[:2]
    app.pills(key="listen.example").set_value(first).run()
    upload(app, ("low.wav", BASS))
    assert app.pills(key="listen.example").value is None
    assert [button.label for button in app.sidebar.button][::2][:2] == ["low.wav", first]
    app.button(key="heard.1").click().run()
    assert app.pills(key="listen.example").value == first
    assert app.file_uploader[0].value == []
    assert app.session_state["genrescope.way"] == "Record", "what is open stays open"
    app.switch_page("pages/3_Models.py").run()
    app.switch_page("app.py").run()
    assert app.session_state["genrescope.way"] == "Example"
    assert app.pills(key="listen.example").value == first
    app.pills(key="listen.example").set_value(second).run()
    assert next(button.label for button in app.sidebar.button) == second


def test_without_a_model_says_how_to_get_one(models: Path) -> None:
    app = AppTest.from_file(APP, default_timeout=240).run()
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
    app = AppTest.from_file(APP, default_timeout=240).run()
    faults = " ".join(warning.value for warning in app.sidebar.warning)
    assert "model.onnx of the model “bad” was changed or damaged." in faults
    assert "“ugly” is no model" in faults
    assert app.selectbox[0].options == ["model: good"]
    upload(app, ("song.wav", TREBLE))
    assert verdict(app).startswith("Sounds like treble.")


def test_choice_of_model_changes_the_answer(models: Path) -> None:
    tiny_bundle(models / "first")
    tiny_bundle(models / "second", genres=("calm", "lively", "shrill"))
    app = upload(AppTest.from_file(APP, default_timeout=240).run(), ("song.wav", TREBLE))
    assert verdict(app).startswith("Sounds like treble.")
    app.selectbox[0].set_value("second").run()
    assert verdict(app).startswith("Sounds like shrill.")


def test_uploads_are_never_spooled_to_disk(app: AppTest) -> None:
    from starlette.formparsers import MultiPartParser

    assert MultiPartParser.spool_max_size > 200 * 2**20


def test_an_upload_is_decoded_once(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the answer, the picture and the player together."""
    opened: list[str] = []
    original = isolation.open_reading

    def counted(*arguments: Any) -> Any:
        opened.append(arguments[2])
        return original(*arguments)

    monkeypatch.setattr(isolation, "open_reading", counted)
    # Once: libsndfile writes the second of the day into a WAV of floats.
    song = wav_bytes(sine(6000.0, 12.0, 44_100), 44_100)
    upload(app, ("one.wav", song))
    assert verdict(app).startswith("Sounds like treble.")
    assert opened == ["one.wav"]
    upload(app, ("one.wav", song), ("two.wav", BASS))
    assert opened == ["one.wav", "two.wav"]


def test_widget_that_is_gone_takes_no_sound_away() -> None:
    def script() -> None:
        import streamlit as st

        from ui.listen import sound_input
        from ui.shared.state import Sound, give, sounds

        give((Sound("song.wav", b"of an upload", "upload"),))
        # As Streamlit does for a page that is just being left.
        for take in (sound_input._take_uploads, sound_input._take_recording, sound_input._take_example):
            take()
        st.markdown(", ".join(sound.name for sound in sounds()))

    app = AppTest.from_function(script).run()
    assert not app.exception
    assert app.markdown[0].value == "song.wav"


def test_an_uploader_that_is_new_takes_nothing_away() -> None:
    # Streamlit takes the first value of a widget for a change where its first run was cut short by the next.
    def script() -> None:
        import streamlit as st

        from ui.listen import sound_input
        from ui.shared.state import Sound, give, sounds

        give((Sound("song.wav", b"RIFF", "upload"),))
        st.file_uploader("Songs", accept_multiple_files=True, key=sound_input._uploads_key())
        sound_input._take_uploads()
        st.markdown(", ".join(sound.name for sound in sounds()))

    app = AppTest.from_function(script).run()
    assert not app.exception
    assert app.markdown[0].value == "song.wav"


@pytest.mark.parametrize("is_led_back", [False, True])
@pytest.mark.parametrize("way", ["upload", "recording"])
def test_only_the_widget_that_gave_a_sound_on_this_page_takes_it_away(
    app: AppTest, way: str, *, is_led_back: bool
) -> None:
    if way == "upload":
        upload(app, ("song.wav", TREBLE))
    else:
        app.audio_input[0].set_value(("recording.wav", TREBLE, "audio/wav")).run()
    if is_led_back:
        # Another page had begun, and was cut short before Streamlit dropped the widgets of this one.
        app.session_state[chrome._PAGE] = "Explore"
        app.run()
    # The browser, led back, has new widgets, and says that they hold nothing.
    if way == "upload":
        upload(app)
    else:
        app.audio_input[0].set_value(None).run()
    assert not app.exception
    assert bool(app.session_state[SOUNDS]) == is_led_back
