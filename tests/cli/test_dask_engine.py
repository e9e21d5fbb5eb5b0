"""Long runs of `classify`: broken off and taken up again, and spread over workers that die."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import wave
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
import soundfile
from sounds import RATE, noise

from crnn.__main__ import main
from crnn.cli.answering import Answerer, answered
from crnn.cli.dask_engine import answered_by_dask
from crnn.errors import BundleError, CrnnError

N_FILES = 24


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A folder of noises, and one file that is none; nobody writes there."""
    folder = tmp_path_factory.mktemp("shelf")
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
    deadline = time.monotonic() + 400
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
    assert process.wait(300) == 130
    before = out.read_text()
    assert before.endswith("\n")
    assert 2 <= len(_rows(out)) < N_FILES
    assert subprocess.run(_command(bundle, shelf, out, "--resume"), check=False).returncode == 1
    assert out.read_text().startswith(before)
    assert _is_one_row_a_file(out, shelf)


def test_resume_cuts_half_a_row_and_keeps_the_others(capsys, bundle, shelf, tmp_path):
    out = tmp_path / "answers.jsonl"
    first = json.dumps({"file": str(shelf / "00.wav"), "verdict": "silence"}) + "\n"
    out.write_text(first + '{"file": "' + str(shelf / "01.w"))
    files = [str(shelf / name) for name in ("00.wav", "01.wav", "text.wav")]
    status = main(["classify", *files, "--format", "json", "--model", str(bundle.path), "--out", str(out), "--resume"])
    assert status == 1
    assert out.read_text().startswith(first)
    assert [row["file"] for row in _rows(out)] == files
    assert f"1 file of 3 answered before, in {out}: 2 left." in capsys.readouterr().err


def test_resume_says_where_there_is_nothing_to_go_on_with_or_nothing_left(capsys, bundle, shelf, tmp_path):
    out = tmp_path / "answers.jsonl"
    arguments = ["classify", str(shelf / "00.wav"), "--format", "json", "--model", str(bundle.path), "--out", str(out)]
    assert main([*arguments, "--resume"]) == 0
    assert f"Nothing to go on with in {out}: none of these files has a row there." in capsys.readouterr().err
    before = out.read_bytes()
    assert main([*arguments, "--resume"]) == 0
    assert f"1 file has a row in {out}: nothing is left." in capsys.readouterr().err
    assert out.read_bytes() == before


@pytest.mark.parametrize("content", ["Dear diary,\ntoday", '"file"\ntoday', '{"file": "a.wav"}\n{}\n'])
def test_resume_leaves_another_file_alone(capsys, bundle, shelf, tmp_path, content):
    out = tmp_path / "diary.txt"
    out.write_text(content)
    arguments = ["classify", str(shelf), "--format", "json", "--model", str(bundle.path), "--out", str(out)]
    assert main([*arguments, "--resume"]) == 1
    assert "no output of classify" in capsys.readouterr().err
    assert out.read_text() == content


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--resume"], "--format json --out FILE"),
        (["--resume", "--format", "json"], "--format json --out FILE"),
        (["--resume", "--out", "rows.csv"], "--format json --out FILE"),
        (["--engine", "dask"], "--scheduler"),
        (["--scheduler", "tcp://localhost:1"], "--engine dask"),
        (["--overwrite-genre"], "belong to --write-tags"),
        (["--undo-file", "undo.jsonl"], "belong to --write-tags"),
    ],
)
def test_options_that_need_others_say_so(capsys, bundle, shelf, options, said):
    assert main(["classify", str(shelf), "--model", str(bundle.path), *options]) == 2
    assert said in capsys.readouterr().err


def _workers(process):
    """Ids of the worker processes of a command."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            is_child = f"PPid:\t{process.pid}\n" in status.read_text()
            if is_child and b"spawn_main" in status.with_name("cmdline").read_bytes():
                found.append(int(status.parent.name))
    return found


def _is_open(path):
    """Whether any process holds the file open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if link.readlink() == path:
                return True
    return False


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_worker_costs_nothing(bundle, shelf, tmp_path):
    out = tmp_path / "answers.jsonl"
    process = subprocess.Popen(_command(bundle, shelf, out, "--jobs", "2"))
    _wait_for_rows(out, 2, process)
    os.kill(_workers(process)[0], signal.SIGKILL)
    assert process.wait(400) == 1
    assert _is_one_row_a_file(out, shelf)
    assert [row["file"] for row in _rows(out) if "error" in row] == [str(shelf / "text.wav")]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_file_that_kills_two_workers_gets_an_error_row(bundle, tmp_path):
    endless, out = tmp_path / "endless.wav", tmp_path / "answers.jsonl"
    with wave.open(str(endless), "wb") as file:
        file.setparams((1, 2, RATE, 10**9, "NONE", ""))
        file._file.truncate(2 * 10**9)  # 12 hours that take no room on the disk
    process = subprocess.Popen(_command(bundle, endless, out, "--jobs", "2"))
    killed = set()
    deadline = time.monotonic() + 400
    while process.poll() is None and time.monotonic() < deadline:
        for worker in set(_workers(process)) - killed:
            if _is_open(endless):
                os.kill(worker, signal.SIGKILL)
                killed.add(worker)
                # Not taken for the next worker's: what read it for this one ends with it.
                while _is_open(endless):
                    time.sleep(0.05)
        time.sleep(0.05)
    assert process.returncode == 1
    (row,) = _rows(out)
    assert row["error"]["type"] == "WorkerDiedError"
    assert "killed by SIGKILL" in row["error"]["message"]


def test_workers_that_never_start_end_in_a_sentence(bundle, tmp_path, monkeypatch):
    # A main module that cannot be imported ends every spawned process at once.
    broken = tmp_path / "broken_main.py"
    broken.write_text("raise SystemExit(7)")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(broken), raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    with pytest.raises(CrnnError, match="as soon as they are started"):
        list(answered(Answerer(bundle.path, False), [tmp_path / "a.wav"], 2))


class _Future:
    def __init__(self, key, outcome):
        self.key, self.outcome, self.is_released = key, outcome, False

    def result(self):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def release(self):
        self.is_released = True


class _Cluster:
    """In place of a cluster's client: three threads in two workers, and an outcome for each file."""

    def __init__(self, outcomes, n_threads=(1, 2)):
        self.outcomes, self.n_threads, self.futures = outcomes, dict(enumerate(n_threads)), []
        self.is_closed = False

    def __call__(self, address, timeout):
        if address == "tcp://nobody":
            raise OSError("timed out")
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_closed = True

    def wait_for_workers(self, n, timeout):
        if not self.n_threads:
            raise TimeoutError

    def nthreads(self):
        return self.n_threads

    def submit(self, work, path, pure):
        assert path.is_absolute()
        assert not pure
        self.futures.append(_Future(f"{path}-{len(self.futures)}", self.outcomes.get(path.name) or work(path)))
        return self.futures[-1]


class _LastFirst(list):
    """What is ready: the future that was handed in last comes first."""

    def __iter__(self):
        while self:
            yield self.pop()

    update = list.extend


@pytest.fixture
def clustered(monkeypatch):
    import distributed

    def ask(files, outcomes=(), address="tcp://here", **cluster):
        made = _Cluster(dict(outcomes), **cluster)
        monkeypatch.setattr(distributed, "Client", made)
        monkeypatch.setattr(distributed, "as_completed", _LastFirst)
        return made, answered_by_dask(lambda path: {"file": str(path), "genre": path.stem}, files, address)

    return ask


def test_four_files_a_thread_are_ahead_and_each_row_has_its_own_name(clustered):
    taken = []
    files = (taken.append(number) or Path(f"{number}.wav") for number in range(20))
    cluster, rows = clustered(files)
    first = next(rows)
    # Twelve, and one more in place of each that is answered.
    assert (first, len(taken)) == ({"file": "11.wav", "genre": "11"}, 13)
    rest = list(rows)
    assert sorted(row["file"] for row in [first, *rest]) == sorted(f"{number}.wav" for number in range(20))
    assert all(row["file"] == f"{row['genre']}.wav" for row in rest)
    assert all(future.is_released for future in cluster.futures)
    assert cluster.is_closed


def test_a_file_that_kills_its_workers_is_a_row_and_a_cluster_that_goes_is_a_sentence(clustered):
    from distributed import KilledWorker

    _, rows = clustered([Path("a.wav"), Path("bad.wav")], {"bad.wav": KilledWorker("bad.wav", None, ["w"])})
    message = "Every worker that opened this file died. Run it alone to see why."
    assert list(rows) == [
        {"file": "bad.wav", "error": {"type": "KilledWorker", "message": message}},
        {"file": "a.wav", "genre": "a"},
    ]
    fault = RuntimeError("outer")
    fault.__cause__ = ModuleNotFoundError("No module named 'crnn'\nand more")
    for outcome, said in (
        (CancelledError(), r"scheduler at tcp://here went away\. Go on with --resume"),
        (BundleError("No such model."), r"cluster at tcp://here cannot open the model: No such model\."),
        (fault, r"cluster at tcp://here cannot answer \(No module named 'crnn'\)\. GenreScope must be installed"),
        (ZeroDivisionError(), r"cannot answer \(ZeroDivisionError\)"),
    ):
        cluster, rows = clustered([Path("a.wav")], {"a.wav": outcome})
        with pytest.raises(CrnnError, match=said):
            list(rows)
        assert cluster.is_closed


def test_a_cluster_that_is_not_there_or_has_no_workers_is_a_sentence(clustered, monkeypatch):
    with pytest.raises(CrnnError, match=r"No dask scheduler answers at tcp://nobody: timed out\."):
        list(clustered([Path("a.wav")], address="tcp://nobody")[1])
    with pytest.raises(CrnnError, match="has no workers. Start some: dask worker tcp://here"):
        list(clustered([Path("a.wav")], n_threads=())[1])
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(CrnnError, match=r"dask is not installed\. Add it with: pip install '\.\[dask\]'"):
        list(answered_by_dask(lambda path: {}, [], "tcp://here"))


@pytest.mark.slow
def test_a_cluster_that_does_not_know_the_project_is_told_so(bundle, shelf, tmp_path):
    # Python's safe path keeps the folder it is started in out of its search, as an installed dask does.
    settings = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": "", "PYTHONSAFEPATH": "1"}}
    ports = tmp_path / "scheduler.json"
    start = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    scheduler = subprocess.Popen([*start, "--no-dashboard", "--scheduler-file", ports], **settings)
    worker = None
    try:
        deadline = time.monotonic() + 300
        while not ports.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        start = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-dashboard", "--no-nanny"]
        worker = subprocess.Popen([*start, "--scheduler-file", ports], **settings)
        address = json.loads(ports.read_text())["address"]
        command = _command(bundle, shelf, tmp_path / "out", "--engine", "dask", "--scheduler", address)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    finally:
        for process in filter(None, (worker, scheduler)):
            process.terminate()
            process.wait(120)
    assert done.returncode == 1
    assert "GenreScope must be installed for its scheduler" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_dask_gives_one_row_a_file_though_a_worker_dies(bundle, shelf, tmp_path):
    import distributed

    out, alone = tmp_path / "answers.jsonl", tmp_path / "alone.jsonl"
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        spread = ["--engine", "dask", "--scheduler", cluster.scheduler_address]
        process = subprocess.Popen(_command(bundle, shelf, out, *spread))
        _wait_for_rows(out, 2, process)
        assert out.read_bytes().count(b"\n") < N_FILES
        os.kill(cluster.workers[0].process.pid, signal.SIGKILL)
        assert process.wait(400) == 1
        assert _is_one_row_a_file(out, shelf)
        # Nothing is left to do, and nothing is written twice.
        assert subprocess.run(_command(bundle, shelf, out, *spread, "--resume"), check=False).returncode == 1
        assert _is_one_row_a_file(out, shelf)
    subprocess.run(_command(bundle, shelf, alone), check=False)
    answers = {row["file"]: row for row in _rows(out)}
    for row in _rows(alone):
        assert row.get("genres", {}) == pytest.approx(answers[row["file"]].get("genres", {}), abs=1e-5)
        assert row.get("error") == answers[row["file"]].get("error")


def test_a_resumed_run_fails_if_an_earlier_file_failed(bundle, shelf, tmp_path):
    out = tmp_path / "answers.jsonl"
    failed = {"file": str(shelf / "text.wav"), "error": {"type": "UndecodableAudioError", "message": "No sound."}}
    out.write_text(json.dumps(failed) + "\n")
    files = [str(shelf / name) for name in ("00.wav", "text.wav")]
    arguments = ["classify", *files, "--format", "json", "--model", str(bundle.path), "--out", str(out), "--resume"]
    assert main(arguments) == 1
    assert [row["file"] for row in _rows(out)] == [files[1], files[0]]
