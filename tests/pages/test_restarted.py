"""Files given to a page that stayed open while its server was restarted, before the new one had drawn their uploader.

Streamlit has the file then, and calls nobody. Here a page meets a state that knows nothing of it, as it does there.
"""

from __future__ import annotations

import itertools
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
import train_page
from listen_page import APP, BASS, TREBLE, upload, verdict
from page_words import read
from sounds import sine, wav_bytes
from streamlit.runtime.state import SafeSessionState, SessionState
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.app_test import TESTING_KEY, _AppTestSessionState
from tiny_bundle import tiny_bundle

from crnn.bundles import library
from crnn.bundles.bundle import load_bundle
from crnn.data import user_clips
from crnn.owner import MACHINE
from ui.listen import sound_input


def run_restarted(app: AppTest) -> None:
    """Have the page, with what was done on it, send all that it holds to a server that has just begun."""
    held = app._tree.get_widget_states()
    state = SessionState()
    state[TESTING_KEY] = {}
    app._session_state = SafeSessionState(state, lambda: None)
    app.session_state = _AppTestSessionState(app._session_state)
    app._run(held)
    assert not app.exception


@pytest.fixture
def listen(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The Listen page; a server that begins counts its uploaders from where the one before it began."""
    [key] = [uploader.key for uploader in app.file_uploader]
    monkeypatch.setattr(sound_input, "_NUMBERS", itertools.count(int(str(key).rpartition(".")[2])))
    return app


def test_a_song_is_taken_and_another_after_it(listen: AppTest) -> None:
    listen.file_uploader[0].set_value([("high.wav", TREBLE, "audio/wav")])
    run_restarted(listen)
    assert verdict(listen).startswith("Sounds like treble.")
    upload(listen, ("low.wav", BASS))
    assert verdict(listen).startswith("Sounds like bass.")
    # Taken away, it does not come back by itself.
    listen.file_uploader[0].set_value([]).run()
    assert "What an answer looks like." in read(listen)


def test_a_recording_is_taken_once(listen: AppTest) -> None:
    listen.audio_input[0].set_value(("recording.wav", TREBLE, "audio/wav"))
    run_restarted(listen)
    assert verdict(listen).startswith("Sounds like treble.")
    # Its recorder still shows it.
    upload(listen, ("low.wav", BASS))
    assert verdict(listen).startswith("Sounds like bass.")
    assert verdict(listen.run()).startswith("Sounds like bass.")


def test_an_example_that_nobody_took_does_not_seem_chosen(listen: AppTest) -> None:
    listen.pills[0].set_value("disco groove")
    run_restarted(listen)
    assert listen.pills[0].value is None
    listen.pills[0].set_value("disco groove").run()
    assert listen.pills[0].value == "disco groove"
    assert listen.sidebar.button[0].label == "disco groove"


def test_clips_of_a_genre_are_kept(models: Path) -> None:
    page = train_page.open_page("clips")
    page.text_input(key="train.genre").set_value("bossa nova")
    page.file_uploader(key="train.clips.0").set_value([("a.wav", BASS, "audio/wav")])
    run_restarted(page)
    assert user_clips.n_clips(user_clips.own_dir(MACHINE)) == {"bossa nova": 1}


def test_a_recording_of_a_genre_is_kept(models: Path) -> None:
    page = train_page.open_page("clips")
    page.text_input(key="train.genre").set_value("bossa nova")
    page.audio_input(key="train.recording.0").set_value(("recording.wav", TREBLE, "audio/wav"))
    run_restarted(page)
    assert user_clips.n_clips(user_clips.own_dir(MACHINE)) == {"bossa nova": 1}


def test_a_zip_becomes_a_data_set(models: Path) -> None:
    page, packed = train_page.open_page(), BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(6):
            archive.writestr(f"{'ab'[number % 2]}/{number}.wav", wav_bytes(sine(100.0 * number + 77, 2.0)))
    page.file_uploader(key="train.upload.0").set_value(("mine.zip", packed.getvalue(), "application/zip"))
    run_restarted(page)
    assert "6 tracks, 2 genres" in read(page)


def test_a_model_is_imported(models: Path) -> None:
    tiny_bundle(models / "tiny")
    packed = library.pack(load_bundle(models / "tiny"))
    page = AppTest.from_file(APP, default_timeout=240).switch_page("pages/3_Models.py").run()
    page.text_input(key="models.import.name").set_value("again")
    page.file_uploader(key="models.import.0").set_value(("tiny.zip", packed, "application/zip"))
    run_restarted(page)
    assert "tiny.zip was imported as again." in "".join(note.value for note in page.success)
    assert load_bundle(models / "again").genres == ("bass", "middle", "treble")
