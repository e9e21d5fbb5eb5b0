"""A bundle from elsewhere, in a process of its own: whatever its network does there, the server lives on.

    python -m crnn.inference.sandbox try FOLDER
    python -m crnn.inference.sandbox serve FOLDER NETWORK

A network is no program, but it may ask for any amount of memory and time, and name files to read. The limits stand
before anything of it is parsed. `try` ends with 0: it serves, or 1: it does not, and why stands on stdout. `serve`
answers requests on stdin until there are none for a while (`crnn.inference.remote` is the other end).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np

from crnn import os_limits
from crnn.bundles.bundle import ONNX_NAME, Bundle, load_bundle
from crnn.bundles.companion import COMPANION_NAME
from crnn.bundles.track_map import load_map
from crnn.config import FeatureConfig
from crnn.errors import BundleError
from crnn.inference import remote
from crnn.inference.classifier import Classifier
from crnn.inference.network import open_session
from crnn.onnx_runtime import onnx_runtime

_MAX_BYTES = 2**30
_MAX_CPU_SECONDS = 300
# As many as are answered at once.
_N_SEGMENTS = 4


def main(what: str, folder: Path, file_name: str = ONNX_NAME) -> int:
    """Try the bundle in `folder`, or serve the network of a file name of it; the exit status.

    Args:
        what: `serve`, or anything else for a trial.
        folder: Of a bundle that is not trusted.
        file_name: The network to serve.
    """
    # Our own imports come before the limits, so that their memory does not count as the network's.
    import onnx

    del onnx
    onnx_runtime()
    limit_this_process()
    try:
        bundle = load_bundle(folder)
        if what == "serve":
            remote.answer_requests(open_session(bundle, 1, file_name))
            return 0
        for name in (ONNX_NAME, COMPANION_NAME):
            _check_network(bundle, name)
        _run(bundle)
        # Read here as the app will read it, so that it cannot take more memory there.
        load_map(bundle)
    except (BundleError, MemoryError) as err:
        sys.stdout.buffer.write((str(err) or "The model was refused: it takes more memory than it is given.").encode())
        return 1
    return 0


def limit_this_process() -> None:
    """Take from this process what a hostile file could use: memory, processor time, and writing at all."""
    if sys.platform == "linux":
        os_limits.bound_address_space(_MAX_BYTES)
        os_limits.lower("RLIMIT_CPU", _MAX_CPU_SECONDS)
        os_limits.lower("RLIMIT_FSIZE", 0)
        os_limits.lower("RLIMIT_CORE", 0)


def _run(bundle: Bundle) -> None:
    """Give it inputs that nobody can know beforehand: one that behaves on the trial's alone is found out."""
    classifier = Classifier(bundle, n_threads=1)
    _give_inputs(bundle, bundle.feature_config, classifier.begin)
    if bundle.companion is not None:
        _give_inputs(bundle, bundle.companion.feature_config, classifier.begin_companion)


def _give_inputs(bundle: Bundle, config: FeatureConfig, begin: Callable[[Any], Future[Any]]) -> None:
    shape = (_N_SEGMENTS, config.n_frames, config.n_mels)
    rng = np.random.default_rng()
    floor = np.float32(config.db_floor)
    inputs = [np.full(shape, floor), np.zeros(shape, dtype=np.float32)]
    inputs += [rng.uniform(floor, 0.0, shape).astype(np.float32) for _ in range(3)]
    # Loud in some bands and moments, as music is.
    inputs += [np.maximum(floor, inputs[2] * rng.uniform(0.0, 1.0, (1, 1, config.n_mels)).astype(np.float32))]
    try:
        for segments in inputs:
            # One after the other, as the app does.
            for segment in segments:
                begin(segment[np.newaxis]).result()
    except BundleError as err:
        limit = f"{_MAX_BYTES >> 30} GiB of memory"
        raise BundleError(f"The network of “{bundle.name}” was refused: it fails, or takes more than {limit}.") from err


def _check_network(bundle: Bundle, file_name: str) -> None:
    if file_name not in bundle.files:
        return
    import onnx
    from google.protobuf.message import DecodeError

    try:
        network = onnx.load_from_string(bundle.file(file_name).read_bytes())
    except DecodeError as err:
        raise BundleError(f"{file_name} cannot be read: {err}.") from err
    if _names_other_files(network):
        raise BundleError(f"{file_name} was refused: it would read other files of this machine.")


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]))
