"""Answers of a network that runs in a process of its own (`crnn.inference.sandbox`), over two pipes.

A request is a line of JSON (names of the outputs, name and shape of the input) and the input's float32 bytes; an
answer a line of JSON with the shapes, and the outputs' bytes. Nothing that the other process says is believed
beyond numbers of the size that was asked for.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, Protocol

import numpy as np
import numpy.typing as npt

from crnn.bundles.bundle import ONNX_NAME, Bundle
from crnn.errors import BundleError

FloatArray = npt.NDArray[np.float32]

# A batch of four segments takes a tenth of a second; the process itself some seconds to come up on a busy machine.
_ANSWER_SECONDS = 20.0
_IDLE_SECONDS = 60.0
_MAX_LINE_BYTES = 1 << 16
_MAX_ANSWER_BYTES = 64 * 2**20
_REPOSITORY = Path(__file__).resolve().parents[2]


class Session(Protocol):
    """The part of ONNX Runtime's session that is used."""

    def get_inputs(self) -> Sequence[Any]:
        """What it takes; the first has a `name`."""

    def run(self, output_names: Sequence[str], input_feed: Mapping[str, FloatArray]) -> Sequence[Any]:
        """The outputs of these names.

        Args:
            output_names: Names of the network's outputs.
            input_feed: Segments `(n, n_frames, n_mels)` under the name of its one input.

        Returns:
            An array for each name, in their order.
        """


class RemoteSession:
    """Takes the place of ONNX Runtime's session; one request at a time.

    Args:
        bundle: Whose network runs elsewhere; it was tried out when it was imported.
        file_name: Which of its networks.
        answer_seconds: How long one answer may take; an attribute, too.
    """

    def __init__(self, bundle: Bundle, file_name: str = ONNX_NAME, *, answer_seconds: float = _ANSWER_SECONDS) -> None:
        self._bundle, self._file_name, self.answer_seconds = bundle, file_name, answer_seconds
        self._turn = threading.Lock()
        # One that had to be ended is not begun again for every sound that its owner gives it.
        self._is_given_up = False
        # The one that runs. A list, because what is called at the end of this object must not hold the object itself.
        self._processes: list[subprocess.Popen[bytes]] = []
        weakref.finalize(self, _end, self._processes)

    def get_inputs(self) -> Sequence[Any]:
        """Its one input; the process knows the name."""
        return (SimpleNamespace(name=""),)

    def run(self, output_names: Sequence[str], input_feed: Mapping[str, FloatArray]) -> list[FloatArray]:
        """The outputs for a batch.

        Args:
            output_names: Names of the network's outputs.
            input_feed: Segments `(n, n_frames, n_mels)` under the name of its one input.

        Returns:
            An array for each name, in their order.

        Raises:
            BundleError: It fails, or had to be ended.
        """
        (batch,) = input_feed.values()
        with self._turn:
            if self._is_given_up:
                raise BundleError(self._words())
            return self._ask(list(output_names), np.ascontiguousarray(batch, dtype=np.float32))

    def _ask(self, names: list[str], batch: FloatArray) -> list[FloatArray]:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        watch = threading.Timer(self.answer_seconds, process.kill)
        watch.start()
        try:
            process.stdin.write(json.dumps({"names": names, "shape": batch.shape}).encode() + b"\n" + batch.tobytes())
            process.stdin.flush()
            return _read_answer(process.stdout, len(names), len(batch))
        except (OSError, ValueError, KeyError, TypeError) as err:
            process.kill()
            process.wait()
            self._is_given_up = True
            raise BundleError(self._words()) from err
        finally:
            watch.cancel()

    def _words(self) -> str:
        return (
            f"The network of the model “{self._bundle.name}” was ended: it failed, or took more time or memory than "
            "a model from elsewhere is given. Choose another model."
        )

    def _running(self) -> subprocess.Popen[bytes]:
        if not self._processes or self._processes[0].poll() is not None:
            command = [sys.executable, "-m", "crnn.inference.sandbox", "serve", str(self._bundle.path), self._file_name]
            process = subprocess.Popen(
                command, cwd=_REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            self._processes[:] = [process]
        return self._processes[0]


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.kill()
        process.wait()


def _read_answer(answer: IO[bytes], n_outputs: int, n_segments: int) -> list[FloatArray]:
    told = json.loads(answer.readline(_MAX_LINE_BYTES))
    shapes = [tuple(int(n) for n in shape) for shape in told["shapes"]]
    sizes = [math.prod(shape) for shape in shapes]
    if len(shapes) != n_outputs or any(shape[:1] != (n_segments,) or min(shape) < 1 for shape in shapes):
        raise ValueError("other outputs than were asked for")
    if 4 * sum(sizes) > _MAX_ANSWER_BYTES:
        raise ValueError("larger outputs than any model has")
    found = []
    for shape, size in zip(shapes, sizes, strict=True):
        data = answer.read(4 * size)
        found.append(np.frombuffer(data, dtype=np.float32).reshape(shape))
    return found


def answer_requests(session: Any) -> None:
    """Answer what comes in on stdin, until it is closed or nothing came for a while; the other process's half."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    # What the libraries say must not stand among the numbers.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    name = session.get_inputs()[0].name
    while _is_asked(source):
        line = source.readline(_MAX_LINE_BYTES)
        if not line:
            return
        told = json.loads(line)
        data = source.read(4 * math.prod(told["shape"]))
        batch = np.frombuffer(data, dtype=np.float32).reshape(told["shape"])
        outputs = [np.ascontiguousarray(part, dtype=np.float32) for part in session.run(told["names"], {name: batch})]
        with contextlib.suppress(BrokenPipeError):
            sink.write(json.dumps({"shapes": [part.shape for part in outputs]}).encode() + b"\n")
            for part in outputs:
                sink.write(part.tobytes())
            sink.flush()


def _is_asked(source: IO[bytes]) -> bool:
    if sys.platform == "win32":  # pipes cannot be waited for there; it lives until its server ends
        return True
    return bool(select.select([source], [], [], _IDLE_SECONDS)[0])
