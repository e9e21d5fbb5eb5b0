"""Nothing is sent anywhere: what answers leaves no telemetry, and there is one way to the package that has some."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sounds import sine, wav_bytes
from test_architecture import ROOT, found_in, packages, sources
from tiny_bundle import tiny_bundle

from crnn.onnx_runtime import TELEMETRY_SWITCH


def begun(command: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    """A process of a user whose home is empty, and who never heard of the switch."""
    environment = {name: value for name, value in os.environ.items() if name not in {TELEMETRY_SWITCH, "CI"}}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def test_an_answer_leaves_nothing_in_the_users_home(tmp_path: Path) -> None:
    model, home = tiny_bundle(tmp_path / "models" / "tiny"), tmp_path / "home"
    home.mkdir()
    (tmp_path / "song.wav").write_bytes(wav_bytes(sine(60.0, 3.0)))
    done = begun(["-m", "crnn", "classify", str(tmp_path / "song.wav"), "--model", str(model.path)], home)
    assert "bass" in done.stdout, done.stderr
    assert [str(path) for path in home.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("told", ["0", ""])
def test_no_setting_brings_it_back(tmp_path: Path, told: str) -> None:
    code = f"import os; os.environ['{TELEMETRY_SWITCH}'] = '{told}'; from crnn.onnx_runtime import onnx_runtime; "
    done = begun(["-c", f"{code} print(onnx_runtime().__version__)"], tmp_path)
    assert done.stdout.strip(), done.stderr
    assert [str(path) for path in tmp_path.rglob("*") if path.is_file()] == []


def test_there_is_one_way_to_it() -> None:
    paths = [path for path in sources("crnn", "ui", "bench", "recipes") if path.name != "onnx_runtime.py"]
    assert not found_in(paths, lambda path: packages(path) & {"onnxruntime"})
