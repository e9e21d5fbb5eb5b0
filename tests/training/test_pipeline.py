"""Orders carried out: several data sets joined, genres renamed, a model to start from, data that changed."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from sounds import wav_bytes
from tiny_bundle import tiny_bundle
from training_runs import SETTINGS, order_for, small_data_set

from crnn.data.collection import gather
from crnn.data.overview import check, protection
from crnn.errors import CrnnError, DatasetError, EmptyGenreError, TooFewTracksError
from crnn.jobs.estimates import measured_pace, training_seconds
from crnn.jobs.order import CHECKPOINT_NAME, preset
from crnn.jobs.runs import Account, Run, runs_dir
from crnn.owner import MACHINE


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "models"))
    return tmp_path


def brief(folder, out, **changes):
    settings = dataclasses.replace(SETTINGS, train=dataclasses.replace(SETTINGS.train, epochs=2))
    return dataclasses.replace(order_for(folder), settings=settings, out=out, **changes)


def test_data_sets_are_joined_under_their_names(home):
    first, second = small_data_set(home / "first"), small_data_set(home / "second", n_tracks=8)
    collection = gather([first, second])
    assert len(collection.tracks) == 18 + 24
    assert {track.track_id.partition("/")[0] for track in collection.tracks} == {"first", "second"}
    assert len(collection.origins) == len(collection.tracks)
    # Sweeps and hums do not depend on how many there are: six of each are in both folders.
    copies = [fault for fault in collection.faults if fault.kind == "duplicate"]
    assert all("first/" in fault.subject and "second/" in fault.subject for fault in copies)
    by_id = {track.track_id: track for track in collection.tracks}
    for fault in copies:
        groups = {by_id[track_id].group for track_id in fault.subject.split(", ")}
        assert len(groups) == 1
        assert None not in groups


def test_one_data_set_keeps_its_ids(home):
    collection = gather([small_data_set(home / "sounds")])
    assert "hum0" in {track.track_id for track in collection.tracks}
    assert collection.kind == "folder"


def test_genres_are_renamed_merged_and_left_out(home):
    collection = gather([small_data_set(home / "sounds")], {"hum": "tone", "sweep": "tone", "hiss": "noise"})
    assert collection.genres == ("noise", "tone")
    assert gather([home / "sounds"], {"hiss": None}).genres == ("hum", "sweep")
    with pytest.raises(EmptyGenreError, match="no genre “polka”"):
        gather([home / "sounds"], {"polka": "tone"})


def test_fingerprint_follows_what_is_used(home):
    folder = small_data_set(home / "sounds")
    whole, renamed = gather([folder]), gather([folder], {"hum": "tone"})
    assert whole.fingerprint == gather([folder]).fingerprint != renamed.fingerprint


def test_check_tells_counts_minutes_balance_and_splits(home):
    folder = small_data_set(home / "sounds")
    for number in range(1, 6):
        (folder / "hum" / f"hum{number}.wav").unlink()
        (folder / "hiss" / f"hiss{number}.wav").unlink()
    collection = gather([folder])
    found = check(collection)
    assert [(facts.genre, facts.n_tracks) for facts in found.genres] == [("hiss", 1), ("hum", 1), ("sweep", 6)]
    assert found.genres[2].seconds == pytest.approx(18.0, abs=0.01)
    assert "Unbalanced: 6 tracks of sweep, 1 of " in found.advice[0]
    assert "A single track in “hiss”, “hum”" in found.obstacle
    assert found.splits == ("random",)
    with pytest.raises(DatasetError, match="At least|No artist is known"):
        protection(collection, "artist", 0)


@pytest.mark.slow
def test_a_checkpoint_goes_on_only_as_it_was_begun(home):
    from crnn.training.pipeline import carry_out

    seen = []
    folder = small_data_set(home / "sounds")
    order = brief(folder, home / "models" / "mine", run_dir=home / "run")
    outcome = carry_out(order, on_event=seen.append, should_stop=lambda: any(e["event"] == "epoch" for e in seen))
    assert outcome.stopped
    assert outcome.bundle is not None
    assert (home / "run" / CHECKPOINT_NAME).is_file()
    again = dataclasses.replace(order, resume=True, replace=True)
    other_seed = dataclasses.replace(SETTINGS.train, epochs=2, seed=7)
    with pytest.raises(CrnnError, match="it was begun with seed 0, and now it is 7"):
        carry_out(dataclasses.replace(again, settings=dataclasses.replace(SETTINGS, train=other_seed)))
    with pytest.raises(CrnnError, match="with split chosen by the data, and now it is random; .*folds 0, .* 3"):
        carry_out(dataclasses.replace(again, split="random", folds=3))
    (folder / "hum" / "hum0.wav").unlink()
    with pytest.raises(CrnnError, match="the tracks changed since this training began"):
        carry_out(again)
    # Begun anew, nothing of the old run is left to be resumed by mistake.
    fresh = dataclasses.replace(order, replace=True, settings=dataclasses.replace(SETTINGS, train=other_seed))
    assert carry_out(fresh, should_stop=lambda: True).stopped
    assert not (home / "run" / CHECKPOINT_NAME).exists()


@pytest.mark.slow
def test_folds_judge_every_track_by_a_network_that_did_not_learn_it(home, capsys):
    from crnn.training.pipeline import carry_out

    folder = small_data_set(home / "sounds", n_tracks=8)
    seen = []
    order = brief(folder, home / "models" / "mine", run_dir=home / "run", folds=3)
    # Stopped in the second fold's first epoch: nothing to keep yet, but the first fold.
    stopped = carry_out(order, on_event=seen.append, should_stop=lambda: any(e.get("epoch") == 3 for e in seen))
    assert (stopped.bundle, stopped.stopped) == (None, True)
    assert "Stopped before every fold was done" in stopped.notes[0]
    assert (home / "run" / "fold-1" / "logits.npz").is_file()
    seen.clear()
    whole = carry_out(dataclasses.replace(order, resume=True), on_event=seen.append)
    assert [event["epoch"] for event in seen if event["event"] == "epoch"] == [3, 4, 5, 6, 7, 8]
    assert {event["epochs"] for event in seen if event["event"] == "epoch"} == {8}
    assert whole.bundle is not None
    assert whole.report is not None
    scores = whole.bundle.scores["folds"]
    assert "valid" not in whole.bundle.scores
    assert scores["n_tracks"] == len(whole.report["tracks"]) == 24
    assert scores["accuracy"] > 0.5
    low, high = scores["accuracy_interval"]
    assert low < scores["accuracy"] < high
    right = np.mean([track["genre"] == track["answer"] for track in whole.report["tracks"]])
    assert right == pytest.approx(scores["accuracy"])
    assert "had not learnt it" in " ".join(whole.report["protection"])
    assert sum(whole.bundle.split[f"n_fold_{number}"] for number in (1, 2, 3)) == 24
    assert not (home / "run").exists()


def test_folds_that_cannot_be_dealt_are_an_error(home):
    collection = gather([small_data_set(home / "sounds", n_tracks=3)])
    assert "3 folds of 3 to 3 tracks." in protection(collection, None, 0, 3)[0]
    with pytest.raises(DatasetError, match="Each genre needs at least 4 tracks"):
        protection(collection, None, 0, 4)
    with pytest.raises(DatasetError, match="has parts of its own"):
        protection(collection, "column", 0, 3)


@pytest.mark.slow
def test_a_stop_before_the_first_epoch_keeps_nothing(home):
    from crnn.training.pipeline import carry_out

    outcome = carry_out(brief(small_data_set(home / "sounds"), home / "models" / "mine"), should_stop=lambda: True)
    assert (outcome.bundle, outcome.report, outcome.stopped) == (None, None, True)
    assert not (home / "models" / "mine").exists()


def test_a_refused_training_leaves_nothing_behind(home):
    from crnn.training.pipeline import carry_out

    folder = small_data_set(home / "sounds", n_tracks=1, seconds=1.2)
    with pytest.raises(CrnnError, match="A single track in"):
        carry_out(brief(folder, home / "models" / "mine"))
    with pytest.raises(CrnnError, match="There is no data set"):
        carry_out(brief(home / "nowhere", home / "models" / "mine"))
    assert list((home / "models").iterdir()) == []
    # The page's folder of a run holds what it tells of it.
    (home / "run").mkdir()
    (home / "run" / "order.json").write_text("{}")
    with pytest.raises(CrnnError, match="A single track in"):
        carry_out(brief(folder, home / "models" / "mine", run_dir=home / "run"))
    assert [path.name for path in (home / "run").iterdir()] == ["order.json"]


@pytest.mark.parametrize("method", ["head", "network"])
def test_a_genre_of_silence_is_refused_with_a_sentence(home, method):
    """Of a head it once was a traceback."""
    from crnn.training.pipeline import carry_out

    folder = small_data_set(home / "sounds", n_tracks=4, seconds=1.2)
    tiny_bundle(home / "models" / "tiny")
    for number in range(4):
        quiet = wav_bytes(np.zeros(30_000 + 1000 * number, np.float32), subtype="PCM_16")
        (folder / "quiet").mkdir(exist_ok=True)
        (folder / "quiet" / f"{number}.wav").write_bytes(quiet)
    order = brief(folder, home / "models" / "m", method=method, init="tiny" if method == "head" else None)
    with pytest.raises(TooFewTracksError, match="Of “quiet” fewer than two tracks can be used"):
        carry_out(order)


def test_time_is_judged_by_earlier_runs_of_the_same_network(home):
    folder = runs_dir(MACHINE) / "20261123-101500"
    folder.mkdir(parents=True)
    run = Run(folder)
    (folder / "order.json").write_text(json.dumps(order_for(home).to_dict()))
    Account(run).record({"event": "data", "name": "demo", "parts": {"train": 30}, "protection": []})
    for epoch, seconds in ((1, 60.0), (2, 3.0), (3, 3.0)):
        facts = {"epochs": 3, "loss": 1.0, "seconds": seconds}
        Account(run).record({"event": "epoch", "epoch": epoch} | facts)
    pace = measured_pace(SETTINGS, [run])
    assert pace == pytest.approx(10.0)
    longer = dataclasses.replace(SETTINGS, train=dataclasses.replace(SETTINGS.train, epochs=14))
    assert training_seconds(30, longer, pace) - training_seconds(30, SETTINGS, pace) == pytest.approx(30.0)
    assert measured_pace(preset("quick"), [run]) is None
    assert measured_pace(SETTINGS, [run], "gtzan-crnn") is None
    begun = dataclasses.replace(order_for(home), init="gtzan-crnn")
    (folder / "order.json").write_text(json.dumps(begun.to_dict()))
    assert measured_pace(preset("quick"), [run], "gtzan-crnn") == pytest.approx(10.0)
    assert measured_pace(SETTINGS, [run]) is None
    assert training_seconds(30, preset("best"), None) > training_seconds(30, preset("quick"), None) > 0


def test_other_music_is_no_genre_but_beside_one_alone(home):
    folder = small_data_set(home / "sounds")
    (folder / "hiss").rename(folder / "Background")
    collection = gather([folder])
    assert (collection.genres, len(collection.tracks)) == (("hum", "sweep"), 12)
    assert {track.genre for track in collection.others} == {"Background"}
    assert "What is called Background (6 tracks) is no genre, and teaches what is none." in collection.notes[-1]
    assert collection.fingerprint != gather([folder], {"Background": None}).fingerprint
    # A new name makes a genre of it, or other music of a genre.
    assert gather([folder], {"Background": "noise"}).genres == ("hum", "noise", "sweep")
    assert len(gather([folder], {"Background": "noise", "hum": "other"}).others) == 6
    assert gather([folder], {"hum": None}).genres == ("Background", "sweep")
