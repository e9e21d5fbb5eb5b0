"""A bundle's network for TensorFlow Lite, without Flex operators.

TensorFlow Lite has no GRU; unrolled over a fixed number of frames it becomes plain
operators that the ordinary interpreter runs. The file therefore takes segments of
exactly the bundle's length, and it is checked against ONNX on music before it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from crnn.bundles.bundle import ONNX_NAME, Bundle
from crnn.bundles.companion import COMPANION_NAME
from crnn.networks.crnn import genre_model
from crnn.networks.export_card import companion_path
from crnn.networks.from_onnx import companion_model
from crnn.networks.keras_file import open_keras
from crnn.networks.parity import check_answers, music_segments

FloatArray = npt.NDArray[np.float32]


def unrolled(model: keras.Model, n_frames: int) -> keras.Model:
    """`model` for segments of exactly `n_frames` frames, its GRU unrolled.

    Args:
        model: A CRNN; the copy has its weights.
        n_frames: Length of a segment.
    """

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if isinstance(layer, keras.layers.Bidirectional):
            config["layer"]["config"]["unroll"] = True
            config.pop("backward_layer", None)
        elif isinstance(layer, keras.layers.GRU):
            config["unroll"] = True
        return layer.__class__.from_config(config)

    fixed = keras.Input((n_frames, model.input_shape[-1]), name="log_mel")
    # A network that was saved with its inputs as a list wants a list again.
    inputs = [fixed] if isinstance(model.input, list) else fixed
    copy = keras.models.clone_model(model, input_tensors=inputs, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def write_tflite(bundle: Bundle, path: Path, recordings: Sequence[Path] = ()) -> tuple[float, int]:
    """Write the network as TensorFlow Lite: `(1, n_frames, n_mels)` → logits; a second one beside it.

    Args:
        bundle: A bundle with its Keras model.
        path: File to write.
        recordings: Sound files to compare on, beside the examples.

    Returns:
        The greatest difference between posteriors and those of ONNX, and the number of segments compared.

    Raises:
        AudioError: A recording cannot be used.
        BundleError: The bundle has no Keras model, its second network is of no known build, or the answers differ.
    """
    networks = [(ONNX_NAME, path, bundle.feature_config, genre_model(open_keras(bundle)))]
    if bundle.companion is not None:
        second = companion_model(bundle)
        networks.append((COMPANION_NAME, companion_path(path), bundle.companion.feature_config, second))
    difference, n_segments = 0.0, 0
    for file_name, target, config, model in networks:
        segments = music_segments(config, recordings)
        content = _converted(unrolled(model, config.n_frames))
        found = check_answers(bundle, segments, _answers(content, segments), "TensorFlow Lite", file_name)
        target.write_bytes(content)
        difference, n_segments = max(difference, found), n_segments + len(segments)
    return difference, n_segments


def _converted(model: keras.Model) -> bytes:
    import tensorflow as tf

    segment = tf.TensorSpec((1, *model.inputs[0].shape[1:]), tf.float32, name="log_mel")
    run = tf.function(lambda log_mel: model(log_mel, training=False)).get_concrete_function(segment)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([run], model)
    # A SavedModel, the ordinary way, has the unrolled steps traced again and again: twice as long in all.
    converter.experimental_lower_to_saved_model = False
    return bytes(converter.convert())


def _answers(content: bytes, segments: FloatArray) -> FloatArray:
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    at_input = interpreter.get_input_details()[0]["index"]
    at_output = interpreter.get_output_details()[0]["index"]
    answers = []
    for segment in segments:
        interpreter.set_tensor(at_input, segment[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(at_output)[0])
    return np.stack(answers)
