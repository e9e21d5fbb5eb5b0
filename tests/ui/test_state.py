"""Models on disk, as the pages find them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle

from crnn import limits
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
