import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from sounds import RATE, sine

from crnn.audio.clip import load_clip
from crnn.config import LOG_MEL, FeatureConfig, tagger_features
from crnn.data import demo, feature_cache, feature_store
from crnn.data.feature_cache import FeatureCache, made_with
from crnn.data.scan import scan
from crnn.data.tracks import Track
from crnn.errors import DatasetError
from crnn.features import archive, log_mel

CONFIG = FeatureConfig()


def make_folder(root: Path, n_tracks: int, seconds: float = 2.0) -> Path:
    rng = np.random.default_rng(7)
    for i in range(n_tracks):
        path = root / ("jazz" if i % 2 else "rock") / f"{i:03d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, sine(200.0 + i, seconds) + rng.normal(0, 0.01, round(seconds * RATE)), RATE)
    return root


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the tracks that were computed in this process."""
    ids: list[str] = []
    compute = feature_cache._compute

    def counting(track: Track, config: FeatureConfig) -> object:
        ids.append(track.track_id)
        return compute(track, config)

    monkeypatch.setattr(feature_cache, "_compute", counting)
    return ids


def test_cells_are_the_log_mel_of_the_file(tmp_path: Path):
    tracks = scan(make_folder(tmp_path / "m", 2)).tracks
    found, faults = FeatureCache(tmp_path / "c", CONFIG).load(tracks, n_jobs=1)
    assert faults == []
    for track, cells in zip(tracks, found, strict=True):
        expected = log_mel.log_mel(load_clip(track.path, CONFIG.sample_rate).samples, CONFIG)
        assert np.abs(archive.to_db(cells) - expected).max() <= 80 / 255 / 2 + 1e-3


def test_adding_files_computes_only_those(tmp_path: Path, computed: list[str]):
    folder = make_folder(tmp_path / "m", 4)
    store = FeatureCache(tmp_path / "c", CONFIG)
    first, _ = store.load(scan(folder).tracks, n_jobs=1)
    assert len(computed) == 4
    make_folder(folder, 7)
    second, _ = store.load(scan(folder).tracks, n_jobs=1)
    assert sorted(computed[4:]) == ["004", "005", "006"]
    assert all(np.array_equal(a, b) for a, b in zip(first, second[:4], strict=True))


def test_moved_copied_and_touched_files_are_not_computed_again(tmp_path: Path, computed: list[str]):
    folder = make_folder(tmp_path / "m", 4)
    store = FeatureCache(tmp_path / "c", CONFIG)
    store.load(scan(folder).tracks, n_jobs=1)
    shutil.move(folder, tmp_path / "elsewhere")
    for path in (tmp_path / "elsewhere").rglob("*.wav"):
        os.utime(path, (1, 1))
    store.load(scan(tmp_path / "elsewhere").tracks, n_jobs=1)
    assert len(computed) == 4


def test_changed_content_is_computed_again(tmp_path: Path, computed: list[str]):
    folder = make_folder(tmp_path / "m", 2)
    store = FeatureCache(tmp_path / "c", CONFIG)
    before, _ = store.load(scan(folder).tracks, n_jobs=1)
    soundfile.write(folder / "rock" / "000.wav", sine(1234.0), RATE)
    after, _ = store.load(scan(folder).tracks, n_jobs=1)
    assert computed[2:] == ["000"]
    assert not np.array_equal(before[0], after[0])
    assert np.array_equal(before[1], after[1])


def test_only_the_transform_decides(tmp_path: Path, computed: list[str]):
    tracks = scan(make_folder(tmp_path / "m", 1)).tracks
    for config in (CONFIG, replace(CONFIG, segment_seconds=5.0), replace(CONFIG, segment_hop_seconds=1.0)):
        found, _ = FeatureCache(tmp_path / "c", config).load(tracks, n_jobs=1)
        assert found[0].shape[1] == config.n_mels
    assert len(computed) == 1
    changes = {"n_mels": 64, "n_fft": 1024, "hop_length": 700, "fmin": 60.0, "fmax": 8000.0, "sample_rate": 24_000}
    for n_before, (name, value) in enumerate(changes.items(), start=1):
        FeatureCache(tmp_path / "c", replace(CONFIG, **{name: value})).load(tracks, n_jobs=1)
        assert len(computed) == n_before + 1, name


def test_the_two_front_ends_are_kept_apart_where_all_else_is_alike():
    ear = replace(tagger_features(), fmax=11_025.0)
    assert made_with(ear) != made_with(replace(ear, front_end=LOG_MEL))
    assert made_with(ear) == made_with(replace(ear, segment_hop_seconds=5.0))


def test_bad_files_are_faults_and_the_others_are_loaded(tmp_path: Path):
    folder = make_folder(tmp_path / "m", 2)
    (folder / "jazz" / "noise.mp3").write_bytes(np.random.default_rng(0).bytes(5000))
    soundfile.write(folder / "jazz" / "short.wav", sine(300.0, 0.4), RATE)
    soundfile.write(folder / "jazz" / "silent.wav", np.zeros(RATE * 2) + 1e-9, RATE, subtype="FLOAT")
    tracks = (*scan(folder).tracks, Track("gone", "jazz", folder / "gone.wav"))
    found, faults = FeatureCache(tmp_path / "c", CONFIG).load(tracks, n_jobs=1)
    kinds = {fault.subject: fault.kind for fault in faults}
    assert kinds == {"noise": "unreadable", "short": "too_short", "silent": "silent", "gone": "unreadable"}
    present = {track.track_id: cells is not None for track, cells in zip(tracks, found, strict=True)}
    assert present == {"000": True, "001": True, **dict.fromkeys(kinds, False)}


def test_long_tracks_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feature_cache, "MAX_TRACK_SECONDS", 3.0)
    folder = make_folder(tmp_path / "m", 1, seconds=20.0)
    found, _ = FeatureCache(tmp_path / "c", CONFIG).load(scan(folder).tracks, n_jobs=1)
    assert len(found[0]) == int(3.0 * CONFIG.frame_rate_hz)


def test_progress_is_told_and_a_stop_keeps_what_is_done(tmp_path: Path, computed: list[str]):
    tracks = scan(make_folder(tmp_path / "m", 5)).tracks
    store, seen = FeatureCache(tmp_path / "c", CONFIG), []
    found, faults = store.load(
        tracks, n_jobs=1, on_progress=lambda done, total: seen.append((done, total)), should_stop=lambda: len(seen) == 2
    )
    assert seen == [(1, 5), (2, 5)]
    assert faults == []
    assert [cells is not None for cells in found] == [True, True, False, False, False]
    store.load(tracks, n_jobs=1)
    assert len(computed) == 5


def test_a_damaged_store_is_made_anew(tmp_path: Path):
    tracks = scan(make_folder(tmp_path / "m", 1)).tracks
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "features.sqlite").write_bytes(b"this is no database, but it is long enough" * 100)
    store = FeatureCache(tmp_path / "c", CONFIG)
    found, faults = store.load(tracks, n_jobs=1)
    assert faults == []
    assert np.array_equal(store.load(tracks, n_jobs=1)[0][0], found[0])


def test_a_store_damaged_behind_its_header_is_made_anew(tmp_path: Path):
    tracks = scan(make_folder(tmp_path / "m", 4)).tracks
    store = FeatureCache(tmp_path / "c", CONFIG)
    before, _ = store.load(tracks, n_jobs=1)
    (path,) = (tmp_path / "c").glob("*.sqlite")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    found, faults = FeatureCache(tmp_path / "c", CONFIG).load(tracks, n_jobs=1)
    assert faults == []
    assert all(np.array_equal(a, b) for a, b in zip(before, found, strict=True))


def test_workers_do_not_run_the_program_that_starts_them(tmp_path: Path):
    """Under Streamlit the main module is a page: workers failed on it, and one core did it all."""
    program = tmp_path / "page.py"
    program.write_text(
        "import os, sys\n"
        "from pathlib import Path\n"
        "Path(sys.argv[1]).open('a').write(f'{__name__} ')\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from crnn.data.spawning import WorkerContext\n"
        "with ProcessPoolExecutor(2, mp_context=WorkerContext()) as pool:\n"
        "    assert set(pool.map(abs, range(-3, 0))) == {1, 2, 3}\n"
        "    assert pool.submit(os.getpid).result() != os.getpid()\n"
    )
    command = [sys.executable, str(program), str(tmp_path / "ran")]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, timeout=240, check=False)
    assert done.returncode == 0
    assert (tmp_path / "ran").read_text() == "__main__ "


def test_a_full_disk_costs_only_the_shortcut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    tracks = scan(make_folder(tmp_path / "m", 2)).tracks
    connect = feature_store._connected

    def tiny(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    monkeypatch.setattr(feature_store, "_connected", tiny)
    found, faults = FeatureCache(tmp_path / "c", CONFIG).load(tracks, n_jobs=1)
    assert faults == []
    assert all(cells is not None for cells in found)
    assert caplog.messages == ["Features are not kept: database or disk is full"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match=r"features\.sqlite cannot be opened: \w[^\[]*\."):
        FeatureCache(tmp_path / "file" / "c", CONFIG).load([], n_jobs=1)


@pytest.mark.slow
def test_workers_give_what_this_process_gives_and_the_second_run_computes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tracks = scan(make_folder(tmp_path / "m", 2 * feature_cache._MIN_TRACKS_PER_WORKER, seconds=10.0)).tracks
    here, _ = FeatureCache(tmp_path / "one", CONFIG).load(tracks, n_jobs=1)
    store = FeatureCache(tmp_path / "two", CONFIG)
    there, faults = store.load(tracks, n_jobs=2)
    assert faults == []
    assert all(np.array_equal(a, b) for a, b in zip(here, there, strict=True))
    monkeypatch.setattr(feature_cache, "_compute", None)
    monkeypatch.setattr(feature_cache, "_computed_by_workers", None)
    again, _ = store.load(tracks, n_jobs=2)
    assert all(np.array_equal(a, b) for a, b in zip(here, again, strict=True))


def test_workers_have_no_more_than_a_few_tracks_at_hand(monkeypatch: pytest.MonkeyPatch):
    """A pause is a caller that takes no result: what was not begun by then is not begun."""
    begun: list[int] = []

    class Pool:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def submit(self, compute: object, track: int, config: object) -> Future[int]:
            begun.append(track)
            future: Future[int] = Future()
            future.set_result(10 * track)
            return future

        def shutdown(self, **_: object) -> None:
            pass

    monkeypatch.setattr(feature_cache, "ProcessPoolExecutor", Pool)
    jobs = [SimpleNamespace(track=number) for number in range(50)]
    results = feature_cache._computed_by_workers(jobs, CONFIG, 2)  # type: ignore[arg-type]
    next(results)
    assert len(begun) <= 2 * feature_cache._AHEAD + 4
    rest = {job.track: found for job, found in results}  # type: ignore[attr-defined]
    assert len(rest) == 49
    assert all(found == 10 * number for number, found in rest.items())


@pytest.mark.slow
def test_two_processes_fill_one_store_at_once(tmp_path: Path):
    folder = make_folder(tmp_path / "m", 30)
    program = (
        "import sys; from pathlib import Path; from crnn.data.feature_cache import FeatureCache; "
        "from crnn.config import FeatureConfig; from crnn.data.scan import scan\n"
        "found, faults = FeatureCache(Path(sys.argv[2]), FeatureConfig()).load(scan(sys.argv[1]).tracks, n_jobs=1)\n"
        "print(sum(int(cells.sum()) for cells in found), len(faults))"
    )
    command = [sys.executable, "-c", program, str(folder), str(tmp_path / "c")]
    running = [
        subprocess.Popen(command, cwd=Path(feature_cache.__file__).parents[2], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = {process.communicate(timeout=300)[0] for process in running}
    assert all(process.returncode == 0 for process in running)
    assert len(answers) == 1
    assert answers.pop().split()[1] == "0"


def test_demo_tracks_are_kept_too(tmp_path: Path, computed: list[str]):
    tracks = demo.tracks(1)[:2]
    store = FeatureCache(tmp_path / "c", CONFIG)
    first, faults = store.load(tracks, n_jobs=1)
    second, _ = store.load(tracks, n_jobs=1)
    assert faults == []
    assert len(computed) == 2
    assert np.array_equal(first[1], second[1])


def test_archives_are_read_by_row(tmp_path: Path):
    cells = np.random.default_rng(0).integers(0, 256, (3, 30, 128), dtype=np.uint8)
    data = archive.make_archive(["a", "b", "c"], ["x", "y", "x"], list(cells))
    archive.write_archive(tmp_path / "x.npz", data)
    found = scan(tmp_path / "x.npz")
    rows, faults = feature_cache.load_log_mel(found, CONFIG, folder=tmp_path / "c", tracks=found.tracks[1:])
    assert faults == []
    assert np.array_equal(rows, cells[1:])
    with pytest.raises(DatasetError, match=r"holds log-mel .* at 24.1 frames .* reads log-mel .* at 43.1 frames"):
        feature_cache.load_log_mel(found, replace(CONFIG, hop_length=512), folder=tmp_path / "c")
    archive.write_archive(tmp_path / "x.npz", archive.make_archive(["a"], ["x"], [cells[0]]))
    with pytest.raises(DatasetError, match="changed since"):
        feature_cache.load_log_mel(found, CONFIG, folder=tmp_path / "c")


def test_clipped_files_are_remembered_and_named(tmp_path: Path, computed: list[str]):
    folder = tmp_path / "m" / "rock"
    folder.mkdir(parents=True)
    soundfile.write(folder / "clean.wav", sine(300.0, 2.0), RATE)
    soundfile.write(folder / "clipped.wav", np.clip(4 * sine(300.0, 2.0), -0.9, 0.9), RATE)
    tracks = scan(tmp_path / "m").tracks
    store = FeatureCache(tmp_path / "c", CONFIG)
    for _ in range(2):
        store.load(tracks, n_jobs=1)
        assert [track.track_id for track in store.clipped(tracks)] == ["clipped"]
    assert sorted(computed) == ["clean", "clipped"]
    # A cache from before clipping was noted looks once more, and at sounds alone.
    with sqlite3.connect(tmp_path / "c" / "features.sqlite") as connection:
        connection.execute("DELETE FROM clipped")
    assert store.clipped(tracks) == []
    store.load(tracks, n_jobs=1)
    assert len(computed) == 4
    assert [track.track_id for track in store.clipped(tracks)] == ["clipped"]


@pytest.mark.parametrize(("level_db", "kind"), [(-85.0, None), (-95.0, "silent")])
def test_silence_begins_at_90_db(tmp_path: Path, level_db: float, kind: str | None):
    """Faint music is learnt from all the same, whatever Listen calls silence."""
    path = tmp_path / "tone.wav"
    soundfile.write(path, sine(440.0, 2.0, level=10 ** (level_db / 20)), RATE, subtype="FLOAT")
    found, faults = FeatureCache(tmp_path / "c", CONFIG).load((Track("tone", "jazz", path),), n_jobs=1)
    assert (found[0] is None) == (kind is not None)
    assert [fault.kind for fault in faults] == ([kind] if kind else [])


def test_tracks_whose_workers_die_are_computed_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    tracks = scan(make_folder(tmp_path / "m", 2 * feature_cache._MIN_TRACKS_PER_WORKER)).tracks
    here, _ = FeatureCache(tmp_path / "one", CONFIG).load(tracks, n_jobs=1)
    # Real workers, which end as they begin.
    monkeypatch.setattr(feature_cache, "_one_blas_thread", _EndsWorkers())
    there, faults = FeatureCache(tmp_path / "two", CONFIG).load(tracks, n_jobs=2)
    assert faults == []
    assert all(np.array_equal(a, b) for a, b in zip(here, there, strict=True))
    assert f"the other {len(tracks)} tracks are computed here" in caplog.text


class _EndsWorkers:
    """Ends the process it is called in, unless that is the one it was made in."""

    def __init__(self) -> None:
        self._home = os.getpid()

    def __call__(self) -> contextlib.AbstractContextManager[None]:
        if os.getpid() != self._home:
            os._exit(1)
        return contextlib.nullcontext()
