"""A model as a file for another framework, made in a process of its own; as many at once as a server grants."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from crnn import paths
from crnn.bundles.bundle import Bundle
from crnn.errors import CrnnError
from crnn.locks import FileLock
from crnn.owner import Owner

# Converting takes TensorFlow's start and an unrolled network: half a minute on two cores.
_EXPORT_SECONDS = 600.0
_WAIT_SECONDS = 0.3
_NICENESS = 10
_REPOSITORY = Path(__file__).resolve().parents[2]


def exported(bundle: Bundle, kind: str, *, owner: Owner, on_wait: Callable[[], None] = lambda: None) -> bytes:
    """A zip of the network as a file that answers alike, its card and scripts: pages never load TensorFlow.

    Args:
        bundle: A trainable one, or any for `onnx`.
        kind: `onnx`, `keras` or `tflite`.
        owner: Who asks.
        on_wait: Called a few times a second; what it raises ends the export, and nothing of it is left.

    Raises:
        NotAllowedError: Models are not exported here.
        CrnnError: As many as are granted are under way, or the conversion failed, or differs.
    """
    owner.require("export")
    with place(owner), tempfile.TemporaryDirectory() as temporary:
        folder, drafts = Path(temporary) / "export", Path(temporary) / "drafts"
        folder.mkdir()
        drafts.mkdir()
        out = folder / f"{bundle.name}.{kind}"
        command = [*_politely(owner), sys.executable, "-m", "crnn", "export", "--model", str(bundle.path)]
        command += ["--to", kind, "--out", str(out)]
        process = subprocess.Popen(
            command,
            cwd=_REPOSITORY,
            # Temporary files of a converter that is killed are deleted with the drafts.
            env=os.environ | {"TMPDIR": str(drafts)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        try:
            said = _what_it_says(process, on_wait)
        finally:
            if process.poll() is None:
                process.kill()
                # It may write until it has ended.
                process.communicate()
        if process.returncode != 0 or not out.is_file():
            reason = next((line for line in said.splitlines() if line.startswith("error:")), "error: it ended early")
            raise CrnnError(f"The export failed: {reason.removeprefix('error: ')}")
        return _zipped([*sorted(folder.iterdir()), *_scripts(kind)])


def _what_it_says(process: subprocess.Popen[str], on_wait: Callable[[], None]) -> str:
    """What it has written to stderr when it ends."""
    deadline = time.monotonic() + _EXPORT_SECONDS
    while time.monotonic() < deadline:
        try:
            return process.communicate(timeout=_WAIT_SECONDS)[1]
        except subprocess.TimeoutExpired:
            on_wait()
    raise CrnnError(f"The export was ended: it took more than {_EXPORT_SECONDS / 60:.0f} minutes.")


def _scripts(kind: str) -> list[Path]:
    """What uses such a file, where the documentation is at hand."""
    folder = _REPOSITORY / "docs" / "elsewhere"
    return [
        path
        for name in (f"genre_{kind}.py", f"genre_{kind}.html", "sound_to_input.py", "logits_to_genres.py")
        if (path := folder / name).is_file()
    ]


def _zipped(files: list[Path]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in files:
            packed.write(path, path.name)
    return out.getvalue()


def _politely(owner: Owner) -> list[str]:
    return [] if owner.mode == "local" or sys.platform == "win32" else ["nice", "-n", str(_NICENESS)]


@contextlib.contextmanager
def place(owner: Owner) -> Iterator[None]:
    """One of the places that there are for all people of a machine; locks, so that no killed server keeps one."""
    if owner.mode == "local":
        yield
        return
    for number in range(owner.limits.exports):
        lock = FileLock(paths.home_dir() / "exports" / f"place-{number}")
        with lock:
            if lock.acquire():
                lock.write(str(os.getpid()))
                yield
                return
    raise CrnnError(
        f"{owner.limits.exports} at a time are exported here, and somebody’s is under way. Try again in half a minute."
    )
