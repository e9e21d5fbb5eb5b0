"""`evaluate --split` on a model's own data, and what `scan` says of data that `train` would refuse."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
from tiny_bundle import GENRES, tiny_bundle
from training_runs import order_for, small_data_set

from crnn.__main__ import main
from crnn.bundles.bundle import rewrite_json
from crnn.bundles.library import DEFAULT_MODEL
from crnn.data.collection import gather, select_tracks
from crnn.data.overview import check
from crnn.errors import DatasetError
from crnn.training.pipeline import carry_out


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    return tmp_path


def trained(home, **split):
    """A model that says of itself what training writes, and the data that it was trained on."""
    folder = small_data_set(home / "sounds", n_tracks=10, seconds=1.2)
    bundle = tiny_bundle(home / "mine", genres=GENRES)
    renamed = {"hum": "bass", "sweep": "middle", "hiss": "treble"}
    collection = gather([folder], renamed)
    data = {"name": "sounds", "fingerprint": collection.fingerprint, "renamed": renamed}
    facts = {"name": "random", "way": "random", "seed": 3, "folds": 0} | split
    return rewrite_json(dataclasses.replace(bundle, data=data, split=facts)), folder, collection


def evaluated(capsys, bundle, folder, part):
    status = main(["evaluate", str(folder), "--model", str(bundle.path), "--split", part, "--format", "json"])
    return status, capsys.readouterr()


def test_a_model_is_scored_on_the_part_that_its_training_kept_back(home, capsys):
    bundle, folder, collection = trained(home)
    valid = select_tracks(collection, "random", 3)["valid"]
    status, said = evaluated(capsys, bundle, folder, "valid")
    assert status == 0
    assert json.loads(said.out)["n_tracks"] == len(valid) == 6
    # Without copies kept together, as training found them, the split would be another one.
    twice = [[collection.tracks[0].track_id, collection.tracks[1].track_id]]
    kept = rewrite_json(dataclasses.replace(bundle, split=bundle.split | {"copies": twice}))
    assert evaluated(capsys, kept, folder, "valid")[0] == 0


def test_a_part_that_is_not_there_and_folds_are_told(home, capsys):
    bundle, folder, _ = trained(home)
    status, said = evaluated(capsys, bundle, folder, "test")
    assert status == 1
    assert "has no part “test”. Parts: train (24), valid (6)." in said.err
    folded = rewrite_json(dataclasses.replace(bundle, split=bundle.split | {"folds": 5}))
    assert "was judged by 5 folds and has learnt every track" in evaluated(capsys, folded, folder, "valid")[1].err


def test_other_data_are_not_taken_for_the_model_s_own(home, capsys):
    bundle, folder, _ = trained(home)
    (folder / "hum" / "hum0.wav").unlink()
    status, said = evaluated(capsys, bundle, folder, "valid")
    assert status == 1
    assert "is GTZAN's" in said.err


def test_scan_names_what_train_would_refuse(home, capsys):
    folder = small_data_set(home / "sounds", n_tracks=2, seconds=1.2)
    assert main(["scan", str(folder)]) == 0
    copy = folder / "hum" / "again.wav"
    copy.write_bytes((folder / "hiss" / "hiss0.wav").read_bytes())
    capsys.readouterr()
    assert main(["scan", str(folder)]) == 1
    assert "1 recording under two genres: one of the labels is wrong." in capsys.readouterr().out
    copy.unlink()
    (folder / "hum" / "hum0.wav").unlink()
    assert main(["scan", str(folder), "--format", "json"]) == 1
    (obstacle,) = json.loads(capsys.readouterr().out)["obstacles"]
    assert obstacle.startswith("A single track in “hum”")


def test_scan_and_train_say_at_once_that_a_column_names_no_track_to_learn_from(home, capsys):
    folder = small_data_set(home / "sounds", n_tracks=3, seconds=1.2)
    rows = [f"{g}/{g}{n}.wav,{g},{'outside' if n else 'unlabelled'}" for g in ("hum", "hiss") for n in range(3)]
    (folder / "tracks.csv").write_text("\n".join(["file,genre,split", *rows]), encoding="utf-8")
    said = "The column split says “outside” (4) and “unlabelled” (2): none is train."
    assert main(["scan", str(folder), "--format", "json"]) == 1
    (obstacle,) = json.loads(capsys.readouterr().out)["obstacles"]
    assert obstacle.startswith(said)
    with pytest.raises(DatasetError, match=re.escape(said)):
        carry_out(dataclasses.replace(order_for(folder), out=home / "m", method="head", init=DEFAULT_MODEL))
    assert check(gather([folder])).splits == ("random",)
