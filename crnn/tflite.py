"""A bundle's network for TensorFlow Lite, without Flex operators.

TensorFlow Lite has no GRU; unrolled over a fixed number of frames it becomes plain
operators that the ordinary interpreter runs. The file therefore takes segments of
exactly the bundle's length, and it is checked against ONNX before it is written.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from crnn.bundle import KERAS_NAME, Bundle
from crnn.errors import BundleError
from crnn.export import MAX_POSTERIOR_DIFFERENCE
from crnn.inference import Classifier, softmax


def unrolled(model: keras.Model, n_frames: int) -> keras.Model:
    """`model` for segments of exactly `n_frames` frames, its GRU unrolled."""

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if isinstance(layer, keras.layers.Bidirectional):
            config["layer"]["config"]["unroll"] = True
            config.pop("backward_layer", None)
        return layer.__class__.from_config(config)

    fixed = keras.Input((n_frames, model.input_shape[-1]), name="log_mel")
    copy = keras.models.clone_model(model, input_tensors=fixed, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def write_tflite(bundle: Bundle, path: Path) -> float:
    """Write the network as TensorFlow Lite: `(1, n_frames, n_mels)` in dB → logits.

    Args:
        bundle: A bundle with its Keras model.
        path: File to write.

    Returns:
        The greatest difference between its posteriors and those of ONNX.

    Raises:
        BundleError: The bundle has no Keras model, or the answers differ.
    """
    import tensorflow as tf

    config = bundle.feature_config
    model = keras.saving.load_model(bundle.file(KERAS_NAME), compile=False, safe_mode=True)
    content = tf.lite.TFLiteConverter.from_keras_model(unrolled(model, config.n_frames)).convert()
    difference = _difference(content, bundle)
    if not difference <= MAX_POSTERIOR_DIFFERENCE:
        raise BundleError(f"The TensorFlow Lite export answers differently, by {difference:.1e}. It was not saved.")
    path.write_bytes(content)
    return difference


def _difference(content: bytes, bundle: Bundle) -> float:
    import tensorflow as tf

    config = bundle.feature_config
    rng = np.random.default_rng(0)
    segments = rng.uniform(config.db_floor, 0, (4, config.n_frames, config.n_mels)).astype(np.float32)
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    at_input = interpreter.get_input_details()[0]["index"]
    at_output = interpreter.get_output_details()[0]["index"]
    answers: list[npt.NDArray[np.float32]] = []
    for segment in segments:
        interpreter.set_tensor(at_input, segment[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(at_output)[0])
    served, _ = Classifier(bundle).run(segments)
    return float(np.abs(softmax(np.stack(answers)) - softmax(served)).max())
