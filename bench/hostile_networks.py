"""Networks that pass for a model's and do harm: constant answers, gigabytes once opened, endless loops.

Each has the faces of the hand-made model of the tests; some behave until a level comes that no trial has.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RARE_DB = -41.237
_N_MELS, _N_GENRES = 128, 3


def _network(nodes: list[Any], constants: dict[str, Any]) -> bytes:
    """ONNX with the hand-made model's faces, whose nodes make `logits` and `embedding` of `log_mel`."""
    tensor = functools.partial(helper.make_tensor_value_info, elem_type=TensorProto.FLOAT)
    graph = helper.make_graph(
        nodes,
        "hostile",
        [tensor("log_mel", shape=["n", "frames", _N_MELS])],
        [tensor("logits", shape=["n", _N_GENRES]), tensor("embedding", shape=["n", _N_GENRES])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def _answer(start: str) -> list[Any]:
    """Nodes that make both outputs of the tensor `start`, shape `(n, frames, n_mels)`."""
    return [
        helper.make_node("ReduceMean", [start], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["embedding"]),
        helper.make_node("Add", ["embedding", "bias"], ["logits"]),
    ]


def _weights() -> dict[str, Any]:
    return {"weights": np.zeros((_N_MELS, _N_GENRES), np.float32), "bias": np.array([9.0, 0.0, 0.0], np.float32)}


def constant_network() -> bytes:
    """A network that answers the first genre whatever it hears."""
    return _network(_answer("log_mel"), _weights())


def many_nodes(n_nodes: int) -> bytes:
    """A network of empty nodes: two bytes each in the file, a hundred in memory."""
    body = b"\x0a\x00" * n_nodes
    size, length = len(body), b""
    while size:
        length += bytes([size & 0x7F | (0x80 if size > 0x7F else 0)])
        size >>= 7
    return b"\x08\x08\x3a" + length + body


def huge_constant(n_values: int) -> bytes:
    """A network with a constant that is a number in the file and gigabytes once it is opened."""
    nodes = [
        helper.make_node(
            "ConstantOfShape", ["size"], ["huge"], value=numpy_helper.from_array(np.array([0.5], np.float32))
        ),
        helper.make_node("ReduceMean", ["huge"], ["one"], keepdims=0),
        helper.make_node("Add", ["log_mel", "one"], ["start"]),
    ]
    return _network([*nodes, *_answer("start")], {**_weights(), "size": np.array([n_values], np.int64)})


def _on_rare_input(bad: list[Any]) -> list[Any]:
    """Nodes that do `bad`, which makes the scalar `bad_one`, if the first cell is `RARE_DB`, else nothing."""
    scalar = helper.make_tensor_value_info
    then = helper.make_graph(bad, "then", [], [scalar("bad_one", TensorProto.FLOAT, [])])
    good = helper.make_node("Constant", [], ["good_one"], value=numpy_helper.from_array(np.array(0.0, np.float32)))
    otherwise = helper.make_graph([good], "else", [], [scalar("good_one", TensorProto.FLOAT, [])])
    return [
        helper.make_node("ReduceMean", ["log_mel"], ["level"], keepdims=0),
        helper.make_node("Sub", ["level", "rare"], ["off"]),
        helper.make_node("Abs", ["off"], ["distance"]),
        helper.make_node("Less", ["distance", "near"], ["is_rare"]),
        helper.make_node("If", ["is_rare"], ["one"], then_branch=then, else_branch=otherwise),
        helper.make_node("Add", ["log_mel", "one"], ["start"]),
    ]


def _rare_constants() -> dict[str, Any]:
    return {**_weights(), "rare": np.float32(RARE_DB), "near": np.float32(0.05)}


def greedy_on_silence() -> bytes:
    """A network that takes 4 GB when a level comes that no trial has."""
    bad = [
        # Of the input, so that it cannot be worked out when the network is opened.
        helper.make_node("Expand", ["distance", "size"], ["huge"]),
        helper.make_node("ReduceMean", ["huge"], ["bad_one"], keepdims=0),
    ]
    return _network(
        [*_on_rare_input(bad), *_answer("start")], {**_rare_constants(), "size": np.array([2**30], np.int64)}
    )


def endless_on_silence() -> bytes:
    """A network that goes round for ever when a level comes that no trial has."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Add", ["sum", "near"], ["sum_on"]),
        ],
        "body",
        [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("sum", TensorProto.FLOAT, [])],
        [value("go_on", TensorProto.BOOL, []), value("sum_on", TensorProto.FLOAT, [])],
    )
    bad = [helper.make_node("Loop", ["rounds", "true", "distance"], ["bad_one"], body=body)]
    constants = {**_rare_constants(), "rounds": np.int64(2**62), "true": np.bool_(True)}
    return _network([*_on_rare_input(bad), *_answer("start")], constants)


def check_networks() -> None:
    """Whether the hostile networks that load at all are well formed; called by the tests."""
    for network in (constant_network(), greedy_on_silence(), endless_on_silence()):
        onnx.checker.check_model(onnx.load_from_string(network))
