"""Files to take a model elsewhere: which there are, and what a thread that makes one does where nobody waits for it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.runtime.state import SessionStateProxy
from tiny_bundle import tiny_bundle

from crnn.bundles import library
from crnn.bundles.bundle import Bundle
from crnn.errors import CrnnError
from crnn.jobs import exports
from crnn.owner import MACHINE, Owner
from ui.models import export
from ui.models.making import Making
from ui.shared.state import MAKING, Model


def test_what_came_without_keras_is_not_made_for_keras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tiny_bundle(tmp_path / "tiny")
    asked: list[tuple[str, object]] = []
    monkeypatch.setattr(library, "pack", lambda bundle, *, whole=False: asked.append((bundle.name, whole)))
    monkeypatch.setattr(exports, "exported", lambda bundle, kind, **_: asked.append((bundle.name, kind)))
    names = []
    for is_trainable in (False, True):
        monkeypatch.setattr(Bundle, "is_trainable", is_trainable)
        files = export._files(bundle, MACHINE)
        names.append([name for name, _ in files.values()])
        for _, make in files.values():
            make(lambda: None)
    assert names == [
        ["tiny.zip", "tiny-onnx.zip"],
        ["tiny.zip", "tiny-whole.zip", "tiny-onnx.zip", "tiny-keras.zip", "tiny-tflite.zip"],
    ]
    said = [False, "onnx", False, True, "onnx", "keras", "tflite"]
    assert asked == [("tiny", what) for what in said]


@pytest.fixture
def session() -> Iterator[SessionStateProxy]:
    """Outside of a page the session's state is one for all tests."""
    yield st.session_state
    st.session_state.clear()


def test_a_click_from_who_may_not_export_begins_nothing(
    tmp_path: Path, session: SessionStateProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model(tiny_bundle(tmp_path / "tiny"), "fingerprint")
    monkeypatch.setattr(export.visitor, "owner", lambda: Owner("public", "0" * 32))
    export._begin(model, "ONNX", lambda on_wait: b"zip")
    refusal = "Models are not exported here. On a machine of your own they are."
    assert session[export._SAID] == ("fingerprint", refusal, True)
    assert MAKING not in session


def test_what_was_made_is_offered_and_what_failed_is_told_of_its_model(
    tmp_path: Path, session: SessionStateProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model(tiny_bundle(tmp_path / "tiny"), "fingerprint")
    monkeypatch.setattr(export.visitor, "owner", lambda: MACHINE)

    def fail(on_wait: Callable[[], None]) -> bytes:
        raise CrnnError("The answers differ.")

    export._begin(model, "ONNX", lambda on_wait: b"zip")
    # One at a time.
    export._begin(model, "Keras", fail)
    assert session[MAKING].is_done(30)
    export._collect()
    assert list(session[export._EXPORTS].values()) == [b"zip"]
    export._begin(model, "Keras", fail)
    assert session[MAKING].is_done(30)
    export._collect()
    assert MAKING not in session
    assert session[export._SAID] == ("fingerprint", "The answers differ.", True)
    assert len(session[export._EXPORTS]) == 1


def test_what_is_made_or_went_wrong_reaches_who_waits() -> None:
    may_end = threading.Event()

    def make(on_wait: Callable[[], None]) -> bytes:
        on_wait()
        assert may_end.wait(30)
        return b"zip"

    making = Making("onnx", "model-onnx.zip", make)
    assert not making.is_done()
    may_end.set()
    assert making.is_done(30)
    assert (making.file(), making.key, making.name) == (b"zip", "onnx", "model-onnx.zip")

    def fail(on_wait: Callable[[], None]) -> bytes:
        raise OSError("The disk is full.")

    failed = Making("onnx", "model-onnx.zip", fail)
    assert failed.is_done(30)
    with pytest.raises(OSError, match=r"The disk is full\."):
        failed.file()


@pytest.mark.parametrize("is_stopped", [True, False])
def test_it_is_made_no_further_once_it_is_stopped_or_its_visit_is_gone(is_stopped: bool) -> None:
    is_under_way, has_ended = threading.Event(), threading.Event()

    def make(on_wait: Callable[[], None]) -> bytes:
        try:
            for _ in range(3000):
                on_wait()
                is_under_way.set()
                has_ended.wait(0.01)
        finally:
            has_ended.set()
        return b"nobody has asked for it"

    making = Making("onnx", "model-onnx.zip", make)
    assert is_under_way.wait(30)
    if is_stopped:
        making.stop()
        assert making.is_done(30)
        with pytest.raises(Exception, match="^$"):
            making.file()
    else:
        del making
        gc.collect()
    assert has_ended.wait(5)
