"""Listening along: what the page makes of messages from the browser, whole and broken."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sounds import noise, sine, wav_bytes
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle

from crnn import limits
from crnn.bundles.bundle import Rejection
from ui.components.microphone import message
from ui.listen import live
from ui.shared.holdings import Holdings
from ui.shared.visits import visits

APP = Path(__file__).resolve().parents[2] / "app.py"
RATE = 44_100
TREBLE = np.round(32_767 * (sine(6000.0, 30.0, RATE) + noise(30.0, RATE, level=0.001))).astype("<i2")


def told(
    start: float, end: float, number: int, sound: np.ndarray[tuple[int], Any] = TREBLE, **others: Any
) -> dict[str, Any]:
    samples = base64.b64encode(sound[round(start * RATE) : round(end * RATE)].tobytes()).decode()
    values = {"listening": "one", "number": number, "rate": RATE, "at": round(start * RATE), "samples": samples}
    return values | {"isLast": False, "keepsOn": False} | others


def send(app: AppTest, *args: Any, **others: Any) -> dict[str, Any]:
    """Send a message as the browser does; what it is told then."""
    app.session_state["listen.live"] = {"told": told(*args, **others)}
    app.run()
    assert not app.exception
    return shown(app)


def shown(app: AppTest) -> dict[str, Any]:
    for element in app.get("bidi_component"):
        if element.proto.component_name == "genrescope_microphone":
            return dict(json.loads(json.loads(element.proto.json)["json"]))
    raise AssertionError("no microphone on the page")


def subheaders(app: AppTest) -> list[str]:
    return [str(element.value).replace("\u00a0", " ") for element in app.main.subheader]


def bars(app: AppTest) -> list[str]:
    elements = [e for e in app.get("bidi_component") if e.proto.component_name == "genrescope_bars"]
    return [json.loads(json.loads(e.proto.json)["json"])["bars"][0]["name"] for e in elements]


def test_answer_grows_and_the_end_is_a_recording_like_any_other(app: AppTest) -> None:
    assert any("Hear and see it" in button.label for button in app.main.button)
    assert send(app, 0, 0, 1) | {"cells": []} == shown(app) | {"n_heard": 0, "is_over": False, "number": 1}
    assert not app.main.button, "the example stands where one's own answer comes"
    for second in range(6):
        found = send(app, second, second + 1, second + 2)
        assert found["n_heard"] == (second + 1) * RATE
        assert found["seconds"] == (second + 1 if second >= 2 else 0)
    assert found["sentence"].startswith("Sounds like treble.")
    assert [(cell["start"], cell["end"], cell["name"]) for cell in found["cells"]] == [(0, 6, "treble")]
    assert bars(app) == ["treble"]
    over = send(app, 6, 7, 8, isLast=True)
    assert over["is_over"]
    (sentence,) = subheaders(app)
    assert sentence.startswith("Sounds like treble.")
    assert app.sidebar.button[0].label == "recording"
    (sound,) = app.session_state["genrescope.sounds"]
    assert sound.data[44:] == TREBLE[: 7 * RATE].tobytes()
    # The same sound as a file is answered by the same bars.
    by_ear = bars(app)
    app.file_uploader[0].set_value([("same.wav", wav_bytes(TREBLE[: 7 * RATE] / 32_768, RATE, "PCM_16"), "audio/wav")])
    app.run()
    assert (subheaders(app), bars(app)) == ([sentence], by_ear)


def test_a_change_is_in_the_timeline_and_in_the_answer_of_the_whole(app: AppTest) -> None:
    bass = np.round(32_767 * (sine(60.0, 30.0, RATE) + noise(30.0, RATE, level=0.001))).astype("<i2")
    sound = np.concatenate([bass, TREBLE])
    send(app, 0, 0, 1, keepsOn=True)
    for start in range(0, 60, 5):
        found = send(app, start, start + 5, 2 + start // 5, sound=sound, keepsOn=True)
        if start + 5 == 30:
            assert ([cell["name"] for cell in found["cells"]], found["about"]) == (["bass"], "")
    # While it listens the answer is that of the last half a minute, and follows within it; bars and sentence with it.
    assert [cell["name"] for cell in found["cells"]] == ["bass", "treble"]
    assert 30 <= found["cells"][1]["start"] <= 50
    assert found["sentence"].startswith("Sounds like treble.")
    assert found["about"] == "Of the last half a minute."
    assert bars(app) == ["treble"]
    # Of the whole it is told where it was.
    assert send(app, 60, 60, 14, sound=sound, keepsOn=True, isLast=True)["is_over"]
    (sentence,) = subheaders(app)
    assert re.fullmatch(r"Changes: bass 5\d % of the time, treble (4\d|50) %\.", sentence), sentence


def test_silence_is_named_in_the_timeline(app: AppTest) -> None:
    quiet = np.zeros(6 * RATE, dtype="<i2")
    send(app, 0, 0, 1)
    found = [send(app, second, second + 1, second + 2, sound=quiet) for second in range(4)][-1]
    assert found["sentence"].startswith("Silence: nothing above")
    assert [(cell["start"], cell["end"], cell["name"]) for cell in found["cells"]] == [(0, 4, "silence")]


def test_the_answer_before_makes_room_and_comes_back_where_nothing_was_heard(app: AppTest) -> None:
    bass = wav_bytes(sine(100.0, 4.0), subtype="PCM_16")
    app.file_uploader[0].set_value([("bass.wav", bass, "audio/wav")]).run()
    (before,) = subheaders(app)
    assert before.startswith("Sounds like bass.")
    send(app, 0, 0, 1)
    send(app, 0, 0.5, 2)
    assert subheaders(app) == [], "two answers stand below each other"
    assert send(app, 0.5, 0.6, 3, isLast=True)["is_over"]
    assert subheaders(app) == [before]
    send(app, 0, 4, 1, listening="two")
    assert subheaders(app) == []
    send(app, 4, 5, 2, listening="two", isLast=True)
    (after,) = subheaders(app)
    assert after.startswith("Sounds like treble.")


def test_what_comes_twice_counts_once_and_what_is_missing_ends_it(app: AppTest) -> None:
    send(app, 0, 2, 1)
    assert send(app, 1, 4, 2)["n_heard"] == 4 * RATE
    assert send(app, 1, 4, 3)["n_heard"] == 4 * RATE
    found = send(app, 5, 6, 4)
    assert found["is_over"]
    (info,) = app.main.info
    assert info.value == "Some of the sound was lost on its way. What came before it is kept."
    (sound,) = app.session_state["genrescope.sounds"]
    assert sound.data[44:] == TREBLE[: 4 * RATE].tobytes()


def test_ends_by_itself_when_sure_but_not_where_it_shall_go_on(app: AppTest) -> None:
    for second in range(0, 12, 2):
        found = send(app, second, second + 2, second + 1)
        if found["is_over"]:
            break
    assert second == 6
    (sound,) = app.session_state["genrescope.sounds"]
    assert len(sound.data) == 44 + 2 * 8 * RATE
    for second in range(0, 30, 10):
        found = send(app, second, second + 10, second + 1, listening="two", keepsOn=True)
    assert not found["is_over"]
    assert send(app, 30, 30, 50, listening="two", keepsOn=False)["is_over"]


def test_too_little_is_told_and_gives_no_sound(app: AppTest) -> None:
    found = send(app, 0, 0.4, 1, isLast=True)
    assert found["words"] == "Only 0.4 s were heard. Listen for three seconds or more."
    assert "genrescope.sounds" not in app.session_state
    assert any("Hear and see it" in button.label for button in app.main.button)


def test_server_that_knows_nothing_of_it_says_so(app: AppTest) -> None:
    found = send(app, 4, 5, 9)
    assert found["is_over"]
    assert found["words"] == "The connection was lost, and what was heard with it. Listen again."


def test_length_limit_ends_it_with_a_sentence_and_only_the_end_is_kept(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    least = dataclasses.replace(limits.BY_MODE["local"], sound_seconds=20.0, upload_bytes=2 * RATE * 9)
    monkeypatch.setitem(limits.BY_MODE, "local", least)
    send(app, 0, 10, 1, keepsOn=True)
    found = send(app, 10, 20, 2, keepsOn=True)
    assert found["is_over"]
    (info,) = app.main.info
    assert "the most that is listened to here" in info.value
    assert "Of 0:20.0 heard, the last 0:10.0 are kept" in info.value
    (sound,) = app.session_state["genrescope.sounds"]
    assert sound.data[44:] == TREBLE[10 * RATE : 20 * RATE].tobytes()


def test_what_is_heard_counts_on_a_server_and_a_full_one_hears_no_more(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Holdings()
    monkeypatch.setattr(live, "HELD", held)
    full = dataclasses.replace(limits.BY_MODE["local"], server_bytes=2 * RATE * 4)
    monkeypatch.setitem(limits.BY_MODE, "local", full)
    for second in range(4):
        assert not send(app, second, second + 1, second + 1)["is_over"]
        assert sum(held.weights().values()) == 2 * RATE * (second + 1)
    assert send(app, 4, 5, 5)["is_over"]
    (info,) = app.main.info
    assert "holds as much sound of its visitors as it can" in info.value
    (sound,) = app.session_state["genrescope.sounds"]
    assert sound.data[44:] == TREBLE[: 4 * RATE].tobytes()
    monkeypatch.setitem(limits.BY_MODE, "local", dataclasses.replace(full, server_bytes=0))
    assert "as it can" in send(app, 0, 0, 1, listening="two")["words"]


def test_leaving_the_page_keeps_what_was_heard(app: AppTest) -> None:
    send(app, 0, 5, 1)
    app.switch_page("pages/3_Models.py").run()
    app.switch_page("app.py").run()
    assert subheaders(app)[0].startswith("Sounds like treble.")


def loaded_anew(app: AppTest) -> AppTest:
    """The page after a refresh, once its tab has named the former visit."""
    facts = visits().find(("", app.session_state["visit.id"]), time.monotonic())
    assert facts is not None
    again = AppTest.from_file(str(APP), default_timeout=240)
    for key, value in facts.items():
        again.session_state[key] = value
    again.run()
    assert not again.exception
    return again


def test_refresh_keeps_what_was_heard_and_says_so(app: AppTest) -> None:
    for second in range(4):
        send(app, second, second + 1, second + 1)
    again = loaded_anew(app)
    assert subheaders(again)[0].startswith("Sounds like treble.")
    assert [info.value for info in again.main.info] == [live._BROKEN_OFF]
    (sound,) = again.session_state["genrescope.sounds"]
    assert sound.data[44:] == TREBLE[: 4 * RATE].tobytes()
    # A tab that was copied listens on.
    assert not send(app, 4, 5, 5)["is_over"]
    assert send(app, 5, 6, 6, isLast=True)["is_over"]
    (sound,) = app.session_state["genrescope.sounds"]
    assert sound.data[44:] == TREBLE[: 6 * RATE].tobytes()


def test_refresh_after_too_little_says_what_is_lost(app: AppTest) -> None:
    send(app, 0, 0.4, 1)
    again = loaded_anew(app)
    assert shown(again)["words"] == (
        "The listening was broken off, by a refresh or a lost connection. "
        "Only 0.4 s were heard. Listen for three seconds or more."
    )
    assert "genrescope.sounds" not in again.session_state


def test_page_that_finds_its_connection_again_listens_on(app: AppTest) -> None:
    for second in range(4):
        send(app, second, second + 1, second + 1)
    facts = visits().find(("", app.session_state["visit.id"]), time.monotonic())
    assert facts is not None
    again = AppTest.from_file(str(APP), default_timeout=240)
    again.session_state["genrescope.live"] = facts["genrescope.live"]
    assert not send(again, 4, 5, 5)["is_over"]
    send(again, 5, 6, 6, isLast=True)
    (sound,) = again.session_state["genrescope.sounds"]
    assert sound.data[44:] == TREBLE[: 6 * RATE].tobytes()
    # The visit may be found only after the server has said that it knows nothing of it: the microphone is closed then.
    late = AppTest.from_file(str(APP), default_timeout=240)
    assert send(late, 4, 5, 5)["is_over"]
    late.session_state["genrescope.live"] = facts["genrescope.live"]
    late.run()
    assert subheaders(late)[0].startswith("Sounds like treble.")


@pytest.mark.parametrize(
    "broken",
    [
        {"listening": ""},
        {"listening": "x" * 65},
        {"listening": 7},
        {"number": "1"},
        {"rate": 7999},
        {"rate": 192_001},
        {"rate": 44_100.5},
        {"at": -1},
        {"samples": "not base64 *"},
        {"samples": "AAA="[:3]},
        {"samples": base64.b64encode(b"abc").decode()},
        {"samples": base64.b64encode(bytes(2 * 12 * RATE)).decode()},
        {"samples": None},
    ],
)
def test_nonsense_from_the_browser_is_nothing(broken: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    state = {"key": {"told": told(0, 1, 1)}}
    monkeypatch.setattr("ui.components.microphone.st.session_state", state)
    assert message("key") is not None
    state["key"] = {"told": told(0, 1, 1) | broken}
    assert message("key") is None
    for nothing in (None, {}, {"told": None}, {"told": 3}, {"told": []}):
        state["key"] = nothing
        assert message("key") is None


def test_ends_by_itself_at_its_time(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crnn.inference.live.SETTLED_SECONDS", 1000.0)
    assert not send(app, 0, 10, 1)["is_over"]
    assert send(app, 10, live.MOST_SECONDS, 2)["is_over"]


def test_what_is_no_music_has_no_line_of_genres(models: Path) -> None:
    tiny_bundle(models / "tiny", rejection=Rejection(weights=(0.0, 0.0, 0.0), bias=1.0, threshold=0.5))
    app = AppTest.from_file(str(APP), default_timeout=240).run()
    clicks = np.zeros(4 * RATE, dtype="<i2")
    for number in range(8):
        clicks[number * RATE // 2 :][: RATE // 50] = TREBLE[: RATE // 50]
    send(app, 0, 0, 1)
    for second in range(4):
        found = send(app, second, second + 1, second + 2, sound=clicks)
    assert "sound like music" in found["sentence"]
    assert found["cells"] == []


def test_what_was_heard_is_given_by_the_next_script_where_one_was_stopped_at_the_end(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streamlit stops a script wherever it touches the visit's state, once the next one waits."""
    from streamlit.runtime.scriptrunner import StopException

    give, stopped = live.state.give, []

    def stop_once(sounds: Any) -> None:
        if not stopped:
            stopped.append(sounds)
            raise StopException
        give(sounds)

    monkeypatch.setattr(live.state, "give", stop_once)
    for second in range(3):
        send(app, second, second + 1, second + 2)
    app.session_state["listen.live"] = {"told": told(3, 4, 5, isLast=True)}
    app.run()
    assert len(stopped) == 1
    assert not subheaders(app)
    app.run()
    assert not app.exception
    assert subheaders(app)[0].startswith("Sounds like treble.")
    assert app.sidebar.button[0].label == "recording"
    assert "genrescope.live" not in app.session_state
