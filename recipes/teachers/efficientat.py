"""The weights of the AudioSet tagger `mn04_as`, read from its published file without torch.

EfficientAT by F. Schmid, K. Koutini and G. Widmer (ICASSP 2023, MIT licence). A `.pt` file is a zip of
raw arrays and a pickle that names them; of the pickle nothing but arrays and ordered dictionaries is built.
"""

from __future__ import annotations

import collections
import hashlib
import pickle
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from crnn.networks.tagger_crnn import BLOCKS, TAGS, copy_tag_words

FloatArray = npt.NDArray[np.float32]
Weights = dict[str, FloatArray]

FILE_NAME = "mn04_as_mAP_432.pt"
SHA256 = "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c"
_EPSILON = 1e-3
_STORAGES = {"FloatStorage": np.float32, "LongStorage": np.int64}


def read_weights(path: Path) -> Weights:
    """Arrays of the published file by name.

    Raises:
        ValueError: It is another file.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise ValueError(f"{path} has the SHA-256 {found}; the tagger's is {SHA256}")
    with zipfile.ZipFile(path) as archive:
        pickle_name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        state = _StateUnpickler(archive, pickle_name).load()
    return {name: array for name, array in state.items() if array.dtype == np.float32}


def set_weights(model: keras.Model, weights: Weights) -> keras.Model:
    """`model` with the tagger's weights in the layers that bear its names; batch norms are folded in.

    Args:
        model: A tagger; its weights are changed.
        weights: Of the published file, as `read_weights` gives them.
    """
    for layer_name, (kernel_key, bias_key) in _keys().items():
        layer = model.get_layer(layer_name)
        kernel, bias = weights[kernel_key], weights[bias_key]
        norm = bias_key.removesuffix("bias")
        if f"{norm}running_var" in weights:  # the bias is a batch norm's
            gain = weights[f"{norm}weight"] / np.sqrt(weights[f"{norm}running_var"] + _EPSILON)
            kernel = kernel * gain[:, None, None, None]
            bias = bias - weights[f"{norm}running_mean"] * gain
        layer.set_weights([_as_keras_has_it(kernel, layer), bias])
    copy_tag_words(model)
    return model


def _as_keras_has_it(kernel: FloatArray, layer: keras.layers.Layer) -> FloatArray:
    # torch: (out, in, frequency, time); here: (time, frequency, in, out), a depthwise kernel (time, frequency, out, 1).
    if isinstance(layer, keras.layers.Dense):
        return kernel.T
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return kernel.transpose(3, 2, 0, 1)
    if kernel.ndim == 2:  # a dense layer of squeeze and excitation, here a convolution of one cell
        return kernel.T[None, None]
    return kernel.transpose(3, 2, 1, 0)


def _keys() -> dict[str, tuple[str, str]]:
    """Keys of kernel and bias in the published file, by layer."""
    keys = {"stem": ("features.0.0.weight", "features.0.1.bias")}
    for number, block in enumerate(BLOCKS, start=1):
        steps = [*(["expand"] if number > 1 else []), "depthwise", *(["gates"] if block.squeezed else []), "project"]
        for place, step in enumerate(steps):
            stem = f"features.{number}.block.{place}"
            if step == "gates":
                gate = f"{stem}.conc_se_layers.0"
                keys[f"block{number}_squeeze"] = (f"{gate}.fc1.weight", f"{gate}.fc1.bias")
                keys[f"block{number}_excite"] = (f"{gate}.fc2.weight", f"{gate}.fc2.bias")
            else:
                keys[f"block{number}_{step}"] = (f"{stem}.0.weight", f"{stem}.1.bias")
    keys["top"] = ("features.16.0.weight", "features.16.1.bias")
    keys["tag_hidden"] = ("classifier.2.weight", "classifier.2.bias")
    keys[TAGS] = ("classifier.5.weight", "classifier.5.bias")
    return keys


class _StateUnpickler(pickle.Unpickler):
    """Reads arrays and ordered dictionaries; any other class is an error."""

    def __init__(self, archive: zipfile.ZipFile, pickle_name: str) -> None:
        super().__init__(archive.open(pickle_name))
        self._archive, self._root = archive, pickle_name.removesuffix("data.pkl")

    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module_name, global_name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _array
        if module_name == "torch" and global_name in _STORAGES:
            return _STORAGES[global_name]
        raise pickle.UnpicklingError(f"A state dictionary does not hold {module_name}.{global_name}.")

    def persistent_load(self, pid: Any) -> Any:
        _, dtype, key, _, _ = pid
        return np.frombuffer(self._archive.read(f"{self._root}data/{key}"), dtype=dtype)


def _array(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Any:
    strides = tuple(step * storage.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides).copy()
