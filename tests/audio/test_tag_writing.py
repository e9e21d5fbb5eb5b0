"""The genre in the tags of every format that has some: written, the rest untouched, and undone byte for byte."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sounds import RATE, noise, wav_bytes

from crnn import atomic
from crnn.audio import file_delta, tag_writing
from crnn.audio.clip import load_clip
from crnn.audio.tag_writing import TagError, genres_in, prepared, put_in_place, undo
from crnn.audio.tags import Cover, OwnWords, read_cover, read_genres, read_words, split_genres

# What ffmpeg needs to be told for each.
FORMATS = {
    "v23.mp3": ["-id3v2_version", "3"],
    "v24.mp3": ["-id3v2_version", "4", "-write_id3v1", "1"],
    "bare.mp3": ["-id3v2_version", "0"],
    "a.flac": [],
    "a.ogg": ["-c:a", "libvorbis"],
    "a.opus": ["-c:a", "libopus"],
    "ogg-flac.oga": ["-c:a", "flac", "-f", "ogg"],
    "tail.m4a": [],
    "head.m4a": ["-movflags", "+faststart"],
    "a.wma": [],
    "a.aiff": ["-write_id3v2", "1"],
    "a.wav": [],
    "a.wv": [],
    "a.tta": [],
    "a.mp4": [],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory, ffmpeg: str) -> Path:
    """A tagged file of each format."""
    folder = tmp_path_factory.mktemp("made")
    source = folder / "source.bin"
    source.write_bytes(wav_bytes(noise(4), RATE, "PCM_16"))
    for name, options in FORMATS.items():
        told = ["-metadata", "title=Tïtle", "-metadata", "artist=Än Artist", "-metadata", "date=1999"]
        command = [ffmpeg, "-nostdin", "-v", "error", "-y", "-i", str(source), *told, *options, str(folder / name)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    return folder


@pytest.fixture
def file(made: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / request.param
    path.write_bytes((made / request.param).read_bytes())
    return path


def write(path: Path, genre: str) -> tag_writing.Written:
    with prepared(path, genre) as (kept, draft):
        put_in_place(draft, kept)
    return kept


def of_format(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("file", names, indirect=True)


@of_format(*FORMATS)
# A page or two more in an Ogg, and all offsets of an MP4 moved.
@pytest.mark.parametrize("genre", ["Hip-Hop", "x" * 70_000], ids=["short", "long"])
def test_written_and_undone_byte_for_byte(file: Path, genre: str) -> None:
    before, samples = file.read_bytes(), load_clip(file, RATE).samples
    os.utime(file, ns=(10**18, 10**18))
    file.chmod(0o640)
    kept = write(file, genre)
    assert genres_in(file) == (genre[:80],)
    assert np.array_equal(load_clip(file, RATE).samples, samples)
    assert file.stat().st_mode & 0o777 == 0o640
    assert file.stat().st_mtime_ns > 10**18
    assert len(kept.delta) < 2000
    assert undo(kept)
    assert file.read_bytes() == before
    assert file.stat().st_mtime_ns == 10**18
    assert file.stat().st_mode & 0o777 == 0o640
    assert not undo(kept)
    assert os.listdir(file.parent) == [file.name]


@of_format("v23.mp3", "v24.mp3", "a.flac", "a.ogg", "a.opus", "tail.m4a", "a.wma", "a.aiff", "a.wav")
def test_what_is_written_is_what_others_read(file: Path) -> None:
    write(file, "Bossa Nova")
    assert read_genres(file) == ("Bossa Nova",)


@of_format("v23.mp3")
def test_version_2_3_stays_2_3(file: Path) -> None:
    write(file, "Jazz")
    assert file.read_bytes()[:5] == b"ID3\x03\x00"


@of_format("v23.mp3", "a.flac", "tail.m4a")
def test_a_second_change_is_undone_after_the_first(file: Path) -> None:
    before = file.read_bytes()
    first = write(file, "Jazz")
    assert first.old_genres == ()
    second = write(file, "Rock")
    assert second.old_genres == ("Jazz",)
    with pytest.raises(TagError, match="changed since"):
        undo(first)
    assert undo(second)
    assert genres_in(file) == ("Jazz",)
    assert undo(first)
    assert file.read_bytes() == before


@of_format("v24.mp3")
def test_a_disk_that_fills_up_leaves_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.read_bytes()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copy2", refuse)
    with pytest.raises(TagError, match="No space left"):
        write(file, "Jazz")
    monkeypatch.undo()
    with prepared(file, "Jazz") as (kept, draft):
        monkeypatch.setattr(Path, "replace", refuse)
        with pytest.raises(TagError, match="No space left"):
            put_in_place(draft, kept)
        monkeypatch.undo()
    assert file.read_bytes() == before
    assert not undo(kept)
    assert os.listdir(file.parent) == [file.name]


@of_format("a.flac")
def test_what_another_program_changed_meanwhile_is_left(file: Path) -> None:
    with prepared(file, "Jazz") as (kept, draft):
        file.write_bytes(file.read_bytes() + b"more")
        with pytest.raises(TagError, match="Another program"):
            put_in_place(draft, kept)
    assert file.read_bytes().endswith(b"more")


@of_format("a.flac")
def test_files_of_several_names_or_protected_are_left(file: Path) -> None:
    os.link(file, file.with_name("other.flac"))
    with pytest.raises(TagError, match="several names"):
        write(file, "Jazz")


@of_format("a.flac")
def test_a_protected_file_is_left_even_by_who_may_write_it(file: Path) -> None:
    file.chmod(0o444)
    with pytest.raises(TagError, match="protected"):
        write(file, "Jazz")


@pytest.mark.parametrize("declared", [0, 0xFFFFFFFF, 0x7FFFFFFF, 1000])
def test_a_wav_of_a_size_that_cannot_be_is_written_or_left(tmp_path: Path, declared: int) -> None:
    content = bytearray(wav_bytes(noise(3), RATE, "PCM_16"))
    content[4:8] = content[40:44] = declared.to_bytes(4, "little")
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    try:
        kept = write(path, "Jazz")
    except TagError:
        assert path.read_bytes() == content
    else:
        assert undo(kept)
        assert path.read_bytes() == content
    assert [found.name for found in tmp_path.iterdir()] == ["a.wav"]


def test_a_change_of_sound_is_refused(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes((made / "a.flac").read_bytes())
    original = tag_writing._set_genre

    def spoil(found: object, genre: str) -> None:
        original(found, genre)
        spoilt = Path(found.filename)  # type: ignore[attr-defined]
        content = bytearray(spoilt.read_bytes())
        content[-2000] ^= 1
        spoilt.write_bytes(content)

    monkeypatch.setattr(tag_writing, "_set_genre", spoil)
    with pytest.raises(TagError, match="sound would change"):
        write(path, "Jazz")


def test_a_change_of_another_tag_is_refused(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes((made / "a.flac").read_bytes())
    original = tag_writing._set_genre

    def spoil(found: object, genre: str) -> None:
        found["title"] = "Title"  # type: ignore[index]
        original(found, genre)

    monkeypatch.setattr(tag_writing, "_set_genre", spoil)
    with pytest.raises(TagError, match="other tags would change"):
        write(path, "Jazz")
    assert path.read_bytes() == (made / "a.flac").read_bytes()


def test_a_mistake_that_says_nothing_is_told_by_its_kind(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes((made / "a.flac").read_bytes())

    def mistake(*_: object) -> None:
        raise IndexError

    with monkeypatch.context() as patch:
        patch.setattr(tag_writing, "_set_genre", mistake)
        with pytest.raises(TagError, match=r"cannot be written \(IndexError\)"):
            write(path, "Jazz")
    monkeypatch.setattr("mutagen.File", mistake)
    with pytest.raises(TagError, match=r"are damaged \(IndexError\)"):
        genres_in(path)


@pytest.mark.parametrize("name", ["text.mp3", "empty.flac", "a.au"])
def test_files_without_tags_are_told(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes({"text.mp3": b"This is no sound. " * 40, "empty.flac": b"", "a.au": b".snd" + bytes(40)}[name])
    with pytest.raises(TagError):
        genres_in(path)
    assert read_genres(path) == ()


def test_several_genres_in_one_tag() -> None:
    assert split_genres(["Rock; Blues/Soul", " Rock ", "R&B", ""]) == ("Rock", "Blues", "Soul", "R&B")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"", b"abc"),
        (bytes(range(256)) * 40, b"tag" + bytes(range(256)) * 40),
        (b"head" + bytes(range(256)) * 40 + b"tail", bytes(range(256)) * 40),
        (b"\0" * 5000 + b"x" * 5000, b"x" * 5000 + b"\0" * 5000),
        (b"all other" * 100, b"nothing alike" * 100),
    ],
)
def test_a_delta_makes_the_original_again(tmp_path: Path, old: bytes, new: bytes) -> None:
    original, changed, again = tmp_path / "old", tmp_path / "new", tmp_path / "again"
    original.write_bytes(old or b"o")
    changed.write_bytes(new)
    delta = file_delta.make_delta(original, changed)
    with again.open("wb") as out:
        digest = file_delta.restore(delta, changed, out)
    assert again.read_bytes() == original.read_bytes()
    assert digest == atomic.sha256_of(original)


def test_a_delta_of_a_counter_in_every_page_holds_the_counters_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    pages = [rng.bytes(4500) for _ in range(40)]
    original, changed = tmp_path / "old", tmp_path / "new"
    original.write_bytes(b"".join(b"Page%04d" % i + page for i, page in enumerate(pages)))
    changed.write_bytes(b"a new page" + b"".join(b"Page%04d" % (i + 1) + page for i, page in enumerate(pages)))
    assert len(file_delta.make_delta(original, changed)) < 4000


@pytest.mark.parametrize("delta", ["", "%%%", "AAAA", "eJwDAAAAAAE="])
def test_a_damaged_delta_is_told(tmp_path: Path, delta: str) -> None:
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(ValueError, match="damaged"), (tmp_path / "out").open("wb") as out:
        file_delta.restore(delta, tmp_path / "x", out)


def test_a_files_own_words_are_read_from_its_bytes() -> None:
    def frame(name: bytes, text: str) -> bytes:
        data = b"\x03" + text.encode()
        return name + len(data).to_bytes(4, "big") + b"\0\0" + data

    frames = frame(b"TIT2", "So  What\n") + frame(b"TPE1", "Miles Davis") + frame(b"TCON", "Jazz/Modal")
    # An ID3v2.3 tag; its size is written in groups of seven bits.
    tag = b"ID3\x03\0\0" + bytes([0, 0, len(frames) >> 7, len(frames) & 127]) + frames
    found = read_words(tag + b"\xff\xfb\x90\0" + bytes(600))
    assert found == OwnWords("So What", "Miles Davis", ("Jazz", "Modal"))
    assert found.sentence() == "So What · Miles Davis · tagged Jazz, Modal"
    assert read_words(b"no file of sound" * 20) == OwnWords()
    assert OwnWords().sentence() == ""


def with_picture(picture: bytes, called: bytes = b"image/png") -> bytes:
    """The beginning of an mp3 whose tag holds a picture."""
    data = b"\0" + called + b"\0\x03\0" + picture
    frame = b"APIC" + len(data).to_bytes(4, "big") + b"\0\0" + data
    size = bytes(len(frame) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frame + b"\xff\xfb\x90\0" + bytes(600)


def png_of(width: int, height: int) -> bytes:
    """The beginning of a PNG of that size."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + bytes(300)


def jpeg_of(width: int, height: int) -> bytes:
    """The beginning of a JPEG of that size: a segment, bytes that fill, a table, the frame."""
    frame = b"\xff\xc2\0\x11\x08" + struct.pack(">HH", height, width)
    return b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xff\xc4\0\x03c" + frame + bytes(9)


def test_a_files_cover_is_a_picture_by_its_own_bytes() -> None:
    png, jpeg, gif = png_of(600, 600), jpeg_of(600, 600), b"GIF89a" + struct.pack("<HH", 600, 600) + bytes(9)
    for picture, kind in ((png, "image/png"), (jpeg, "image/jpeg"), (gif, "image/gif")):
        assert read_cover(with_picture(picture, b"image/svg+xml")) == Cover(picture, kind)
    for none in (with_picture(b"<svg onload='alert(1)'>"), with_picture(png + bytes(2**23)), b"no sound" * 90, b""):
        assert read_cover(none) is None


@pytest.mark.parametrize("make", [png_of, jpeg_of])
def test_a_cover_that_would_take_gigabytes_to_draw_is_not_shown(make: Callable[[int, int], bytes]) -> None:
    assert read_cover(with_picture(make(6000, 6000))) is not None
    assert read_cover(with_picture(make(23_000, 23_000))) is None
    assert read_cover(with_picture(make(0, 600))) is None
    assert read_cover(with_picture(make(600, 600)[:14])) is None
