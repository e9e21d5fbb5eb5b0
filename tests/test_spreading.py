"""Long runs of `classify`: broken off and taken up again, and spread over workers that die."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import soundfile
from sounds import RATE, noise

from crnn.__main__ import main

N_FILES = 24


@pytest.fixture
def shelf(tmp_path):
    """A folder of noises, and one file that is none."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    for number in range(N_FILES - 1):
        soundfile.write(folder / f"{number:02d}.wav", noise(30, seed=number), RATE)
    (folder / "text.wav").write_text("This is no sound.")
    return folder


def _command(bundle, shelf, out, *options):
    command = [
        sys.executable,
        "-m",
        "crnn",
        "classify",
        shelf,
        "--format",
        "json",
        "--model",
        bundle.path,
        "--out",
        out,
    ]
    return list(map(str, [*command, *options]))


def _rows(out):
    return [json.loads(line) for line in out.read_text().splitlines()]


def _wait_for_rows(out, n_rows, process):
    deadline = time.monotonic() + 200
    while not out.exists() or out.read_bytes().count(b"\n") < n_rows:
        assert process.poll() is None, process.returncode
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _is_one_row_a_file(out, shelf):
    return sorted(row["file"] for row in _rows(out)) == sorted(map(str, shelf.iterdir()))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to one process there")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_leaves_whole_rows_and_resume_goes_on(bundle, shelf, tmp_path, jobs):
    out = tmp_path / "answers.jsonl"
    process = subprocess.Popen(_command(bundle, shelf, out, "--jobs", jobs), start_new_session=True)
    _wait_for_rows(out, 2, process)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(100) == 130
    before = out.read_text()
    assert before.endswith("\n")
    assert 2 <= len(_rows(out)) < N_FILES
    assert subprocess.run(_command(bundle, shelf, out, "--resume"), check=False).returncode == 1
    assert out.read_text().startswith(before)
    assert _is_one_row_a_file(out, shelf)


def test_resume_cuts_half_a_row_and_keeps_the_others(bundle, shelf, tmp_path):
    out = tmp_path / "answers.jsonl"
    first = json.dumps({"file": str(shelf / "00.wav"), "verdict": "silence"}) + "\n"
    out.write_text(first + '{"file": "' + str(shelf / "01.w"))
    files = [str(shelf / name) for name in ("00.wav", "01.wav", "text.wav")]
    status = main(["classify", *files, "--format", "json", "--model", str(bundle.path), "--out", str(out), "--resume"])
    assert status == 1
    assert out.read_text().startswith(first)
    assert [row["file"] for row in _rows(out)] == files


def test_resume_leaves_another_file_alone(capsys, bundle, shelf, tmp_path):
    out = tmp_path / "diary.txt"
    out.write_text("Dear diary,\ntoday")
    arguments = ["classify", str(shelf), "--format", "json", "--model", str(bundle.path), "--out", str(out)]
    assert main([*arguments, "--resume"]) == 1
    assert "no output of classify" in capsys.readouterr().err
    assert out.read_text() == "Dear diary,\ntoday"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--resume"], "--format json --out FILE"),
        (["--engine", "dask"], "--scheduler"),
        (["--scheduler", "tcp://localhost:1"], "--engine dask"),
    ],
)
def test_options_that_need_others_say_so(capsys, bundle, shelf, options, said):
    assert main(["classify", str(shelf), "--model", str(bundle.path), *options]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_dask_gives_one_row_a_file_though_a_worker_dies(bundle, shelf, tmp_path):
    distributed = pytest.importorskip("distributed", reason="dask is not installed (requirements-dask.txt)")
    out, alone = tmp_path / "answers.jsonl", tmp_path / "alone.jsonl"
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        spread = ["--engine", "dask", "--scheduler", cluster.scheduler_address]
        process = subprocess.Popen(_command(bundle, shelf, out, *spread))
        _wait_for_rows(out, 2, process)
        assert out.read_bytes().count(b"\n") < N_FILES
        os.kill(cluster.workers[0].process.pid, signal.SIGKILL)
        assert process.wait(200) == 1
        assert _is_one_row_a_file(out, shelf)
        # Nothing is left to do, and nothing is written twice.
        assert subprocess.run(_command(bundle, shelf, out, *spread, "--resume"), check=False).returncode == 1
        assert _is_one_row_a_file(out, shelf)
    subprocess.run(_command(bundle, shelf, alone), check=False)
    answers = {row["file"]: row for row in _rows(out)}
    for row in _rows(alone):
        assert row.get("genres", {}) == pytest.approx(answers[row["file"]].get("genres", {}), abs=1e-5)
        assert row.get("error") == answers[row["file"]].get("error")
