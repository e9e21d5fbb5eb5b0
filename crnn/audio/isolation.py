"""Files decoded in worker processes, so that a decoder's crash, hang or hunger costs one file and nobody else's work.

Where no process can be started, files are decoded in this one, as they would be without all this.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from crnn import errors
from crnn.audio import workers
from crnn.audio.channel import ChannelClosedError, Message
from crnn.audio.files import called, check_was_read
from crnn.audio.reading import Reader, Reading
from crnn.errors import CrnnError, DecoderFailedError

FloatArray = npt.NDArray[np.float32]

# Blocks requested ahead, so that the worker decodes while this process computes.
_BLOCKS_AHEAD = 8
# More reads than this without a block mean that the decoder goes round in circles.
_READS_WITHOUT_SOUND = 8
# Bytes sent along with an order, before the worker asks for them.
_READ_BYTES_FOR = {"read": 1 << 20, "declare": 1 << 16}
_EXPORT = "It is damaged, or of a rare kind: export it again as wav or flac."
_log = logging.getLogger(__name__)


class RemoteReading:
    """A file that a worker reads. The file itself stays here: the worker asks for what it needs of it.

    Args:
        file: From `open_file`.
        sample_rate: Hz of the blocks.
        name: What to call it in messages.
        play_rate: As of `Reader`.
        skip_seconds: As of `Reader`.

    Raises:
        OSError: No process can be started.
        CrnnError: As `Reader`.
        DecoderFailedError: The decoder crashed, hung or took too much memory.
    """

    def __init__(
        self, file: BinaryIO, sample_rate: int, name: str, play_rate: int = 0, skip_seconds: float = 0.0
    ) -> None:
        self._name, self._rate = name, sample_rate
        self._talk: _Talk | None = _Talk(file, name)
        self.is_clipped = False
        self.notes: tuple[str, ...] = ()
        wanted = {"sample_rate": sample_rate, "play_rate": play_rate, "skip_seconds": skip_seconds}
        opened, _ = self._talk.order({"order": "read", "name": name, **wanted})
        self.source_rate, self.n_channels = int(opened["rate"]), int(opened["channels"])
        self.play_rate = int(opened["play_rate"])
        self.skipped_seconds = float(opened["skipped_seconds"])
        self.played: FloatArray = np.zeros(0, dtype=np.float32)

    def blocks(self) -> Iterator[FloatArray]:
        """Mono float32 blocks at the rate that was asked for; raises as `Reader.blocks`."""
        talk = self._talk
        if talk is None:
            return
        for _ in range(_BLOCKS_AHEAD):
            talk.say({"say": "more"})
        while True:
            message, body = talk.hear()
            self.is_clipped = bool(message["is_clipped"])
            if message["kind"] == "end":
                self.notes = tuple(str(note) for note in message["notes"])
                self._talk = None
                return
            samples = np.frombuffer(body, dtype=np.float32)
            n_samples = int(message["samples"])
            self.played = samples if self.play_rate == self._rate else samples[n_samples:]
            yield samples[:n_samples]
            talk.say({"say": "more"})

    def close(self) -> None:
        """Have the worker stop, if it is still at it."""
        if self._talk is not None:
            self._talk.stop()
            self._talk = None


class _Talk:
    """One order to one worker, and all that is said until its end."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self._size = file.seek(0, io.SEEK_END)
        self._n_read = 0
        self._worker: workers.Worker | None = None
        self._worker = workers.pool_of_this_process().take()

    def __del__(self) -> None:
        # A visitor may leave in mid-file, and then nobody closes it.
        self._finish(is_sound=False)

    def order(self, order: Message) -> tuple[Message, bytes]:
        """Give the order, and hear the first answer."""
        # A whole song is sent along, which spares the round trips.
        self._file.seek(0)
        head = self._file.read(_READ_BYTES_FOR[order["order"]])
        self.say({**order, "size": self._size}, head)
        return self.hear()

    def say(self, message: Message, body: bytes = b"") -> None:
        """Say something; that nobody listens any more is found when the answer is awaited."""
        if self._worker is not None:
            with contextlib.suppress(ChannelClosedError):
                self._worker.send(message, body)

    def hear(self) -> tuple[Message, bytes]:
        """The next answer that is no request for data; the worker is given back with the last one."""
        worker = self._worker
        assert worker is not None
        try:
            while True:
                message, body = worker.receive()
                kind = message.get("kind")
                if kind == "read":
                    self._lend(worker, int(message["position"]), int(message["bytes"]))
                    continue
                self._n_read = 0
                if kind in {"opened", "block"}:
                    return message, body
                self._finish(is_sound=kind != "memory")
                if kind == "end":
                    return message, body
                raise self._error(message)
        except ChannelClosedError as err:
            raise self._failure() from err
        except BaseException:
            self._finish(is_sound=False)
            raise

    def stop(self) -> None:
        """Want no more; the worker is given back when it has understood."""
        worker = self._worker
        if worker is None:
            return
        self.say({"say": "stop"})
        try:
            while worker.receive()[0].get("kind") in {"read", "opened", "block"}:
                pass
        except ChannelClosedError:
            self._finish(is_sound=False)
        else:
            self._finish(is_sound=True)

    def _lend(self, worker: workers.Worker, position: int, n_bytes: int) -> None:
        self._n_read += n_bytes
        if self._n_read > _READS_WITHOUT_SOUND * self._size + 2**27:
            worker.has_hung = True
            raise ChannelClosedError("reading in circles")
        self._file.seek(position)
        data = self._file.read(n_bytes)
        # New data is progress: the sound of a large film lies far apart.
        if self._n_read <= self._size:
            worker.waits_since = None
        worker.send({"say": "data"}, data)

    def _finish(self, *, is_sound: bool) -> None:
        if self._worker is not None:
            workers.pool_of_this_process().give_back(self._worker, is_sound=is_sound)
            self._worker = None

    def _failure(self) -> CrnnError:
        worker = self._worker
        assert worker is not None
        how = f"made its decoder hang for {workers.HANG_SECONDS:.0f} s" if worker.has_hung else "made its decoder crash"
        self._finish(is_sound=False)
        return DecoderFailedError(f"{called(self._name)} {how}. {_EXPORT}")

    def _error(self, message: Message) -> Exception:
        if message.get("kind") == "memory":
            return DecoderFailedError(f"{called(self._name)} would take more than 1 GB of memory to decode. {_EXPORT}")
        kind: Any = getattr(errors, str(message.get("type")), None)
        if message.get("kind") == "error" and isinstance(kind, type) and issubclass(kind, CrnnError):
            return kind(str(message.get("message")))
        return RuntimeError(f"in the decoding process:\n{message.get('message')}")


def open_reading(file: BinaryIO, sample_rate: int, name: str, play_rate: int = 0, skip_seconds: float = 0.0) -> Reading:
    """A file being read, in a worker if one can be had.

    Args:
        file: From `open_file`.
        sample_rate: Hz of the blocks.
        name: What to call it in messages.
        play_rate: As of `Reader`.
        skip_seconds: As of `Reader`.

    Raises:
        AudioError: No decoder understands it, or the decoder failed.
    """
    try:
        return RemoteReading(file, sample_rate, name, play_rate, skip_seconds)
    except OSError as err:
        _log.warning("no worker process can be started: %s", err)
        file.seek(0)
        return Reader(file, sample_rate, name, play_rate, skip_seconds)
    except CrnnError:
        check_was_read(file, name)
        raise


def declared_seconds(file: BinaryIO, name: str = "") -> float:
    """How long a file says that it is; 0 where it says nothing, or makes its decoder fail. Only headers are read.

    Args:
        file: From `open_file`.
        name: What to call it in messages.
    """
    from crnn.audio import decoding

    try:
        answer, _ = _Talk(file, name).order({"order": "declare"})
    except DecoderFailedError:
        return 0.0
    except OSError as err:
        _log.warning("no worker process can be started: %s", err)
        return decoding.declared_seconds(file)
    return float(answer["seconds"])
