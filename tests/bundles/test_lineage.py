"""The legs that a model was made in, and the commit of the program that made it."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import crnn
from crnn.bundles.bundle import Bundle
from crnn.bundles.lineage import program, with_leg
from crnn.bundles.model_card import model_card


def git(root: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def test_commit_of_the_checkout_and_whether_it_was_changed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1\n")
    assert program(tmp_path) == {"genrescope": crnn.__version__}
    git(tmp_path, "init", "-q")
    assert program(tmp_path) == {"genrescope": crnn.__version__}
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "-qm", "one")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert program(tmp_path)["commit"] == commit
    (tmp_path / "new").write_text("not of the project\n")
    assert program(tmp_path)["commit"] == commit
    (tmp_path / "a.py").write_text("2\n")
    assert program(tmp_path)["commit"] == f"{commit}, changed"


def test_a_package_inside_anothers_checkout_has_no_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-qm", "another's", "--allow-empty")
    (tmp_path / "site-packages").mkdir()
    assert program(tmp_path / "site-packages") == {"genrescope": crnn.__version__}


def test_legs_go_on_from_those_of_the_start(bundle: Bundle) -> None:
    (first,) = with_leg(None, {"what": "network trained"})
    assert first == {"what": "network trained"} | program()
    start = dataclasses.replace(bundle, training={"legs": [first]})
    legs = with_leg(start, {"what": "head fitted"})
    assert [leg["what"] for leg in legs] == ["network trained", "head fitted"]
    unknown = dataclasses.replace(bundle, name="old", created="2025-01-02T03:04:05Z")
    told = with_leg(unknown, {"what": "head fitted"})[0]
    assert told == {"what": "made as “old”", "created": "2025-01-02T03:04:05Z"}


def test_the_card_tells_the_legs(bundle: Bundle) -> None:
    legs = [
        {"what": "distilled", "steps": 3000, "seed": 0, "commit": ""},
        {"what": "heads fitted", "data": {"name": "some music", "fingerprint": "abc"}, "commit": "12ab"},
    ]
    bundle = dataclasses.replace(bundle, scores={})
    card = model_card(dataclasses.replace(bundle, training={"legs": legs}))
    assert "1. distilled (steps 3000; seed 0)\n2. heads fitted (data some music, abc; commit 12ab)\n" in card
    for told in ({}, {"legs": "none"}, {"legs": [1]}):
        assert "How it was made" not in model_card(dataclasses.replace(bundle, training=told))
