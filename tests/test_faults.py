"""What a machine can do to us: full disks, missing rights, files that vanish, two servers on one shelf."""

from __future__ import annotations

import errno
import io
import json
import os
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
import soundfile
from sounds import RATE, noise, sine, wav_bytes
from tiny_bundle import tiny_bundle
from training_runs import order_for, small_data_set, wait_until
from unprivileged import ROOT, run_unprivileged

from crnn import collecting, decoding, limits, runs, shelf
from crnn.audio import AudioStream, find_audio_files, load_clip
from crnn.bundle import Bundle, list_bundles, load_bundle, save_bundle
from crnn.cache import FeatureCache
from crnn.commands.answering import Answerer, answered
from crnn.config import FeatureConfig
from crnn.dataset import scan
from crnn.errors import BundleError, DatasetError, DiskFullError, UndecodableAudioError
from crnn.inference import Classifier

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
    packed = shelf.pack(tiny)
    fill(small_disk)
    for action in (
        lambda: shelf.save_copy(tiny, "other"),
        lambda: shelf.import_zip(packed, "new"),
        lambda: shelf.rename(tiny, "renamed"),
    ):
        with pytest.raises(BundleError, match="No space left on device"):
            action()
        assert list_bundles(small_disk / "models") == ([tiny], {})


def test_what_would_fill_the_disk_is_not_begun(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_HOME", str(small_disk))
    for action in (
        lambda: collecting.keep_upload("music.zip", b"PK"),
        lambda: collecting.add_clip(collecting.own_dir(), "jazz", "a.wav", SONG),
        lambda: runs.start_run(order_for(small_disk)),
    ):
        with pytest.raises(DiskFullError, match=r"needs 0\.5 GiB of disk, and 0\.0 GiB are free in .*\. Make room"):
            action()
    assert [path.name for path in small_disk.rglob("*") if path.suffix] == ["start.lock"]


@pytest.mark.usefixtures("no_spare")
def test_a_clip_that_found_no_room_leaves_nothing_of_it(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_HOME", str(small_disk))
    kept = collecting.add_clip(collecting.own_dir(), "jazz", "a.wav", SONG)
    fill(small_disk, leave=50_000)
    with pytest.raises(DatasetError, match=r"could not be kept in .*: No space left on device"):
        collecting.add_clip(collecting.own_dir(), "rock", "a.wav", SONG)
    with pytest.raises(DatasetError, match=r"could not be kept: No space left on device"):
        collecting.keep_upload("music.zip", bytes(100_000))
    assert kept.read_bytes() == SONG
    assert collecting.n_clips(collecting.own_dir()) == {"jazz": 1}
    assert collecting.uploads() == []


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


def test_answers_that_found_no_room_are_taken_up_later(bundle: Bundle, tmp_path: Path, small_disk: Path) -> None:
    for number in range(8):
        (tmp_path / f"{number}.wav").write_bytes(wav_bytes(sine(100.0 + number, 60.0), RATE, "PCM_16"))
    ballast = fill(small_disk, leave=12_000)
    first = classify(bundle, tmp_path, "--out", small_disk / "rows")
    assert (first.returncode, first.stderr) == (1, NO_ROOM)
    ballast.unlink()
    second = classify(bundle, tmp_path, "--out", small_disk / "rows", "--resume")
    assert (second.returncode, second.stderr) == (0, "")
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
    run = runs.start_run(order)
    request.addfinalizer(lambda: run.is_active() and os.kill(run.status()["pid"], signal.SIGKILL))
    wait_until(lambda: run.epochs_kept() >= 1)
    ballast = fill(small_disk)
    wait_until(lambda: not run.is_active())
    assert run.state() == "failed"
    assert "No space left on device" in run.status()["message"]
    assert run.epochs_kept() >= 1
    ballast.unlink()
    runs.resume_run(run, only_keep=True)
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


def test_a_read_only_shelf_serves_and_says_what_it_cannot_do(read_only: Path) -> None:
    script = """
from sounds import sine, wav_bytes
from crnn import paths, shelf
from crnn.bundle import list_bundles
from crnn.errors import BundleError
from crnn.inference import Classifier
(tiny,), faults = list_bundles(paths.models_dir())
print(faults, Classifier(tiny).classify_file(wav_bytes(sine(60.0, 3.0))).genre)
packed = shelf.pack(tiny)
for action in (lambda: shelf.save_copy(tiny, "copy"), lambda: shelf.rename(tiny, "other"),
               lambda: shelf.delete(tiny.path), lambda: shelf.import_zip(packed, "new")):
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
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("app.py", default_timeout=120)
for page in ("app.py", "pages/1_Explore.py", "pages/2_Train.py", "pages/3_Models.py"):
    app.switch_page(page).run()
    assert not app.exception, app.exception
    print(page, *(warning.value for warning in (*app.sidebar.warning, *app.main.warning)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["models", "models/tiny"])
def test_the_pages_open_with_models_that_may_not_be_read(bundle: Bundle, tmp_path: Path, folder: str) -> None:
    tiny_bundle(tmp_path / "models" / "other")
    forbidden = tmp_path / folder
    forbidden.chmod(0)
    try:
        models, home = str(tmp_path / "models"), str(tmp_path / "home")
        said = run_unprivileged(PAGES, GENRESCOPE_MODELS=models, GENRESCOPE_HOME=home).splitlines()
    finally:
        forbidden.chmod(0o755)
    assert len(said) == 4
    assert "Permission denied" in said[0]
    assert "Permission denied" in said[3]


def test_data_that_may_not_be_read_are_named(tmp_path: Path) -> None:
    folder = small_data_set(tmp_path / "sounds")
    (folder / "hum").chmod(0)
    (folder / "hiss" / "hiss0.wav").chmod(0)
    script = """
import json, os
from crnn.cache import FeatureCache
from crnn.config import FeatureConfig
from crnn.dataset import scan
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
from crnn import collecting, runs
from crnn.errors import CrnnError
for action in (lambda: runs.start_run(order_for(Path("demo"))), lambda: collecting.keep_upload("a.zip", b"PK"),
               lambda: collecting.add_clip(collecting.own_dir(), "jazz", "a.wav", wav_bytes(sine(60.0, 3.0)))):
    try:
        action()
    except CrnnError as err:
        print(err)
"""
    said = run_unprivileged(script, GENRESCOPE_HOME=str(tmp_path / "home")).splitlines()
    assert len(said) == 3
    assert all("Permission denied" in sentence for sentence in said)


# Files that vanish or change


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be deleted there")
def test_a_file_deleted_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(wav_bytes(noise(30.0), RATE, "PCM_16"))
    whole = load_clip(path, RATE).samples
    with AudioStream(path, RATE) as stream:
        blocks = []
        for block in stream:
            path.unlink(missing_ok=True)
            blocks.append(block)
        assert stream.notes == ()
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_a_file_cut_while_it_is_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(wav_bytes(noise(30.0), RATE, "PCM_16"))
    with AudioStream(path, RATE) as stream:
        for block in stream:
            assert len(block)
            os.truncate(path, 600_000)
        assert stream.notes[0].startswith("The file is damaged or cut short")


@pytest.mark.parametrize("kind", ["WAV", "MP3", "FLAC", "OGG"])
@pytest.mark.parametrize("n_good_reads", [0, 1, 2, 10])
def test_a_disk_that_fails_in_mid_file_is_named(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd, kind: str, n_good_reads: int
) -> None:
    """As when a stick is pulled out: neither “empty” nor an answer of the half that was read."""

    class FailingDisk(io.FileIO):
        n_reads = 0

        def readinto(self, buffer, /):
            self.n_reads += 1
            if self.n_reads > n_good_reads:
                raise OSError(errno.EIO, "Input/output error")
            return super().readinto(buffer)

    class File(decoding._WatchedFile, FailingDisk):
        pass

    out = io.BytesIO()
    soundfile.write(out, noise(20.0), RATE, format=kind)
    (tmp_path / "song").write_bytes(out.getvalue())
    monkeypatch.setattr(decoding, "_WatchedFile", File)
    with pytest.raises(UndecodableAudioError, match=r"^“song” cannot be read: Input/output error\.$"):
        Classifier(bundle).classify_file(tmp_path / "song")
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.skipif(
    not os.path.exists("/proc/self/mem"), reason="needs a file of Linux that cannot be read at its start"
)
def test_a_file_that_the_system_will_not_read_is_named() -> None:
    with pytest.raises(UndecodableAudioError, match=r"“mem” cannot be read: Input/output error"):
        load_clip(Path("/proc/self/mem"), RATE)


def test_files_deleted_after_they_were_found_cost_only_their_own_rows(bundle: Bundle, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.wav").write_bytes(SONG)
    files = find_audio_files([tmp_path])
    rows = answered(Answerer(bundle.path, False), files, n_jobs=1)
    first = next(rows)
    files[1].unlink()
    second, third = rows
    assert [row["verdict"] for row in (first, third)] == ["genre", "genre"]
    assert second["error"]["message"] == "“1.wav” cannot be opened: No such file or directory."


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


# Clocks that jump


def test_a_run_is_the_newest_though_the_clock_was_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path))
    assert runs._new_folder().name.startswith("20")
    before = runs.runs_dir() / "29990101-120000"
    before.mkdir(parents=True)
    (before / "order.json").write_text("{}")
    for _ in range(11):
        started = runs.Run(runs._new_folder())
        (started.folder / "order.json").write_text("{}")
        assert runs.current_run() == started
    assert len(runs.list_runs()) == 12


def test_models_are_packed_before_1980_by_the_clock(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_files = shelf._copy_files

    def copy_long_ago(bundle: Bundle, draft: Path) -> None:
        copy_files(bundle, draft)
        for path in draft.iterdir():
            os.utime(path, (3600.0, 3600.0))

    monkeypatch.setattr(shelf, "_copy_files", copy_long_ago)
    assert shelf.pack(bundle).startswith(b"PK")


def test_a_model_deleted_in_the_future_can_be_put_back(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bundle.path is not None
    monkeypatch.setenv("GENRESCOPE_MODELS", str(bundle.path.parent))
    for now in (4 * 10**18, 10**18):
        monkeypatch.setattr(shelf.time, "time_ns", lambda now=now: now)
        shelf.delete(bundle.path)
        (gone,) = shelf.deleted()
        shelf.put_back(gone)
        assert load_bundle(bundle.path) == bundle


# Two servers

JUGGLE = """
import json, random, sys, time
from crnn import paths, shelf
from crnn.bundle import list_bundles, save_bundle
from crnn.errors import BundleError
rng, counts = random.Random(sys.argv[1]), {}
until = time.monotonic() + float(sys.argv[2])
def replace(bundle):
    return save_bundle(bundle, bundle.path, lambda draft: shelf._copy_files(bundle, draft), replace=True)
def new_name():
    return rng.choice("abcd")
while time.monotonic() < until:
    bundles, faults = list_bundles(paths.models_dir())
    if not bundles:
        continue  # the only one is being replaced at this moment
    bundle = rng.choice(bundles)
    action = rng.choice(["copy", "rename", "delete", "back", "replace"])
    try:
        if action == "copy": shelf.save_copy(bundle, new_name())
        elif action == "rename" and bundle.name != "keep": shelf.rename(bundle, new_name())
        elif action == "delete" and bundle.name != "keep": shelf.throw_away(shelf.delete(bundle.path))
        elif action == "replace": replace(bundle)
        elif action == "back":
            for gone in shelf.deleted()[:1]: shelf.put_back(gone)
        counts[action] = counts.get(action, 0) + 1
    except BundleError:
        counts["refused"] = counts.get("refused", 0) + 1
print(json.dumps(counts))
"""


@pytest.mark.slow
def test_servers_on_one_shelf_do_not_damage_it(tmp_path: Path) -> None:
    models = tmp_path / "models"
    tiny_bundle(models / "keep")
    environment = {**os.environ, "GENRESCOPE_MODELS": str(models), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", JUGGLE]
    servers = [
        subprocess.Popen([*command, str(seed), "8"], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        for seed in range(3)
    ]
    outputs = [server.communicate(timeout=120)[0] for server in servers]
    assert [server.returncode for server in servers] == [0, 0, 0]
    counts = [json.loads(out) for out in outputs]
    print(*counts, sep="\n")
    assert sum(sum(n for action, n in each.items() if action != "refused") for each in counts) > 50
    bundles, faults = list_bundles(models)
    assert faults == {}
    assert {"keep"} <= {bundle.name for bundle in bundles} <= set("abcd") | {"keep"}
    hidden = [path.name for path in models.iterdir() if path.name.startswith(".")]
    assert set(hidden) <= {".deleted"}
