"""A wrong answer is corrected on Listen, and what was corrected can be learnt from on Train."""

from __future__ import annotations

from pathlib import Path

import pytest
from sounds import RATE, sine, wav_bytes
from streamlit.testing.v1 import AppTest

from crnn.data import last_choice, user_clips
from crnn.data.collection import gather
from crnn.owner import MACHINE
from ui.shared.state import Sound

BASS = wav_bytes(sine(60.0, 12.0), RATE, "PCM_16")
TREBLE = wav_bytes(sine(6000.0, 12.0), RATE, "PCM_16")


@pytest.fixture
def listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: AppTest) -> AppTest:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    return app


def correct(app: AppTest, data: bytes, genre: str, *, consent: bool, other: str = "") -> AppTest:
    app.file_uploader[0].set_value([("song.wav", data, "audio/wav")]).run()
    app.selectbox(key="listen.correct.genre").set_value(genre)
    app.text_input(key="listen.correct.other").set_value(other)
    app.checkbox(key="listen.correct.consent").set_value(consent)
    next(button for button in app.button if button.label == "Correct it").click().run()
    assert not app.exception
    return app


def test_nothing_is_kept_without_consent(listen: AppTest) -> None:
    correct(listen, BASS, "treble", consent=False)
    assert "Nothing was kept" in listen.warning[0].value
    assert user_clips.n_clips(user_clips.corrections_dir(MACHINE)) == {}


def test_corrections_become_a_data_set_of_the_train_page(listen: AppTest) -> None:
    correct(listen, BASS, "treble", consent=True)
    assert "Kept among your corrections." in listen.success[0].value
    correct(listen, TREBLE, "another genre", consent=True, other="whistling")
    assert user_clips.n_clips(user_clips.corrections_dir(MACHINE)) == {"treble": 1, "whistling": 1}
    tracks = gather([user_clips.corrections_dir(MACHINE)]).tracks
    assert {(track.genre, track.path.read_bytes() if track.path else b"") for track in tracks} == {
        ("treble", BASS),
        ("whistling", TREBLE),
    }
    last_choice.keep_way("sets", owner=MACHINE)
    train = listen.switch_page("pages/2_Train.py").run()
    assert not train.exception
    assert "corrections: 2 clips of treble, whistling" in train.multiselect[0].options


def test_a_second_opinion_replaces_the_first(listen: AppTest) -> None:
    correct(listen, BASS, "treble", consent=True)
    user_clips.add_clip(user_clips.corrections_dir(MACHINE), "middle", "song.wav", BASS, owner=MACHINE)
    assert user_clips.n_clips(user_clips.corrections_dir(MACHINE)) == {"middle": 1}


def test_two_names_are_asked_about(listen: AppTest) -> None:
    correct(listen, BASS, "treble", consent=True, other="hip hop")
    assert "Both treble and hip hop are named." in listen.warning[0].value
    assert user_clips.n_clips(user_clips.corrections_dir(MACHINE)) == {}


def test_parts_become_clips_of_ones_own_without_further_questions(listen: AppTest) -> None:
    listen.file_uploader[0].set_value([("song.wav", BASS, "audio/wav")]).run()
    key = f"listen.player.{Sound('song.wav', BASS, 'upload').digest}"
    for start, genre, other in ((1.0, "another genre", "drones"), (5.0, "drones", "")):
        listen.session_state[key] = {"region": {"start": start, "end": 1.1 * start + 4.0}}
        listen.run()
        assert not [box for box in listen.checkbox if box.key == "listen.part.correct.consent"]
        # What the first part was named is there to choose for the next.
        listen.selectbox(key="listen.part.correct.genre").set_value(genre)
        listen.text_input(key="listen.part.correct.other").set_value(other)
        next(button for button in listen.button if button.label == "Add it").click().run()
        assert not listen.exception
        assert "It is among your clips on the Train page." in listen.success[0].value
    assert user_clips.n_clips(user_clips.own_dir(MACHINE)) == {"drones": 2}
    assert user_clips.n_clips(user_clips.corrections_dir(MACHINE)) == {}
    assert any(button.key == "train.genre.drones" for button in listen.switch_page("pages/2_Train.py").run().button)
