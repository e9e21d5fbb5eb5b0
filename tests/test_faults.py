"""What a machine can do to us: full disks, missing rights, files that vanish, two servers on one library."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from sounds import RATE, sine, wav_bytes
from tiny_bundle import tiny_bundle
from training_runs import order_for, small_data_set, wait_until
from unprivileged import ROOT, run_unprivileged

from crnn import limits
from crnn.audio.folders import find_audio_files
from crnn.bundles import library
from crnn.bundles.bundle import Bundle, list_bundles, load_bundle, save_bundle
from crnn.cli.classify import Answerer, answered
from crnn.config import FeatureConfig
from crnn.data import user_clips
from crnn.data.feature_cache import FeatureCache
from crnn.data.scan import scan
from crnn.errors import BundleError, DatasetError, DiskFullError
from crnn.inference.classifier import Classifier
from crnn.jobs import runs
from crnn.owner import MACHINE

SONG = wav_bytes(sine(440.0, 3.0), RATE, "PCM_16")


# Full disks


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 6 MB."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk to fill")
    folder = Path(tempfile.mkdtemp())
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        folder.rmdir()
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()


def fill(folder: Path, leave: int = 0) -> Path:
    """Leave only some bytes of the disk free."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file:
        try:
            while limits.free_bytes(folder) > leave:
                file.write(bytes(min(1 << 14, limits.free_bytes(folder) - leave)))
        except OSError:
            pass
    return ballast


@pytest.fixture
def no_spare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin although there is no room, as when the disk fills a moment later."""
    monkeypatch.setattr(limits, "SPARE_DISK_BYTES", -(2**40))


def test_a_full_disk_leaves_the_old_model(small_disk: Path) -> None:
    old = tiny_bundle(small_disk / "models" / "tiny")
    fill(small_disk, leave=10_000)

    def write_files(draft: Path) -> None:
        (draft / "model.onnx").write_bytes(bytes(100_000))

    with pytest.raises(BundleError, match=r"could not be saved in .*: No space left on device\. Nothing there"):
        save_bundle(old, small_disk / "models" / "tiny", write_files, replace=True)
    assert load_bundle(small_disk / "models" / "tiny") == old
    assert [path.name for path in (small_disk / "models").iterdir()] == ["tiny"]


def test_a_full_disk_leaves_the_shelf_as_it_was(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_MODELS", str(small_disk / "models"))
    tiny = tiny_bundle(small_disk / "models" / "tiny")
    packed = library.pack(tiny)
    fill(small_disk)
    for action in (
        lambda: library.save_copy(tiny, "other", owner=MACHINE),
        lambda: library.import_zip(packed, "new", owner=MACHINE),
        lambda: library.rename(tiny, "renamed", owner=MACHINE),
    ):
        with pytest.raises(BundleError, match="No space left on device"):
            action()
        assert list_bundles(small_disk / "models") == ([tiny], {})


@pytest.mark.parametrize("leave", [0, 3000])
def test_a_full_temporary_folder_is_a_sentence_and_stays_clean(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leave: int
) -> None:
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "models"))
    packed = library.pack(tiny_bundle(tmp_path / "tiny"))
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    ballast = fill(small_disk, leave)
    with pytest.raises(BundleError, match=rf"to be tried out: No space left on device in {small_disk}\. Make room"):
        library.import_zip(packed, "new", owner=MACHINE)
    assert list(small_disk.iterdir()) == [ballast]
    assert list_bundles(tmp_path / "models") == ([], {})


def test_no_temporary_folder_at_all_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = library.pack(tiny_bundle(tmp_path / "tiny"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "gone")])
    with pytest.raises(BundleError, match=r"to be tried out: no temporary folder has room\. Make room"):
        library.import_zip(packed, "new", owner=MACHINE)


def test_what_would_fill_the_disk_is_not_begun(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_HOME", str(small_disk))
    for action in (
        lambda: user_clips.keep_upload("music.zip", b"PK", owner=MACHINE),
        lambda: user_clips.add_clip(user_clips.own_dir(MACHINE), "jazz", "a.wav", SONG, owner=MACHINE),
        lambda: runs.start_run(order_for(small_disk), owner=MACHINE),
    ):
        with pytest.raises(DiskFullError, match=r"needs 0\.5 GiB of disk, and 0\.0 GiB are free in .*\. Make room"):
            action()
    assert [path.name for path in small_disk.rglob("*") if path.suffix] == ["start.lock"]


@pytest.mark.usefixtures("no_spare")
def test_a_clip_that_found_no_room_leaves_nothing_of_it(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_HOME", str(small_disk))
    kept = user_clips.add_clip(user_clips.own_dir(MACHINE), "jazz", "a.wav", SONG, owner=MACHINE)
    fill(small_disk, leave=50_000)
    with pytest.raises(DatasetError, match=r"could not be kept in .*: No space left on device"):
        user_clips.add_clip(user_clips.own_dir(MACHINE), "rock", "a.wav", SONG, owner=MACHINE)
    with pytest.raises(DatasetError, match=r"could not be kept: No space left on device"):
        user_clips.keep_upload("music.zip", bytes(100_000), owner=MACHINE)
    assert kept.read_bytes() == SONG
    assert user_clips.n_clips(user_clips.own_dir(MACHINE)) == {"jazz": 1}
    assert user_clips.uploads(MACHINE) == []


def test_a_full_cache_costs_no_features(small_disk: Path, tmp_path: Path) -> None:
    tracks = scan(small_data_set(tmp_path / "sounds")).tracks
    cache = FeatureCache(small_disk / "cache", FeatureConfig())
    cache.load(tracks[:1], n_jobs=1)
    fill(small_disk)
    found, faults = cache.load(tracks, n_jobs=1)
    assert faults == []
    expected, _ = FeatureCache(tmp_path / "cache", FeatureConfig()).load(tracks, n_jobs=1)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def classify(bundle: Bundle, *arguments: str | Path, stdout: int | IO[bytes] = subprocess.PIPE):
    """The ended process of the command; what it said on stderr is text."""
    command = [sys.executable, "-m", "crnn", "classify", *arguments, "--format", "json", "--model", str(bundle.path)]
    return subprocess.run(command, cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


NO_ROOM = "error: the output could not be written to its end: No space left on device.\n"


@pytest.mark.slow
def test_answers_that_found_no_room_are_taken_up_later(bundle: Bundle, tmp_path: Path, small_disk: Path) -> None:
    songs = tmp_path / "songs"
    songs.mkdir()
    for number in range(8):
        (songs / f"{number}.wav").write_bytes(wav_bytes(sine(100.0 + number, 60.0), RATE, "PCM_16"))
    ballast = fill(small_disk, leave=12_000)
    first = classify(bundle, songs, "--out", small_disk / "rows")
    assert (first.returncode, first.stderr) == (1, NO_ROOM)
    ballast.unlink()
    second = classify(bundle, songs, "--out", small_disk / "rows", "--resume")
    assert second.returncode == 0
    assert re.fullmatch(r"\d files? of 8 answered before, in .*rows: \d left\.\n", second.stderr)
    rows = [json.loads(line) for line in (small_disk / "rows").read_text().splitlines()]
    assert [Path(row["file"]).name for row in rows] == [f"{number}.wav" for number in range(8)]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full to write to")
def test_a_full_disk_under_stdout_is_a_sentence(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "song.wav").write_bytes(SONG)
    with open("/dev/full", "wb") as full:
        done = classify(bundle, tmp_path / "song.wav", stdout=full)
    assert (done.returncode, done.stderr) == (1, NO_ROOM)


@pytest.mark.slow
@pytest.mark.usefixtures("no_spare")
def test_a_disk_that_fills_in_mid_training(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The training goes on, says what it could not keep, and is taken up when there is room."""
    monkeypatch.setenv("GENRESCOPE_HOME", str(small_disk))
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "models"))
    order = order_for(small_data_set(tmp_path / "sounds"))
    run = runs.start_run(order, owner=MACHINE)
    request.addfinalizer(lambda: run.is_active() and os.kill(run.status()["pid"], signal.SIGKILL))
    wait_until(lambda: run.epochs_kept() >= 1)
    ballast = fill(small_disk)
    wait_until(lambda: not run.is_active())
    assert run.state() == "failed"
    assert "No space left on device" in run.status()["message"]
    assert run.epochs_kept() >= 1
    ballast.unlink()
    runs.resume_run(run, only_keep=True, owner=MACHINE)
    wait_until(lambda: not run.is_active())
    assert run.state() == "stopped"
    assert load_bundle(run.model_dir).genres == ("hiss", "hum", "sweep")


# Missing rights


@pytest.fixture
def read_only(bundle: Bundle) -> Iterator[Path]:
    """The folder of models, and the model in it, which nobody may write to."""
    assert bundle.path is not None
    models = bundle.path.parent
    for folder in (bundle.path, models):
        folder.chmod(0o555)
    yield models
    for folder in (models, bundle.path):
        folder.chmod(0o755)


@pytest.mark.slow
def test_a_read_only_shelf_serves_and_says_what_it_cannot_do(read_only: Path) -> None:
    script = """
from sounds import sine, wav_bytes
from crnn import paths
from crnn.bundles import library
from crnn.bundles.bundle import list_bundles
from crnn.errors import BundleError
from crnn.inference.classifier import Classifier
from crnn.owner import MACHINE
(tiny,), faults = list_bundles(paths.models_dir())
print(faults, Classifier(tiny).classify_file(wav_bytes(sine(60.0, 3.0))).genre)
packed = library.pack(tiny)
for action in (lambda: library.save_copy(tiny, "copy", owner=MACHINE),
               lambda: library.rename(tiny, "other", owner=MACHINE),
               lambda: library.delete(tiny.path, owner=MACHINE),
               lambda: library.import_zip(packed, "new", owner=MACHINE)):
    try:
        action()
    except BundleError as err:
        print(err)
"""
    first, *refused = run_unprivileged(script, GENRESCOPE_MODELS=str(read_only)).splitlines()
    assert first == "{} bass"
    assert len(refused) == 4
    assert all("Permission denied" in sentence for sentence in refused)
    assert [path.name for path in read_only.iterdir()] == ["tiny"]


PAGES = """
import os
from streamlit.testing.v1 import AppTest
for models in os.environ["SHELVES"].split(os.pathsep):
    os.environ["GENRESCOPE_MODELS"] = models
    app = AppTest.from_file("app.py", default_timeout=240)
    for page in ("app.py", "pages/1_Explore.py", "pages/2_Train.py", "pages/3_Models.py"):
        app.switch_page(page).run()
        assert not app.exception, app.exception
        print(page, *(warning.value for warning in (*app.sidebar.warning, *app.main.warning)))
"""


@pytest.mark.slow
def test_the_pages_open_with_models_that_may_not_be_read(tmp_path: Path) -> None:
    """A shelf, and a model on another shelf beside one that may be read."""
    whole, part = tmp_path / "whole", tmp_path / "part"
    for folder in (whole / "tiny", part / "tiny", part / "other"):
        tiny_bundle(folder)
    forbidden = (whole, part / "tiny")
    for folder in forbidden:
        folder.chmod(0)
    try:
        shelves = os.pathsep.join([str(whole), str(part)])
        said = run_unprivileged(PAGES, SHELVES=shelves, GENRESCOPE_HOME=str(tmp_path / "home")).splitlines()
    finally:
        for folder in forbidden:
            folder.chmod(0o755)
    assert len(said) == 8
    assert ["Permission denied" in line for line in said[::4]] == [True, True]
    assert ["Permission denied" in line for line in said[3::4]] == [True, True]


def test_data_that_may_not_be_read_are_named(tmp_path: Path) -> None:
    folder = small_data_set(tmp_path / "sounds")
    (folder / "hum").chmod(0)
    (folder / "hiss" / "hiss0.wav").chmod(0)
    script = """
import json, os
from crnn.data.feature_cache import FeatureCache
from crnn.config import FeatureConfig
from crnn.data.scan import scan
from pathlib import Path
folder = Path(os.environ["SOUNDS"])
found = scan(folder)
cells, faults = FeatureCache(folder.parent / "cache", FeatureConfig()).load(found.tracks, n_jobs=1)
messages = [fault.message for fault in (*found.faults, *faults)]
print(json.dumps([len(found.tracks), sum(each is not None for each in cells), messages]))
"""
    try:
        n_tracks, n_read, messages = json.loads(run_unprivileged(script, SOUNDS=str(folder)))
    finally:
        (folder / "hum").chmod(0o755)
    assert "The folder cannot be read." in messages
    assert any("Permission denied" in message for message in messages), messages
    assert n_read == 11
    assert n_tracks in {11, 12}


def test_a_home_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o555)
    script = """
from pathlib import Path
from sounds import sine, wav_bytes
from training_runs import order_for
from crnn.data import user_clips
from crnn.jobs import runs
from crnn.errors import CrnnError
from crnn.owner import MACHINE
own, song = user_clips.own_dir(MACHINE), wav_bytes(sine(60.0, 3.0))
for action in (lambda: runs.start_run(order_for(Path("demo")), owner=MACHINE),
               lambda: user_clips.keep_upload("a.zip", b"PK", owner=MACHINE),
               lambda: user_clips.add_clip(own, "jazz", "a.wav", song, owner=MACHINE)):
    try:
        action()
    except CrnnError as err:
        print(err)
"""
    said = run_unprivileged(script, GENRESCOPE_HOME=str(tmp_path / "home")).splitlines()
    assert len(said) == 3
    assert all("Permission denied" in sentence for sentence in said)


def test_files_deleted_after_they_were_found_cost_only_their_own_rows(bundle: Bundle, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.wav").write_bytes(SONG)
    files, _ = find_audio_files([tmp_path])
    rows = answered(Answerer(bundle.path, False), files, n_jobs=1)
    first = next(rows)
    files[1].unlink()
    second, third = rows
    assert [row["verdict"] for row in (first, third)] == ["genre", "genre"]
    assert second["error"]["message"] == "“1.wav” cannot be opened: No such file or directory."


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_model_that_went_away_is_no_fault_of_the_files(bundle: Bundle, tmp_path: Path, n_jobs: int) -> None:
    """They would have error rows, and --resume would leave them out as answered."""
    assert bundle.path is not None
    (tmp_path / "song.wav").write_bytes(SONG)
    shutil.rmtree(bundle.path)
    with pytest.raises(BundleError, match="“tiny” is no model"):
        list(answered(Answerer(bundle.path, False), [tmp_path / "song.wav"], n_jobs))


def test_a_model_deleted_before_it_is_opened_is_a_sentence(bundle: Bundle) -> None:
    assert bundle.path is not None
    shutil.rmtree(bundle.path)
    with pytest.raises(BundleError, match="The network of the model “tiny” cannot be opened"):
        Classifier(bundle)


@pytest.mark.parametrize("name", ["model.onnx", "model.keras", "embeddings.npz", "bundle.json"])
def test_a_changed_byte_in_any_file_but_the_card_is_refused(bundle: Bundle, tmp_path: Path, name: str) -> None:
    network = bundle.file("model.onnx").read_bytes()

    def write_files(draft: Path) -> None:
        (draft / "model.onnx").write_bytes(network)
        (draft / "model.keras").write_bytes(bytes(500))
        (draft / "embeddings.npz").write_bytes(bytes(500))
        (draft / "README.md").write_text("A card.\n", encoding="utf-8")

    full = save_bundle(bundle, tmp_path / "full", write_files)
    content = (tmp_path / "full" / name).read_bytes()
    for position in np.random.default_rng(1).integers(0, len(content), 20):
        damaged = bytearray(content)
        # In the JSON a digit for a digit: what still parses and means another thing.
        damaged[position] ^= 1
        (tmp_path / "full" / name).write_bytes(damaged)
        with pytest.raises(BundleError, match="“full”"):
            load_bundle(tmp_path / "full")
    (tmp_path / "full" / name).write_bytes(content)
    assert load_bundle(tmp_path / "full") == full
