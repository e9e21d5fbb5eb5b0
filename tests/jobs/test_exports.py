"""Exports where others are served: as many at once as are granted, and none where models are not given away."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
from tiny_bundle import tiny_bundle

from crnn.errors import CrnnError, NotAllowedError
from crnn.jobs.exports import exported, place
from crnn.owner import MACHINE, Owner, person

ANN, BEN = person("https://id.example", "ann"), person("https://id.example", "ben")


pytestmark = pytest.mark.usefixtures("home")


def test_one_at_a_time_of_all_people(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "tiny")
    with place(ANN):
        with pytest.raises(CrnnError, match="1 at a time are exported here"):
            exported(bundle, "onnx", owner=BEN)
        with place(MACHINE):
            pass
    # The place is free again.
    assert exported(bundle, "onnx", owner=BEN).startswith(b"PK")


def test_strangers_get_none(tmp_path: Path) -> None:
    with pytest.raises(NotAllowedError, match="Models are not exported here"):
        exported(tiny_bundle(tmp_path / "tiny"), "onnx", owner=Owner("public", "0" * 32))


def test_what_ends_the_wait_ends_the_export_and_nothing_of_it_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streamlit raises in the page's script where a click on Stop finds it."""

    class StoppedError(Exception):
        pass

    started: list[subprocess.Popen[str]] = []

    def begun(*arguments: object, **options: object) -> subprocess.Popen[str]:
        # It would write for ever, into the folder of the export and where temporary files go.
        writes = "import os, tempfile, time; files = [open(os.path.join(tempfile.gettempdir(), 'half'), 'w')]\n"
        writes += f"files.append(open(os.path.join({str(tmp_path)!r}, 'began'), 'w'))\nwhile True: time.sleep(0.1)"
        started.append(popen([sys.executable, "-c", writes], **options))
        return started[0]

    def stop() -> None:
        if (tmp_path / "began").exists():
            assert [path.name for path in temporary.glob("*/drafts/*")] == ["half"]
            raise StoppedError

    popen, temporary = subprocess.Popen, tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(subprocess, "Popen", begun)
    with pytest.raises(StoppedError):
        exported(tiny_bundle(tmp_path / "tiny"), "onnx", owner=BEN, on_wait=stop)
    assert started[0].returncode == -signal.SIGKILL
    assert list(temporary.iterdir()) == []
    monkeypatch.undo()
    with place(ANN):
        """Its place is free again."""


def test_a_download_holds_network_card_and_scripts(tmp_path: Path) -> None:
    content = exported(tiny_bundle(tmp_path / "tiny"), "onnx", owner=MACHINE)
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        scripts = ["genre_onnx.py", "genre_onnx.html", "sound_to_input.py", "logits_to_genres.py"]
        assert packed.namelist() == ["tiny.onnx", *scripts]
