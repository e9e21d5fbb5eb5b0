"""A model as a file for another framework, made in a process of its own; as many at once as a server grants."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from crnn import paths
from crnn.bundles.bundle import Bundle
from crnn.errors import CrnnError
from crnn.locks import FileLock
from crnn.owner import Owner

# Converting takes TensorFlow's start and an unrolled network: half a minute on two cores.
_EXPORT_SECONDS = 600.0
_NICENESS = 10
_REPOSITORY = Path(__file__).resolve().parents[2]


def exported(bundle: Bundle, kind: str, *, owner: Owner) -> bytes:
    """A zip of the network as a file that answers alike, its card and scripts: pages never load TensorFlow.

    Args:
        bundle: A trainable one, or any for `onnx`.
        kind: `onnx`, `keras` or `tflite`.
        owner: Who asks.

    Raises:
        NotAllowedError: Models are not exported here.
        CrnnError: As many as are granted are under way, or the conversion failed, or differs.
    """
    owner.require("export")
    with place(owner), tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / f"{bundle.name}.{kind}"
        command = [*_politely(owner), sys.executable, "-m", "crnn", "export", "--model", str(bundle.path)]
        command += ["--to", kind, "--out", str(out)]
        process = subprocess.Popen(
            command, cwd=_REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        try:
            _, said = process.communicate(timeout=_EXPORT_SECONDS)
        except subprocess.TimeoutExpired as err:
            raise CrnnError(f"The export was ended: it took more than {_EXPORT_SECONDS / 60:.0f} minutes.") from err
        finally:
            # Streamlit's own Stop ends this function here.
            if process.poll() is None:
                process.kill()
        if process.returncode != 0 or not out.is_file():
            reason = next((line for line in said.splitlines() if line.startswith("error:")), "error: it ended early")
            raise CrnnError(f"The export failed: {reason.removeprefix('error: ')}")
        return _zipped([*sorted(Path(temporary).iterdir()), *_scripts(kind)])


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
