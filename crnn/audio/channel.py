"""Messages between a process and its decoding worker, over two pipes.

A message is a line of JSON of known length and raw bytes after it. Nothing is unpickled: what a decoder
was made to write by a hostile file is data on the other side.
"""

from __future__ import annotations

import json
import logging
import struct
from typing import Any, BinaryIO

from crnn.audio.files import RawStretch

Message = dict[str, Any]

# The reply to one read; a block of sound is about as large.
MAX_BODY_BYTES = 64 * 2**20
_MAX_HEAD_BYTES = 1 << 20
_LEAST_STEP, _GREATEST_STEP = 1 << 17, 1 << 22
_LENGTHS = struct.Struct("<II")
_PIPE_BYTES = 1 << 20
_log = logging.getLogger(__name__)


class ChannelClosedError(Exception):
    """The other side is gone, or does not speak as agreed."""


def enlarge(descriptor: int) -> None:
    """Let some blocks lie in the pipe; where it stays small, the worker waits more often."""
    try:
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except (ImportError, AttributeError, OSError) as err:
        _log.debug("the pipe stays small: %s", err)


class Channel:
    """One side of the conversation.

    Args:
        incoming: Bytes from the other side.
        outgoing: Bytes to the other side, unbuffered.
    """

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming, self._outgoing = incoming, outgoing

    def send(self, message: Message, body: bytes | memoryview = b"") -> None:
        """Send a message and the bytes that belong to it.

        Args:
            message: JSON-ready facts.
            body: Bytes that go with it, unchanged.

        Raises:
            ChannelClosedError: The other side is gone.
        """
        head = json.dumps(message).encode()
        try:
            _write(self._outgoing, _LENGTHS.pack(len(head), len(body)) + head)
            if len(body):
                _write(self._outgoing, body)
        except (OSError, ValueError) as err:
            raise ChannelClosedError(str(err)) from err

    def receive(self) -> tuple[Message, bytes]:
        """The next message, and the bytes that belong to it.

        Raises:
            ChannelClosedError: The other side is gone.
        """
        n_head, n_body = _LENGTHS.unpack(self._exactly(_LENGTHS.size))
        if n_head > _MAX_HEAD_BYTES or n_body > MAX_BODY_BYTES:
            raise ChannelClosedError("a message of no sense")
        head = self._exactly(n_head)
        body = self._exactly(n_body)
        try:
            message = json.loads(head)
        except ValueError as err:
            raise ChannelClosedError("a message of no sense") from err
        if not isinstance(message, dict):
            raise ChannelClosedError("a message of no sense")
        return message, body

    def close(self) -> None:
        """Close both pipes."""
        for pipe in (self._outgoing, self._incoming):
            try:
                pipe.close()
            except OSError:
                continue

    def _exactly(self, n_bytes: int) -> bytes:
        try:
            data = self._incoming.read(n_bytes)
        except (OSError, ValueError) as err:
            raise ChannelClosedError(str(err)) from err
        if len(data) < n_bytes:
            raise ChannelClosedError("the other side is gone")
        return data


def _write(pipe: BinaryIO, data: bytes | memoryview) -> None:
    view = memoryview(data).cast("B")
    while len(view):
        n_written = pipe.write(view)
        view = view[n_written or 0 :]


class RemoteFile(RawStretch):
    """A file that lies with the other side of a channel.

    Args:
        size: Bytes of it.
        ask: Gives the bytes at a position, as many as are asked for or up to the end.
        head: Its first bytes, which need not be asked for.
    """

    def __init__(self, size: int, ask: Any, head: bytes = b"") -> None:
        super().__init__(size)
        self._ask = ask
        self._head = self._ahead = head
        self._ahead_from, self._step = 0, _LEAST_STEP

    def readinto(self, buffer: Any, /) -> int:
        """What fits into the buffer, of what was asked for ahead or is asked for now."""
        if self._at < len(self._head):
            self._ahead, self._ahead_from = self._head, 0
        offset = self._at - self._ahead_from
        if self._at >= self._size:
            return 0
        if not 0 <= offset < len(self._ahead):
            # The step grows while it is read on in order: fewer questions for the other side.
            is_next = offset == len(self._ahead) > 0
            self._step = min(2 * self._step, _GREATEST_STEP) if is_next else _LEAST_STEP
            self._ahead, self._ahead_from, offset = self._ask(self._at, max(len(buffer), self._step)), self._at, 0
        data = self._ahead[offset : offset + len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
