"""A network made again in Keras from its ONNX file: a bundle keeps its second network as ONNX alone.

No table says which constant of the file is which weight: a network of the same build is written as ONNX with its
weights numbered, and where a number arrives is where the weight's value lies in the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt

from crnn.bundles.bundle import Bundle
from crnn.bundles.companion import COMPANION_NAME
from crnn.config import ModelConfig
from crnn.errors import BundleError
from crnn.networks.crnn import EMBEDDING, LOGITS, build_crnn, set_normalization
from crnn.networks.onnx_export import onnx_model

if TYPE_CHECKING:
    import onnx

FloatArray = npt.NDArray[np.float32]

_INPUT = "log_mel"
# Numbers up to here stand for themselves; above, they are those of weights.
_FIRST = 1000


def companion_model(bundle: Bundle) -> keras.Model:
    """The second network of a bundle in Keras, from log-mels to logits.

    Args:
        bundle: One with a companion.

    Raises:
        BundleError: Its second network is of no build that is known here.
    """
    import onnx

    model = onnx.load_from_string(bundle.file(COMPANION_NAME).read_bytes())
    try:
        (units,) = (
            attribute.i
            for node in model.graph.node
            if node.op_type == "GRU" and any(a.s == b"bidirectional" for a in node.attribute)
            for attribute in node.attribute
            if attribute.name == "hidden_size"
        )
        embedding_size = _sizes(model.graph.output)[EMBEDDING]
        config = ModelConfig(front_end="timbral+stack", gru_units=units, embedding_size=embedding_size)
        return keras_of_onnx(model, config)
    except (ValueError, KeyError, IndexError) as err:
        raise BundleError(
            f"The second network of “{bundle.name}” cannot be had in Keras: {err}. Export ONNX, which has both."
        ) from err


def keras_of_onnx(model: onnx.ModelProto, config: ModelConfig) -> keras.Model:
    """A network of these sizes in Keras with the weights of an ONNX file.

    Args:
        model: What `crnn.networks.onnx_export.onnx_model` made of such a network, with whatever head.
        config: Its sizes.

    Raises:
        ValueError: The file is of another build.
    """
    (n_mels,) = _sizes(model.graph.input).values()
    built = build_crnn(config, n_mels, _sizes(model.graph.output)[LOGITS])
    _take_settings(built, model)
    mean, deviation = _normalization(model)
    built = set_normalization(built, mean, deviation**2)
    n_weights = _number_weights(built)
    # Numbers beyond half precision are not to be halved.
    with np.errstate(over="ignore"):
        numbers, values = _constants(onnx_model(built)), _constants(model)
    if [part.shape for part in numbers] != [part.shape for part in values]:
        raise ValueError("its layers are not those of a network that is built here")
    at = np.rint(np.concatenate([part.ravel() for part in numbers])).astype(np.int64)
    found = np.full(n_weights + 1, np.nan, np.float32)
    is_weight = (at > _FIRST) & (at <= n_weights)
    found[at[is_weight]] = np.concatenate([part.ravel() for part in values])[is_weight]
    for layer in built.layers:
        layer.set_weights([_filled(weights, found) for weights in layer.get_weights()])
    if not _is_same(onnx_model(built), model):
        raise ValueError("its network, built here, is not the one in the file")
    return built


def _number_weights(model: keras.Model) -> int:
    """Give every weight a number of its own, in order; the last of them.

    A normalisation of features in frames is written as a factor and a shift: mean 0 and deviation 1 stay what they are.
    """
    last = _FIRST
    for layer in model.layers:
        weights = layer.get_weights()
        is_factor = isinstance(layer, keras.layers.BatchNormalization) and len(layer.output.shape) < 4
        numbered = []
        for i, values in enumerate(weights):
            if is_factor and i >= 2:
                numbered.append(np.full(values.shape, 0.0 if i == 2 else 1.0 - layer.epsilon, np.float32))
            else:
                numbered.append(np.arange(last + 1, last + 1 + values.size, dtype=np.float32).reshape(values.shape))
                last += values.size
        layer.set_weights(numbered)
    return last


def _take_settings(built: keras.Model, model: onnx.ModelProto) -> None:
    """Settings that are no weights: what is added to the variances of pictures."""
    norms = [node for node in model.graph.node if node.op_type == "BatchNormalization"]
    layers = [
        layer
        for layer in built.layers
        if isinstance(layer, keras.layers.BatchNormalization) and len(layer.output.shape) == 4
    ]
    if len(norms) != len(layers):
        raise ValueError("its layers are not those of a network that is built here")
    for layer, node in zip(layers, norms, strict=True):
        layer.epsilon = next(attribute.f for attribute in node.attribute if attribute.name == "epsilon")


def _normalization(model: onnx.ModelProto) -> tuple[FloatArray, FloatArray]:
    """Mean and deviation that the network's first layer works with."""
    from onnx import numpy_helper

    values = {constant.name: constant for constant in model.graph.initializer}
    (centred,) = (node for node in model.graph.node if node.op_type == "Sub" and node.input[0] == _INPUT)
    (scaled,) = (node for node in model.graph.node if node.op_type == "Mul" and node.input[0] == centred.output[0])
    mean, factor = (numpy_helper.to_array(values[node.input[1]]) for node in (centred, scaled))
    return np.asarray(mean, np.float32), np.asarray(1.0 / factor, np.float32)


def _is_same(built: onnx.ModelProto, model: onnx.ModelProto) -> bool:
    """Whether two graphs do the same with the same numbers, whatever they call them."""
    return _steps(built) == _steps(model) and all(
        np.allclose(mine, theirs, rtol=1e-5, atol=1e-6)
        for mine, theirs in zip(_constants(built), _constants(model), strict=True)
    )


def _steps(model: onnx.ModelProto) -> list[tuple[str, list[bytes]]]:
    """What a graph does, without the steps that only widen weights or give a name."""
    return [
        (node.op_type, sorted(attribute.SerializeToString() for attribute in node.attribute))
        for node in model.graph.node
        if node.op_type not in {"Cast", "Identity"}
    ]


def _filled(numbers: FloatArray, found: FloatArray) -> FloatArray:
    """What lies where the numbers say; what has no number stays."""
    if not (numbers > _FIRST).any():
        return numbers
    filled = found[numbers.astype(np.int64)]
    if np.isnan(filled).any():
        raise ValueError("some of its weights are not in the file")
    return filled


def _constants(model: onnx.ModelProto) -> list[npt.NDArray[np.float64]]:
    """The float constants of a graph, in order."""
    from onnx import numpy_helper

    arrays = [numpy_helper.to_array(constant) for constant in model.graph.initializer]
    return [array.astype(np.float64) for array in arrays if array.dtype.kind == "f"]


def _sizes(faces: object) -> dict[str, int]:
    """Size of the last axis of inputs or outputs, by name."""
    return {face.name: face.type.tensor_type.shape.dim[-1].dim_value for face in faces}  # type: ignore[attr-defined]
