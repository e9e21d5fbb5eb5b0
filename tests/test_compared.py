"""Two columns of a bench: a file, or a commit that is measured anew."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench import compared
from bench.compared import Run

TINY = """
import argparse
from pathlib import Path
from bench import compared

parser = argparse.ArgumentParser()
parser.add_argument("--times", type=float, default=1.0)
compared.add_options(parser)
options = parser.parse_args()
earlier = compared.before(options, "bench.tiny")
seconds = float(Path("state.txt").read_text()) * options.times
compared.finish({"zoom": {"seconds": seconds, "aim_seconds": 9.0, "is_met": True}}, options, "bench.tiny", earlier)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of two commits: what is measured took 3 s, and takes 1.5 s."""
    folder = tmp_path / "project"
    (folder / "bench").mkdir(parents=True)
    for name in ("__init__.py", "compared.py"):
        shutil.copy(Path(compared.__file__).with_name(name), folder / "bench")
    git(folder, "init", "-q")
    for seconds in (3.0, 1.5):
        (folder / "state.txt").write_text(str(seconds))
        git(folder, "add", "state.txt", "bench")
        git(folder, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", f"{seconds} s")
    # Today's bench, which the commits do not have.
    (folder / "bench" / "tiny.py").write_text(TINY)
    return folder


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def run(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "bench.tiny", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_commit_is_measured_with_the_same_options_and_its_worktree_is_gone(project: Path) -> None:
    printed = run(project, "--times", "2", "--against", "HEAD~1")
    assert "| zoom seconds | 6 | 3 | 0.50 |" in printed
    assert "aim" not in printed
    assert "differ" not in printed
    assert f"Before: {git(project, 'rev-parse', '--short=12', 'HEAD~1').strip()}, " in printed
    assert len(git(project, "worktree", "list").splitlines()) == 1


def test_file_of_the_same_command_is_the_column_before(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "before.json"
    assert json.loads(run(project, "--out", str(out)))["zoom"]["seconds"] == 1.5
    (project / "state.txt").write_text("6")
    printed = run(project, f"--against={out}")
    assert "| zoom seconds | 1.5 | 6 | 4.00 |" in printed
    assert "and changes" in printed


def test_what_one_column_lacks_and_where_it_was_measured_is_told() -> None:
    before = Run("python -m bench.x", "a" * 12, "one kind, 2 cores", 0.1, {"old": 2.0, "both": 0.0})
    after = dataclasses.replace(
        before, command="python -m bench.x -n 2", machine="other", figures={"both": 1.0, "new": 3}
    )
    lines = compared.table(before, after).splitlines()
    assert {"| old | 2 | – | – |", "| both | 0 | 1 | – |", "| new | – | 3 | – |"} <= set(lines)
    assert any("machines differ" in line for line in lines)
    assert any("commands differ" in line for line in lines)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("[1]")
    with pytest.raises(SystemExit, match="was not written by --out"):
        compared._read(path)
