"""librosa is loaded by one process at a time, for numba's sake, and where no lock can be had all the same."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import pytest

from crnn.analysis.compiled import compiling, lock_of_environment


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_who_comes_second_waits_for_the_first(temporary: Path) -> None:
    came = threading.Event()

    def load() -> None:
        with compiling():
            came.set()

    second = threading.Thread(target=load)
    with lock_of_environment() as other:
        assert other.acquire()
        second.start()
        assert not came.wait(0.2)
    second.join()
    assert came.is_set()
    assert not lock_of_environment().is_held()


def test_without_a_place_for_a_lock_it_goes_without(temporary: Path) -> None:
    (temporary / "file").touch()
    tempfile.tempdir = str(temporary / "file")
    with compiling():
        pass
