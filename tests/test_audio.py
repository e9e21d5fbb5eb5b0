"""Sound in: every format, every fault by name, bounded memory."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sounds import RATE, FloatArray, chirp, noise, sine, wav_bytes

from crnn import audio
from crnn.audio import AudioStream, load_clip, load_part
from crnn.decoding import declared_seconds, open_file
from crnn.errors import (
    AudioError,
    ClipTooLongError,
    ClipTooShortError,
    EmptyAudioError,
    UndecodableAudioError,
)

CLIPPED = "The recording is clipped"
CUT_SHORT = "damaged or cut short"


def peak_hz(samples: FloatArray, rate: int = RATE) -> float:
    """Frequency of the strongest spectral line."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()])


def riff(
    data: bytes, *, rate: int = RATE, channels: int = 1, bits: int = 16, kind: int = 1, declared: int = -1
) -> bytes:
    """A wav file by hand, so that its header can lie."""
    size = len(data) if declared < 0 else declared
    frame_bytes = channels * bits // 8
    layout = struct.pack("<HHIIHH", kind, channels, rate, rate * frame_bytes & 0xFFFFFFFF, frame_bytes & 0xFFFF, bits)
    body = b"WAVEfmt " + struct.pack("<I", 16) + layout + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", len(body) if declared < 0 else declared) + body


def pcm(samples: FloatArray) -> bytes:
    return (samples * 32_767).astype("<i2").tobytes()


# Formats


@pytest.mark.parametrize(
    ("kind", "subtype", "tolerance"),
    [
        ("WAV", "PCM_U8", 0.01),
        ("WAV", "PCM_16", 1e-4),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "PCM_32", 1e-6),
        ("WAV", "FLOAT", 0),
        ("WAV", "DOUBLE", 0),
        ("WAV", "ULAW", 0.02),
        ("WAV", "ALAW", 0.02),
        ("RF64", "PCM_16", 1e-4),
        ("W64", "PCM_16", 1e-4),
        ("FLAC", "PCM_16", 1e-4),
        ("AIFF", "PCM_16", 1e-4),
        ("AU", "PCM_16", 1e-4),
        ("CAF", "PCM_16", 1e-4),
    ],
)
def test_lossless_formats_give_the_samples(kind: str, subtype: str, tolerance: float) -> None:
    samples = chirp(2.0)
    clip = load_clip(wav_bytes(samples, RATE, subtype, kind), RATE)
    assert clip.samples.dtype == np.float32
    assert clip.notes == ()
    np.testing.assert_allclose(clip.samples, samples, atol=tolerance)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp3", ()),
        ("A.MP3", ()),
        ("a.ogg", ("-c:a", "libvorbis")),
        ("a.opus", ("-c:a", "libopus")),
        ("a.m4a", ("-c:a", "aac")),
        ("a.aac", ()),
        ("A.M4A", ("-c:a", "alac")),
        ("a.mp4", ("-movflags", "frag_keyframe+empty_moov")),
        ("a.webm", ()),
        ("a.wma", ()),
        ("a.mkv", ()),
        ("a.flac", ()),
        ("a.AIFF", ()),
        ("a.mp2", ()),
    ],
)
def test_compressed_formats_keep_tone_and_length(
    encode: Callable[..., Path], name: str, options: tuple[str, ...]
) -> None:
    path = encode(sine(1234.5, 3.0), name, *options)
    for source in (path, path.read_bytes()):
        clip = load_clip(source, RATE)
        assert peak_hz(clip.samples) == pytest.approx(1234.5, abs=1.0)
        assert clip.duration_seconds == pytest.approx(3.0, abs=0.1)
        assert not [note for note in clip.notes if "Resampled" not in note]


@pytest.mark.parametrize(
    "name", ["a.txt", "a.raw", "a.vox", "a.mp3", "a.snd", "noending", "new\nline.wav", "\udcff.wav"]
)
def test_content_decides_not_the_name(tmp_path: Path, name: str) -> None:
    if os.name == "nt" and not name.isprintable():
        pytest.skip("Windows has no such names")
    path = tmp_path / name
    path.write_bytes(wav_bytes(sine(440.0), subtype="PCM_16"))
    assert load_clip(path, RATE).duration_seconds == pytest.approx(2.0)


@pytest.mark.parametrize("ending", ["vox", "gsm", "snd", "au", "raw", "mp3", "wav"])
def test_random_bytes_are_not_believed_for_their_ending(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"noise.{ending}"
    path.write_bytes(np.random.default_rng(1).bytes(100_000))
    with pytest.raises(UndecodableAudioError, match="cannot be decoded"):
        load_clip(path, RATE)


# Rates, channels, levels


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 48_000, 96_000])
def test_rates_become_the_one_asked_for(rate: int) -> None:
    clip = load_clip(wav_bytes(sine(1000.0, 3.0, rate), rate), RATE)
    assert clip.sample_rate == RATE
    assert clip.duration_seconds == pytest.approx(3.0, abs=0.001)
    assert peak_hz(clip.samples) == pytest.approx(1000.0, abs=0.5)
    assert len(clip.notes) == 1
    assert clip.notes[0].startswith("Resampled from")
    assert ("nothing above 4 kHz" in clip.notes[0]) == (rate == 8000)


def test_resampling_in_blocks_equals_resampling_at_once() -> None:
    samples = chirp(7.0, 48_000)
    clip = load_clip(wav_bytes(samples, 48_000), RATE)
    whole = audio.from_samples(samples, 48_000, RATE)
    assert len(clip.samples) == len(whole.samples)
    np.testing.assert_allclose(clip.samples, whole.samples, atol=1e-5)


@pytest.mark.parametrize("n_channels", [2, 6, 32])
def test_equal_channels_equal_mono(n_channels: int) -> None:
    samples = chirp(2.0)
    clip = load_clip(wav_bytes(np.stack([samples] * n_channels, axis=1)), RATE)
    np.testing.assert_allclose(clip.samples, samples, atol=1e-6)
    assert clip.notes == (f"{n_channels} channels were mixed to mono.",)


def test_channels_of_opposite_phase_are_still_heard() -> None:
    samples = sine(440.0)
    clip = load_clip(wav_bytes(np.stack([samples, -0.7 * samples], axis=1)), RATE)
    np.testing.assert_allclose(clip.samples, 0.15 * samples, atol=1e-6)
    assert clip.notes == ("2 channels were mixed to mono.",)
    clip = load_clip(wav_bytes(np.stack([samples, -samples], axis=1)), RATE)
    np.testing.assert_array_equal(clip.samples, samples)
    assert clip.notes == ("The channels cancel each other in mono: only channel 1 of 2 was used.",)


def test_silence_is_noted_and_not_refused() -> None:
    clip = load_clip(wav_bytes(np.zeros(2 * RATE, dtype=np.float32)), RATE)
    assert clip.notes == ("Nothing in it is above −60 dB.",)


def test_quiet_sound_is_noted() -> None:
    assert (
        load_clip(wav_bytes(sine(440.0, level=0.01)), RATE).notes[0].startswith("Recorded quietly: its peak is −40 dB.")
    )


def test_constant_offset_is_removed_and_noted() -> None:
    samples = sine(440.0, level=0.2)
    clip = load_clip(wav_bytes(samples + np.float32(0.3)), RATE)
    np.testing.assert_allclose(clip.samples, samples, atol=1e-3)
    assert clip.notes == ("The recording had a constant offset of 0.30; it was removed.",)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "FLOAT", "ULAW"])
@pytest.mark.parametrize("drive_db", [3, 12])
def test_clipping_is_noted(subtype: str, drive_db: float) -> None:
    samples = np.clip(sine(440.0, level=10 ** (drive_db / 20)) + noise(level=0.02), -1, 1)
    assert any(note.startswith(CLIPPED) for note in load_clip(wav_bytes(samples, subtype=subtype), RATE).notes)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "FLOAT", "ULAW"])
@pytest.mark.parametrize("frequency_hz", [30.0, 441.0, 5000.0])
@pytest.mark.parametrize("level", [0.5, 0.999])
def test_loud_tones_are_not_called_clipped(subtype: str, frequency_hz: float, level: float) -> None:
    samples = sine(frequency_hz, 2.0, 48_000, level)
    notes = load_clip(wav_bytes(samples, 48_000, subtype), RATE).notes
    assert not [note for note in notes if note.startswith(CLIPPED)]


def test_clipping_in_one_channel_of_two_is_noted() -> None:
    clipped, clean = np.clip(sine(440.0, level=4.0), -1, 1), sine(310.0, level=0.4)
    notes = load_clip(wav_bytes(np.stack([clean, clipped], axis=1), subtype="PCM_16"), RATE).notes
    assert any(note.startswith(CLIPPED) for note in notes)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e38])
def test_samples_that_are_not_numbers_become_silence(value: float) -> None:
    samples = sine(440.0)
    samples[100:200] = value
    clip = load_clip(wav_bytes(samples), RATE)
    assert not clip.samples[100:200].any()
    assert clip.notes == ("Samples that are not numbers: 100. Silence stands in for them.",)


def test_nan_in_one_channel_leaves_the_other() -> None:
    left, right = sine(440.0), np.full(2 * RATE, np.nan, dtype=np.float32)
    right[:] = np.where(np.arange(len(right)) % 2, np.nan, left)
    clip = load_clip(wav_bytes(np.stack([left, right], axis=1)), RATE)
    assert np.isfinite(clip.samples).all()
    assert peak_hz(clip.samples) == pytest.approx(440, abs=1)


# Faults, each by its name


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
        (riff(pcm(sine(440.0)), rate=2**31 - 1), "claims 1 channel at 2147483647 Hz. Up to 32 channels"),
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
    with open_file(Path("song.mp3"), "song.mp3") as file:
        assert declared_seconds(file) == 0
    with open_file(Path("secret.flac"), "secret.flac") as file:
        assert declared_seconds(file) == 5


def test_a_film_without_sound(ffmpeg: str, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    command = [ffmpeg, "-v", "error", "-f", "lavfi", "-i", "color=d=1:s=64x64", str(path)]
    subprocess.run(command, check=True, timeout=60)
    with pytest.raises(UndecodableAudioError, match="holds no sound that can be read"):
        load_clip(path, RATE)


# Damage that leaves sound


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "AU", "CAF", "FLAC", "RF64", "W64"])
def test_half_a_file_gives_half_the_sound_and_says_so(kind: str) -> None:
    content = wav_bytes(noise(6.0), subtype="PCM_16", kind=kind)
    clip = load_clip(content[: len(content) // 2], RATE)
    assert clip.duration_seconds == pytest.approx(3.0, abs=0.4)
    assert CUT_SHORT in clip.notes[0]
    assert f"{clip.duration_seconds:.1f} s of it could be read" in clip.notes[0]


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.mp3", ()), ("a.ogg", ()), ("a.mp4", ("-movflags", "frag_keyframe+empty_moov")), ("a.webm", ()), ("a.wma", ())],
)
def test_half_a_compressed_file_says_so(encode: Callable[..., Path], name: str, options: tuple[str, ...]) -> None:
    content = encode(noise(20.0), name, *options).read_bytes()
    clip = load_clip(content[: len(content) // 2], RATE)
    assert 6 < clip.duration_seconds < 14
    assert CUT_SHORT in clip.notes[0]


def test_damaged_packets_are_skipped(encode: Callable[..., Path]) -> None:
    content = bytearray(encode(noise(20.0), "a.m4a").read_bytes())
    for position in np.random.default_rng(3).integers(len(content) // 4, len(content) // 2, 10):
        content[position] ^= 0xFF
    clip = load_clip(bytes(content), RATE)
    assert clip.duration_seconds > 15
    assert CUT_SHORT in clip.notes[0]


@pytest.mark.parametrize("declared", [0xFFFFFFFF, 0xFFFFFFF0, 0x7FFFF000, 0])
def test_wav_written_to_a_pipe_is_whole(declared: int) -> None:
    clip = load_clip(riff(pcm(sine(440.0, 3.0)), declared=declared), RATE)
    assert clip.duration_seconds == pytest.approx(3.0)
    assert clip.notes == ()


def flac_with_length(samples: FloatArray, n_frames: int) -> bytes:
    content = bytearray(wav_bytes(samples, subtype="PCM_16", kind="FLAC"))
    packed = int.from_bytes(content[18:26], "big") & ~(2**36 - 1) | n_frames
    content[18:26] = packed.to_bytes(8, "big")
    return bytes(content)


@pytest.mark.parametrize("seconds", [3.0, 20.0])
def test_flac_of_unknown_length_is_whole(seconds: float) -> None:
    samples = noise(seconds)
    clip = load_clip(flac_with_length(samples, 0), RATE)
    assert len(clip.samples) == len(samples)
    np.testing.assert_allclose(clip.samples, samples, atol=1e-4)
    assert clip.notes == ()


@pytest.mark.parametrize("seconds", [3.0, 20.0])
def test_flac_that_lies_about_its_length_allocates_nothing(seconds: float) -> None:
    samples = noise(seconds)
    clip = load_clip(flac_with_length(samples, 2**36 - 1), RATE)
    assert len(clip.samples) == len(samples)
    np.testing.assert_allclose(clip.samples, samples, atol=1e-4)
    assert CUT_SHORT in clip.notes[0]


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_no_truncation_raises_anything_but_audio_errors(kind: str) -> None:
    subtype = {"OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}.get(kind, "PCM_16")
    content = wav_bytes(noise(1.5), RATE, subtype, kind)
    for length in np.linspace(1, len(content), 60, dtype=int):
        try:
            load_clip(content[:length], RATE)
        except AudioError:
            continue


# Streams


def test_stream_gives_blocks_of_bounded_size() -> None:
    with AudioStream(wav_bytes(noise(60.0), subtype="PCM_16"), RATE) as stream:
        sizes = [len(block) for block in stream]
        assert max(sizes) <= 1 << 17
        assert sum(sizes) == 60 * RATE
        assert stream.duration_seconds == 60.0


def test_stream_closes_its_file_when_left_early(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(noise(60.0), subtype="PCM_16"))
    with AudioStream(path, RATE) as stream:
        next(iter(stream))
    assert stream._file.closed
    path.unlink()


MEMORY_SCRIPT = """
import resource, sys
from crnn.audio import AudioStream
with AudioStream(sys.argv[1], 22050) as stream:
    next(blocks := iter(stream))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for block in blocks:
        pass
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(stream.duration_seconds, grown / (1 if sys.platform == "darwin" else 1024) / 1024 ** (sys.platform == "darwin"))
"""


CLAIM_SCRIPT = """
import resource, sys
from crnn.audio import load_clip
from crnn.errors import UndecodableAudioError
def load(path):
    try:
        load_clip(path, 22050)
    except UndecodableAudioError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
before = load(sys.argv[1])
print(load(sys.argv[2]) - before)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs the resource module")
def test_a_header_that_claims_gigabytes_gets_no_memory(tmp_path: Path) -> None:
    """A list in an AVI says that it is 2 GB long, and FFmpeg would fill as much with zeros."""
    claims = struct.pack("<4sI4s4sI", b"LIST", 2**31 - 8, b"INFO", b"ISFT", 2**31 - 100)
    (tmp_path / "harmless.avi").write_bytes(b"RIFF" + struct.pack("<I", 200) + b"AVI " + bytes(200))
    (tmp_path / "claims.avi").write_bytes(b"RIFF" + struct.pack("<I", 2**31) + b"AVI " + claims + bytes(200))
    command = [sys.executable, "-c", CLAIM_SCRIPT, str(tmp_path / "harmless.avi"), str(tmp_path / "claims.avi")]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root, timeout=120)
    assert float(done.stdout) < 50


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs the resource module")
def test_three_hours_fit_in_a_few_megabytes(ffmpeg: str, tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    tone = "sine=f=440:r=8000:d=10800"
    subprocess.run([ffmpeg, "-v", "error", "-f", "lavfi", "-i", tone, str(path)], check=True, timeout=120)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY_SCRIPT, str(path)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        timeout=120,
    )
    seconds, grown_mb = map(float, done.stdout.split())
    assert seconds == pytest.approx(10_800, abs=1)
    assert grown_mb < 30  # whole, it would take 950


# Folders


def test_find_audio_files_takes_endings_in_any_case_and_names_as_given(tmp_path: Path) -> None:
    for name in ("b/2.MP3", "b/1.wav", "b/notes.txt", "b/c/3.Opus"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    odd = tmp_path / "named.xyz"
    found = audio.find_audio_files([odd, tmp_path / "b"])
    assert [path.name for path in found] == ["named.xyz", "1.wav", "2.MP3", "3.Opus"]


# Parts


@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_part_is_what_the_whole_has_there(rate: int) -> None:
    data = wav_bytes(chirp(6.0, rate), rate)
    whole = load_clip(data, RATE).samples
    heard: list[float] = []
    part = load_part(data, RATE, (2.0, 4.5), on_progress=heard.append)
    np.testing.assert_allclose(part.samples, whole[2 * RATE : round(4.5 * RATE)], atol=1e-6)
    assert part.notes == ()
    assert heard
    assert load_part(data, RATE, (4.0, 99.0)).duration_seconds == pytest.approx(2.0, abs=0.01)


def test_part_beyond_the_end_is_refused() -> None:
    with pytest.raises(ClipTooShortError, match="0.00 s long"):
        load_part(wav_bytes(sine(440.0, 3.0)), RATE, (5.0, 9.0))
