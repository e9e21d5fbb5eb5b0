"""A network in Keras' own layers alone, which plain Keras opens without this project."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras

from crnn.bundles.bundle import Bundle
from crnn.networks.crnn import PooledFilters
from crnn.networks.export_card import companion_path
from crnn.networks.from_onnx import companion_model
from crnn.networks.keras_file import open_keras
from crnn.networks.parity import check_companion, check_keras


def plain(model: keras.Model) -> keras.Model:
    """A network with the same weights and answers, a stack of Keras' own layers in place of each of this project's.

    Args:
        model: A CRNN.
    """

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, PooledFilters):
            return _convolution(layer)
        return layer.__class__.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def _convolution(layer: PooledFilters) -> keras.Sequential:
    """The filters as the convolution that they are: slower to train, and known to every Keras."""
    n_mels = layer.input.shape[-1]
    before = (layer.span_frames - 1) // 2
    n_positions = (layer.n_used_mels - layer.span_mels) // layer.mel_stride + 1
    return keras.Sequential(
        [
            keras.Input((None, n_mels)),
            keras.layers.Reshape((-1, n_mels, 1)),
            keras.layers.Cropping2D(((0, 0), (0, n_mels - layer.n_used_mels))),
            keras.layers.ZeroPadding2D(((before, layer.span_frames - 1 - before), (0, 0))),
            keras.layers.Conv2D(
                layer.filters, (layer.span_frames, layer.span_mels), strides=(1, layer.mel_stride), activation="relu"
            ),
            keras.layers.MaxPooling2D((1, n_positions)),
            keras.layers.Reshape((-1, layer.filters)),
        ],
        name=layer.name,
    )


def write_keras(bundle: Bundle, path: Path, recordings: Sequence[Path] = ()) -> tuple[float, int]:
    """Write the network as a `.keras` file that plain Keras opens, in its safe mode; a second one beside it.

    Args:
        bundle: A bundle with its Keras model.
        path: File to write.
        recordings: Sound files to compare on, beside the examples.

    Returns:
        The greatest difference between posteriors and those of ONNX, and the number of segments compared.

    Raises:
        AudioError: A recording cannot be used.
        BundleError: The bundle has no Keras model, its second network is of no known build, or the answers differ.
        OSError: The disk refuses.
    """
    model = plain(open_keras(bundle))
    difference, n_segments = check_keras(bundle, recordings, model)
    _save(model, path)
    if bundle.companion is not None:
        second = plain(companion_model(bundle))
        found = check_companion(bundle, recordings, second)
        difference, n_segments = max(difference, found[0]), n_segments + found[1]
        _save(second, companion_path(path))
    return difference, n_segments


def _save(model: keras.Model, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        # Keras wants its own ending.
        draft = Path(folder) / "model.keras"
        model.save(draft)
        shutil.copyfile(draft, path)
