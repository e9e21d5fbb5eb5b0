"""What `train` orders, what it tells of the outcome and of what is wrong with the data: on stderr and by the status."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import soundfile
from sounds import RATE, sine
from tiny_bundle import tiny_bundle
from training_runs import small_data_set

from crnn.__main__ import main
from crnn.bundles.bundle import load_bundle
from crnn.bundles.library import find_bundle
from crnn.cli import train
from crnn.data.tracks import Fault
from crnn.features.archive import read_archive
from crnn.jobs.order import INSTANT, TrainingOrder, preset, with_frozen_body
from crnn.training.materials import Outcome


@pytest.fixture
def sounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "models"))
    # pytest keeps its own.
    monkeypatch.setattr("signal.signal", lambda *_: None)
    tiny_bundle(tmp_path / "models" / "tiny")
    return small_data_set(tmp_path / "sounds", n_tracks=4, seconds=1.2)


def trained(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    out = folder.parent / "models" / "mine"
    status = main(["train", str(folder), "--preset", "instant", "--init", "tiny", "--jobs", "1", "--out", str(out)])
    assert (out / "bundle.json").is_file()
    return status, capsys.readouterr().err


def test_what_could_not_be_used_is_told_and_is_status_1_though_the_model_is_saved(sounds, capsys) -> None:
    (sounds / "hum" / "text.mp3").write_text("This is no sound.")
    (sounds / "hiss" / "zero.ogg").write_bytes(b"")
    garbled = sounds / "sweep" / "garbled.wav"
    garbled.write_bytes((sounds / "sweep" / "sweep0.wav").read_bytes()[:60])
    status, err = trained(sounds, capsys)
    assert status == 1
    assert "hum/text.mp3: The file is a text file.\n" in err
    assert "hiss/zero.ogg: The file is empty (0 bytes).\n" in err
    assert err.count("garbled") == 1


def test_one_recording_under_two_genres_is_told(sounds, capsys) -> None:
    shutil.copy(sounds / "hum" / "hum0.wav", sounds / "hiss" / "wrong.wav")
    status, err = trained(sounds, capsys)
    assert status == 1
    assert "hum0, wrong: 2 tracks are the same recording. It is filed under hiss and hum.\n" in err


def test_copies_under_one_genre_are_told_and_are_no_failure(sounds, capsys) -> None:
    shutil.copy(sounds / "hum" / "hum0.wav", sounds / "hum" / "again.wav")
    status, err = trained(sounds, capsys)
    assert status == 0
    assert "again, hum0: 2 tracks are the same recording.\n" in err


def test_wrong_use_is_status_2_and_data_that_do_not_allow_it_1(sounds, capsys) -> None:
    there, new = sounds.parent / "models" / "tiny", sounds.parent / "models" / "new"
    order = ["train", str(sounds), "--init", "tiny", "--out"]
    assert main([*order, str(new), "--preset", "instant", "--epochs", "3"]) == 2
    assert main([*order, str(there), "--preset", "instant"]) == 2
    assert main([*order, str(new), "--init", "nosuch"]) == 2
    assert main(["evaluate", str(sounds), "--model", "nosuch"]) == 2
    assert main(["classify", str(sounds), "--model", "nosuch"]) == 2
    assert main([*order, str(new), "--preset", "instant", "--split", "artist"]) == 1
    assert "No artist is known" in capsys.readouterr().err
    assert main(["train", str(sounds / "nowhere"), "--init", "tiny", "--out", str(new), "--preset", "instant"]) == 1


def test_after_a_stop_it_is_told_how_to_go_on(sounds, capsys, monkeypatch) -> None:
    """--resume alone would be refused, for the best so far lies there as a model."""
    best = load_bundle(sounds.parent / "models" / "tiny")
    for stopped, said in ((True, "Stopped: the best so far was kept. "), (False, "")):
        monkeypatch.setattr("crnn.training.pipeline.carry_out", lambda *_, s=stopped, **__: Outcome(best, (), s))
        assert main(["train", str(sounds), "--out", "m", "--init", "scratch"]) == 0
        assert capsys.readouterr().err == (said and f"{said}The same command with --resume --replace goes on.\n")


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch, sounds: Path) -> list[tuple[TrainingOrder, list[Outcome]]]:
    """Orders, which are not carried out, beside what comes of the next one; of the first nothing."""
    found: list[tuple[TrainingOrder, list[Outcome]]] = []
    outcomes: list[Outcome] = []

    def carry_out(order: TrainingOrder, **_: object) -> Outcome:
        found.append((order, outcomes))
        return outcomes.pop() if outcomes else Outcome(None, ("Stopped before anything was learnt.",), stopped=True)

    monkeypatch.setattr("crnn.training.pipeline.carry_out", carry_out)
    return found


def test_what_is_asked_for_is_what_is_ordered(sounds, orders, capsys, tmp_path) -> None:
    out = tmp_path / "models" / "mine"
    options = ["--epochs", "3", "--seed", "7", "--folds", "4", "--split", "random", "--jobs", "2"]
    assert main(["train", str(sounds), "demo", "--out", str(out), "--init", "tiny", *options]) == 1
    assert capsys.readouterr() == ("", "Stopped before anything was learnt.\n")
    ((order, _),) = orders
    # Epochs are of a network.
    settings = preset("standard", is_transfer=True)
    settings = dataclasses.replace(settings, train=dataclasses.replace(settings.train, epochs=3, seed=7))
    settings = with_frozen_body(settings)
    assert order == TrainingOrder((str(sounds), "demo"), out, settings, "tiny", "random", folds=4, n_jobs=2)
    assert main(["train", "demo", "--out", str(out), "--init", "scratch", "--preset", "quick"]) == 1
    assert orders[-1][0].init is None
    assert orders[-1][0].settings == preset("quick", is_transfer=False)
    assert main(["train", "demo", "--out", str(out), "--init", "tiny", "--resume", "--replace", "--jobs", "1"]) == 1
    head = with_frozen_body(preset(INSTANT, is_transfer=True))
    assert orders[-1][0] == TrainingOrder(
        ("demo",), out, head, "tiny", method="head", resume=True, replace=True, n_jobs=1
    )


def test_how_well_it_does_and_where_it_lies_is_told_and_a_failure_is_the_status(sounds, orders, capsys, tmp_path):
    bundle = find_bundle("tiny")
    scores = {"accuracy": 0.75, "n_tracks": 12, "accuracy_interval": [0.47, 0.91]}
    order = ["train", "demo", "--out", str(tmp_path / "models" / "mine"), "--init", "tiny"]
    main(order)
    outcomes = orders[0][1]
    capsys.readouterr()
    copies = Fault("duplicate", "a, b", "2 tracks are the same recording.")
    damaged = Fault("unreadable", "c", "It is damaged.")
    for part, split, faults, status, what in (
        ("valid", {}, (copies,), 0, "validation tracks"),
        ("folds", {"folds": 4}, (copies, damaged), 1, "tracks, pooled over 4 folds"),
    ):
        made = dataclasses.replace(bundle, scores={part: scores}, split=split)
        outcomes.append(Outcome(made, ("It is damaged.",), stopped=False, faults=faults))
        assert main(order) == status
        out, err = capsys.readouterr()
        assert out == f"tiny: 75.0% of 12 {what} (47.0% to 91.0%)\n{bundle.path}\n"
        # What is among the notes is told once.
        assert err == "a, b: 2 tracks are the same recording.\nIt is damaged.\n"
    outcomes.append(Outcome(dataclasses.replace(bundle, scores={}), (), stopped=False))
    assert main(order) == 0
    assert capsys.readouterr().out == f"{bundle.path}\n"


def test_where_there_is_no_terminal_each_epoch_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with train._epoch_bars() as on_event:
        on_event({"event": "step", "epoch": 1, "loss": 2.0})
        on_event({"event": "epoch", "epoch": 1, "epochs": 3, "loss": 1.23456})
        on_event({"event": "epoch", "epoch": 2, "epochs": 3, "loss": 0.5, "confusion": [[3, 1], [0, 4]]})
        on_event({"event": "score"})
    assert capsys.readouterr().err.splitlines() == [
        "epoch 1 of 3: loss 1.235",
        "epoch 2 of 3: loss 0.500, 7 of 8 validation tracks right",
    ]


def test_an_archive_has_all_that_is_known_of_its_tracks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "home").mkdir()
    rows = ["file,genre,artist,title,split"]
    for number, (genre, artist) in enumerate([("bass", "Ann"), ("bass", ""), ("treble", "Ben")]):
        soundfile.write(tmp_path / f"{number}.wav", sine(80.0 + number, 2.0), RATE)
        rows.append(f"{number}.wav,{genre},{artist},Song {number},{('train', 'valid', 'test')[number]}")
    (tmp_path / "broken.wav").write_bytes((tmp_path / "0.wav").read_bytes()[:60])
    (tmp_path / "tracks.csv").write_text("\n".join([*rows, "broken.wav,bass,,,"]))
    out = tmp_path / "x.npz"
    assert main(["features", str(tmp_path), "--out", str(out), "--model", "scratch", "--jobs", "1"]) == 1
    said = capsys.readouterr()
    assert said.out == f"{out}\n"
    assert "broken" in said.err
    archive = read_archive(out)
    assert (archive.track_ids, archive.genres) == (("0", "1", "2"), ("bass", "bass", "treble"))
    assert archive.artists == ("Ann", None, "Ben")
    assert archive.titles == ("Song 0", "Song 1", "Song 2")
    assert archive.splits == ("train", "valid", "test")
    assert main(["scan", str(out), "--format", "json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert (facts["n_artists"], facts["splits"]) == (2, {"test": 1, "train": 1, "valid": 1})
