"""Models on disk, as the pages find them."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle

from crnn import limits
from crnn.inference.remote import RemoteSession
from ui.shared import state
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
