"""Decoders in a process of their own: what they do to it is told of one file, and costs no other."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sounds import RATE, chirp, noise, sine, wav_bytes

from crnn.audio import workers
from crnn.audio.clip import AudioStream, declared_seconds, load_clip
from crnn.errors import DecoderFailedError, UndecodableAudioError

SONG = wav_bytes(chirp(5.0), RATE, "PCM_16")
# In place of soundfile, in the worker alone: what it does with a file that holds a word.
FAULTY = """
import sys
sys.path.remove({folder!r})
del sys.modules["soundfile"]
import soundfile
original = soundfile.SoundFile
def opened(file):
    head = file.read(200)
    file.seek(0)
    if b"crash" in head:
        import ctypes; ctypes.string_at(0)
    if b"hang" in head:
        import time; time.sleep(600)
    if b"circles" in head:
        while True:
            file.seek(0); file.read()
    if b"memory" in head:
        bytearray(3 << 30)
    if b"bug" in head:
        raise TypeError("a mistake of our own")
    return original(file)
soundfile.SoundFile = opened
"""


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers whose soundfile crashes, hangs or grows where it is told to."""
    folder = tmp_path / "faulty"
    folder.mkdir()
    (folder / "soundfile.py").write_text(FAULTY.format(folder=str(folder)), encoding="utf-8")
    workers.pool_of_this_process().close()
    monkeypatch.syspath_prepend(folder)
    yield
    workers.pool_of_this_process().close()


def wav_that_says(word: bytes) -> bytes:
    return SONG[:12] + b"note" + len(word.ljust(8)).to_bytes(4, "little") + word.ljust(8) + SONG[12:]


@pytest.mark.usefixtures("faulty")
@pytest.mark.skipif(os.name == "nt", reason="memory is bounded by the resource module")
@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        (b"crash", r"^“a\.wav” made its decoder crash\. It is damaged, or of a rare kind: export it again"),
        (b"memory", r"^“a\.wav” would take more than 1 GB of memory to decode\."),
    ],
)
def test_a_failing_decoder_is_told_of_its_file_alone(word: bytes, sentence: str) -> None:
    with pytest.raises(DecoderFailedError, match=sentence):
        load_clip(wav_that_says(word), RATE, name="a.wav")
    assert load_clip(SONG, RATE).duration_seconds == 5.0
    assert declared_seconds(wav_that_says(word)) == 0
    assert declared_seconds(SONG) == 5.0


@pytest.mark.slow
@pytest.mark.usefixtures("faulty")
@pytest.mark.parametrize("word", [b"hang", b"circles"])
def test_a_hanging_decoder_is_ended(monkeypatch: pytest.MonkeyPatch, word: bytes) -> None:
    load_clip(SONG, RATE)  # a worker is warm: its start does not count
    with monkeypatch.context() as patch:
        patch.setattr(workers, "HANG_SECONDS", 3.0)
        with pytest.raises(DecoderFailedError, match="made its decoder hang for 3 s"):
            load_clip(wav_that_says(word), RATE)
    # By one that has begun since, however long that took.
    assert load_clip(SONG, RATE).duration_seconds == 5.0


@pytest.mark.slow
def test_a_slow_start_is_not_taken_for_a_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that is busy with other work."""
    (tmp_path / "soxr.py").write_text(
        f"import sys, time; sys.path.remove({str(tmp_path)!r}); del sys.modules['soxr']; time.sleep(6); import soxr"
    )
    workers.pool_of_this_process().close()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(workers, "HANG_SECONDS", 4.0)
    # So short that all of it is sent before the worker reads.
    assert load_clip(wav_bytes(sine(440.0, 2.0, 8000), 8000, "PCM_16"), RATE).duration_seconds == 2.0
    workers.pool_of_this_process().close()


@pytest.mark.usefixtures("faulty")
def test_a_mistake_of_our_own_is_no_damage() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)in the decoding process.*Traceback.*TypeError: a mistake of our own"):
        load_clip(wav_that_says(b"bug"), RATE)
    assert load_clip(SONG, RATE).duration_seconds == 5.0


@pytest.mark.slow
def test_a_slow_reader_is_not_taken_for_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    load_clip(SONG, RATE)  # a worker is warm: its start does not count
    monkeypatch.setattr(workers, "HANG_SECONDS", 4.0)
    with AudioStream(wav_bytes(noise(30.0), RATE, "PCM_16"), RATE) as stream:
        blocks = iter(stream)
        first = next(blocks)
        time.sleep(6.0)
        assert len(first) + sum(map(len, blocks)) == 30 * RATE


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_worker_killed_in_mid_file_costs_that_file(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav_bytes(noise(120.0), RATE, "PCM_16"))
    with AudioStream(path, RATE) as stream:
        blocks = iter(stream)
        next(blocks)
        (worker,) = workers.pool_of_this_process()._at_work
        os.kill(worker.process.pid, signal.SIGKILL)
        with pytest.raises(DecoderFailedError, match=r"“long\.wav” made its decoder crash"):
            list(blocks)
    assert load_clip(SONG, RATE).duration_seconds == 5.0


def test_several_are_decoded_at_once() -> None:
    """Two files open in one thread, each with a worker; and ten threads at once."""
    with AudioStream(SONG, RATE) as one, AudioStream(wav_bytes(sine(440.0), RATE), RATE) as other:
        assert sum(map(len, other)) == 2 * RATE
        assert sum(map(len, one)) == 5 * RATE
    found: list[float] = []
    threads = [
        threading.Thread(target=lambda s=s: found.append(load_clip(wav_bytes(noise(s)), RATE).duration_seconds))
        for s in range(2, 12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(2, 12))
    assert len(workers.pool_of_this_process()._idle) <= workers.KEPT_WARM
    assert not workers.pool_of_this_process()._at_work


def test_a_stream_left_early_leaves_its_worker_to_the_next() -> None:
    with AudioStream(wav_bytes(noise(60.0), RATE, "PCM_16"), RATE) as stream:
        next(iter(stream))
    before = {worker.process.pid for worker in workers.pool_of_this_process()._idle}
    with AudioStream(SONG, RATE):
        pass
    load_clip(SONG, RATE)
    assert {worker.process.pid for worker in workers.pool_of_this_process()._idle} == before


def test_a_stream_that_nobody_closed_gives_its_worker_up() -> None:
    """As when a visitor leaves in mid-file."""
    stream = AudioStream(wav_bytes(noise(60.0), RATE, "PCM_16"), RATE)
    blocks = iter(stream)
    next(blocks)
    assert len(workers.pool_of_this_process()._at_work) == 1
    del stream, blocks
    gc.collect()
    assert not workers.pool_of_this_process()._at_work


@pytest.mark.slow
def test_more_are_decoded_than_workers_are_meant_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files left half read must not keep the next visitor waiting for ever."""
    monkeypatch.setattr(workers, "_WAIT_SECONDS", 0.1)
    with contextlib.ExitStack() as stack:
        for _ in range(workers.MAX_AT_WORK + 1):
            stack.enter_context(AudioStream(SONG, RATE))
        assert load_clip(SONG, RATE).duration_seconds == 5.0


def test_without_processes_files_are_decoded_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no processes")

    here = load_clip(SONG, RATE)
    workers.pool_of_this_process().close()
    monkeypatch.setattr(workers.subprocess, "Popen", refuse)
    workers.warm_up()
    np.testing.assert_array_equal(load_clip(SONG, RATE).samples, here.samples)
    assert declared_seconds(SONG) == 5.0
    with pytest.raises(UndecodableAudioError, match="cannot be decoded"):
        load_clip(np.random.default_rng(1).bytes(50_000), RATE)


SCRIPT = """
import sys
from pathlib import Path
from crnn.audio.clip import load_clip
print("main", load_clip(Path(sys.argv[1]), 22050).duration_seconds)
"""


def test_the_main_script_is_not_run_again(tmp_path: Path) -> None:
    """It has no guard: a process that ran it would print twice."""
    (tmp_path / "song.wav").write_bytes(SONG)
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "song.wav")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=240)
    assert done.stdout == "main 5.0\n"
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "codec", "n_channels"),
    [("a.mov", "pcm_s24le", 7), ("a.mov", "pcm_s24le", 8), ("a.mov", "pcm_s16le", 64), ("a.mkv", "pcm_f32le", 33),
     ("a.mka", "libvorbis", 8), ("a.mka", "libvorbis", 24), ("a.wv", "wavpack", 8), ("a.m4a", "aac", 8),
     ("a.mka", "flac", 8), ("a.tta", "tta", 16), ("a.wav", "pcm_s16le", 64)],
)  # fmt: skip
def test_many_channels_are_read_and_crash_nothing(
    ffmpeg: str, tmp_path: Path, name: str, codec: str, n_channels: int
) -> None:
    path = tmp_path / name
    tone = "|".join(["0.2*sin(2*PI*440*t)"] * n_channels)
    command = [ffmpeg, "-v", "error", "-f", "lavfi", "-i", f"aevalsrc={tone}:s=48000:d=2", "-c:a", codec, str(path)]
    subprocess.run(command, check=True, timeout=60)
    clip = load_clip(path, RATE)
    assert clip.duration_seconds == pytest.approx(2.0, abs=0.1)
    assert float(np.sqrt(np.square(clip.samples[RATE // 2 : RATE]).mean())) == pytest.approx(0.141, abs=0.02)
    assert f"{n_channels} channels were mixed to mono." in clip.notes


def test_what_a_c_library_prints_is_not_taken_for_sound(encode: Callable[..., Path], capfd) -> None:
    """libmpg123 complains of a damaged frame on stderr."""
    content = bytearray(encode(noise(5.0), "a.mp3").read_bytes())
    content[3000:3100] = bytes(100)
    assert load_clip(bytes(content), RATE).duration_seconds > 4
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_ctrl_c_while_a_worker_starts_costs_no_file() -> None:
    worker = workers.Worker()
    try:
        for _ in range(5):
            worker.process.send_signal(signal.SIGINT)
            time.sleep(0.02)
        assert worker.channel.receive()[0] == {"kind": "ready"}
    finally:
        worker.end()
