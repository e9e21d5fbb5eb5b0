"""The CRNN for other runtimes.

The ONNX graph is written here layer by layer, with ONNX's own GRU operator: the
general converter turns the GRU into a loop and the fixed normalisation into extra
inputs. Each export is checked
against Keras before it is handed out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from crnn.errors import BundleError
from crnn.inference.listening import Answers
from crnn.onnx_runtime import onnx_runtime, resting_options

if TYPE_CHECKING:
    import keras
    import onnx

MAX_POSTERIOR_DIFFERENCE = 1e-4
_OPSET = 17
_SEGMENTS_PER_RUN = 16
_LEAST_TO_HALVE = 1024


class _Graph:
    """An ONNX graph under construction; tensors are named after Keras tensors."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        # Padding that the convolution after it takes over, by the name of what was padded.
        self.padded: dict[str, tuple[str, list[int]]] = {}
        self.constants: list[onnx.TensorProto] = []
        self._n_names = 0

    def constant(self, values: npt.ArrayLike) -> str:
        from onnx import TensorProto, numpy_helper

        name = self._new_name("constant")
        array = np.asarray(values)
        if array.dtype != np.int64:
            array = array.astype(np.float32)
            half = array.astype(np.float16)
            if array.size >= _LEAST_TO_HALVE and np.array_equal(half, array):
                # Weights that were rounded to half precision take half the room; the runtime widens them as it loads.
                self.constants.append(numpy_helper.from_array(half, name))
                return self.add("Cast", [name], to=TensorProto.FLOAT)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        from onnx import helper

        output = self._new_name(operator.lower())
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def _new_name(self, stem: str) -> str:
        self._n_names += 1
        return f"{stem}_{self._n_names}"


def onnx_model(model: keras.Model) -> onnx.ModelProto:
    """The network as ONNX: `log_mel (batch, n_frames, n_mels)` → `logits`, `embedding`, and `tags` if it has any.

    Args:
        model: A CRNN made by `crnn.networks.crnn.build_crnn`.

    Raises:
        ValueError: A layer has no counterpart here.
    """
    from onnx import TensorProto, helper

    from crnn.networks.crnn import EMBEDDING, LOGITS, has_tags
    from crnn.networks.tagger_crnn import TAGS

    graph = _Graph()
    tensors: dict[int, str] = {id(model.inputs[0]): "log_mel"}
    for layer in model.layers:
        if type(layer).__name__ == "InputLayer":
            continue
        write = _WRITERS.get(type(layer).__name__)
        if write is None:
            raise ValueError(f"no ONNX counterpart for the layer {layer.name} ({type(layer).__name__})")
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        tensors[id(layer.output)] = write(graph, layer, [tensors[id(tensor)] for tensor in inputs])
    outputs = (LOGITS, EMBEDDING, *([TAGS] if has_tags(model) else []))
    for name in outputs:
        at = tensors[id(model.get_layer(name).output)]
        graph.nodes.append(helper.make_node("Identity", [at], [name]))
    n_mels = model.input_shape[-1]
    sizes = {name: model.get_layer(name).output.shape[-1] for name in outputs}
    proto = helper.make_graph(
        graph.nodes,
        "crnn",
        [helper.make_tensor_value_info("log_mel", TensorProto.FLOAT, ["batch", "n_frames", n_mels])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size]) for name, size in sizes.items()],
        graph.constants,
    )
    return helper.make_model(proto, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)


class OnnxNetwork:
    """A Keras CRNN run by ONNX Runtime: twice as fast on a CPU, and any batch or length without tracing anew.

    It answers with the weights that `model` had when it was made; `content` is the ONNX file as bytes.

    Args:
        model: A CRNN made by `crnn.networks.crnn.build_crnn`.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self.content: bytes = onnx_model(model).SerializeToString()
        self._session = onnx_runtime().InferenceSession(
            self.content, resting_options(), providers=["CPUExecutionProvider"]
        )

    def run(self, segments: npt.NDArray[np.float32]) -> Answers:
        """What the network says of segments `(n, n_frames, n_mels)`."""
        batches = (segments[i : i + _SEGMENTS_PER_RUN] for i in range(0, len(segments), _SEGMENTS_PER_RUN))
        runs = [self._session.run(None, {"log_mel": batch}) for batch in batches]
        found = [np.concatenate([np.asarray(part) for part in parts]) for parts in zip(*runs, strict=True)]
        return Answers(*found, *[np.zeros((len(segments), 0), np.float32)] * (len(Answers._fields) - len(found)))


def write_onnx(network: OnnxNetwork, path: Path, check_inputs: npt.NDArray[np.float32]) -> float:
    """Write the network as ONNX, once it answers as Keras does.

    Args:
        network: The export, made since its model changed last.
        path: File to write.
        check_inputs: Log-mel segments, `(n, n_frames, n_mels)`, to compare the posteriors on.

    Returns:
        The greatest difference between the two posteriors.

    Raises:
        BundleError: The difference exceeds `MAX_POSTERIOR_DIFFERENCE`.
    """
    from crnn.inference.decision import softmax
    from crnn.networks.crnn import genre_model, said_at_once

    exported = softmax(network.run(check_inputs)[0])
    trained = softmax(said_at_once(genre_model(network.model), check_inputs))
    difference = float(np.abs(exported - trained).max())
    if not difference <= MAX_POSTERIOR_DIFFERENCE:
        raise BundleError(f"The ONNX export answers differently from Keras, by {difference:.1e}. It was not saved.")
    path.write_bytes(network.content)
    return difference


def _batch_norm_scale(layer: keras.layers.BatchNormalization) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    gamma, beta, mean, variance = (np.asarray(w, dtype=np.float64) for w in layer.get_weights())
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return scale, beta - mean * scale


def _normalization(graph: _Graph, layer: Any, inputs: list[str]) -> str:
    mean = np.asarray(layer.mean, dtype=np.float64).reshape(-1)
    deviation = np.maximum(np.sqrt(np.asarray(layer.variance, dtype=np.float64)), 1e-7).reshape(-1)
    centred = graph.add("Sub", [inputs[0], graph.constant(mean)])
    return graph.add("Mul", [centred, graph.constant(1.0 / deviation)])


def _reshape(graph: _Graph, layer: Any, inputs: list[str]) -> str:
    if len(layer.output.shape) == 4:
        # (batch, frames, mels) → (batch, 1, frames, mels): ONNX keeps channels first.
        return graph.add("Unsqueeze", [inputs[0], graph.constant(np.array([1], np.int64))])
    # Keras flattens (mels, channels) with channels last.
    channels_last = graph.add("Transpose", inputs, perm=[0, 2, 3, 1])
    return graph.add("Reshape", [channels_last, graph.constant(np.array([0, 0, -1], np.int64))])


def _conv2d(graph: _Graph, layer: Any, inputs: list[str]) -> str:
    kernel, *bias = layer.get_weights()
    is_depthwise = type(layer).__name__ == "DepthwiseConv2D"
    # Keras: (time, mel, in, out), depthwise (time, mel, in, 1); ONNX: (out, in of the group, time, mel).
    weights = kernel.transpose(2, 3, 0, 1) if is_depthwise else kernel.transpose(3, 2, 0, 1)
    at, pads = graph.padded.get(inputs[0], (inputs[0], []))
    padding = {"pads": pads} if pads else {"auto_pad": _padding(layer)}
    groups = kernel.shape[2] if is_depthwise else layer.groups
    operands = [at, graph.constant(weights), *map(graph.constant, bias)]
    out = graph.add("Conv", operands, strides=list(layer.strides), group=groups, **padding)
    return _activation(graph, layer.activation.__name__, out)


def _zero_padding2d(graph: _Graph, layer: Any, inputs: list[str]) -> str:
    (top, bottom), (left, right) = layer.padding
    name = f"{inputs[0]}_padded"
    graph.padded[name] = (inputs[0], [top, left, bottom, right])
    return name


def _batch_normalization(graph: _Graph, layer: Any, inputs: list[str]) -> str:
    if len(layer.output.shape) == 4:  # the runtime folds it into the convolution before it
        operands = [graph.constant(values) for values in layer.get_weights()]
        return graph.add("BatchNormalization", [inputs[0], *operands], epsilon=layer.epsilon)
    scale, shift = _batch_norm_scale(layer)
    return graph.add("Add", [graph.add("Mul", [inputs[0], graph.constant(scale)]), graph.constant(shift)])


def _padding(layer: Any) -> str:
    return "SAME_UPPER" if layer.padding == "same" else "VALID"


def _pooling(operator: str) -> Callable[[_Graph, Any, list[str]], str]:
    def write(graph: _Graph, layer: Any, inputs: list[str]) -> str:
        shape = {"kernel_shape": list(layer.pool_size), "strides": list(layer.strides)}
        return graph.add(operator, inputs, **shape, auto_pad=_padding(layer))

    return write


def _pooled_filters(graph: _Graph, layer: Any, inputs: list[str]) -> str:
    bounds = [graph.constant(np.array([n], np.int64)) for n in (0, layer.n_used_mels, 2)]
    used = graph.add("Slice", [inputs[0], *bounds])
    picture = graph.add("Unsqueeze", [used, graph.constant(np.array([1], np.int64))])
    kernel, bias = layer.get_weights()
    before = (layer.span_frames - 1) // 2
    pads = [before, 0, layer.span_frames - 1 - before, 0]
    operands = [picture, graph.constant(kernel.transpose(3, 2, 0, 1)), graph.constant(bias)]
    convolved = graph.add("Conv", operands, strides=[1, layer.mel_stride], pads=pads)
    # The maximum of what is below zero is cut afterwards: the same, and less to do.
    over_mels = graph.add("ReduceMax", [convolved], axes=[3], keepdims=0)
    return graph.add("Transpose", [graph.add("Relu", [over_mels])], perm=[0, 2, 1])


def _conv1d(graph: _Graph, layer: Any, inputs: list[str]) -> str:
    kernel, bias = layer.get_weights()
    channels_first = graph.add("Transpose", inputs, perm=[0, 2, 1])
    operands = [channels_first, graph.constant(kernel.transpose(2, 1, 0)), graph.constant(bias)]
    out = graph.add("Conv", operands, strides=list(layer.strides), auto_pad=_padding(layer))
    return graph.add("Transpose", [_activation(graph, layer.activation.__name__, out)], perm=[0, 2, 1])


def _average_pooling1d(graph: _Graph, layer: Any, inputs: list[str]) -> str:
    channels_first = graph.add("Transpose", inputs, perm=[0, 2, 1])
    shape = {"kernel_shape": list(layer.pool_size), "strides": list(layer.strides)}
    out = graph.add("AveragePool", [channels_first], **shape, auto_pad=_padding(layer))
    return graph.add("Transpose", [out], perm=[0, 2, 1])


def _bidirectional(graph: _Graph, layer: Any, inputs: list[str]) -> str:
    halves = (layer.forward_layer.get_weights(), layer.backward_layer.get_weights())
    kernel = np.stack([half[0].T for half in halves])
    recurrent = np.stack([half[1].T for half in halves])
    bias = np.stack([half[2].reshape(-1) for half in halves])
    time_first = graph.add("Transpose", inputs, perm=[1, 0, 2])
    operands = [time_first, *map(graph.constant, (kernel, recurrent, bias))]
    # Keras' GRU applies the reset gate after the recurrent product.
    out = graph.add(
        "GRU", operands, direction="bidirectional", hidden_size=layer.forward_layer.units, linear_before_reset=1
    )
    batch_first = graph.add("Transpose", [out], perm=[2, 0, 1, 3])
    return graph.add("Reshape", [batch_first, graph.constant(np.array([0, 0, -1], np.int64))])


def _gru(graph: _Graph, layer: Any, inputs: list[str]) -> str:
    kernel, recurrent, bias = layer.get_weights()
    if layer.reset_after or layer.recurrent_activation.__name__ != "hard_sigmoid":
        raise ValueError(f"no ONNX counterpart for the gates of {layer.name}")
    time_first = graph.add("Transpose", inputs, perm=[1, 0, 2])
    both_biases = np.concatenate([bias, np.zeros_like(bias)])
    operands = [time_first, *(graph.constant(weights[None]) for weights in (kernel.T, recurrent.T, both_biases))]
    out = graph.add(
        "GRU",
        operands,
        hidden_size=layer.units,
        linear_before_reset=0,
        activations=["HardSigmoid", "Tanh"],
        activation_alpha=[1.0 / 6.0],
        activation_beta=[0.5],
    )
    one_direction = graph.add("Squeeze", [out, graph.constant(np.array([1], np.int64))])
    if layer.return_sequences:
        return graph.add("Transpose", [one_direction], perm=[1, 0, 2])
    return graph.add("Gather", [one_direction, graph.constant(np.array(-1, np.int64))], axis=0)


def _layer_normalization(graph: _Graph, layer: Any, inputs: list[str]) -> str:
    if layer.scale or layer.center:
        raise ValueError(f"no ONNX counterpart for the weights of {layer.name}")
    axes = list(layer.axis)
    centred = graph.add("Sub", [inputs[0], graph.add("ReduceMean", inputs, axes=axes)])
    variance = graph.add("ReduceMean", [graph.add("Mul", [centred, centred])], axes=axes)
    shifted = graph.add("Add", [variance, graph.constant(np.array(layer.epsilon))])
    return graph.add("Div", [centred, graph.add("Sqrt", [shifted])])


def _up_sampling1d(graph: _Graph, layer: Any, inputs: list[str]) -> str:
    apart = graph.add("Unsqueeze", [inputs[0], graph.constant(np.array([2], np.int64))])
    repeated = graph.add("Concat", [apart] * layer.size, axis=2)
    return graph.add("Reshape", [repeated, graph.constant(np.array([0, -1, layer.output.shape[-1]], np.int64))])


def _dense(graph: _Graph, layer: Any, inputs: list[str]) -> str:
    weights = layer.get_weights()
    out = graph.add("MatMul", [inputs[0], graph.constant(weights[0])])
    if layer.use_bias:
        out = graph.add("Add", [out, graph.constant(weights[1])])
    return _activation(graph, layer.activation.__name__, out)


def _activation(graph: _Graph, name: str, at: str) -> str:
    operators = {"relu": "Relu", "elu": "Elu", "tanh": "Tanh", "sigmoid": "Sigmoid", "softplus": "Softplus"}
    operators["hard_silu"] = "HardSwish"
    if name == "linear":
        return at
    if name not in operators:
        raise ValueError(f"no ONNX counterpart for the activation {name}")
    return graph.add(operators[name], [at])


def _reduce_over_time(operator: str) -> Callable[[_Graph, Any, list[str]], str]:
    def write(graph: _Graph, layer: Any, inputs: list[str]) -> str:
        return graph.add(operator, inputs, axes=[1], keepdims=0)

    return write


def _mean_of_map(graph: _Graph, layer: Any, inputs: list[str]) -> str:
    return graph.add("ReduceMean", inputs, axes=[2, 3], keepdims=int(layer.keepdims))


def _same(graph: _Graph, layer: Any, inputs: list[str]) -> str:
    return inputs[0]


def _channel_axis(layer: Any) -> int:
    # Keras joins along the last axis; pictures are channels-first here.
    return 1 if len(layer.output.shape) == 4 else -1


_WRITERS: dict[str, Callable[[_Graph, Any, list[str]], str]] = {
    "Normalization": _normalization,
    "Reshape": _reshape,
    "Conv2D": _conv2d,
    "DepthwiseConv2D": _conv2d,
    "ZeroPadding2D": _zero_padding2d,
    "GlobalAveragePooling2D": _mean_of_map,
    "Multiply": lambda graph, _, inputs: graph.add("Mul", inputs),
    "BatchNormalization": _batch_normalization,
    "ReLU": lambda graph, _, inputs: graph.add("Relu", inputs),
    "ELU": lambda graph, _, inputs: graph.add("Elu", inputs),
    "Activation": lambda graph, layer, inputs: _activation(graph, layer.activation.__name__, inputs[0]),
    "MaxPooling2D": _pooling("MaxPool"),
    "AveragePooling2D": _pooling("AveragePool"),
    "PooledFilters": _pooled_filters,
    "Conv1D": _conv1d,
    "AveragePooling1D": _average_pooling1d,
    "Bidirectional": _bidirectional,
    "GRU": _gru,
    "LayerNormalization": _layer_normalization,
    "UpSampling1D": _up_sampling1d,
    "GlobalAveragePooling1D": _reduce_over_time("ReduceMean"),
    "GlobalMaxPooling1D": _reduce_over_time("ReduceMax"),
    "Concatenate": lambda graph, layer, inputs: graph.add("Concat", inputs, axis=_channel_axis(layer)),
    "Add": lambda graph, _, inputs: graph.add("Add", inputs),
    "Dense": _dense,
    "Dropout": _same,
    "SpatialDropout2D": _same,
    "SpatialDropout1D": _same,
}
