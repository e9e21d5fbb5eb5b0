"""What is no sound, too short, too long or not to be opened is refused by name."""

from __future__ import annotations

import os
import re
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sounds import RATE, noise, pcm, riff, sine, wav_bytes

from crnn.audio.clip import declared_seconds, load_clip
from crnn.errors import (
    ClipTooLongError,
    ClipTooShortError,
    EmptyAudioError,
    UndecodableAudioError,
)


def test_empty_file() -> None:
    with pytest.raises(EmptyAudioError, match=r"“a.wav” is empty \(0 bytes\)"):
        load_clip(b"", RATE, name="a.wav")


@pytest.mark.parametrize("content", [riff(b""), riff(b"", channels=2)])
def test_header_without_sound(content: bytes) -> None:
    with pytest.raises(EmptyAudioError, match="holds no sound"):
        load_clip(content, RATE)


@pytest.mark.parametrize("seconds", [0.0001, 0.5, 0.999])
def test_less_than_a_second_is_too_short(seconds: float) -> None:
    with pytest.raises(ClipTooShortError, match=f"is {seconds:.2f} s long. At least 1 s is needed"):
        load_clip(wav_bytes(sine(440.0, seconds)), RATE)


def test_exactly_a_second_is_enough() -> None:
    assert load_clip(wav_bytes(sine(440.0, 1.0)), RATE).duration_seconds == 1.0


def test_longer_than_allowed_is_refused_before_it_is_read_whole() -> None:
    with pytest.raises(ClipTooLongError, match="is longer than 1 minutes"):
        load_clip(wav_bytes(noise(70.0, 8000), 8000, "PCM_16"), RATE, max_seconds=60)


NOT_SOUND = {
    "a text file": b"hello, this is a text\n" * 20,
    "a PDF document": b"%PDF-1.4" + b"x" * 100,
    "a MIDI file": b"MThd" + b"\0" * 100,
    "a program": b"MZ\x90\0" * 100,
    "a file of zeros": b"\0" * 100_000,
    "a web page": b"<!DOCTYPE html><html>" + b"x" * 100,
    "a PNG picture": b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
}


@pytest.mark.parametrize("found", NOT_SOUND)
def test_other_files_are_called_what_they_are(found: str) -> None:
    with pytest.raises(UndecodableAudioError, match=f"“a.wav” is {found}.*Give audio: wav, mp3, flac"):
        load_clip(NOT_SOUND[found], RATE, name="a.wav")


def test_zip_renamed_mp3(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.mp3", "w") as archive:
        archive.writestr("a.txt", "text")
    with pytest.raises(UndecodableAudioError, match=r"“a\.mp3” is a zip archive"):
        load_clip(tmp_path / "a.mp3", RATE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (riff(pcm(sine(440.0)), rate=0), "cannot be decoded"),
        (riff(pcm(sine(440.0)), rate=2**32 - 1), "cannot be decoded"),
        (riff(pcm(sine(440.0)), rate=2**31 - 1), "claims 1 channel at 2147483647 Hz. Up to 64 channels"),
        (riff(pcm(sine(440.0)), rate=1), "claims 1 channel at 1 Hz"),
        (riff(pcm(sine(440.0)), channels=0), "cannot be decoded"),
        (riff(b"\1\0" * 1024 * 5000, channels=1024), "claims 1024 channels at 22050 Hz"),
        (riff(pcm(sine(440.0)), channels=65_535), "cannot be decoded"),
        (riff(pcm(sine(440.0)), bits=0), "cannot be decoded"),
        (riff(pcm(sine(440.0)), kind=0x1234), "cannot be decoded"),
        (b"RIFF\xff\xff\xff\xff", "cannot be decoded"),
        (wav_bytes(np.full(50_000, np.nan)), "Most samples of this recording are not numbers"),
        (np.random.default_rng(0).bytes(300_000), "cannot be decoded"),
    ],
)
def test_headers_that_no_recording_has(content: bytes, message: str) -> None:
    with pytest.raises(UndecodableAudioError, match=message):
        load_clip(content, RATE)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(UndecodableAudioError, match=r"“gone\.wav” cannot be opened"):
        load_clip(tmp_path / "gone.wav", RATE)
    with pytest.raises(UndecodableAudioError, match=r"is a folder\. Give audio files"):
        load_clip(tmp_path, RATE)
    with pytest.raises(UndecodableAudioError, match="cannot be opened"):
        load_clip("nul\0.wav", RATE)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(UndecodableAudioError, match="is no ordinary file"):
        load_clip(tmp_path / "pipe.wav", RATE)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "locked.wav"
    path.write_bytes(wav_bytes(sine(440.0)))
    path.chmod(0)
    with pytest.raises(UndecodableAudioError, match="cannot be opened"):
        load_clip(path, RATE)


def test_a_name_with_a_line_break_stays_on_one_line() -> None:
    with pytest.raises(EmptyAudioError) as caught:
        load_clip(b"", RATE, name="a\nb\udcff.wav")
    assert re.match("“a�b�.wav” is empty", str(caught.value))
    str(caught.value).encode()


# The byte 1 keeps them from passing for text.
PLAYLISTS = {
    "hls": b"#EXTM3U\n#\x01\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.flac\n#EXT-X-ENDLIST\n",
    "concat": b"ffconcat version 1.0\nfile secret.flac\n#\x01\n",
}


@pytest.mark.parametrize("kind", ["hls", "concat"])
def test_a_playlist_opens_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    playlist = PLAYLISTS[kind]
    monkeypatch.chdir(tmp_path)
    Path("secret.flac").write_bytes(wav_bytes(sine(440.0), subtype="PCM_16", kind="FLAC"))
    Path("song.m3u8").write_bytes(playlist)
    for source in (Path("song.m3u8"), playlist):
        with pytest.raises(UndecodableAudioError, match="cannot be decoded"):
            load_clip(source, RATE)


@pytest.mark.parametrize("kind", ["hls", "concat"])
def test_the_check_of_a_data_set_opens_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """It asks each file how long it is: a playlist must not have it look about on the disk, or in the network."""
    monkeypatch.chdir(tmp_path)
    Path("secret.flac").write_bytes(wav_bytes(sine(440.0, 5.0), subtype="PCM_16", kind="FLAC"))
    Path("song.mp3").write_bytes(PLAYLISTS[kind])
    assert declared_seconds(Path("song.mp3")) == 0
    assert declared_seconds(Path("secret.flac")) == 5


def test_a_film_without_sound(ffmpeg: str, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    command = [ffmpeg, "-v", "error", "-f", "lavfi", "-i", "color=d=1:s=64x64", str(path)]
    subprocess.run(command, check=True, timeout=60)
    with pytest.raises(UndecodableAudioError, match="holds no sound that can be read"):
        load_clip(path, RATE)
