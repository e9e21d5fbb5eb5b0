"""What the pages show and refuse where others are served."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import streamlit as st
from sounds import sine, wav_bytes
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle

from crnn import limits

APP = str(Path(__file__).resolve().parents[2] / "app.py")
PROMISES_OF_HOME = ("stays on this machine", "never sent anywhere")


@pytest.fixture(autouse=True)
def public(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_MODE", "public")
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    tiny_bundle(models / "aaa")
    tiny_bundle(models / "ten-genres")


def read(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.info, app.error, app.warning, app.subheader, app.header)
    return " ".join(element.value for kind in kinds for element in kind)


@pytest.mark.parametrize("page", ["app.py", "pages/1_Explore.py", "pages/2_Train.py", "pages/3_Models.py"])
def test_no_page_promises_what_a_server_cannot_keep(page: str) -> None:
    app = AppTest.from_file(APP, default_timeout=240).switch_page(page).run()
    assert not app.exception
    assert not [words for words in PROMISES_OF_HOME if words in read(app)]
    assert "goes to this server and nowhere else" in read(app)


def test_a_script_is_not_followed_by_a_search_of_all_objects() -> None:
    assert st.get_option("runner.postScriptGC")
    AppTest.from_file(APP, default_timeout=240).run()
    assert not st.get_option("runner.postScriptGC")


def test_the_default_is_the_named_model_and_not_the_first() -> None:
    app = AppTest.from_file(APP, default_timeout=240).run()
    assert app.selectbox(key="listen.model").value == "ten-genres"


def test_models_offer_no_change() -> None:
    models = AppTest.from_file(APP, default_timeout=240).switch_page("pages/3_Models.py").run()
    assert not [button.label for button in models.button if button.label in {"Delete", "Rename"}]


def test_a_sound_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(limits.BY_MODE, "public", dataclasses.replace(limits.BY_MODE["public"], sound_seconds=3.0))
    app = AppTest.from_file(APP, default_timeout=240).run()
    app.file_uploader[0].set_value(("song.wav", wav_bytes(sine(60.0, 6.0)), "audio/wav")).run()
    assert "which is the most that is listened to here" in read(app)


def test_a_misspelt_mode_shows_nothing_but_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_MODE", "pubic")
    app = AppTest.from_file(APP, default_timeout=240).run()
    assert "local, shared or public is expected" in read(app)
    assert not app.file_uploader


def test_nobody_comes_in_without_signing_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_MODE", "shared")
    app = AppTest.from_file(APP, default_timeout=240).run()
    assert not app.exception
    assert [button.label for button in app.main.button] == ["Sign in"]
    assert not app.file_uploader
