import os
import shutil
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import RATE, sine

from crnn import archive, cache, demo, feature_store, features
from crnn.audio import load_clip
from crnn.cache import FeatureCache
from crnn.config import FeatureConfig
from crnn.dataset import Track, scan
from crnn.errors import DatasetError

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
    compute = cache._compute

    def counting(track: Track, config: FeatureConfig) -> object:
        ids.append(track.track_id)
        return compute(track, config)

    monkeypatch.setattr(cache, "_compute", counting)
    return ids


def test_cells_are_the_log_mel_of_the_file(tmp_path: Path):
    tracks = scan(make_folder(tmp_path / "m", 2)).tracks
    found, faults = FeatureCache(tmp_path / "c", CONFIG).load(tracks, n_jobs=1)
    assert faults == []
    for track, cells in zip(tracks, found, strict=True):
        expected = features.log_mel(load_clip(track.path, CONFIG.sample_rate).samples, CONFIG)
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
    for config in (CONFIG, replace(CONFIG, segment_seconds=5.0), replace(CONFIG, n_mels=64)):
        found, _ = FeatureCache(tmp_path / "c", config).load(tracks, n_jobs=1)
        assert found[0].shape[1] == config.n_mels
    assert len(computed) == 2


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
    monkeypatch.setattr(cache, "MAX_TRACK_SECONDS", 3.0)
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
    with pytest.raises(DatasetError, match="cannot be opened"):
        FeatureCache(tmp_path / "file" / "c", CONFIG).load([], n_jobs=1)


def test_workers_give_what_this_process_gives_and_the_second_run_is_quick(tmp_path: Path):
    tracks = scan(make_folder(tmp_path / "m", 2 * cache._MIN_TRACKS_PER_WORKER, seconds=10.0)).tracks
    here, _ = FeatureCache(tmp_path / "one", CONFIG).load(tracks, n_jobs=1)
    store = FeatureCache(tmp_path / "two", CONFIG)
    start = time.perf_counter()
    there, faults = store.load(tracks, n_jobs=2)
    first_seconds = time.perf_counter() - start
    assert faults == []
    assert all(np.array_equal(a, b) for a, b in zip(here, there, strict=True))
    start = time.perf_counter()
    again, _ = store.load(tracks, n_jobs=2)
    assert time.perf_counter() - start < first_seconds / 10
    assert all(np.array_equal(a, b) for a, b in zip(here, again, strict=True))


@pytest.mark.slow
def test_two_processes_fill_one_store_at_once(tmp_path: Path):
    folder = make_folder(tmp_path / "m", 30)
    program = (
        "import sys; from pathlib import Path; from crnn.cache import FeatureCache; from crnn.config import "
        "FeatureConfig; from crnn.dataset import scan\n"
        "found, faults = FeatureCache(Path(sys.argv[2]), FeatureConfig()).load(scan(sys.argv[1]).tracks, n_jobs=1)\n"
        "print(sum(int(cells.sum()) for cells in found), len(faults))"
    )
    command = [sys.executable, "-c", program, str(folder), str(tmp_path / "c")]
    running = [
        subprocess.Popen(command, cwd=Path(cache.__file__).parents[1], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = {process.communicate(timeout=120)[0] for process in running}
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
    rows, faults = cache.load_log_mel(found, CONFIG, folder=tmp_path / "c", tracks=found.tracks[1:])
    assert faults == []
    assert np.array_equal(rows, cells[1:])
    with pytest.raises(DatasetError, match="other feature settings"):
        cache.load_log_mel(found, replace(CONFIG, hop_length=512), folder=tmp_path / "c")
    archive.write_archive(tmp_path / "x.npz", archive.make_archive(["a"], ["x"], [cells[0]]))
    with pytest.raises(DatasetError, match="changed since"):
        cache.load_log_mel(found, CONFIG, folder=tmp_path / "c")


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
