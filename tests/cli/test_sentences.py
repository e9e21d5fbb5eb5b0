"""Wrong arguments and paths that cannot be: a sentence and a status, never a traceback."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import soundfile
from sounds import RATE, sine

from crnn.__main__ import main
from crnn.bundles.library import import_zip, pack
from crnn.errors import BundleError, CrnnError
from crnn.owner import MACHINE
from crnn.paths import user_path

LONG = "x" * 5000
NOBODY = "~nobody-of-that-name/x"


def run(*arguments: str) -> int:
    """The exit status, however it ends."""
    try:
        return main(list(arguments))
    except SystemExit as stopped:
        return int(stopped.code or 0)


@pytest.mark.parametrize("number", ["-1", "4294967296", "1.5", "x", "9" * 5000])
def test_seeds_that_no_generator_takes(capsys, number):
    assert run("train", "demo", "--out", "m", f"--seed={number}") == 2
    assert "is not a whole number from 0 to 4294967295" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--epochs", "--jobs", "--folds"])
def test_numbers_out_of_range(capsys, option):
    assert run("train", "demo", "--out", "m", option, "-3") == 2
    assert "is not a whole number from" in capsys.readouterr().err


@pytest.mark.parametrize("path", [LONG, NOBODY], ids=["long", "nobody"])
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["scan", "PATH"], 1),
        (["evaluate", "PATH"], 1),
        (["features", "PATH", "--out", "x.npz"], 1),
        (["features", "demo", "--out", "PATH"], 2),
        (["train", "demo", "--out", "PATH"], 2),
        (["classify", "PATH"], 2),
        (["classify", "x.wav", "--model", "PATH"], 1),
        (["classify", "x.wav", "--out", "PATH"], 2),
        (["classify", "--undo", "PATH"], 2),
        (["export", "--to", "onnx", "--out", "PATH"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_paths_that_cannot_be(capsys, arguments, status, path):
    assert run(*[path if part == "PATH" else part for part in arguments]) == status
    said = capsys.readouterr().err
    assert ("too long for a path" if path == LONG else "knows no home of ~nobody-of-that-name") in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["classify", "a.mp3", "--out", "song.mp3"], "song.mp3 is music or a data set by its name"),
        (["evaluate", "demo", "--rows", "music.zip"], "music.zip is music or a data set by its name"),
        (["export", "--to", "onnx", "--out", "song.mp3"], "song.mp3 is music or a data set by its name"),
        (["features", "music.zip", "--out", "music.zip"], "music.zip is music or a data set by its name"),
        (["classify", "mine.npz", "--out", "mine.npz"], "mine.npz is music or a data set by its name"),
        (["features", "demo", "--out", "mine"], "an archive is known by its ending: mine.npz"),
        (["classify", "song.mp3", "--out", "folder"], "folder is a folder; name a file in it"),
        (["evaluate", "demo", "--rows", "none/rows.jsonl"], "there is no folder none"),
        (["classify", "song.mp3", "--at-least", "0.9"], "add --write-tags or --playlists"),
        (["classify", "song.mp3", "--timeline", "--format", "csv"], "A line of csv holds no timeline"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_music_is_never_written_over_and_no_option_is_passed_over(tmp_path, monkeypatch, capsys, arguments, said):
    """`classify --out *.mp3` names a song as the output; and whoever errs learns it before the work, not after it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for name in ("song.mp3", "music.zip", "mine.npz"):
        (tmp_path / name).write_bytes(b"dear")
    assert run(*arguments) == 2
    assert said in capsys.readouterr().err
    assert {path.read_bytes() for path in tmp_path.glob("*.*")} == {b"dear"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--playlists", "song.wav/lists"], "The playlists cannot be written to song.wav"),
        (["--write-tags"], ".jsonl cannot be written, so no tag is"),
        (["--write-tags", "--undo-file", "song.wav/undo"], "undo cannot be written, so no tag is"),
        (["--write-tags", "--undo-file", "song.wav"], "song.wav is no undo file of classify --write-tags."),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_anything_is_heard(
    bundle, tmp_path, monkeypatch, capsys, arguments, said
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "song.wav"))
    soundfile.write(tmp_path / "song.wav", sine(440.0, 2.0), RATE)
    assert run("classify", "song.wav", "--model", str(bundle.path), *arguments) == 1
    answered, told = capsys.readouterr()
    assert said in told
    assert not answered


@pytest.mark.parametrize("closed", ["<&- >&-", "2>&-"])
def test_streams_that_were_closed_are_no_traceback(bundle, tmp_path, closed):
    """As a scheduler may leave them."""
    song, out = tmp_path / "song.wav", tmp_path / "rows.jsonl"
    soundfile.write(song, sine(440.0, 2.0), RATE)
    command = [sys.executable, "-m", "crnn", "classify", song, "--model", bundle.path, "--format", "json", "--out", out]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(out.read_text(encoding="utf-8"))["duration_seconds"] == 2.0


def test_a_file_that_begins_with_a_tilde_is_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("~old.wav").touch()
    assert user_path("~old.wav") == Path("~old.wav")
    monkeypatch.setenv("HOME", "/home/me")
    assert user_path("~/Music") == Path("/home/me/Music")
    with pytest.raises(CrnnError, match="zero byte"):
        user_path("a\0b")


def test_what_no_command_foresaw_is_a_sentence_too(capsys, bundle, tmp_path):
    soundfile.write(tmp_path / "a.wav", sine(80, 3), RATE)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    arguments = ["--model", str(bundle.path), "--playlists", str(tmp_path / "loop" / "lists")]
    assert run("classify", str(tmp_path / "a.wav"), *arguments) == 1
    assert capsys.readouterr().err.count("error: ") == 1


def test_an_import_without_room_for_its_temporary_files(bundle, tmp_path, monkeypatch):
    packed = pack(bundle)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(BundleError, match="Make room there, or set TMPDIR"):
        import_zip(packed, owner=MACHINE)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("GENRESCOPE_MODELS", str(tmp_path / "shelf"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(BundleError, match="No space left on device"):
        import_zip(packed, owner=MACHINE)
    monkeypatch.undo()
    assert not list(tmp_path.glob("genrescope-*"))
    shutil.rmtree(tmp_path / "models")
