"""What answers leaves no telemetry, its threads rest while they wait, and there is one way to the package it is of."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sounds import sine, wav_bytes
from test_architecture import ROOT, found_in, packages, sources
from tiny_bundle import tiny_bundle

from crnn.inference.network import open_session
from crnn.onnx_runtime import TELEMETRY_SWITCH, onnx_runtime, resting_options


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


def test_threads_that_wait_take_no_core(tmp_path: Path) -> None:
    """A session's threads would spin, where others have work to do."""
    opened = open_session(tiny_bundle(tmp_path / "tiny"), 2).get_session_options()
    for options in (opened, resting_options()):
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert opened.intra_op_num_threads == 2


def test_a_resting_session_takes_a_fraction_of_the_processor() -> None:
    """What the option is for, which a later version may know by another name; beside the caller's own thread."""

    def taken_by_others(options: Any) -> float:
        options.intra_op_num_threads = 2
        session = onnx_runtime().InferenceSession(product_of_matrices(), options, providers=["CPUExecutionProvider"])
        matrix = np.zeros((256, 256), np.float32)
        session.run(None, {"x": matrix})
        before = time.process_time() - time.thread_time()
        for _ in range(20):
            session.run(None, {"x": matrix})
            time.sleep(0.02)
        return time.process_time() - time.thread_time() - before

    assert taken_by_others(resting_options()) < 0.5 * taken_by_others(onnx_runtime().SessionOptions())


def product_of_matrices() -> bytes:
    """A network whose one operator several threads share."""
    import onnx
    from onnx import helper, numpy_helper

    faces = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [256, 256]) for name in "xy"]
    weights = numpy_helper.from_array(np.ones((256, 256), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "product", faces[:1], faces[1:], [weights]
    )
    content: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    return content


def test_every_session_of_the_library_rests() -> None:
    opening = [path for path in sources("crnn") if "InferenceSession(" in path.read_text(encoding="utf-8")]
    assert len(opening) >= 3
    assert [path.name for path in opening if "resting_options()" not in path.read_text(encoding="utf-8")] == []
    assert [path.name for path in sources("crnn") if ".SessionOptions(" in path.read_text(encoding="utf-8")] == [
        "onnx_runtime.py"
    ]
