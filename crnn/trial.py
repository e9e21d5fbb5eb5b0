"""A bundle from elsewhere, tried out in a process of its own: whatever its network does there, the server lives on.

    python -m crnn.trial FOLDER

A network is no program, but it may ask for any amount of memory and time, and name files
to read. Exit status 0: it serves; 1: it does not, and why stands on stdout.
"""

from __future__ import annotations

import sys
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from crnn.bundle import EMBEDDINGS_NAME, ONNX_NAME, Bundle, load_bundle
from crnn.errors import BundleError
from crnn.inference import Classifier
from crnn.limits import MAX_BUNDLE_BYTES

_MAX_BYTES = 2**30
# As many as are answered at once.
_N_SEGMENTS = 4


def main(folder: Path) -> int:
    """Try the bundle in `folder` out; the exit status."""
    try:
        bundle = load_bundle(folder)
        _check_network(bundle)
        _limit_memory()
        _run(bundle)
        _check_map(bundle)
    except BundleError as err:
        sys.stdout.buffer.write(str(err).encode())
        return 1
    return 0


def _run(bundle: Bundle) -> None:
    config = bundle.feature_config
    segments = np.full((_N_SEGMENTS, config.n_frames, config.n_mels), config.db_floor, dtype=np.float32)
    classifier = Classifier(bundle, n_threads=1)
    try:
        classifier.run(segments)
    except BundleError as err:
        limit = f"{_MAX_BYTES >> 30} GiB of memory"
        raise BundleError(f"The network of “{bundle.name}” was refused: it fails, or takes more than {limit}.") from err


def _limit_memory() -> None:
    if sys.platform == "linux":
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + _MAX_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _check_network(bundle: Bundle) -> None:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        network = onnx.load_from_string(bundle.file(ONNX_NAME).read_bytes())
    except DecodeError as err:
        raise BundleError(f"{ONNX_NAME} cannot be read: {err}.") from err
    if _names_other_files(network):
        raise BundleError(f"{ONNX_NAME} was refused: it would read other files of this machine.")


def _names_other_files(message: Any) -> bool:
    """Whether some tensor in a message of ONNX, however deep, lies in another file."""
    if getattr(message, "external_data", None):
        return True
    inside = [
        part
        for field, value in message.ListFields()
        if field.message_type
        for part in (value if isinstance(value, Iterable) else [value])
    ]
    return any(_names_other_files(part) for part in inside)


def _check_map(bundle: Bundle) -> None:
    """Read the map of the training tracks as the app will."""
    if EMBEDDINGS_NAME not in bundle.files:
        return
    try:
        with zipfile.ZipFile(bundle.file(EMBEDDINGS_NAME)) as inside:
            if sum(info.file_size for info in inside.infolist()) > MAX_BUNDLE_BYTES:
                raise BundleError(f"{EMBEDDINGS_NAME} would unpack to more than {MAX_BUNDLE_BYTES >> 20} MB.")
        with np.load(bundle.file(EMBEDDINGS_NAME), allow_pickle=False) as stored:
            for key in stored.files:
                stored[key]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as err:
        raise BundleError(f"{EMBEDDINGS_NAME} cannot be read: {err}.") from err


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
