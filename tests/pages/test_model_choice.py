"""The model that answers: followed where it is renamed, and said where it goes or another takes its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_words import read
from sounds import sine, wav_bytes
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle
from train_page import APP

from crnn.bundles import library
from crnn.bundles.bundle import load_bundle
from crnn.owner import MACHINE


@pytest.fixture
def listen(models: Path) -> AppTest:
    """Listen with three models, of which the second was chosen."""
    for name, genres in (("alpha", ("a", "b")), ("beta", ("low", "high")), ("gamma", ("x", "y", "z"))):
        tiny_bundle(models / name, genres=genres)
    app = AppTest.from_file(APP, default_timeout=240).run()
    assert model_of(app) == "alpha"
    app.selectbox(key="listen.model").set_value("beta").run()
    return app


def model_of(app: AppTest) -> str:
    return str(app.selectbox(key="listen.model").value)


def news(app: AppTest) -> list[str]:
    assert not app.exception
    return [element.value for element in app.main.info]


def test_a_renamed_model_still_answers(listen: AppTest, models: Path) -> None:
    library.rename(load_bundle(models / "beta"), "zeta", owner=MACHINE)
    listen.run()
    assert (model_of(listen), news(listen)) == ("zeta", ["beta is called zeta now."])
    # Said until another is chosen.
    assert news(listen.run()) == ["beta is called zeta now."]
    listen.selectbox(key="listen.model").set_value("gamma").run()
    assert (model_of(listen), news(listen)) == ("gamma", [])


def test_a_model_that_is_gone_is_named_with_who_answers_instead(listen: AppTest, models: Path) -> None:
    library.delete(models / "beta", owner=MACHINE)
    listen.run()
    assert (model_of(listen), news(listen)) == ("alpha", ["beta is no longer there. alpha answers instead."])
    # The next sound is given by one who has read it.
    listen.file_uploader[0].set_value([("song.wav", wav_bytes(sine(60.0, 4.0)), "audio/wav")]).run()
    assert news(listen) == []


def test_another_model_under_the_same_name_is_told(listen: AppTest, models: Path) -> None:
    library.delete(models / "beta", owner=MACHINE)
    tiny_bundle(models / "beta", genres=("p", "q", "r", "s"))
    listen.run()
    assert (model_of(listen), news(listen)) == ("beta", ["beta was replaced by another model of that name."])


def test_what_a_refresh_brings_back_is_shown(models: Path) -> None:
    """The page has been drawn with the default before the tab names its former visit."""
    for name in ("alpha", "beta"):
        tiny_bundle(models / name)
    app = AppTest.from_file(APP, default_timeout=240).run()
    assert "genrescope.model" not in app.session_state
    app.session_state["genrescope.model"] = "beta"
    assert model_of(app.run()) == "beta"
    assert news(app) == []


def test_who_answers_is_named_beside_the_answer_unless_it_answers_unasked(listen: AppTest) -> None:
    said = "beta answers."
    assert said not in read(listen), "there is no answer yet"
    listen.file_uploader[0].set_value([("song.wav", wav_bytes(sine(60.0, 4.0)), "audio/wav")]).run()
    assert said in read(listen)
    # Not in the box, which is closed by then.
    assert not [caption for box in listen.main.expander for caption in box.caption if caption.value == said]
    listen.selectbox(key="listen.model").set_value("alpha").run()
    assert "answers." not in read(listen)
