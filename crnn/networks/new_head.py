"""A new layer of logits on a network's embedding, put into its files without opening them in Keras.

The body stays byte for byte what it was; only the last layer changes. TensorFlow takes longer to
import than all of that together.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn.errors import BundleError
from crnn.limits import MAX_BUNDLE_BYTES
from crnn.zip_directory import DAMAGE

FloatArray = npt.NDArray[np.float32]

_LOGITS, _EMBEDDING, _PRODUCT = "logits", "embedding", "new_head_product"
_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"


def onnx_with_head(content: bytes, weights: FloatArray, bias: FloatArray) -> bytes:
    """An ONNX network whose `logits` are those of a new layer on its `embedding`; other outputs stay.

    Args:
        content: The network.
        weights: `(embedding_size, n_genres)`.
        bias: `(n_genres,)`.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_from_string(content)
    graph = model.graph
    names = {"weights": "new_head_weights", "bias": "new_head_bias"}
    # A head that was put on before has left nodes and constants of the same names.
    kept = [node for node in graph.node if not {_LOGITS, _PRODUCT} & set(node.output)]
    kept += [
        helper.make_node("MatMul", [_EMBEDDING, names["weights"]], [_PRODUCT]),
        helper.make_node("Add", [_PRODUCT, names["bias"]], [_LOGITS]),
    ]
    constants = [constant for constant in graph.initializer if constant.name not in names.values()]
    constants += [numpy_helper.from_array(weights, names["weights"]), numpy_helper.from_array(bias, names["bias"])]
    needed = {output.name for output in graph.output}
    for node in reversed(kept):
        if needed & set(node.output):
            needed |= set(node.input)
    del graph.node[:], graph.initializer[:]
    graph.node.extend(node for node in kept if needed & set(node.output))
    graph.initializer.extend(constant for constant in constants if constant.name in needed)
    for output in graph.output:
        if output.name == _LOGITS:
            output.type.tensor_type.shape.dim[1].dim_value = len(bias)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def write_keras_with_head(source: Path, target: Path, weights: FloatArray, bias: FloatArray) -> None:
    """A `.keras` file with another layer `logits`, all else as it was.

    Args:
        source: The file of a network whose last layer is a dense one named `logits`.
        target: File to write.
        weights: `(embedding_size, n_genres)`.
        bias: `(n_genres,)`.

    Raises:
        BundleError: It is damaged, too large, or has no such layer.
        OSError: The disk refuses.
    """
    members = _members(source)
    try:
        members[_CONFIG] = _config_with_units(members[_CONFIG], len(bias))
        members[_WEIGHTS] = _weights_with_head(members[_WEIGHTS], weights, bias)
    except (AttributeError, KeyError, OSError, RecursionError, RuntimeError, TypeError, ValueError) as err:
        raise BundleError(
            f"The network in {source.name} has no layer of logits that could be replaced: {err}."
        ) from err
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)


def _members(source: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(source) as zip_file:
            if sum(info.file_size for info in zip_file.infolist()) > MAX_BUNDLE_BYTES:
                raise BundleError(f"{source.name} would unpack to more than {MAX_BUNDLE_BYTES >> 20} MB.")
            return {name: zip_file.read(name) for name in zip_file.namelist()}
    except (*DAMAGE, OSError) as err:
        raise BundleError(f"{source.name} cannot be read: {err}.") from err


def _config_with_units(content: bytes, n_genres: int) -> bytes:
    config = json.loads(content)
    layers = [layer for layer in config["config"]["layers"] if layer["config"].get("name") == _LOGITS]
    if len(layers) != 1 or layers[0]["class_name"] != "Dense":
        raise ValueError(f"{len(layers)} layers of that name")
    layers[0]["config"]["units"] = n_genres
    return json.dumps(config).encode()


def _weights_with_head(content: bytes, weights: FloatArray, bias: FloatArray) -> bytes:
    import h5py

    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        found = [
            group["vars"]
            for group in file["layers"].values()
            if "vars" in group and group["vars"].attrs.get("name") == _LOGITS
        ]
        if len(found) != 1 or found[0]["0"].shape[0] != weights.shape[0]:
            raise ValueError(f"{len(found)} layers of that name and size")
        for name, values in (("0", weights), ("1", bias)):
            del found[0][name]
            found[0].create_dataset(name, data=values.astype(np.float32))
    return buffer.getvalue()
