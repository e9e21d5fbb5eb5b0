"""Files that go away, shrink or fail under the reader's hands."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import RATE, noise, wav_bytes

from crnn.audio import files as audio_files
from crnn.audio.clip import AudioStream, load_clip
from crnn.bundles.bundle import Bundle
from crnn.errors import UndecodableAudioError
from crnn.inference.classifier import Classifier


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
@pytest.mark.parametrize("n_good_reads", [0, 1, 2])
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

    class File(audio_files._WatchedFile, FailingDisk):
        pass

    out = io.BytesIO()
    soundfile.write(out, noise(20.0), RATE, format=kind)
    (tmp_path / "song").write_bytes(out.getvalue())
    monkeypatch.setattr(audio_files, "_WatchedFile", File)
    with pytest.raises(UndecodableAudioError, match=r"^“song” cannot be read: Input/output error\.$"):
        Classifier(bundle).classify_file(tmp_path / "song")
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.skipif(
    not os.path.exists("/proc/self/mem"), reason="needs a file of Linux that cannot be read at its start"
)
def test_a_file_that_the_system_will_not_read_is_named() -> None:
    with pytest.raises(UndecodableAudioError, match=r"“mem” cannot be read: Input/output error"):
        load_clip(Path("/proc/self/mem"), RATE)
