"""The Models page: the list, the card, rename, delete and undo, import, two models on one sound."""

from __future__ import annotations

import dataclasses
import re
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from page_words import read
from sounds import sine, wav_bytes
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import FileUploader
from tiny_bundle import tiny_bundle, trainable_bundle

from crnn.bundles import library, shelves
from crnn.bundles.bundle import Bundle, load_bundle, rewrite_json
from crnn.bundles.companion import Companion
from crnn.config import FeatureConfig
from crnn.owner import MACHINE, Owner
from ui.models.library import _few, _found_again, identity_of
from ui.shared.state import SHELF_MODEL, Model
from ui.shared.visits import visits

APP = str(Path(__file__).resolve().parents[2] / "app.py")


def open_page() -> AppTest:
    return AppTest.from_file(APP, default_timeout=240).switch_page("pages/3_Models.py").run()


@pytest.fixture
def page(models: Path) -> AppTest:
    tiny_bundle(models / "tiny")
    return open_page()


def uploader(app: AppTest) -> FileUploader:
    """The one for a zip of a model: another after each."""
    return next(box for box in app.file_uploader if str(box.key).startswith("models.import."))


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    return app


def test_an_empty_shelf_says_what_to_do(models: Path) -> None:
    app = open_page()
    assert not app.exception
    text = read(app)
    assert "There is no model yet." in text
    assert f"--out {models}/demo`. Or copy a model's folder into `{models}`." in text
    assert [uploader.key for uploader in app.file_uploader] == ["models.import.0"]


def test_the_shelf_lists_and_shows_the_only_model(page: AppTest) -> None:
    assert not page.exception
    row = page.dataframe[0].value.iloc[0]
    assert (row["Name"], row["Genres"], row["Data"]) == ("tiny", "bass, middle, treble", "hand-made")
    assert "it was imported without its Keras file" in read(page)


def test_many_genres_are_counted_in_a_row() -> None:
    assert _few(["a", "b", "c"]) == "a, b, c"
    assert _few(["a", "b", "c", "d"]) == "a, b and 2 more"


def _draw_own(key: str) -> None:
    from crnn.bundles.bundle import load_bundle
    from crnn.owner import Owner
    from ui.models.library import _draw_changes, draw_news
    from ui.shared.state import Model

    owner = Owner("shared", key)
    draw_news()
    for shelf, folder in (("own", owner.models_dir), ("imported", owner.imported_dir)):
        _draw_changes(Model(load_bundle(folder / shelf), shelf, shelf), owner, shelf)  # type: ignore[arg-type]


def test_what_is_shown_to_all_can_be_shown_to_nobody_again_and_what_was_imported_never_is(home: Path) -> None:
    owner = Owner("shared", "0" * 32)
    tiny_bundle(owner.imported_dir / "imported")
    own = tiny_bundle(owner.models_dir / "own")
    app = AppTest.from_function(_draw_own, kwargs={"key": owner.key}, default_timeout=60).run()
    for pressed, offered, is_shown, news in (
        ("Show to all", "Show to nobody", True, "All who sign in here can use own now."),
        ("Show to nobody", "Show to all", False, "own is yours alone."),
    ):
        assert [button.label for button in app.button if button.label.startswith("Show")] == [pressed]
        press(app, pressed)
        assert shelves.is_shown(own, owner) is is_shown
        assert [button.label for button in app.button if button.label.startswith("Show")] == [offered]
        assert app.success[0].value == news


def test_a_chosen_model_is_followed_by_its_content_or_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = [Model(tiny_bundle(tmp_path / name, genres=genres), name) for name, genres in (
        ("a", ("x", "y")), ("b", ("x", "y", "z")),
    )]  # fmt: skip
    session: dict[str, tuple[str, str]] = {}
    monkeypatch.setattr("streamlit.session_state", session)
    (_, content), other = (identity_of(model) for model in models)
    for chosen, found, left in (
        (None, None, None),
        (("a", content), models[0], ("a", content)),
        (("old", content), models[0], ("a", content)),
        (("b", "another"), None, None),
        (("gone", "another"), None, None),
    ):
        session.clear()
        if chosen is not None:
            session[SHELF_MODEL] = chosen
        assert _found_again(models) is found
        assert session.get(SHELF_MODEL) == left
    assert other != ("a", content)


def test_rename_delete_and_undo(page: AppTest, models: Path) -> None:
    next(box for box in page.text_input if box.key.startswith("models.name")).set_value("bigger")
    press(page, "Rename")
    assert "Renamed to bigger." in read(page)
    assert load_bundle(models / "bigger").name == "bigger"
    press(page, "Delete")
    assert "bigger was deleted. It can be put back below." in read(page)
    assert "no longer there" not in read(page)
    assert not (models / "bigger").exists()
    press(page, "Undo")
    assert "bigger is back." in read(page)
    assert load_bundle(models / "bigger").name == "bigger"


def test_the_box_with_the_way_back_stays_open(models: Path) -> None:
    for name in ("alpha", "beta", "gamma"):
        tiny_bundle(models / name)
    library.delete(models / "alpha", owner=MACHINE)
    app = open_page()

    def is_open() -> bool:
        return bool(next(box.proto.expanded for box in app.expander if box.label == "Deleted models"))

    assert not is_open()
    choose(app, load_bundle(models / "beta"))
    press(app, "Delete")
    assert is_open()
    press(app, "Undo")
    assert is_open()
    # Nor does it close when the news of the last act goes.
    app.run()
    assert "is back" not in read(app)
    assert is_open()


def choose(app: AppTest, bundle: Bundle) -> AppTest:
    """What a click on its row leaves; AppTest has no rows to click."""
    identity = identity_of(Model(bundle, ""))
    app.session_state["models.chosen"] = identity
    return app.run()


def test_what_was_chosen_is_still_chosen_after_a_refresh(models: Path) -> None:
    tiny_bundle(models / "alpha")
    chosen = choose(open_page(), tiny_bundle(models / "beta", genres=("low", "high")))
    facts = visits().find(("", chosen.session_state["visit.id"]), time.monotonic())
    assert facts is not None
    again = AppTest.from_file(APP, default_timeout=240).switch_page("pages/3_Models.py")
    for key, value in facts.items():
        again.session_state[key] = value
    again.run()
    assert [element.value for element in again.main.header] == ["beta"]


def test_what_was_chosen_stays_chosen_wherever_it_is_sorted(models: Path) -> None:
    first, _ = tiny_bundle(models / "alpha"), tiny_bundle(models / "beta", genres=("low", "high"))
    app = choose(open_page(), first)
    next(box for box in app.text_input if box.key.startswith("models.name")).set_value("Zoë & I")
    press(app, "Rename")
    assert "Renamed to Zoe-and-I." in read(app)
    assert [element.value for element in app.main.header][-1].replace("\\", "") == "Zoe-and-I"
    # In another window it is renamed once more; the Delete that is still on the screen is not for what is there now.
    library.rename(load_bundle(models / "Zoe-and-I"), "aaa", owner=MACHINE)
    press(app, "Delete")
    assert "Zoe-and-I is called aaa now." in read(app)
    assert sorted(path.name for path in models.iterdir() if not path.name.startswith(".")) == ["aaa", "beta"]
    press(app, "Delete")
    assert sorted(path.name for path in models.iterdir() if not path.name.startswith(".")) == ["beta"]


def test_a_model_that_went_or_was_replaced_meanwhile_is_said(models: Path) -> None:
    first = tiny_bundle(models / "alpha")
    tiny_bundle(models / "beta", genres=("low", "high"))
    app = choose(open_page(), first)
    library.delete(models / "alpha", owner=MACHINE)
    app.run()
    assert "alpha is no longer there." in read(app)
    app = choose(open_page(), first)
    tiny_bundle(models / "alpha", genres=("a", "b", "c", "d"))
    app = choose(app, first)
    assert "alpha was replaced by another model." in read(app)
    assert not [button for button in app.button if button.label == "Delete"]


def test_a_bad_name_is_said(page: AppTest) -> None:
    next(box for box in page.text_input if box.key.startswith("models.name")).set_value("../up")
    press(page, "Rename")
    assert "cannot be a model's name" in read(page)


def test_a_packed_model_comes_back_by_import(page: AppTest, models: Path) -> None:
    packed = library.pack(load_bundle(models / "tiny"))
    press(page, "Delete")
    uploader(page).set_value(("tiny.zip", packed, "application/zip")).run()
    assert not page.exception
    assert "tiny.zip was imported." in read(page)
    # It stands beside the uploader, and until the next.
    assert "tiny.zip was imported." in read(page.run())
    assert load_bundle(models / "tiny").genres == ("bass", "middle", "treble")


def test_a_taken_name_is_mended_by_another(page: AppTest, models: Path) -> None:
    packed = library.pack(load_bundle(models / "tiny"))
    uploader(page).set_value(("tiny.zip", packed, "application/zip")).run()
    assert "A model “tiny” is there already." in read(page)
    page.text_input(key="models.import.name").set_value("Zoë’s genres").run()
    uploader(page).set_value(("again.zip", packed, "application/zip")).run()
    assert "again.zip was imported as Zoe-s-genres." in read(page)
    assert load_bundle(models / "Zoe-s-genres").genres == ("bass", "middle", "treble")
    assert page.text_input(key="models.import.name").value == ""


def made(app: AppTest) -> AppTest:
    """The page once the file that is under way is made, or was not."""
    while "models.exports.making" in app.session_state:
        app.session_state["models.exports.making"].is_done(600.0)
        app.run()
    assert not app.exception
    return app


def rows_of_exports(app: AppTest) -> list[tuple[str, bool]]:
    """Label of each button of an export, and whether it can be pressed."""
    return [(b.label, not b.disabled) for b in app.button if str(b.key).startswith("models.export.")]


def test_an_export_goes_on_whatever_else_is_pressed_until_it_is_stopped(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def exported(bundle: Bundle, kind: str, *, on_wait: Callable[[], None], **_: object) -> bytes:
        try:
            while not is_made.wait(0.05):
                on_wait()
        finally:
            ended.set()
        return kind.encode()

    is_made = threading.Event()
    monkeypatch.setattr(Bundle, "is_trainable", True)
    monkeypatch.setattr("ui.models.export.exports.exported", exported)
    tiny_bundle(models / "tiny")
    app = open_page()
    kinds = [label for label, _ in rows_of_exports(app)]
    press(app, "Keras")
    assert rows_of_exports(app) == [(label, False) for label in kinds if label != "Keras"]
    assert "Keras: making and checking it, 0 s" in read(app)
    app.text_input(key="models.import.name").set_value("other").run()
    app.switch_page("pages/1_Explore.py").run()
    app.switch_page("pages/3_Models.py").run()
    assert "Keras: making and checking it" in read(app)
    press(app, "Stop")
    assert ended.wait(10)
    assert "Keras was stopped: nothing of it is kept." in read(app)
    assert rows_of_exports(app) == [(label, True) for label in kinds]
    # Another one, which comes to its end while another page is shown.
    press(app, "ONNX")
    assert "was stopped" not in read(app)
    app.switch_page("pages/1_Explore.py").run()
    is_made.set()
    made(app.switch_page("pages/3_Models.py").run())
    assert "Save tiny-onnx.zip" in [button.proto.label for button in app.get("download_button")]
    assert rows_of_exports(app) == [(label, True) for label in kinds if label != "ONNX"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_kind_of_export_is_checked_and_offered(models: Path) -> None:
    trainable_bundle(models / "small")
    app = AppTest.from_file(APP, default_timeout=600).switch_page("pages/3_Models.py").run()
    for label, kind in (("TensorFlow Lite", "tflite"), ("ONNX", "onnx"), ("Keras", "keras")):
        made(press(app, label))
        assert label not in [button.label for button in app.button], "the file takes the button's place"
        assert f"Save small-{kind}.zip" in [button.proto.label for button in app.get("download_button")]


def test_beside_the_exports_stands_what_they_hold_of_a_model_of_two_networks(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bundle, "is_trainable", True)
    said = "each of the last three holds two files"
    tiny_bundle(models / "two", companion=Companion(FeatureConfig(), 0.5))
    assert said in read(open_page())
    shutil.rmtree(models / "two")
    tiny_bundle(models / "one")
    app = open_page()
    assert said not in read(app)
    assert "each with a script" in read(app)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_export_that_differs_is_told_on_the_page(models: Path) -> None:
    trainable_bundle(models / "small", other_weights=True)
    app = AppTest.from_file(APP, default_timeout=600).switch_page("pages/3_Models.py").run()
    made(press(app, "Keras"))
    assert "The export failed: The Keras network of “small” answers differently" in read(app)
    assert not app.get("download_button")


def test_rubbish_is_refused_with_a_sentence(page: AppTest) -> None:
    uploader(page).set_value(("tiny.zip", b"rubbish", "application/zip")).run()
    assert not page.exception
    assert (
        "tiny.zip is no zip file, or it is locked with a password or damaged. Import a model that GenreScope "
        "exported as a zip (Models → Export → To import elsewhere)."
    ) in read(page)
    uploader(page).set_value(("mine.keras", b"PK\x03\x04", "application/octet-stream")).run()
    assert "mine.keras is a network alone, which cannot be imported: it tells neither" in read(page)
    assert "no zip" not in read(page)


def test_what_a_foreign_bundle_says_is_no_markup(models: Path) -> None:
    bundle = tiny_bundle(models / "tiny")
    interval = {"accuracy_interval": [0.1, 0.9], "accuracy": 0.5, "n_tracks": 2, "macro_f1": 0.5, "macro_recall": 0.5}
    scores = {
        **interval,
        "top3_accuracy": 1.0,
        "expected_calibration_error": 0.1,
        "per_genre": {},
        "genres": [],
        "confusion": [],
    }
    hostile = "![x](http://evil.example/pixel.png)"
    made = {"found": [hostile], "legs": [{"what": hostile, hostile: hostile}]}
    told = {"notes": hostile, "data": {"name": hostile, hostile: 1}, "training": made, "scores": {"valid": scores}}
    rewrite_json(dataclasses.replace(bundle, **told))
    app = open_page()
    assert not app.exception
    front, details = [element.value for element in app.main.markdown if "evil.example" in element.value]
    assert "0.500 (0.100 to 0.900)" in front
    assert (front + details).count("evil.example") == 7
    assert re.findall(r"(?<!\\)!\[", front + details) == []


def test_scores_that_nobody_can_reckon_with_leave_the_model_without_them(models: Path) -> None:
    scores = {"accuracy": 0.5, "accuracy_interval": [0.1, 0.9], "n_tracks": 1e308, "genres": [], "per_genre": {}}
    scores |= {"confusion": [], "independent_tracks": 1e-308}
    rewrite_json(dataclasses.replace(tiny_bundle(models / "tiny"), scores={"valid": scores}))
    app = open_page()
    assert not app.exception
    assert "This model says nothing of how it was made and scored." in read(app)
    assert app.dataframe[0].value["On"].tolist() == ["not scored"]


def test_two_models_answer_one_sound(models: Path) -> None:
    tiny_bundle(models / "one")
    tiny_bundle(models / "two", genres=("low", "high"))
    app = open_page()
    uploader = next(u for u in app.file_uploader if u.key.startswith("listen.uploads"))
    uploader.set_value([("song.wav", wav_bytes(sine(6000.0, 12.0)), "audio/wav")]).run()
    assert not app.exception
    text = read(app)
    assert "Sounds like treble." in text
    assert "Sounds like high." in text
