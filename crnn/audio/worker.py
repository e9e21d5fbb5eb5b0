"""The process in which files are decoded: `python -m crnn.audio.worker`, its orders on stdin, sound on stdout.

It is expendable: a decoder that crashes, hangs or takes a gigabyte ends this process and nothing else.
`crnn.audio.workers` starts it, lends it to one file at a time, and replaces it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import traceback

from crnn.audio.channel import Channel, ChannelClosedError, Message, RemoteFile
from crnn.audio.decoding import declared_seconds
from crnn.audio.files import NamelessFile
from crnn.audio.reading import Reader
from crnn.errors import CrnnError
from crnn.os_limits import bound_address_space

MEMORY_LIMIT_BYTES = 2**30
_READ_BYTES = 1 << 17


class Server:
    """Does one order after another until its channel closes.

    Args:
        channel: To who gives the orders.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._n_wanted, self._is_stopped = 0, False

    def run(self) -> None:
        """Serve."""
        while True:
            order, head = self._channel.receive()
            if "order" not in order:
                continue  # said to a file that had ended by then
            try:
                self._do(order, head)
            except CrnnError as err:
                self._channel.send({"kind": "error", "type": type(err).__name__, "message": str(err)})
            except MemoryError:
                self._channel.send({"kind": "memory"})
            except ChannelClosedError:
                raise
            except Exception:  # noqa: BLE001 - a bug shows its traceback, on the other side
                self._channel.send({"kind": "bug", "message": traceback.format_exc()})

    def _do(self, order: Message, head: bytes) -> None:
        self._n_wanted, self._is_stopped = 0, False
        file = NamelessFile(RemoteFile(order["size"], self._ask, head), _READ_BYTES)
        if order["order"] == "declare":
            self._channel.send({"kind": "end", "seconds": declared_seconds(file)})
            return
        wanted = (order[name] for name in ("sample_rate", "name", "play_rate", "skip_seconds"))
        reader = Reader(file, *wanted)
        with contextlib.closing(reader):
            opened: Message = {"rate": reader.source_rate, "channels": reader.n_channels}
            opened |= {"play_rate": reader.play_rate, "skipped_seconds": reader.skipped_seconds}
            self._channel.send({"kind": "opened", **opened})
            for block in reader.blocks():
                if not self._is_wanted():
                    break
                # The same sound at two rates, one behind the other; once where they are equal.
                played = b"" if reader.play_rate == order["sample_rate"] else reader.played.tobytes()
                about = {"kind": "block", "is_clipped": reader.is_clipped, "samples": len(block)}
                self._channel.send(about, block.tobytes() + played)
        self._channel.send({"kind": "end", "notes": reader.notes, "is_clipped": reader.is_clipped})

    def _is_wanted(self) -> bool:
        """Whether one more block is; waits to be told."""
        while self._n_wanted < 1:
            if self._is_stopped or self._hear(self._channel.receive()[0]):
                return False
        self._n_wanted -= 1
        return not self._is_stopped

    def _hear(self, message: Message) -> bool:
        """Take note of what is said; whether it is to stop."""
        self._is_stopped |= message.get("say") == "stop"
        self._n_wanted += message.get("say") == "more"
        return self._is_stopped

    def _ask(self, position: int, n_bytes: int) -> bytes:
        if self._is_stopped:
            # What is raised in a decoder's callback gets lost there: the file seems to end instead.
            return b""
        self._channel.send({"kind": "read", "position": position, "bytes": n_bytes})
        while True:
            message, body = self._channel.receive()
            if message.get("say") == "data":
                return body
            if self._hear(message):
                return b""


def main() -> None:
    """Serve whoever started this process."""
    # What C libraries print goes nowhere: on stdout it would pass for sound.
    orders, sound = os.fdopen(os.dup(0), "rb", buffering=1 << 16), os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    # Ctrl-C reaches the whole group; whoever started this process decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable(logging.CRITICAL)
    _import_decoders()
    bound_address_space(MEMORY_LIMIT_BYTES)
    with contextlib.suppress(ChannelClosedError):
        channel = Channel(orders, sound)
        channel.send({"kind": "ready"})
        Server(channel).run()


def _import_decoders() -> None:
    """Before there is a file: a warm worker has them ready. PyAV waits for the first file that needs it."""
    import soundfile  # noqa: F401
    import soxr  # noqa: F401


if __name__ == "__main__":
    main()
