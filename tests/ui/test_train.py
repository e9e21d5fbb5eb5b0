"""What Train orders and says, by worked cases that need no page with data on it."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle

from crnn.bundles.library import DEFAULT_MODEL
from crnn.config import AugmentConfig, FeatureConfig
from crnn.data.collection import gather
from crnn.errors import DiskFullError
from crnn.jobs.order import SIZES, TrainingOrder, preset
from ui.shared import state
from ui.shared.state import Model
from ui.train import audio_check, data, kept, options, report, run, teach


@pytest.mark.parametrize(
    ("n_bytes", "words"),
    [
        (0, "0 MB"),
        (2**19 - 1, "less than 1 MB"),
        (3 * 2**19, "2 MB"),
        (999 * 2**20, "999 MB"),
        (1000 * 2**20, "1.0 GB"),
        (2560 * 2**20, "2.5 GB"),
    ],
)
def test_what_is_kept_is_told_in_megabytes_or_gigabytes(n_bytes: int, words: str) -> None:
    assert kept._size(n_bytes) == words


def test_variation_is_none_half_usual_or_half_as_much_again() -> None:
    usual = AugmentConfig()
    assert options._augmentation(options._STRENGTHS["usual"], mixup=True) == usual
    off = options._augmentation(options._STRENGTHS["off"], mixup=False).to_dict()
    assert not any(off.values())
    strong = options._augmentation(options._STRENGTHS["strong"], mixup=False)
    for name in ("tempo", "pitch_semitones", "equaliser_db", "floor_db", "bandlimit_chance", "noise_chance"):
        assert getattr(strong, name) == pytest.approx(1.5 * getattr(usual, name))
    for name in ("time_masks", "frequency_masks"):
        assert getattr(strong, name) == round(1.5 * getattr(usual, name))
    assert strong.mixup_alpha == 0.0


def test_each_size_of_network_has_its_word() -> None:
    assert [options._size_of(network) for network in SIZES.values()] == list(SIZES)


def test_what_cannot_be_learnt_is_said_before_the_start_and_what_would_do() -> None:
    collection, out = gather(("demo",)), Path("model")
    genres = sorted({track.genre for track in collection.tracks})
    by_chance = TrainingOrder((), out, preset("quick"), split="random")
    found, sentences, obstacle = options._as_renamed(collection, by_chance)
    assert (found, obstacle) == (collection, "")
    assert sentences
    by_artist = TrainingOrder((), out, preset("quick"), split="artist")
    assert options._as_renamed(collection, by_artist)[2] == ""
    # One artist in each genre: nobody is left to check it with.
    lonely = dataclasses.replace(
        collection, tracks=tuple(dataclasses.replace(track, artist=track.genre) for track in collection.tracks)
    )
    found, sentences, obstacle = options._as_renamed(lonely, by_artist)
    assert (found, sentences) == (lonely, ())
    assert obstacle.endswith("Or keep tracks apart at random, under More options.")
    # Two of one name are one, a genre without a name is left out.
    names: dict[str, str | None] = {genres[0]: genres[1], genres[2]: None}
    merged = TrainingOrder((), out, preset("quick"), split="random", method="head", genres=names)
    found, sentences, obstacle = options._as_renamed(collection, merged)
    assert obstacle == ""
    assert sorted({track.genre for track in found.tracks}) == [genres[1], *genres[3:]]
    one: dict[str, str | None] = dict.fromkeys(genres, "one")
    _, _, obstacle = options._as_renamed(collection, TrainingOrder((), out, preset("quick"), genres=one))
    assert obstacle
    assert "More options" not in obstacle


def test_uploads_of_one_name_are_told_apart_by_when_they_were_given(tmp_path: Path) -> None:
    given = datetime.datetime(2026, 11, 23, 20, 15)
    paths = []
    for folder, name in (("0123456", "songs.zip"), ("789abcd", "songs.zip"), ("efghijk", "more.zip")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).touch()
        os.utime(tmp_path / folder / name, (0, given.timestamp()))
        paths.append(tmp_path / folder / name)
    assert list(data._upload_names(paths).values()) == [
        "songs.zip, given 23 November, 20:15 (0123)",
        "songs.zip, given 23 November, 20:15 (789a)",
        "more.zip",
    ]
    assert list(data._upload_names(paths)) == list(map(str, paths))


def test_a_cell_of_the_confusion_is_told_with_its_share_of_the_mistakes() -> None:
    mistakes = {("jazz", "rock"): 2}
    for cell, n_wrong, words in (
        (report._ALL, 1, "the one mistake"),
        (report._ALL, 3, "all 3 mistakes"),
        (("jazz", "rock"), 3, "is jazz, answered rock: 2 of 3 mistakes"),
        (("jazz", "jazz"), 3, "is jazz, answered jazz: right"),
    ):
        assert report._cell_words(cell, mistakes, n_wrong) == words


def test_clips_are_learnt_by_the_model_that_answers_and_never_by_what_was_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = [
        Model(tiny_bundle(tmp_path / name), name, whose)
        for name, whose in (("a", "imported"), ("b", "own"), ("c", "host"), ("d", "shown"))
    ]
    monkeypatch.setattr(state, "find_models", lambda: (shelf, []))
    for default, started_from in (("c", "c"), ("b", "b"), ("a", "b"), ("none", "b")):
        monkeypatch.setattr(teach, "default_model", lambda name=default: name)
        start = teach._start()
        assert start is not None
        assert start.bundle.name == started_from
    shelf[:] = [shelf[0], shelf[3]]
    assert teach._start() is None


def test_where_no_room_is_left_no_track_is_listened_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(n_bytes: int) -> None:
        raise DiskFullError("400 of your 400 MB are used.")

    owner = SimpleNamespace(mode="shared", home=tmp_path, check_room=refuse)
    monkeypatch.setattr(audio_check.visitor, "owner", lambda: owner)
    monkeypatch.setattr(audio_check, "listen", lambda *_, **__: pytest.fail("it was listened to"))
    assert audio_check._listen(gather(("demo",)), FeatureConfig(), st.empty()) is None


def test_what_happens_in_a_training_is_a_line_each() -> None:
    epoch = {"event": "epoch", "epoch": 2, "epochs": 9, "loss": 1.23456, "seconds": 3.21}
    for event, words in (
        ({"event": "stage", "stage": "features"}, "Computing the features"),
        ({"event": "stage", "stage": "of another version"}, "of another version"),
        (
            {"event": "data", "name": "songs", "parts": {"train": 8, "valid": 2}, "protection": ["By artist.", "So."]},
            "songs: 8 train, 2 valid. By artist. So.",
        ),
        ({"event": "faults", "messages": ["a is silent.", "b is cut."]}, "Left out: 2 tracks. a is silent. b is cut."),
        (epoch, "epoch 2 of 9: loss 1.235, 3.2 s"),
        (
            epoch | {"confusion": [[3, 1], [0, 4]]},
            "epoch 2 of 9: loss 1.235, 7 of 8 validation tracks right, 3.2 s",
        ),
        ({"event": "note", "message": "It goes on."}, "It goes on."),
        ({"event": "unknown"}, "unknown"),
    ):
        assert run._words(event) == words
    trained = SimpleNamespace(
        events=lambda: [{"event": "stage"}, {"event": "data", "name": "songs"}], state=lambda: "done"
    )
    assert run._line(trained, "20261123-201500-abcd") == "23 November, 20:15: songs, done"  # type: ignore[arg-type]
    trained = SimpleNamespace(events=list, state=lambda: "failed")
    assert run._line(trained, "20261123-201500-abcd") == "23 November, 20:15: failed"  # type: ignore[arg-type]


def _bars() -> None:
    import streamlit as st

    from ui.train.run import _draw_progress, draw_log

    working = {"stage": "training", "done": 30, "total": 120, "epoch": 3, "epochs": 12}
    left = working | {"seconds_left": 600.0, "loss": 0.51249, "learning_rate": 0.000_512}
    for status, paused, asked in (
        ({}, False, ""),
        ({"stage": "features", "done": 3, "total": 12}, False, ""),
        ({"stage": "head", "done": 3, "total": 12, "seconds_left": 600.0}, False, ""),
        (left, False, ""),
        (left, False, "stop"),
        (left, False, "pause"),
        (left, True, "pause"),
        (left, True, "stop"),
        # Where it ends anyhow nothing is stopped or paused, and no bar is longer than whole.
        ({"stage": "saving", "done": 5, "total": 4}, False, "stop"),
        ({"stage": "saving"}, False, "pause"),
    ):
        _draw_progress(status, paused=paused, asked=asked)
    st.divider()
    draw_log([{"event": "note", "message": "first", "at": 1.0}, {"event": "note", "message": "last", "at": 61.0}])
    draw_log([])


def test_how_far_a_training_is_stands_in_one_line() -> None:
    app = AppTest.from_function(_bars, default_timeout=60).run()
    assert not app.exception
    third = "Learning: epoch 3 of 12"
    assert [(bar.proto.value, bar.proto.text) for bar in app.get("progress")] == [
        (0, "Starting"),
        (25, "Computing the features: 3 of 12 tracks"),
        (25, "Fitting the head, and judging it by folds: 3 of 12 fits, about 10 minutes left"),
        (25, f"{third}, about 10 minutes left"),
        (25, f"Stopping. The best so far is kept. {third}"),
        (25, f"Pausing, as soon as what is in hand is done. {third}"),
        (25, f"Paused. Nothing is lost, and nothing happens until you go on. {third}"),
        (25, f"Stopping. The best so far is kept. {third}"),
        (100, "Calibrating, checking the export, saving: 5 of 4 tracks"),
        (0, "Calibrating, checking the export, saving"),
    ]
    assert [caption.value for caption in app.caption] == ["loss 0.512, learning rate 0.00051"] * 5
    lines = [code.value.splitlines() for code in app.code]
    assert [line.partition("  ")[2] for line in lines[0]] == ["last", "first"]
    assert lines[1] == ["Nothing yet."]


def _cells() -> None:
    import streamlit as st

    from ui.train.report import _draw_cell

    tracks = [("jazz", "rock", 10), ("rock", "jazz", 2), ("pop", "jazz", 1), ("jazz", "jazz", 2)]
    facts = {"path": None, "demo_id": None}
    report = {
        "tracks": [
            {"track_id": f"{genre}{answer}{n}", "genre": genre, "answer": answer, "confidence": 0.5 + n / 100, **facts}
            for genre, answer, n_tracks in tracks
            for n in range(n_tracks)
        ]
    }
    _draw_cell(report, st.session_state.get("clicked"))


def test_a_click_chooses_a_cell_once_and_the_surest_mistakes_stand_first() -> None:
    def told() -> list[str]:
        return [caption.value.partition(":")[0] for caption in app.caption if ": is " in caption.value]

    app = AppTest.from_function(_cells, default_timeout=60).run()
    assert not app.exception
    first = [f"jazzrock{n}" for n in range(9, 1, -1)]
    assert told() == first
    assert "And 5 more; the downloads name all." in [caption.value for caption in app.caption]
    # Each has a player, or why there is none.
    assert sum(caption.value == "A log-mel archive holds no sound to play." for caption in app.caption) == 8
    app.session_state["clicked"] = ("jazz", "jazz")
    app.run()
    assert told() == ["jazzjazz1", "jazzjazz0"]
    assert not app.toggle
    # The list may say otherwise afterwards, though the click is still on the chart.
    app.selectbox(key="train.report.cell").set_value(("rock", "jazz")).run()
    assert told() == ["rockjazz1", "rockjazz0"]
    # By ear both ways of the confusion are heard, and nothing else.
    app.toggle(key="train.report.by_ear").set_value(True).run()
    assert told() == []
    assert [group.label for group in app.button_group] == [f"Track {n} is" for n in range(1, 9)]
    assert [option.content for option in app.button_group[0].proto.options] == ["jazz", "rock"]
    # In no order that tells anything.
    names = [*(f"jazzrock{n}" for n in range(10)), "rockjazz0", "rockjazz1"]
    first_heard = min(names, key=lambda name: hashlib.sha256(name.encode()).digest())
    app.button_group[0].set_value("jazz").run()
    filed, answered = first_heard[:4], first_heard[4:8]
    assert f"{first_heard}: filed as {filed}, answered {answered}." in [caption.value for caption in app.caption]
    app.selectbox(key="train.report.cell").set_value(("pop", "jazz")).run()
    assert [group.label for group in app.button_group] == ["Track 1 is"]
    app.selectbox(key="train.report.cell").set_value(("rock", "jazz"))
    app.toggle(key="train.report.by_ear").set_value(False)
    app.session_state["clicked"] = ("rock", "pop")
    app.run()
    # No track is there: the choice stays.
    assert told() == ["rockjazz1", "rockjazz0"]


def _starts(folder: str) -> None:
    from pathlib import Path

    import streamlit as st

    from crnn.bundles.bundle import load_bundle
    from ui.shared.state import Model
    from ui.train.start import Starts, choose_start_of_head

    bundles = [load_bundle(path) for path in sorted(Path(folder).iterdir())]
    st.text(choose_start_of_head(Starts([Model(bundle, bundle.name) for bundle in bundles])))


def test_a_head_starts_from_the_bundled_model_unless_another_is_chosen(tmp_path: Path) -> None:
    for name in ("a", DEFAULT_MODEL, "z"):
        tiny_bundle(tmp_path / name)
    app = AppTest.from_function(_starts, kwargs={"folder": str(tmp_path)}, default_timeout=60).run()
    assert not app.exception
    assert app.text[0].value == DEFAULT_MODEL
    app.selectbox(key="train.head.init").set_value("z").run()
    assert app.text[0].value == "z"
    # Where it is gone it is said, and the first choice stands in its place.
    shutil.rmtree(tmp_path / "z")
    app.run()
    assert app.text[0].value == DEFAULT_MODEL
    assert f"It starts from {DEFAULT_MODEL} instead." in app.info[0].value
