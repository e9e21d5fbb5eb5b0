"""The Listen page: what a visitor reads after giving good and bad sound."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from listen_page import APP, BASS, TREBLE, component, numbers_of, upload, verdict
from page_words import read
from sounds import RATE, clicks, noise, sine, wav_bytes
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle

from crnn import limits
from crnn.analysis import figures
from crnn.bundles.bundle import Calibration, Rejection
from crnn.config import tagger_features
from crnn.synthesis.examples import example_names
from ui.shared.state import Sound


def test_says_what_to_do_before_there_is_a_sound(app: AppTest) -> None:
    assert not app.exception
    assert "Let music play to the microphone, upload songs, or choose an example." in read(app)
    assert "This model knows 3 genres: bass, middle, treble." in read(app)
    # True after a correction was kept, too.
    assert "never sent anywhere. Only what you ask to keep is written to disk." in app.sidebar.caption[0].value


def test_example_shown_before_there_is_a_sound_is_one_click_away_and_as_promised(app: AppTest) -> None:
    bars = component(app, "bars")["bars"]
    assert len(bars) == 3
    (sentence,) = (m.value for m in app.main.markdown if m.value.startswith("**"))
    assert "heard the example “disco groove”, synthesized on this machine" in read(app)
    assert not app.sidebar.button, "it was not given, and stands in no list"
    app.button(key="listen.opening").click().run()
    assert not app.exception
    assert verdict(app) in sentence.replace("\u00a0", " ")
    assert component(app, "bars")["bars"][:3] == bars
    assert app.pills[0].value == "disco groove"
    assert app.sidebar.button[0].label == "disco groove"
    assert "What an answer looks like" not in read(app)


@pytest.mark.parametrize(("sound", "genre"), [(TREBLE, "treble"), (BASS, "bass")])
def test_names_the_genre_of_an_upload(app: AppTest, sound: bytes, genre: str) -> None:
    upload(app, ("song.wav", sound))
    assert not app.exception
    assert verdict(app).startswith(f"Sounds like {genre}. ")
    bars = component(app, "bars")["bars"]
    assert bars[0]["name"] == genre
    assert sum(bar["share"] for bar in bars) == pytest.approx(1.0, abs=0.001)


def test_files_own_words_stand_under_the_answer_as_they_are(app: AppTest) -> None:
    words = b"So :red[What]\0"
    info = b"INFOINAM" + len(words).to_bytes(4, "little") + words
    chunk = b"LIST" + len(info).to_bytes(4, "little") + info
    data = TREBLE + chunk
    upload(app, ("song.wav", data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:]))
    assert verdict(app).startswith("Sounds like treble.")
    assert any("So :\u2060red\\[What\\]" in caption.value for caption in app.main.caption)


def test_many_files_go_with_one_click(app: AppTest) -> None:
    upload(app, ("a.wav", TREBLE))
    assert not [button for button in app.button if button.label.startswith("Remove all")]
    upload(app, ("a.wav", TREBLE), ("b.wav", BASS))
    next(button for button in app.button if button.label == "Remove all 2").click().run()
    assert not app.exception
    assert not app.main.subheader
    assert app.main.expander[0].label == "Give a sound"
    upload(app, ("b.wav", BASS))
    assert app.main.expander[0].label.startswith("b.wav")


def test_quotation_marks_of_a_name_arrive_as_they_are(app: AppTest) -> None:
    """Browsers send those of a 12" mix as %22."""
    upload(app, ("Blue Monday (12%22 mix), 100%.wav", TREBLE))
    assert app.main.expander[0].label.startswith('Blue Monday (12" mix), 100%.wav')


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
    assert not [caption for caption in app.main.caption if "Resampled" in caption.value]


def test_tempo_and_key_stand_under_the_answer_of_music_alone(app: AppTest) -> None:
    ticking = clicks(12.0, per_second=2.0) + sine(6000.0, 12.0, level=0.05)
    upload(app, ("ticks.wav", wav_bytes(ticking)))
    assert verdict(app).startswith("Sounds like treble.")
    assert "About 120 BPM · not sure of the key" in [caption.value for caption in app.main.caption]
    upload(app, ("tone.wav", TREBLE))
    assert "Not sure of tempo or key." in [caption.value for caption in app.main.caption]
    upload(app, ("quiet.wav", wav_bytes(np.zeros(RATE * 6, dtype=np.float32))))
    assert "tempo" not in read(app)


def test_tempo_of_a_long_sound_is_that_of_its_middle(app: AppTest) -> None:
    slow, quick = (clicks(60.0, per_second=bpm / 60) for bpm in (90.0, 150.0))
    upload(app, ("long.wav", wav_bytes(np.concatenate([slow, quick, quick, slow]) + sine(6000.0, 240.0, level=0.05))))
    assert any(
        caption.value.startswith("About 150 ") and caption.value.endswith("(its middle two minutes)")
        for caption in app.main.caption
    )


def test_examples_are_said_to_be_synthesized(app: AppTest) -> None:
    app.pills[0].set_value(example_names()[0]).run()
    assert not app.exception
    assert "Synthesized on this machine just now; nobody recorded it." in read(app)
    assert verdict(app).startswith(("Sounds like ", "Can't tell", "Changes: "))


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
    assert "Nothing in it is above" not in read(app), "said twice"
    assert not any(words.value.startswith("| genre | confidence |") for words in numbers_of(app).markdown)
    assert [lane["name"] for lane in component(app, "player")["lanes"]] == ["genre"]
    assert "Why?" not in [button.label for button in app.main.button]
    with pytest.raises(AssertionError, match="no bars"):
        component(app, "bars")


def test_notes_stand_beside_the_verdict(app: AppTest) -> None:
    loud = np.clip(noise(3.0, 44_100, level=2.0), -1, 1)
    upload(app, ("loud.wav", wav_bytes(np.stack([loud, loud], axis=1), 44_100)))
    text = read(app)
    assert "The recording is clipped" in text
    # What is true of nearly every file stands among the numbers, not beside the verdict.
    ordinary = ("2 channels were mixed to mono.", "Resampled from 44.1 to 22.05 kHz.")
    beside = "\n".join(caption.value for caption in app.main.caption)
    numbers = "\n".join(element.value for element in numbers_of(app).markdown)
    assert all(note in numbers and note not in beside for note in ordinary)
    assert "Only 3.0 s long: ten seconds or more give a better answer." in text


def test_unsure_and_not_music_are_answers(models: Path) -> None:
    tiny_bundle(models / "a-unsure", calibration=Calibration(temperature=50.0, unsure_below=0.9, set_threshold=0.3))
    app = upload(AppTest.from_file(APP, default_timeout=240).run(), ("song.wav", TREBLE))
    assert verdict(app).startswith("Can't tell: ")
    shutil.rmtree(models / "a-unsure")
    tiny_bundle(models / "b-music", rejection=Rejection(weights=(0.0, 0.0, 0.0), bias=-5.0))
    app.run()
    assert verdict(app) == "That doesn't sound like music."
    assert "If it were music" in [expander.label for expander in app.main.expander]
    assert component(app, "player")["lanes"] == [], "a timeline of genres beside “no music”"


def test_downloads_follow_the_contract(app: AppTest) -> None:
    upload(app, ("my song.wav", TREBLE))
    labels = [button.label for button in app.download_button]
    assert labels == ["JSON, everything", "CSV, the timeline", "Audacity labels", "Page (HTML)"]


def test_card_tells_the_answer_of_the_sound_on_show(app: AppTest) -> None:
    upload(app, ("my <song>.wav", TREBLE))
    card = component(app, "card")
    assert card["stem"] == "my _song_"
    told = [element.text for element in ElementTree.fromstring(card["svg"]).iter("{http://www.w3.org/2000/svg}text")]
    assert told[0] == "my <song>.wav"
    assert verdict(app) in told[1]
    assert told[-1] == "0:12.0 · heard by the model tiny of GenreScope"
    upload(app, ("quiet.wav", wav_bytes(np.zeros(RATE * 6, dtype=np.float32))))
    assert "Silence: nothing above −60 dB." in component(app, "card")["svg"]


def test_text_equivalent_tells_what_the_charts_show(app: AppTest) -> None:
    upload(app, ("song.wav", TREBLE))
    text = "\n".join(element.value for element in numbers_of(app).markdown)
    assert "| treble |" in text
    assert "| 0:00.0 | 0:12.0 | treble |" in text
    assert "The sound itself is loudest at" in text


def test_sound_that_changes_is_told_as_such(app: AppTest) -> None:
    medley = np.concatenate([sine(60.0, 50.0), sine(6000.0, 60.0), sine(60.0, 40.0)])
    upload(app, ("medley.wav", wav_bytes(medley, subtype="PCM_16")))
    assert re.fullmatch(r"Changes: bass 6[0-2] % of the time, treble (38|39|40) %\.", verdict(app))
    assert "Taken as a whole: " in read(app)
    # The bars say what the sentence says; how sure the model is of the whole stands among the numbers.
    drawn = component(app, "bars")
    told = [f"{bar['name']} {bar['value']}".replace("\u00a0", " ") for bar in drawn["bars"]]
    assert verdict(app) == f"Changes: {told[0]} of the time, {told[1]}."
    assert drawn["title"] == "Share of the time"
    text = "\n".join(element.value for element in numbers_of(app).markdown)
    assert "| genre | share of the time |" in text
    assert "| genre | confidence, taken as a whole |" in text
    (lane,) = component(app, "player")["lanes"]
    assert lane["listsRuns"]
    assert [lane["labels"][label] for _, _, label, _ in lane["runs"]] == ["bass", "treble", "bass"]
    assert [start for start, *_ in lane["runs"]] == pytest.approx([0.0, 50.0, 110.0], abs=3.0)
    upload(app, ("song.wav", TREBLE))
    assert not component(app, "player")["lanes"][0]["listsRuns"]


def test_a_sound_too_long_to_hold_gets_timeline_and_picture_and_what_is_zoomed_to_is_read(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("answer_cache", "taken"):
        monkeypatch.setattr(f"ui.shared.{module}.MAX_CLIP_SECONDS", 10.0)
    upload(app, ("long.wav", TREBLE))
    view = component(app, "player")
    assert view["lanes"][0]["edges"][-1] == pytest.approx(12.0, abs=0.01)
    (picture,) = view["pictures"]
    assert picture["columns"] * picture["secondsPerColumn"] == pytest.approx(12.0, abs=0.1)
    assert view["details"] == {}
    app.session_state[f"listen.player.{Sound('long.wav', TREBLE, 'upload').digest}"] = {"detail": [11.0, 11.9]}
    app.run()
    detail = component(app, "player")["details"]["0"]
    assert detail["start"] == pytest.approx(11.0, abs=0.02)
    assert detail["columns"] * detail["secondsPerColumn"] == pytest.approx(0.9, abs=0.02)
    assert detail["secondsPerColumn"] < picture["secondsPerColumn"] / 10


def test_zoom_is_drawn_finer_with_the_front_end_of_the_default_model_too(models: Path) -> None:
    tiny_bundle(models / "tiny", config=tagger_features(level=100.0))
    app = AppTest.from_file(APP, default_timeout=240).run()
    upload(app, ("song.wav", TREBLE))
    app.session_state[f"listen.player.{Sound('song.wav', TREBLE, 'upload').digest}"] = {"detail": [4.0, 5.0]}
    app.run()
    assert not app.exception
    view = component(app, "player")
    assert view["details"]["0"]["secondsPerColumn"] < view["pictures"][0]["secondsPerColumn"] / 5
    assert "What the model hears: the mel spectrogram with its highs lifted, in dB" in view["pictures"][0]["name"]


@pytest.mark.parametrize("most_seconds", [limits.MAX_CLIP_SECONDS, 10.0])
def test_what_was_zoomed_to_is_there_when_it_is_come_back_to(
    app: AppTest, monkeypatch: pytest.MonkeyPatch, most_seconds: float
) -> None:
    for module in ("answer_cache", "taken"):
        monkeypatch.setattr(f"ui.shared.{module}.MAX_CLIP_SECONDS", most_seconds)
    n_drawn = 0
    draw = figures.detail_picture

    def counted(*args: Any) -> figures.Picture:
        nonlocal n_drawn
        n_drawn += 1
        return draw(*args)

    monkeypatch.setattr(figures, "detail_picture", counted)
    upload(app, ("song.wav", TREBLE))
    key = f"listen.player.{Sound('song.wav', TREBLE, 'upload').digest}"

    def look(start: float) -> Any:
        app.session_state[key] = {"detail": [start, start + 0.9]}
        app.run()
        assert not app.exception
        return component(app, "player")["details"]["0"]

    first, other = look(4.0), look(5.0)
    assert (look(4.0), look(5.0)) == (first, other)
    assert first != other
    assert n_drawn == 2
    # The ones looked at last are kept.
    for number in range(8):
        look(number / 4)
    assert n_drawn == 10
    look(4.0)
    assert n_drawn == 11


def test_a_sound_too_long_to_hold_is_told_shared_and_asked_about_like_any_other(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("answer_cache", "taken"):
        monkeypatch.setattr(f"ui.shared.{module}.MAX_CLIP_SECONDS", 10.0)
    monkeypatch.setattr("ui.listen.part.MAX_CLIP_SECONDS", 10.0)
    slow, quick = (clicks(60.0, per_second=bpm / 60) for bpm in (90.0, 150.0))
    ticking = np.concatenate([slow, quick, quick, slow]) + sine(6000.0, 240.0, level=0.05)
    ticking[RATE * 200 :] = sine(60.0, 40.0)
    data = wav_bytes(ticking)
    upload(app, ("long.wav", data))
    assert not app.exception
    (told,) = (caption.value for caption in app.main.caption if "BPM" in caption.value)
    assert told.startswith("About 150 ")
    assert told.endswith("(its middle two minutes)")
    card = component(app, "card")["svg"]
    assert "About 150 " in card
    assert "data:image/png;base64," in card
    assert component(app, "player")["canSelect"]
    key = f"listen.player.{Sound('long.wav', data, 'upload').digest}"
    app.session_state[key] = {"region": {"start": 210.0, "end": 219.0}}
    app.run()
    assert not app.exception
    assert any(words.value.startswith("**3:30.0 to 3:39.0.** Sounds like bass.") for words in app.main.markdown)
    app.session_state[key] = {"region": {"start": 10.0, "end": 219.0}}
    app.run()
    assert not app.exception
    assert "Too long a part" in read(app)
