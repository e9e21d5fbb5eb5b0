"""Before a training starts: what cannot be split is said, names keep their order, boxes keep their place."""

from __future__ import annotations

import csv
import dataclasses
import os
from pathlib import Path

import pytest
from page_words import read
from sounds import RATE, sine, wav_bytes, write_sound
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle
from train_page import open_page
from training_runs import order_for

from crnn.bundles.bundle import Bundle
from crnn.config import tagger_features
from crnn.data.collection import gather
from crnn.data.overview import check
from crnn.errors import CrnnError
from crnn.jobs import runs
from crnn.jobs.order import TrainingOrder, preset, with_frozen_body
from crnn.jobs.runs import Run
from crnn.owner import Owner
from crnn.training.pipeline import _parts_of
from ui.train import options
from ui.train.check import _faults_words

# Who plays on both sides makes of two artists of rock one too few for a part to learn from and one to check with.
ARTISTS = {"pop": {"anamar": 3, "artemis": 3, "yoria": 6}, "rock": {"yoria": 5, "leoni": 7}}


@pytest.fixture
def by_artists(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    rows = [
        {"file": f"{genre} {artist} {n}.wav", "genre": genre, "artist": artist}
        for genre, counts in ARTISTS.items()
        for artist, n_tracks in counts.items()
        for n in range(n_tracks)
    ]
    for number, row in enumerate(rows):
        write_sound(folder / row["file"], 100.0 + 7 * number, 1.0)
    with (folder / "tracks.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["file", "genre", "artist"])
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture
def page(home: Path, models: Path, by_artists: Path) -> AppTest:
    tiny_bundle(models / "tiny")
    app = open_page()
    app.text_input(key="train.folder").set_value(str(by_artists)).run()
    assert not app.exception
    return app


def test_a_split_that_cannot_be_is_said_before_the_start(page: AppTest) -> None:
    assert "Learns all 24 tracks, judged by 2 folds of them." in read(page)
    assert not page.button(key="train.start").disabled
    presets = next(group for group in page.button_group if group.key == "train.preset")
    presets.set_value("quick").run()
    assert "could not be put into every part: rock." in page.error[0].value
    assert "Or keep tracks apart at random, under More options." in page.error[0].value
    assert page.button(key="train.start").disabled
    next(box for box in page.selectbox if str(box.key).startswith("train.split")).set_value("random").run()
    assert not page.error
    assert not page.button(key="train.start").disabled


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> list[TrainingOrder]:
    """What was ordered; nothing of it is begun."""
    found: list[TrainingOrder] = []

    def start_run(order: TrainingOrder, *, owner: Owner) -> Run:
        found.append(order)
        raise CrnnError("Not today.")

    monkeypatch.setattr(runs, "start_run", start_run)
    return found


def test_what_is_chosen_is_ordered(home: Path, models: Path, orders: list[TrainingOrder]) -> None:
    page = open_page()

    def ordered() -> TrainingOrder:
        page.button(key="train.start").click().run()
        assert "Not today." in read(page)
        return orders[-1]

    assert "It trains a small network, which knows nothing yet" in read(page)
    usual, n_jobs = preset("quick"), os.cpu_count() or 1
    assert ordered() == TrainingOrder(("demo",), Path("model"), usual, split="artist", n_jobs=n_jobs)
    page.select_slider(key="train.size.quick").set_value("large").run()
    assert "It trains a large network, which knows nothing yet" in read(page)
    numbers = {"epochs": 7, "batch": 3, "patience": 4}
    for name, value in numbers.items():
        page.number_input(key=f"train.{name}.quick").set_value(value)
    page.number_input(key="train.rate.quick.scratch").set_value(0.00321)
    page.number_input(key="train.seed").set_value(9)
    page.select_slider(key="train.augment").set_value("off")
    page.toggle(key="train.mixup").set_value(False)
    page.toggle(key="train.balance").set_value(False)
    page.text_input(key="train.name.waltz").set_value("dance")
    page.run()
    train = dataclasses.replace(
        usual.train, epochs=7, batch_size=3, patience=4, learning_rate=0.00321, seed=9, balance_genres=False
    )
    settings = dataclasses.replace(
        usual, model=preset("best").model, train=train, augment=options._augmentation(0.0, mixup=False)
    )
    order = ordered()
    assert order.settings == settings
    assert order.genres == {"waltz": "dance"}
    # Folds watch no tracks, and need a split that can be dealt.
    page.selectbox(key="train.folds").set_value(5).run()
    next(box for box in page.selectbox if str(box.key).startswith("train.split")).set_value("random").run()
    order = ordered()
    assert (order.folds, order.split, order.settings.train.patience) == (5, "random", usual.train.patience)


def test_a_start_freezes_the_body_and_a_head_is_dealt(
    home: Path, models: Path, orders: list[TrainingOrder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bundle, "is_trainable", True)
    tiny_bundle(models / "tiny")
    page = open_page()
    presets = next(group for group in page.button_group if group.key == "train.preset")
    for name, method in (("instant", "head"), ("quick", "network")):
        presets.set_value(name).run()
        if method == "network":
            page.number_input(key="train.epochs.quick").set_value(40).run()
        page.button(key="train.start").click().run()
        assert (orders[-1].method, orders[-1].init) == (method, "tiny")
    usual = preset("quick", is_transfer=True)
    longer = dataclasses.replace(usual, train=dataclasses.replace(usual.train, epochs=40))
    assert orders[1].settings == with_frozen_body(longer) != longer


def test_a_head_needs_no_parts_to_learn_from_and_to_check_with(by_artists: Path) -> None:
    collection = gather([by_artists])
    parts = _parts_of(order_for(by_artists, method="head", split="artist"), collection)
    assert {name: len(tracks) for name, tracks in parts.items()} == {"train": 24}


def test_a_partition_that_leaves_nothing_to_learn_is_not_offered(tmp_path: Path) -> None:
    """Of GTZAN's first tracks those of classical are all to check with."""
    for genre in ("classical", "rock"):
        for number in range(2):
            write_sound(tmp_path / genre / f"{genre}.{number:05}.wav", 200.0 + number, 1.0)
    collection = gather([tmp_path])
    assert check(collection).splits == ("random",)


def test_names_of_genres_keep_their_order_on_a_phone(home: Path, models: Path, tmp_path: Path) -> None:
    """There the columns stand one below the other."""
    tiny_bundle(models / "tiny")
    genres = ["blues", "choro", "dub", "fado", "ska"]
    for number, genre in enumerate(genres):
        for n in range(2):
            write_sound(tmp_path / "music" / genre / f"{genre}{n}.wav", 100.0 + 31 * number + 7 * n, 1.0)
    app = open_page()
    app.text_input(key="train.folder").set_value(str(tmp_path / "music")).run()
    assert [box.value for box in app.text_input if str(box.key).startswith("train.name.")] == genres


def test_a_box_keeps_its_place_whatever_is_said_above_it(page: AppTest) -> None:
    """The browser closes a box that moves: when the check was done a moment ago, and when tracks were listened to."""

    def place() -> int:
        return next(at for at, child in page.main.children.items() if getattr(child, "label", "") == "Genre by genre")

    places = [place()]
    page.run()
    places.append(place())
    page.button(key="train.listen").click().run()
    assert not page.exception
    places.append(place())
    assert len(set(places)) == 1


def test_what_was_heard_stands_open(home: Path, models: Path, tmp_path: Path) -> None:
    """Whoever had all tracks listened to wants to read what was found."""
    tiny_bundle(models / "tiny")
    for genre, hz in (("a", 200.0), ("b", 900.0)):
        for n in range(2):
            write_sound(tmp_path / "music" / genre / f"{genre}{n}.wav", hz + 31 * n, 3.0)
    (tmp_path / "music" / "a" / "silent.wav").write_bytes(wav_bytes(0.0 * sine(100.0, 3.0), RATE))
    app = open_page()
    app.text_input(key="train.folder").set_value(str(tmp_path / "music")).run()
    app.button(key="train.listen").click().run()
    assert [box.proto.expanded for box in app.expander if "to know" in box.label] == [True]
    assert "What cannot be used is left out." in read(app)
    assert "Learns all 4 tracks" in read(app)
    # Of what is left nothing may be learnable: said before the start, not after it.
    (tmp_path / "music" / "b" / "b1.wav").unlink()
    (tmp_path / "music" / "b" / "silent.wav").write_bytes(wav_bytes(0.0 * sine(100.0, 4.0), RATE))
    app.run()
    assert not app.exception
    app.button(key="train.listen").click().run()
    assert "Of “b” fewer than two tracks can be used" in read(app)
    assert next(button for button in app.button if button.label == "Start training").disabled


def test_how_many_faults_there_are_is_said_once() -> None:
    assert _faults_words(1, 1) == "1 recording is there more than once"
    assert _faults_words(8, 8) == "8 recordings are there more than once"
    assert _faults_words(3, 1) == "3 things to know, 1 of them copies"
    assert _faults_words(1, 0) == "1 thing to know"


def test_what_was_listened_to_for_one_start_is_not_for_another(
    home: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one front end computed is not there for the other; it is still there when the first is chosen again."""
    monkeypatch.setattr(Bundle, "is_trainable", True)
    tiny_bundle(models / "ten-genres", config=tagger_features(level=100.0))
    for genre, hz in (("a", 200.0), ("b", 900.0)):
        for n in range(2):
            write_sound(tmp_path / "music" / genre / f"{genre}{n}.wav", hz + 31 * n, 3.0)
    app = open_page()
    app.text_input(key="train.folder").set_value(str(tmp_path / "music")).run()
    next(group for group in app.button_group if group.key == "train.preset").set_value("quick").run()

    def offers() -> bool:
        assert not app.exception
        return any(button.key == "train.listen" for button in app.button)

    app.button(key="train.listen").click().run()
    found = {"ten-genres": offers()}
    for start in ("scratch", "ten-genres"):
        app.radio(key="train.init").set_value(start).run()
        found[f"{start}, then"] = offers()
    assert found == {"ten-genres": False, "scratch, then": True, "ten-genres, then": False}


def test_with_folds_only_splits_that_can_be_dealt_are_offered(home: Path, models: Path, by_artists: Path) -> None:
    tiny_bundle(models / "tiny")
    table = by_artists / "tracks.csv"
    head, *rows = table.read_text(encoding="utf-8").splitlines()
    parts = [f"{row},{'train' if number % 2 else 'valid'}" for number, row in enumerate(rows)]
    table.write_text("\n".join([f"{head},split", *parts]), encoding="utf-8")
    app = open_page()
    app.text_input(key="train.folder").set_value(str(by_artists)).run()

    def offered() -> list[str]:
        return next(box for box in app.selectbox if str(box.key).startswith("train.split")).options

    # A head is judged by folds, too.
    assert [way.split(",")[0].split(":")[0] for way in offered()] == ["by artist", "by track"]
    next(group for group in app.button_group if group.key == "train.preset").set_value("best").run()
    assert "network" not in next(words.value for words in app.caption if "evening" in words.value)
    assert "as the data set's own column says" in offered()
    app.selectbox(key="train.folds").set_value(3).run()
    assert not app.exception
    assert [way.split(",")[0].split(":")[0] for way in offered()] == ["by artist", "by track"]
