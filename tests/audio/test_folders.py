"""What a folder holds: the same for `classify`, `scan` and zips, and what was left out is told."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from sounds import RATE, sine, wav_bytes, write_sound
from tiny_bundle import tiny_bundle
from unprivileged import run_unprivileged

from crnn.audio.files import AUDIO_SUFFIXES
from crnn.audio.folders import contents, find_audio_files, is_audio_name
from crnn.data.scan import scan

SONG = wav_bytes(sine(440.0), RATE, "PCM_16")
KEPT = ["rock/a.wav", "rock/b.TTA", "rock/deep/c.wv", "pop/d.m4v", "pop/e.mka", "pop/f.spx", "pop/g.AC3", "pop/h.aif"]
LEFT_OUT = ["rock/._a.wav", "rock/.hidden.mp3", "rock/.git/x.wav", "__MACOSX/rock/a.wav", "rock/cover.jpg", "pop/i.pdf"]


def make(folder: Path, names: list[str]) -> Path:
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav_bytes(sine(200.0 + 10 * number), RATE, "PCM_16"))
    return folder


def test_classify_and_scan_find_the_same(tmp_path: Path) -> None:
    music = make(tmp_path / "music", KEPT + LEFT_OUT)
    found, notes = find_audio_files([music])
    scanned = scan(music)
    expected = sorted(music / name for name in KEPT)
    assert sorted(found) == expected
    assert sorted(track.path for track in scanned.tracks if track.path) == expected
    assert len(notes) == 2
    assert notes[0].endswith("2 files were left out because their endings are not audio: “i.pdf”, “cover.jpg”.")
    assert "4 hidden files or folders were left out: “__MACOSX”, “._a.wav”, “.git” and 1 more." in notes[1]
    assert "3 hidden files or folders were left out: “._a.wav”, “.git”, “.hidden.mp3”." in scanned.notes


def test_a_zip_gives_what_its_folder_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    music = make(tmp_path / "music", KEPT + LEFT_OUT)
    with zipfile.ZipFile(tmp_path / "music.zip", "w") as packed:
        for name in KEPT + LEFT_OUT:
            packed.write(music / name, name)
    assert {t.track_id for t in scan(tmp_path / "music.zip").tracks} == {t.track_id for t in scan(music).tracks}


def test_what_is_named_is_taken_whatever_its_name(tmp_path: Path) -> None:
    hidden = make(tmp_path, [".hidden/._a.xyz", ".hidden/b.wav"])
    assert find_audio_files([hidden / ".hidden" / "._a.xyz"]) == ([hidden / ".hidden" / "._a.xyz"], [])
    found, _ = find_audio_files([hidden / ".hidden"])
    assert found == [hidden / ".hidden" / "b.wav"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_broken_links_and_pipes_are_told(tmp_path: Path) -> None:
    music = make(tmp_path / "music", ["rock/a.wav", "pop/b.wav"])
    (music / "rock" / "gone.mp3").symlink_to("nowhere.mp3")
    os.mkfifo(music / "rock" / "pipe.wav")
    (music / "rock" / "elsewhere").symlink_to(tmp_path)
    inside = contents(music)
    assert [path.name for path in inside.closed] == ["elsewhere"]
    # classify has a row of error for each of them; scan a fault.
    assert [path.name for path in find_audio_files([music])[0]] == ["b.wav", "a.wav", "gone.mp3", "pipe.wav"]
    faults = {fault.subject: fault.message for fault in scan(music).faults}
    assert faults["rock/gone.mp3"] == "The file cannot be opened: No such file or directory."
    assert faults["rock/pipe.wav"] == "It is no ordinary file."


def test_a_transport_stream_is_told_from_a_program(tmp_path: Path) -> None:
    (tmp_path / "page.ts").write_text("export const answer = 42;\n" * 20)
    (tmp_path / "film.ts").write_bytes((b"G" + bytes(187)) * 3)
    assert contents(tmp_path).audio == (tmp_path / "film.ts",)
    assert contents(tmp_path).others == (tmp_path / "page.ts",)


def test_every_ending_counts_in_any_case() -> None:
    for suffix in AUDIO_SUFFIXES:
        assert is_audio_name(f"a{suffix}")
        assert is_audio_name(f"a{suffix.upper()}")
    assert not is_audio_name("a.txt")
    assert not is_audio_name("wav")


def test_a_folder_without_sound_among_others_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    song = tmp_path / "song.wav"
    assert find_audio_files([tmp_path / "empty", song]) == ([song], [f"“{tmp_path / 'empty'}” holds no sound file."])
    assert find_audio_files([tmp_path / "empty"]) == ([], [])


def test_a_folder_that_was_named_and_may_not_be_read_is_an_error_row(tmp_path: Path) -> None:
    """It was left out with a remark, and the status was that of success."""
    (tmp_path / "closed").mkdir()
    write_sound(tmp_path / "closed" / "a.wav", 300.0)
    write_sound(tmp_path / "song.wav", 300.0, 2.0)
    tiny = tiny_bundle(tmp_path / "tiny")
    (tmp_path / "closed").chmod(0o000)
    arguments = ["classify", str(tmp_path / "closed"), str(tmp_path / "song.wav"), "--model", str(tiny.path)]
    try:
        said = run_unprivileged(f"from crnn.__main__ import main\nprint(main({arguments}))")
    finally:
        (tmp_path / "closed").chmod(0o755)
    assert "“closed” cannot be opened: Permission denied." in said
    assert said.splitlines()[-1] == "1"
