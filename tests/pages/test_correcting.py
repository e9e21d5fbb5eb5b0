"""A wrong answer is corrected on Listen, and what was corrected can be learnt from on Train."""

from __future__ import annotations

from pathlib import Path

import pytest
from sounds import RATE, sine, wav_bytes
from streamlit.testing.v1 import AppTest

from crnn import collecting
from crnn.collection import gather

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
    assert collecting.n_clips(collecting.corrections_dir()) == {}


def test_corrections_become_a_data_set_of_the_train_page(listen: AppTest) -> None:
    correct(listen, BASS, "treble", consent=True)
    assert "Kept among your corrections." in listen.success[0].value
    correct(listen, TREBLE, "another genre", consent=True, other="whistling")
    assert collecting.n_clips(collecting.corrections_dir()) == {"treble": 1, "whistling": 1}
    tracks = gather([collecting.corrections_dir()]).tracks
    assert {(track.genre, track.path.read_bytes() if track.path else b"") for track in tracks} == {
        ("treble", BASS),
        ("whistling", TREBLE),
    }
    train = listen.switch_page("pages/2_Train.py").run()
    assert not train.exception
    assert "corrections: 2 clips of treble, whistling" in train.multiselect[0].options


def test_a_second_opinion_replaces_the_first(listen: AppTest) -> None:
    correct(listen, BASS, "treble", consent=True)
    collecting.add_clip(collecting.corrections_dir(), "middle", "song.wav", BASS)
    assert collecting.n_clips(collecting.corrections_dir()) == {"middle": 1}
