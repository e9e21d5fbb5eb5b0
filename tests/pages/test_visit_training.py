"""Train where nothing is kept: a visitor teaches his genres, uses them on Listen, and nothing of it is on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from sounds import RATE, sine, wav_bytes
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle

from ui.shared import state

APP = str(Path(__file__).resolve().parents[2] / "app.py")
LABEL = "my-genres (of this visit)"


@pytest.fixture
def home(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all that a public server writes."""
    monkeypatch.setenv("GENRESCOPE_MODE", "public")
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    tiny_bundle(models / "ten-genres")
    return tmp_path / "home"


def train() -> AppTest:
    return AppTest.from_file(APP, default_timeout=240).switch_page("pages/2_Train.py").run()


def clip(hz: float) -> bytes:
    return wav_bytes(sine(hz, 3.0), RATE, "PCM_16")


def add(app: AppTest, genre: str, *tones: float) -> AppTest:
    # A new form, with keys of its own, after each that was sent.
    app.text_input[0].set_value(genre)
    app.file_uploader[0].set_value([(f"{hz:.0f}.wav", clip(hz), "audio/wav") for hz in tones])
    next(button for button in app.button if button.label == "Add them").click().run()
    assert not app.exception
    return app


def read(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.error, app.success, app.subheader)
    said = " ".join(element.value for kind in kinds for element in kind)
    return said.replace("\u00a0", " ")


def learn(app: AppTest) -> AppTest:
    return app.button(key="train.visit.learn").click().run()


def taught() -> AppTest:
    app = add(add(train(), "drone", 50.0, 60.0, 70.0), "whistle", 5000.0, 6000.0, 7000.0)
    return learn(app)


def test_genres_are_taught_and_answer_on_listen(home: Path) -> None:
    app = taught()
    assert not app.exception
    assert "6 of 6 unheard clips right: 100 % (61 to 100 %)." in read(app)
    app.button(key="train.visit.use").click().run()
    # AppTest does not follow `st.switch_page`.
    app.switch_page("app.py").run()
    assert app.selectbox(key="listen.model").value == LABEL
    app.file_uploader[0].set_value([("new.wav", clip(5500.0), "audio/wav")]).run()
    assert not app.exception
    assert "Sounds like whistle" in read(app)
    models = app.switch_page("pages/3_Models.py").run()
    assert not models.exception
    assert LABEL in models.dataframe[0].value["Name"].tolist()
    assert not [path for path in home.rglob("*") if path.is_file()]


def test_what_is_missing_is_said_and_nothing_is_learnt_without_it(home: Path) -> None:
    app = train()
    assert app.button(key="train.visit.learn").disabled
    app = add(app, "drone", 50.0, 60.0)
    assert "**drone** · 2 clips" in read(app)
    assert "Each genre needs 3 clips at least" in read(app)
    assert app.button(key="train.visit.learn").disabled
    assert "drone" not in state_of(add(app, "", 5000.0), "error")
    assert "Both are needed" in read(app)


def state_of(app: AppTest, kind: str) -> str:
    return " ".join(element.value for element in getattr(app, kind))


def test_a_genre_that_changes_takes_the_model_along(home: Path) -> None:
    app = taught()
    app.button(key="train.visit.remove.whistle").click().run()
    assert "unheard clips right" not in read(app)
    assert app.switch_page("app.py").run().selectbox(key="listen.model").options == ["model: ten-genres"]


def test_all_of_it_is_deleted_on_demand(home: Path) -> None:
    app = taught()
    app.button(key="train.visit.forget").click().run()
    assert "Nothing was given yet." in read(app)
    kept = [key for key in (state.LESSON, state.TAUGHT, state.TAUGHT_REPORT) if key in app.session_state]
    assert kept == []


def test_another_visitor_sees_nothing_of_it(home: Path) -> None:
    taught()
    other = train()
    assert "Nothing was given yet." in read(other)
    assert other.switch_page("app.py").run().selectbox(key="listen.model").options == ["model: ten-genres"]


def test_what_cannot_be_learnt_from_is_named(home: Path) -> None:
    app = train()
    app.text_input(key="train.visit.genre.0").set_value("x")
    app.file_uploader(key="train.visit.clips.0").set_value([("a.mp3", b"no sound at all", "audio/mpeg")])
    next(button for button in app.button if button.label == "Add them").click().run()
    assert "a.mp3" in state_of(app, "error")
    assert "Nothing was given yet." in read(app)


def test_a_correction_goes_to_the_clips_of_the_visit(home: Path) -> None:
    app = AppTest.from_file(APP, default_timeout=240).run()
    app.file_uploader[0].set_value([("song.wav", clip(60.0), "audio/wav")]).run()
    assert not [box for box in app.checkbox if box.key == "listen.correct.consent"]
    app.selectbox(key="listen.correct.genre").set_value("another genre")
    app.text_input(key="listen.correct.other").set_value("drone")
    next(button for button in app.button if button.label == "Correct it").click().run()
    assert not app.exception
    assert "It is among your clips on the Train page, for this visit" in state_of(app, "success")
    assert "**drone** · 1 clip" in read(app.switch_page("pages/2_Train.py").run())
    assert not [path for path in home.rglob("*") if path.is_file()]
