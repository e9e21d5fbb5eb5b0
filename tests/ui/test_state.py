"""Models on disk, as the pages find them."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.runtime.state import SessionStateProxy
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle

from crnn import limits
from crnn.errors import BundleError
from crnn.inference.remote import RemoteSession
from ui.shared import state
from ui.shared.holdings import HELD
from ui.shared.state import Sound, find_models


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path))
    return tmp_path


def test_finds_models_by_name_and_skips_hidden_folders(folder: Path) -> None:
    tiny_bundle(folder / "b")
    tiny_bundle(folder / "a")
    (folder / ".draft").mkdir()
    (folder / "notes.txt").write_text("no model")
    models, faults = find_models()
    assert [model.bundle.name for model in models] == ["a", "b"]
    assert faults == []


def test_sees_damage_done_while_the_app_runs(folder: Path) -> None:
    tiny_bundle(folder / "a")
    assert find_models()[1] == []
    (folder / "a" / "model.onnx").write_bytes(b"damaged")
    models, faults = find_models()
    assert models == []
    assert "was changed or damaged" in faults[0]


def test_no_folder_is_no_fault(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_MODELS", str(folder / "missing"))
    assert find_models() == ([], [])


def test_sounds_are_told_apart_by_content_and_name() -> None:
    sounds = [Sound("a", b"1", "upload"), Sound("a", b"2", "upload"), Sound("b", b"1", "upload")]
    assert len({sound.digest for sound in sounds}) == 3
    assert Sound("a", b"1", "upload").digest == sounds[0].digest


def test_where_others_are_served_a_visit_holds_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_MODE", "public")
    monkeypatch.setitem(limits.BY_MODE, "public", dataclasses.replace(limits.BY_MODE["public"], held_bytes=25))

    def script() -> None:
        import streamlit as st

        from ui.shared import state
        from ui.shared.state import Sound

        for number in range(3):
            state.give((Sound(f"{number}.wav", bytes([number]) * 10, "upload"),))
        st.text(" ".join(each.sound.name for each in state.heard()))

    app = AppTest.from_function(script).run()
    assert not app.exception
    assert app.text[0].value == "2.wav 1.wav"


def test_a_model_is_known_by_its_place_too(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "bundle.json").write_text("{}")
        os.utime(folder / name / "bundle.json", (1, 1))
    assert state._fingerprint(folder / "a") != state._fingerprint(folder / "b")
    assert state._fingerprint(folder / "a") == state._fingerprint(folder / "a")


def test_what_was_imported_answers_in_a_process_of_its_own(folder: Path) -> None:
    bundle = tiny_bundle(folder / "a")
    for shelf, is_apart in (("imported", True), ("own", False)):
        model = state.Model(bundle, shelf, shelf)  # type: ignore[arg-type]
        assert isinstance(state.classifier(model)._session, RemoteSession) is is_apart


@pytest.fixture
def session() -> Iterator[SessionStateProxy]:
    """Outside of a page the session's state is one for all tests."""
    yield st.session_state
    st.session_state.clear()


def upload(name: str, data: bytes = b"1") -> Sound:
    return Sound(name, data, "upload")


def test_what_is_called_alike_is_numbered_as_long_as_it_is_known(session: SessionStateProxy) -> None:
    said, said_again = Sound("", b"1", "recording"), Sound("", b"2", "recording")
    songs = [upload("song.wav", bytes([number])) for number in range(3)]
    state.give((said, songs[0]))
    state.give((said_again, songs[1]))
    assert [state.name_of(sound) for sound in (said, said_again)] == ["recording", "recording (2)"]
    assert [state.name_of(sound) for sound in songs] == ["song.wav", "song.wav (2)", "song.wav"]
    state.forget({songs[0].digest})
    assert state.name_of(songs[1]) == "song.wav (2)"
    # Both names are free again.
    state.forget({songs[1].digest})
    state.give((songs[2],))
    assert state.name_of(songs[2]) == "song.wav"


def test_who_adds_a_sound_sees_it_and_who_gives_the_same_again_keeps_what_is_on_show(
    session: SessionStateProxy,
) -> None:
    first, second = upload("a.wav"), upload("b.wav")
    state.give((first,))
    assert state.ROW not in session
    state.give((first, second))
    assert session[state.ROW] == second.digest
    session[state.ROW] = first.digest
    state.give((first, second))
    assert session[state.ROW] == first.digest


def test_what_is_forgotten_is_gone_from_the_visit_and_from_what_is_on_show(session: SessionStateProxy) -> None:
    sounds = [upload(name) for name in ("a.wav", "b.wav", "c.wav")]
    state.give(tuple(sounds))
    state.give(tuple(sounds[:2]))
    state.forget({sounds[2].digest})
    assert [each.sound for each in state.heard()] == sounds[:2]
    # It was not on show: the uploader has nothing that would come back.
    assert state.BROUGHT_BACK not in session
    state.forget({sounds[0].digest})
    assert ([each.sound for each in state.heard()], state.sounds()) == ([sounds[1]], (sounds[1],))
    assert session[state.BROUGHT_BACK]


def test_the_bytes_of_one_more_sound_are_what_is_too_much(
    session: SessionStateProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "_MAX_HEARD_BYTES", 10)
    for name in "abc":
        state.give((upload(name, b"12345"),))
    assert [each.sound.name for each in state.heard()] == ["c", "b"]


def test_a_sound_is_weighed_and_a_part_of_it_is_called_after_it() -> None:
    sound = upload("live.at.home.flac", b"12345")
    assert HELD.weights()[id(sound.data)] == 5
    assert (sound.stem, Sound("", b"1", "recording").stem) == ("live.at.home", "recording")
    # A byte of the one is none of the other.
    assert upload("1", b"0").digest != upload("", b"01").digest


def test_a_model_is_known_by_its_network_and_what_another_was_made_of_is_forgotten(
    folder: Path, session: SessionStateProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tiny_bundle(folder / "a")
    network = hashlib.sha256((folder / "a" / "model.onnx").read_bytes()).hexdigest()
    assert state.Model(bundle, "f" * 64).digest == network[:12]
    session[state.MODEL_CONTENT] = network
    state.use_model("jazz")
    assert session[state.MODEL] == "jazz"
    assert state.MODEL_CONTENT not in session
    # Where others are served one's own are told from the host's.
    monkeypatch.setenv("GENRESCOPE_MODE", "public")
    for name, label in (("jazz", "jazz (yours)"), ("jazz (of this visit)", "jazz (of this visit)")):
        state.use_model(name)
        assert session[state.MODEL] == label


def test_models_that_may_not_be_read_or_went_away_cost_no_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        tiny_bundle(folder / name)
    fingerprint = state._fingerprint

    def told(path: Path) -> str:
        if path.name == "a":
            raise FileNotFoundError
        if path.name == "b":
            raise PermissionError(13, "Permission denied")
        return fingerprint(path)

    monkeypatch.setattr(state, "_fingerprint", told)
    models, faults = find_models()
    assert [model.bundle.name for model in models] == ["c"]
    assert faults == ["The model “b” cannot be read: Permission denied."]
    with pytest.raises(BundleError, match=r"The model “b” cannot be read: Permission denied\."):
        state.model_in(folder / "b")


def test_fifty_sounds_are_remembered_each_once_and_the_first_that_is_added_is_on_show() -> None:
    def script() -> None:
        import streamlit as st

        from ui.shared import state
        from ui.shared.state import Sound

        sounds = [Sound(f"{number}.wav", bytes([number]), "upload") for number in range(60)]
        for sound in sounds:
            state.give((sound,))
        state.give((sounds[59], sounds[30], sounds[31]))
        st.text(" ".join(each.sound.name.removesuffix(".wav") for each in state.heard()))
        st.text(str(st.session_state[state.ROW] == sounds[30].digest))

    app = AppTest.from_function(script).run()
    assert not app.exception
    latest = [59, 30, 31, *(number for number in range(58, 9, -1) if number not in {30, 31})]
    assert app.text[0].value == " ".join(map(str, latest[:50]))
    assert app.text[1].value == "True"
