"""A zip of music is the folder in it, and hostile or damaged ones are one sentence."""

import shutil
import stat
import zipfile
from pathlib import Path

import pytest

from crnn.data.scan import scan
from crnn.errors import DatasetError


def zip_of(folder: Path, path: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as zip_file:
        for file in sorted(folder.rglob("*")):
            zip_file.write(file, inside + file.relative_to(folder).as_posix())
    return path


@pytest.mark.parametrize("inside", ["", "my music/"])
def test_a_zip_holds_what_its_folder_holds(folder: Path, tmp_path: Path, home: Path, inside: str):
    found = scan(zip_of(folder, tmp_path / "m.zip", inside))
    assert (found.kind, found.name) == ("zip", "m")
    assert found.fingerprint == scan(folder).fingerprint
    assert all(track.path is not None and track.path.is_relative_to(home) for track in found.tracks)


def test_a_zip_is_unpacked_once(folder: Path, tmp_path: Path, home: Path):
    path = zip_of(folder, tmp_path / "m.zip")
    first = scan(path).tracks[0].path
    shutil.copy(path, tmp_path / "other.zip")
    assert scan(tmp_path / "other.zip").tracks[0].path == first
    assert len(list((home / "unpacked").iterdir())) == 1


def entry(name: str, kind: int = stat.S_IFREG) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o644) << 16
    return info


@pytest.mark.parametrize(
    "bad",
    [
        entry("../up.wav"),
        entry("/abs.wav"),
        entry("a/../../b.wav"),
        entry("..\\up.wav"),
        entry("C:\\x.wav"),
        entry("jazz/link.wav", stat.S_IFLNK),
        entry("jazz/pipe.wav", stat.S_IFIFO),
        entry("jazz/a\nb.wav"),
    ],
    ids=lambda info: info.filename,
)
def test_hostile_names_are_refused_and_nothing_is_written(
    folder: Path, tmp_path: Path, home: Path, bad: zipfile.ZipInfo
):
    path = zip_of(folder, tmp_path / "m.zip")
    with zipfile.ZipFile(path, "a") as zip_file:
        zip_file.writestr(bad, b"/etc/passwd")
        zip_file.writestr(entry("../second.wav"), b"x")
    with pytest.raises(DatasetError, match=r"(?s)refused: .*second\.wav"):
        scan(path)
    assert not home.exists()


@pytest.mark.slow
def test_a_zip_bomb_is_refused(tmp_path: Path, home: Path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zip_file, zip_file.open("jazz/a.wav", "w") as member:
        for _ in range(300):
            member.write(bytes(10**6))
    with pytest.raises(DatasetError, match="times its size"):
        scan(path)


def test_too_many_files_in_a_zip_are_one_sentence(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("crnn.data.zips.MAX_ZIP_FILES", 5)
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as zip_file:
        for i in range(6):
            zip_file.writestr(f"jazz/{i}.wav", b"x")
    with pytest.raises(DatasetError, match="6 files; at most 5"):
        scan(path)


def test_names_that_differ_only_in_case_are_refused(tmp_path: Path, home: Path):
    path = tmp_path / "m.zip"
    with zipfile.ZipFile(path, "w") as zip_file:
        zip_file.writestr("jazz/a.wav", b"x")
        zip_file.writestr("jazz/A.WAV", b"y")
    with pytest.raises(DatasetError, match="twice"):
        scan(path)


def test_utf8_names_without_their_flag_are_read(folder: Path, tmp_path: Path, home: Path):
    path = tmp_path / "m.zip"
    sound = (folder / "jazz" / "jazz0.wav").read_bytes()
    with zipfile.ZipFile(path, "w") as zip_file:
        zip_file.writestr("forró/xote.wav", sound)
    raw = path.read_bytes()
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = raw.index(magic) + at
        raw = raw[:start] + b"\0\0" + raw[start + 2 :]
    path.write_bytes(raw)
    assert scan(path).genres == ("forró",)


def test_a_damaged_zip_is_one_sentence_and_leaves_nothing(folder: Path, tmp_path: Path, home: Path):
    path = zip_of(folder, tmp_path / "m.zip")
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(DatasetError, match="damaged"):
        scan(path)
    assert list((home / "unpacked").iterdir()) == []
