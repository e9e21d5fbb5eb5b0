"""What is kept on the disk, and when it goes: the limits, the sweep, the button; never what a training needs."""

from __future__ import annotations

import dataclasses
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from training_runs import SETTINGS, order_for, small_data_set

from crnn import atomic, limits
from crnn.data import user_clips
from crnn.data.feature_cache import CACHE_FOLDER, FeatureCache
from crnn.data.feature_store import Computed, FeatureStore, shrink
from crnn.data.scan import scan
from crnn.errors import DiskFullError, NotAllowedError, TrainingBusyError
from crnn.jobs import kept, queue
from crnn.jobs.runs import Run
from crnn.owner import MACHINE, Owner

DAY = 86_400.0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GENRESCOPE_MADE", str(tmp_path / "made"))
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    return tmp_path / "home"


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    for inner in (*path.rglob("*"), path):
        os.utime(inner, (then, then))


def packed(path: Path, seed: str) -> Path:
    """A zip upload of a data set that was scanned, and so unpacked."""
    music = small_data_set(path.parent / f"music {seed}", n_tracks=2, seconds=1.5)
    (music / "hum" / f"{seed}.txt").write_text(seed)
    with zipfile.ZipFile(path, "w") as out:
        for file in sorted(music.rglob("*.*")):
            out.write(file, file.relative_to(music))
    kept_at = user_clips.keep_upload(path.name, path.read_bytes(), owner=MACHINE)
    scan(kept_at)
    return kept_at


def unpacked_of(upload: Path) -> Path:
    return MACHINE.home / "unpacked" / atomic.sha256_of(upload)[:32]


def under_way(home: Path) -> Run:
    folder = home / "runs" / "20261127-101500"
    folder.mkdir(parents=True)
    (folder / "order.json").write_text("{}")
    return Run(folder)


def test_what_is_kept_is_counted_and_cleared_by_kind(home: Path, tmp_path: Path) -> None:
    first, second = packed(tmp_path / "a.zip", "one"), packed(tmp_path / "b.zip", "two")
    FeatureCache(home / CACHE_FOLDER, SETTINGS.features).load(scan(first).tracks, n_jobs=1)
    before = kept.kept(MACHINE)
    assert min(before.features, before.unpacked, before.uploads) > 0
    kept.clear("unpacked", owner=MACHINE, chosen=[str(second)])
    assert (unpacked_of(first).exists(), unpacked_of(second).exists()) == (False, True)
    kept.clear("uploads", owner=MACHINE, chosen=[str(second)])
    assert user_clips.uploads(MACHINE) == [second]
    kept.clear("features", owner=MACHINE)
    after = kept.kept(MACHINE)
    assert after.features < before.features
    assert after.uploads < before.uploads
    # What is needed again is made again.
    found, faults = FeatureCache(home / CACHE_FOLDER, SETTINGS.features).load(scan(second).tracks, n_jobs=1)
    assert not faults
    assert all(cells is not None for cells in found)


def test_nothing_that_a_training_needs_goes(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = packed(tmp_path / "a.zip", "one")
    monkeypatch.setattr(kept, "MAX_KEPT_UNPACKED_BYTES", 0)
    run = under_way(home)
    with queue.lock() as lock:
        assert lock.acquire()
        lock.write(queue.ticket(run.folder))
        for kind in ("features", "unpacked", "uploads"):
            with pytest.raises(TrainingBusyError, match="A training is under way"):
                kept.clear(kind, owner=MACHINE)  # type: ignore[arg-type]
        kept.trim(MACHINE)
        assert unpacked_of(upload).is_dir()
    # A command that trains is in no queue.
    with kept.in_use(home, [str(upload)]):
        with pytest.raises(TrainingBusyError):
            kept.clear("unpacked", owner=MACHINE)
        kept.trim(MACHINE)
        assert unpacked_of(upload).is_dir()
    kept.trim(MACHINE)
    assert not unpacked_of(upload).exists()
    assert upload.is_file()


def test_a_training_holds_to_the_limits_first_and_spares_its_own(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = packed(tmp_path / "a.zip", "one"), packed(tmp_path / "b.zip", "two")
    monkeypatch.setattr(kept, "MAX_KEPT_UNPACKED_BYTES", 0)
    with kept.in_use(home, [str(mine)]):
        assert (unpacked_of(mine).exists(), unpacked_of(other).exists()) == (True, False)
    assert not list((home / "in-use").iterdir())


def test_what_nobody_used_for_long_goes_and_use_makes_it_young(home: Path, tmp_path: Path) -> None:
    used, unused = packed(tmp_path / "a.zip", "one"), packed(tmp_path / "b.zip", "two")
    for upload in (used, unused):
        age(unpacked_of(upload), 61 * DAY)
    scan(used)
    kept.trim(MACHINE)
    assert (unpacked_of(used).exists(), unpacked_of(unused).exists()) == (True, False)


def test_features_beyond_the_limit_go_oldest_first(home: Path) -> None:
    path = home / CACHE_FOLDER / "features.sqlite"
    store = FeatureStore(path, "test")
    for number in range(8):
        store.put(str(number), Computed(np.full((1000, 10), number, np.uint8), is_clipped=False))
    shrink(path, 35_000)
    assert [number for number in range(8) if store.get(str(number)) is not None] == [5, 6, 7]
    shrink(path, 0)
    assert all(store.get(str(number)) is None for number in range(8))
    store.close()
    assert path.stat().st_size < 40_000
    path.write_bytes(b"SQLite format 3\0" + b"damage" * 1000)
    shrink(path, 0)
    assert not path.exists()
    shrink(path, 0)


def test_the_sweep_clears_what_killed_processes_left(home: Path, tmp_path: Path) -> None:
    folders = {
        "unpacked draft": home / "unpacked" / ".0123456789abcdef-k3j2_x9a" / "jazz",
        "model draft": tmp_path / "models" / ".mine-ab12cd34",
    }
    files = {
        "clip": home / "collections" / "own clips" / "jazz" / ".a 0123.wav-0a1b2c3d.tmp",
        "upload": home / "uploads" / "0123" / ".a.zip-0a1b2c3d.tmp",
        "status": home / "runs" / "20261127-101500" / ".status.json-0a1b2c3d.tmp",
        "choice": home / ".learn-from.json-0a1b2c3d.tmp",
        "ticket": home / "runs" / "ticket-00000000000000000001",
        "in use": home / "in-use" / "1-1",
    }
    stays = {
        "a model between two renames": tmp_path / "models" / ".mine-old-12345678" / "bundle.json",
        "a checkpoint of a command": tmp_path / "models" / ".mine-run" / "checkpoint.npz",
        "the reserve of a run": home / "runs" / "20261127-101500" / ".reserve",
        "a deleted run": home / "runs" / ".deleted" / "20261126-101500@1" / "order.json",
        "a clip": home / "collections" / "own clips" / "jazz" / "a 0123.wav",
    }
    for folder in folders.values():
        folder.mkdir(parents=True)
        (folder / "half").write_bytes(b"half")
    for path in (*files.values(), *stays.values()):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    age(home, 2 * 3600.0)
    age(tmp_path / "models", 2 * 3600.0)
    # Somebody unpacks at this moment, deep inside.
    alive = home / "unpacked" / ".fedcba9876543210-k3j2_x9a" / "jazz" / "a.wav"
    alive.parent.mkdir(parents=True)
    alive.write_bytes(b"growing")
    for folder in (alive.parent, alive.parent.parent):
        os.utime(folder, (0, 0))
    kept.sweep("local")
    assert [name for name, path in (folders | files).items() if path.exists()] == []
    assert [name for name, path in stays.items() if not path.exists()] == []
    assert alive.exists()


def test_the_sweep_goes_by_person(home: Path) -> None:
    ann = Owner("shared", "a" * 32)
    draft = ann.home / "uploads" / "0123" / ".a.zip-0a1b2c3d.tmp"
    draft.parent.mkdir(parents=True)
    draft.write_bytes(b"half")
    age(ann.home, 2 * 3600.0)
    kept.sweep("public")
    kept.sweep("local")
    assert draft.exists()
    kept.sweep("shared")
    assert not draft.exists()
    with pytest.raises(NotAllowedError):
        kept.clear("features", owner=Owner("public", "b" * 32))


def test_uploads_beyond_the_limit_are_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.MAX_UPLOADS_BYTES > 2**30
    monkeypatch.setattr(user_clips, "MAX_UPLOADS_BYTES", 1000)
    user_clips.keep_upload("a.zip", bytes(600), owner=MACHINE)
    with pytest.raises(DiskFullError, match="of uploads are kept"):
        user_clips.keep_upload("b.zip", bytes(range(200)) * 3, owner=MACHINE)


def test_a_training_says_that_it_uses_what_is_kept(home: Path, tmp_path: Path) -> None:
    """`carry_out` itself, whoever calls it: the app's process and `train` alike."""
    from crnn.training.pipeline import carry_out

    seen = []

    def on_progress(done: int, total: int) -> None:
        with pytest.raises(TrainingBusyError):
            kept.clear("features", owner=MACHINE)
        seen.append(done)

    order = order_for(small_data_set(tmp_path / "music", n_tracks=2))
    order = dataclasses.replace(order, out=tmp_path / "out")
    outcome = carry_out(order, on_progress=on_progress, should_stop=lambda: bool(seen))
    assert outcome.stopped
    kept.clear("features", owner=MACHINE)


def unpacked(home: Path, name: str, n_bytes: int, age_seconds: float) -> Path:
    folder = home / "unpacked" / name
    folder.mkdir(parents=True)
    (folder / "a.wav").write_bytes(bytes(n_bytes))
    age(folder, age_seconds)
    return folder


def test_the_oldest_go_and_no_more_of_them_than_must(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new, old = unpacked(home, "a", 100, DAY), unpacked(home, "b", 100, 2 * DAY)
    monkeypatch.setattr(kept, "MAX_KEPT_UNPACKED_BYTES", 100)
    kept.trim(MACHINE)
    assert (new.exists(), old.exists()) == (True, False)


def test_a_second_training_takes_nothing_of_what_the_first_may_need(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MAX_KEPT_UNPACKED_BYTES", 0)
    with kept.in_use(home, []):
        needed = unpacked(home, "a", 1, DAY)
        with kept.in_use(home, []):
            assert needed.exists()
    with kept.in_use(home, []):
        assert not needed.exists()


def test_a_download_that_was_broken_off_is_kept_for_two_months(home: Path) -> None:
    parts = [user_clips.uploads_dir(MACHINE) / name / ".a.zip.part" for name in ("recent", "old")]
    for part, days in zip(parts, (59, 61), strict=True):
        part.parent.mkdir(parents=True)
        part.write_bytes(b"PK")
        age(part, days * DAY)
    kept.sweep_drafts(MACHINE)
    assert [part.exists() for part in parts] == [True, False]
