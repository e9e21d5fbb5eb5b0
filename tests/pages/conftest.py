"""The app with small models, run by Streamlit's own AppTest."""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from explore_page import PAGE, SONG
from streamlit import config
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle

from ui.shared import doorman

SETTINGS = ("server.maxUploadSize", "client.showErrorDetails", "runner.postScriptGC")
APP = Path(__file__).resolve().parents[2] / "app.py"


@pytest.fixture(scope="session", autouse=True)
def _components_found_once() -> Iterator[None]:
    """A server looks once for components in all that is installed; AppTest does so for each page that is opened."""
    found_once = functools.cache(manifest_scanner.scan_component_manifests)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", found_once)
        yield


@pytest.fixture(scope="module", autouse=True)
def _what_is_there_is_no_garbage() -> None:
    """Where Keras is loaded, Streamlit has it search all objects for garbage after each run of a page.

    The app's server never loads it; here other tests have, and among what they left a search takes a second.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _own_settings() -> Iterator[None]:
    """A server sets these once, for as long as it lives; these tests are several servers in one process."""
    kept = {name: st.get_option(name) for name in SETTINGS}
    yield
    if kept != {name: st.get_option(name) for name in kept}:
        for name, value in kept.items():
            config.set_option(name, value)
        doorman._standing.clear()


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that the app takes its models from; what it keeps is this test's alone, the last choice too."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("GENRESCOPE_MODELS", str(folder))
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    return folder


@pytest.fixture
def app(models: Path) -> AppTest:
    """The Listen page as first opened, with the hand-made model."""
    tiny_bundle(models / "tiny")
    return AppTest.from_file(str(APP), default_timeout=240).run()


@pytest.fixture
def home(tmp_path: Path, models: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def explore(app: AppTest) -> AppTest:
    """The page as first opened."""
    return app.switch_page(PAGE).run()


@pytest.fixture
def opened(explore: AppTest) -> AppTest:
    """The page with a tone of 440 Hz."""
    return explore.file_uploader[0].set_value([("song.wav", SONG, "audio/wav")]).run()
