"""Tracks that the data set's own split keeps back: not learnt by a head, told, and scored by name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sounds import wav_bytes
from tiny_bundle import tiny_bundle
from training_runs import small_data_set

from crnn.__main__ import main
from crnn.bundles.bundle import Bundle
from crnn.bundles.model_card import model_card
from crnn.bundles.track_map import load_map
from crnn.data.demo import STYLES, synthesize
from crnn.data.tracks import Track
from crnn.jobs.order import TrainingOrder, preset
from crnn.training import materials
from crnn.training.pipeline import carry_out

# Of ten tracks of a genre.
PARTS = ["train"] * 5 + ["valid"] * 2 + ["test"] * 3


@pytest.fixture
def sounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "models"))
    tiny_bundle(tmp_path / "models" / "tiny")
    return small_data_set(tmp_path / "sounds", n_tracks=10, seconds=1.2)


def name_parts(folder: Path, parts: list[str]) -> None:
    rows = [f"{g}/{g}{n}.wav,{g},{part}" for g in ("hum", "hiss", "sweep") for n, part in enumerate(parts)]
    (folder / "tracks.csv").write_text("\n".join(["file,genre,split", *rows]), encoding="utf-8")


def learn(folder: Path, **changes: object) -> tuple[Bundle, tuple[str, ...]]:
    out = folder.parent / "models" / "mine"
    order = TrainingOrder((str(folder),), out, preset("quick"), init="tiny", method="head", **changes)  # type: ignore[arg-type]
    outcome = carry_out(order)
    assert outcome.bundle is not None
    return outcome.bundle, outcome.notes


def evaluated(capsys: pytest.CaptureFixture[str], folder: Path, part: str) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(["evaluate", str(folder), "--model", "mine", "--split", part, "--format", "json"])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.parametrize("split", ["column", None])
def test_a_head_tells_what_it_keeps_back_and_is_scored_on_it(sounds, split, capsys) -> None:
    name_parts(sounds, PARTS)
    bundle, notes = learn(sounds, split=split)
    known = load_map(bundle)
    assert known is not None
    assert len(known.track_ids) == 21
    assert "Kept back, and not learnt: test (9). They are scored by evaluate --split test." in notes
    assert (
        "Learnt are the 21 tracks of train and valid of the split column, judged by folds dealt at random over both "
        "together: the score is not that of valid alone, and what the split keeps apart may lie in two folds, which "
        "makes it too good."
    ) in notes
    # What the folds mix is told apart: the six of valid, by what the fifteen of train teach.
    (by_train,) = [note for note in notes if note.startswith("From train alone such a head has ")]
    assert re.search(r"has \d of the 6 tracks of valid right \(\d+ to \d+ %\)\.$", by_train)
    assert by_train in model_card(bundle)
    assert "None of the tracks kept back holds a recording that is learnt." in notes
    assert "5 folds, at random, of train and valid of column; 9 tracks of test kept back" in model_card(bundle)
    assert (bundle.data["n_tracks"], bundle.data["n_learnt"], bundle.split["n_test"]) == (30, 21, 9)
    status, out, _ = evaluated(capsys, sounds, "test")
    assert status == 0
    assert json.loads(out)["n_tracks"] == 9
    status, _, err = evaluated(capsys, sounds, "valid")
    assert status == 1
    assert "has learnt every track of train and valid since; kept back: test (9)." in err


def test_folds_that_are_asked_for_learn_all_and_say_so(sounds, capsys) -> None:
    name_parts(sounds, PARTS)
    bundle, notes = learn(sounds, folds=3)
    said = "The column split is not kept to by folds of all tracks. The 9 tracks marked test may be learnt."
    assert said in notes
    assert (bundle.split["name"], bundle.split["way"]) == ("3 folds, random", "random")
    assert "has learnt every track since: no part was kept back." in evaluated(capsys, sounds, "test")[2]


def test_a_column_with_gaps_is_not_kept_to_and_that_is_said(sounds) -> None:
    name_parts(sounds, ["", *PARTS[1:]])
    _, notes = learn(sounds)
    said = "The column split is not kept to: 3 of 30 tracks have no part there. The 9 tracks marked test may be learnt."
    assert said in notes


@pytest.mark.parametrize(("changes", "how"), [({}, "at random"), ({"folds": 3}, "at random")])
def test_another_split_than_the_column_says_that_it_learns_its_test(sounds, changes, how) -> None:
    name_parts(sounds, PARTS)
    _, notes = learn(sounds, split="random", **changes)
    said = f"The column split is not kept to: all tracks are dealt {how}, as was asked for."
    assert f"{said} The 9 tracks marked test may be learnt." in notes
    assert not any(note.startswith(("Kept back", "From train alone")) for note in notes)


def test_what_is_kept_back_is_said_to_be_no_other_music_where_it_is_not(sounds) -> None:
    """A copy, three tracks of one artist on both sides, and a track whose artist is not known."""
    song = synthesize(next(iter(STYLES)), 1, 9.0, 22_050)
    for number, level in ((0, 1.0), (9, 0.4)):
        (sounds / "hiss" / f"hiss{number}.wav").write_bytes(wav_bytes(level * song, 22_050))
    rows = [
        f"{g}/{g}{n}.wav,{g},{part},{artist_of(g, n)}" for g in ("hum", "hiss", "sweep") for n, part in enumerate(PARTS)
    ]
    (sounds / "tracks.csv").write_text("\n".join(["file,genre,split,artist", *rows]), encoding="utf-8")
    bundle, notes = learn(sounds, split="column")
    said = "1 holds a recording that is learnt and 3 are by an artist that is learnt"
    assert f"Of the 9 tracks kept back {said}: scores on them are too good." in notes
    assert (bundle.split["n_kept_back_copies"], bundle.split["n_kept_back_by_learnt_artists"]) == (1, 3)


def artist_of(genre: str, number: int) -> str:
    return "Both" if genre == "hum" and number in {0, 7, 8, 9} else "" if number == 8 else f"{genre} {number}"


def test_a_split_without_a_track_of_a_genre_to_learn_from_is_refused_at_once(sounds, capsys, monkeypatch) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    rows = [f"{g}/{g}{n}.wav,{g},{'test' if g == 'hum' else PARTS[n]}" for g in ("hum", "hiss") for n in range(10)]
    (sounds / "tracks.csv").write_text("\n".join(["file,genre,split", *rows]), encoding="utf-8")
    status = main(["train", str(sounds), "--preset", "instant", "--init", "tiny", "--out", str(sounds / "m")])
    assert status == 1
    assert "leaves none of “hum” to learn from" in capsys.readouterr().err


def test_what_is_kept_back_is_counted_by_hand() -> None:
    def track(name: str, **facts: str) -> Track:
        return Track(name, "jazz", None, **facts)

    parts = {
        "train": (track("a", artist="Ann"), track("b")),
        "valid": (track("c", group="g", artist="Ben"),),
        "test": (track("d", group="g"), track("e", artist="ben"), track("f", artist="Cid"), track("g")),
    }
    tracks = (*(track for part in parts.values() for track in part), track("h"), track("i"))
    found: Any = SimpleNamespace(parts=parts, collection=SimpleNamespace(tracks=tracks))
    assert materials.kept_back(found) == {"test": 4, "no part": 2}
    # Of four one is of a recording that is checked with, and one by its artist; of the others nothing is known.
    assert materials._overlap(found) == (4, 1, 1)
    loaded: Any = SimpleNamespace(loaded=SimpleNamespace(parts={"fold 1": (1, 2, 3), "fold 2": (4,)}))
    assert materials.Materials.folds.fget(loaded).tolist() == [0, 0, 0, 1]  # type: ignore[attr-defined]
