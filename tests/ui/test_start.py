"""Where a training starts from: the bundled model first, scratch by choice."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from crnn.bundles.library import DEFAULT_MODEL


def _script() -> None:
    import streamlit as st

    from ui.shared import state
    from ui.train.start import Starts, choose_start_of_network

    models, _ = state.find_models()
    st.text(choose_start_of_network(Starts(models)))


def test_a_network_starts_from_the_bundled_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path))
    app = AppTest.from_function(_script, default_timeout=240).run()
    assert not app.exception
    assert app.text[0].value == DEFAULT_MODEL
    app.radio(key="train.init").set_value("scratch").run()
    assert app.text[0].value == "None"
