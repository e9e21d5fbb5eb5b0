"""A bundle's networks on ONNX Runtime, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crnn.bundles.bundle import ONNX_NAME, Bundle
from crnn.errors import BundleError
from crnn.onnx_runtime import failures, onnx_runtime, resting_options

if TYPE_CHECKING:
    import onnxruntime


def open_session(bundle: Bundle, n_threads: int, file_name: str = ONNX_NAME) -> onnxruntime.InferenceSession:
    """ONNX Runtime with a network of the bundle in this process.

    Args:
        bundle: Whose network it is.
        n_threads: For the work inside one operator; 0 leaves it to ONNX Runtime.
        file_name: The network among the bundle's files.

    Raises:
        BundleError: The network cannot be opened, or does not fit the bundle's config.
    """
    onnxruntime = onnx_runtime()
    options = resting_options()
    options.intra_op_num_threads = n_threads
    options.inter_op_num_threads = 1
    # A network may keep its weights in other files: of its own folder, not of the one that the app is run from.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(bundle.path))
    faults: tuple[type[Exception], ...] = (*failures(), OSError)
    try:
        session = onnxruntime.InferenceSession(
            bundle.file(file_name).read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except faults as err:
        raise BundleError(f"The network of the model “{bundle.name}” cannot be opened.") from err
    faces = {face.name: face.shape for face in (*session.get_inputs(), *session.get_outputs())}
    inputs = [face.shape for face in session.get_inputs() if face.type == "tensor(float)"]
    is_first, tagging = file_name == ONNX_NAME, bundle.tagging
    config = bundle.feature_config if is_first or bundle.companion is None else bundle.companion.feature_config
    fits = (
        [shape[2:] for shape in inputs] == [[config.n_mels]]
        and len(faces) == 1 + len(session.get_outputs())
        and faces.get("logits", [])[1:] == [len(bundle.genres)]
        and (not is_first or faces.get("embedding", [])[1:] == [bundle.embedding_size])
        and (not is_first or tagging is None or faces.get("tags", [])[1:] == [tagging.n_outputs])
    )
    if not fits:
        raise BundleError(f"The network of the model “{bundle.name}” does not fit its description ({faces}).")
    return session
