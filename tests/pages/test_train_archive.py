"""What a training on a log-mel archive may start from: what reads the archive, the others are named."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from page_words import read
from streamlit.testing.v1 import AppTest
from train_page import open_page

from crnn.bundles.library import BUNDLED_MODELS, DEFAULT_MODEL
from crnn.config import FeatureConfig, tagger_features
from crnn.data.last_choice import keep_choice
from crnn.data.scan import DEMO_NAME
from crnn.features.archive import make_archive, write_archive
from crnn.owner import MACHINE

FIRST = "gtzan-crnn"
MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of one's own, and the bundled models; those of a checkout may have others beside them."""
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "models"))
    for name in BUNDLED_MODELS:
        shutil.copytree(MODELS / name, tmp_path / "models" / name)


def page_on(config: FeatureConfig, path: Path) -> AppTest:
    """The page whose data set is an archive of six tracks in two genres."""
    cells = np.full((400, config.n_mels), 90, np.uint8)
    ids = [f"track {number}" for number in range(6)]
    # Not one spectrogram six times.
    frames = [np.roll(cells, number, axis=0) + np.uint8(number) for number in range(6)]
    write_archive(path, make_archive(ids, ["low", "high"] * 3, frames, feature_config=config))
    keep_choice((str(path),), owner=MACHINE)
    return open_page()


def test_an_archive_is_learnt_from_by_what_reads_it(home: None, tmp_path: Path) -> None:
    app = page_on(FeatureConfig(), tmp_path / "mel128.npz")
    assert not app.exception
    assert app.selectbox(key="train.head.init").options == [f"the model {FIRST}"]
    assert f"made for “{FIRST}”, “scratch”, not for “{DEFAULT_MODEL}”." in read(app)
    app.segmented_control(key="train.preset").set_value("quick").run()
    assert app.radio(key="train.init").value == FIRST
    assert len(app.radio(key="train.init").options) == 2
    assert not app.button(key="train.start").disabled
    # Of sound everything can be made: the default is back.
    app.multiselect(key="train.sources").set_value([DEMO_NAME]).run()
    assert app.radio(key="train.init").value == DEFAULT_MODEL
    assert "not for" not in read(app)


def test_what_was_chosen_waits_for_data_that_it_reads(home: None, tmp_path: Path) -> None:
    app = page_on(tagger_features(), tmp_path / "tagger.npz")
    app.segmented_control(key="train.preset").set_value("quick").run()
    assert app.radio(key="train.init").options == [f"the model {DEFAULT_MODEL}"]
    app.multiselect(key="train.sources").set_value([DEMO_NAME]).run()
    app.radio(key="train.init").set_value("scratch").run()
    app.multiselect(key="train.sources").set_value([str(tmp_path / "tagger.npz")]).run()
    assert not app.exception
    assert app.radio(key="train.init").value == DEFAULT_MODEL
    assert "no longer there" not in read(app)
    app.multiselect(key="train.sources").set_value([DEMO_NAME]).run()
    assert app.radio(key="train.init").value == "scratch"


def test_what_nothing_reads_is_told(home: None, tmp_path: Path) -> None:
    app = page_on(FeatureConfig(n_mels=40), tmp_path / "mel40.npz")
    assert not app.exception
    assert "“mel40.npz” holds log-mel of 40 bands" in read(app)
    assert [box.key for box in app.button if box.key == "train.start"] == []
