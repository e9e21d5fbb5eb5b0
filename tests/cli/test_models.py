"""`models` and `export`: what is on the shelf, and what is written of it."""

import dataclasses
import json
import sys

import pytest
from tiny_bundle import tiny_bundle

from crnn import paths
from crnn.__main__ import main
from crnn.bundles.bundle import rewrite_json
from crnn.bundles.library import DEFAULT_MODEL


def test_models_lists_the_shelf_and_names_the_damaged(capsys, bundle, monkeypatch):
    monkeypatch.setenv("GENRESCOPE_MODELS", str(bundle.path.parent))
    assert main(["models"]) == 0
    assert bundle.name in capsys.readouterr().out
    damaged = bundle.path.parent / "damaged"
    damaged.mkdir()
    (damaged / "bundle.json").write_text("{")
    assert main(["models", "--format", "json"]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["name"] for row in rows} >= {bundle.name, "damaged"}
    assert main(["models"]) == 1
    said = capsys.readouterr()
    assert "damaged" not in said.out
    assert said.err.startswith("damaged: ")


def test_an_empty_shelf_says_how_to_make_a_model(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "shelves", lambda: (tmp_path,))
    assert main(["models"]) == 0
    assert "Make one: python -m crnn train demo --out models/demo\n" in capsys.readouterr().out
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "bundle.json").write_text("{")
    assert main(["models"]) == 1
    assert capsys.readouterr().out == ""
    monkeypatch.undo()
    assert main(["models"]) == 0
    assert "Make one" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("part", "n", "words"),
    [
        ("folds", 9, "100.0% of 9 tracks, by folds (70.1% to 100.0%)"),
        ("valid", 1, "100.0% of 1 track, kept back to check with (70.1% to 100.0%)"),
        ("GTZAN tracks, crossed by artist", 283, "100.0% of 283: GTZAN tracks, crossed by artist (70.1% to 100.0%)"),
    ],
)
def test_models_says_what_was_scored_and_which_answers_unasked(capsys, bundle, monkeypatch, part, n, words):
    scores = {part: {"accuracy": 1.0, "n_tracks": n, "accuracy_interval": [0.701, 1.0]}}
    monkeypatch.setenv("GENRESCOPE_MODELS", str(bundle.path.parent))
    rewrite_json(dataclasses.replace(bundle, scores=scores))
    tiny_bundle(bundle.path.parent / DEFAULT_MODEL)
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (own,) = [line for line in lines if line.startswith(f"{bundle.name} ")]
    assert f"  {words}" in own
    assert [line.split(" (")[0] for line in lines if "(default)" in line] == [DEFAULT_MODEL]


def test_export_copies_the_network_and_adds_its_card(capsys, bundle, tmp_path):
    onnx = pytest.importorskip("onnx")
    out = tmp_path / "m.onnx"
    assert main(["export", "--model", str(bundle.path), "--to", "onnx", "--out", str(out)]) == 0
    exported, stored = onnx.load(out), onnx.load(bundle.path / "model.onnx")
    assert exported.graph == stored.graph
    assert "bass" in str(exported.metadata_props)
    assert not stored.metadata_props
    said = "Not compared with Keras: this model came without its Keras file.\n"
    assert capsys.readouterr() == (f"{out}\n", said)


@pytest.mark.skipif(sys.platform == "win32", reason="limits are of Unix")
def test_export_that_does_not_fit_leaves_what_was_there(bundle, tmp_path):
    import resource
    import signal

    out = tmp_path / "out.onnx"
    out.write_bytes(b"as it was")
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        status = main(["export", "--model", str(bundle.path), "--to", "onnx", "--out", str(out)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert status == 1
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["out.onnx"]
    assert out.read_bytes() == b"as it was"
