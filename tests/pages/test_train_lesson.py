"""Train, clip by clip: genres are named and given, learnt in seconds, tried, kept; and on to the longer training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from listen_page import component
from page_words import read
from sounds import RATE, noise, sine, wav_bytes
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle
from train_page import open_page

from crnn import limits
from crnn.data import user_clips
from crnn.errors import TooFewTracksError
from crnn.owner import MACHINE
from crnn.training import own_genres
from ui.shared import state


def hum(number: int) -> bytes:
    return wav_bytes(sine(60.0 + number, 3.0), RATE, "PCM_16")


def whistle(number: int) -> bytes:
    return wav_bytes(sine(6000.0 + 10 * number, 3.0), RATE, "PCM_16")


@pytest.fixture
def page(home: Path, models: Path) -> AppTest:
    tiny_bundle(models / "tiny")
    return open_page("clips")


def give(app: AppTest, genre: str, *clips: bytes) -> None:
    app.text_input(key="train.genre").set_value(genre).run()
    uploader = next(u for u in app.file_uploader if u.key.startswith("train.clips"))
    uploader.set_value([(f"{genre} {i}.wav", clip, "audio/wav") for i, clip in enumerate(clips)]).run()
    assert not app.exception


def learn(app: AppTest) -> None:
    app.button(key="train.learn").click().run()
    assert not app.exception


def test_it_begins_with_ones_own_genres(page: AppTest) -> None:
    assert not page.exception
    assert [title.value for title in page.title] == ["Train"]
    text = read(page)
    assert "Two genres with 3 clips each make a beginning." in text
    assert page.button(key="train.learn").disabled
    assert not page.multiselect


def test_from_clips_to_a_model_that_answers_and_is_kept(page: AppTest, models: Path) -> None:
    give(page, "hums", *map(hum, range(3)))
    assert "**hums** has 3 clips." in read(page)
    assert page.button(key="train.learn").disabled
    page.button(key="train.next_genre").click().run()
    assert page.text_input(key="train.genre").value == ""
    give(page, "whistles", *map(whistle, range(3)))
    give(page, "hisses", wav_bytes(noise(3.0), RATE, "PCM_16"))
    assert "Fewer than 3 clips of “hisses”: not learnt yet." in read(page)
    assert not page.button(key="train.learn").disabled
    learn(page)
    assert "of 6 unheard clips right" in read(page)
    # As the microphone hands it over once it has heard enough.
    sound = state.Sound("", whistle(9), "recording")
    page.session_state[state.SOUNDS] = (sound,)
    page.session_state["train.try"] = sound.digest
    page.run()
    assert not page.exception
    assert any("Sounds like whistles." in words.value or "Can't tell" in words.value for words in page.markdown)
    assert component(page, "bars")
    uploader = next(u for u in page.file_uploader if u.key.startswith("train.try"))
    uploader.set_value([("hum.wav", hum(9), "audio/wav")]).run()
    assert not page.exception
    assert page.session_state[state.SOUNDS][0].name == "hum.wav"
    assert "hum.wav" in read(page)
    assert any("Sounds like hums." in words.value or "Can't tell" in words.value for words in page.markdown)
    silence = state.Sound("", wav_bytes(np.zeros(3 * RATE), RATE, "PCM_16"), "recording")
    page.session_state[state.SOUNDS] = (silence,)
    page.session_state["train.try"] = silence.digest
    page.run()
    assert any("Silence: nothing above" in words.value for words in page.markdown)
    with pytest.raises(AssertionError, match="no bars"):
        component(page, "bars")
    page.text_input(key="train.save.name").set_value("mine")
    next(button for button in page.button if button.label == "Save").click().run()
    assert not page.exception
    assert "Saved as mine." in read(page)
    assert (models / "mine" / "model.onnx").is_file()


def test_a_refresh_finds_clips_and_model_and_says_when_they_part(page: AppTest) -> None:
    give(page, "hums", *map(hum, range(3)))
    give(page, "whistles", *map(whistle, range(3)))
    learn(page)
    again = open_page("clips")
    assert "of 6 unheard clips right" in read(again)
    assert "You changed your clips" not in read(again)
    give(again, "whistles", whistle(7))
    assert "You changed your clips since it learnt. Learn them again." in read(again)
    learn(again)
    assert "of 7 unheard clips right" in read(again)


def test_the_longer_training_is_one_step(page: AppTest) -> None:
    give(page, "hums", *map(hum, range(3)))
    give(page, "whistles", *map(whistle, range(3)))
    learn(page)
    page.button(key="train.longer").click().run()
    assert not page.exception
    assert page.multiselect(key="train.sources").value == [str(user_clips.own_dir(MACHINE))]
    assert "6 tracks, 2 genres" in read(page)
    assert next(group for group in page.button_group if group.key == "train.preset").value in ("quick", ["quick"])
    assert not page.button(key="train.start").disabled


def test_a_genre_is_one_however_it_is_written(page: AppTest) -> None:
    """Capitals, spaces and the forms of Unicode do not make another genre."""
    for number, name in enumerate(("Forró", " forro\u0301", "FORRÓ  ")):
        give(page, name, hum(number))
    assert user_clips.n_clips(user_clips.own_dir(MACHINE)) == {"Forró": 3}
    page.button(key="train.next_genre").click().run()
    page.button(key="train.genre.Forró").click().run()
    assert page.text_input(key="train.genre").value == "Forró"


def test_clips_wait_for_their_genre_and_need_sound(page: AppTest) -> None:
    uploader = next(u for u in page.file_uploader if u.key.startswith("train.clips"))
    uploader.set_value([("song.wav", hum(0), "audio/wav")]).run()
    assert "Give the genre a name" in read(page)
    # Nothing is wrong, and it stays as long as they wait.
    assert not page.error
    assert "Give the genre a name" in read(page.run())
    assert user_clips.n_clips(user_clips.own_dir(MACHINE)) == {}
    page.text_input(key="train.genre").set_value("choro").run()
    assert user_clips.n_clips(user_clips.own_dir(MACHINE)) == {"choro": 1}
    give(page, "../../etc", b"just text")
    assert "etc 0.wav" in read(page)
    assert user_clips.n_clips(user_clips.own_dir(MACHINE)) == {"choro": 1}


def test_a_full_disk_is_said_once(page: AppTest, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SPARE_DISK_BYTES", 1 << 60)
    give(page, "hums", *map(hum, range(3)))
    [said] = [error.value for error in page.error]
    assert said.count("Make room there") == 1
    assert f"free in {home}" in said.replace("\\", "")
    assert said.endswith("Not kept: 3 clips.")


def test_too_little_is_refused_and_what_was_taught_stays(page: AppTest, home: Path) -> None:
    give(page, "hums", *map(hum, range(3)))
    give(page, "whistles", *map(whistle, range(3)))
    learn(page)
    before = own_genres.taught(MACHINE)
    assert before is not None
    path = next(path for path in user_clips.clips(user_clips.own_dir(MACHINE)) if path.parent.name == "hums")
    user_clips.remove(path, owner=MACHINE)
    from crnn.bundles.bundle import load_bundle

    with pytest.raises(TooFewTracksError, match="Two genres with 3 clips each"):
        own_genres.teach(load_bundle(before.folder), owner=MACHINE)
    after = own_genres.taught(MACHINE)
    assert after is not None
    assert (after.report, after.is_current) == (before.report, False)
    (home / "lesson" / "report.json").write_text("{")
    assert own_genres.taught(MACHINE) is None
    assert not open_page("clips").exception


def test_it_is_told_how_far_it_is(page: AppTest) -> None:
    from crnn.bundles.library import find_bundle

    give(page, "hums", *map(hum, range(3)))
    give(page, "whistles", *map(whistle, range(3)))
    told: list[tuple[float, str]] = []
    own_genres.teach(find_bundle("tiny"), owner=MACHINE, on_progress=lambda *each: told.append(each))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] >= 0.95
    assert np.all(np.diff(shares) < 0.5)
    assert "Listening with the model that it begins with: 6 of 6" in {words for _, words in told}
