"""A process that takes more memory than it is given ends in words, and takes nothing of anybody else's."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from training_runs import order_for, small_data_set, wait_until

from crnn import limits
from crnn.jobs import memory, runs
from crnn.owner import person

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process holds")
_GREEDY = """
import os, time
from crnn.jobs.memory import bound_this_process, held_bytes

bound_this_process({most}, lambda: (print("ended in words", flush=True), os._exit(7)))
try:
    # Mapped, not written to: four gigabytes of zeros take long.
    bytes(4 * 2**30)
    print("it was given", flush=True)
except MemoryError:
    print("refused", flush=True)
held = [b"x" * 2**20 for _ in range(300)]
time.sleep({patience})
"""


def greedy(most: str, patience: float) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", _GREEDY.format(most=most, patience=patience)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_far_too_much_is_refused_and_too_much_ends_in_words() -> None:
    assert greedy("200 * 2**20", 60.0) == (7, "refused\nended in words\n")


def test_without_a_bound_nothing_is_refused() -> None:
    assert greedy("float('inf')", 0.0) == (0, "it was given\n")


def test_what_is_written_to_counts() -> None:
    before = memory.held_bytes()
    held = b"x" * (64 * 2**20)
    assert memory.held_bytes() - before > 60 * 2**20
    assert len(held)


def test_a_training_that_takes_too_much_ends_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    shared = dataclasses.replace(limits.BY_MODE["shared"], training_bytes=10 * 2**20)
    monkeypatch.setitem(limits.BY_MODE, "shared", shared)
    ann = person("https://id.example", "ann")
    data = small_data_set(ann.home / "given", n_tracks=1)
    run = runs.start_run(order_for(data), owner=ann)
    wait_until(lambda: not run.is_active())
    assert run.state() == "failed"
    assert "more than the 0.0 GiB of memory" in run.status()["message"]
