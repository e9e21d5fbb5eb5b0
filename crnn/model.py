"""The CRNN: 3×3 convolutions over time and mel, a bidirectional GRU, pooling over time.

Takes any number of frames. Normalisation is the network's first layer, so it
travels with the weights; the network ends in logits. After Choi et al. (2017),
"Convolutional recurrent neural networks for music classification".
"""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt

from crnn.config import ModelConfig

EMBEDDING = "embedding"
LOGITS = "logits"


def build_crnn(config: ModelConfig, n_mels: int, n_genres: int) -> keras.Model:
    """An untrained CRNN.

    Args:
        config: Sizes.
        n_mels: Bands of the input.
        n_genres: Number of logits.

    Returns:
        Model from `(batch, n_frames, n_mels)` in dB to `(batch, n_genres)` logits.
    """
    inputs = keras.Input((None, n_mels), name="log_mel")
    x = keras.layers.Normalization(axis=-1, mean=np.full(n_mels, -40.0), variance=np.full(n_mels, 400.0), name="norm")(
        inputs
    )
    x = keras.layers.Reshape((-1, n_mels, 1), name="as_picture")(x)
    for i, (filters, pool) in enumerate(zip(config.channels, config.pools, strict=True), start=1):
        x = _convolution_block(x, i, filters, pool, config.dropout)
    x = keras.layers.Reshape((-1, x.shape[2] * x.shape[3]), name="per_frame")(x)
    gru = keras.layers.GRU(config.gru_units, return_sequences=True, name="gru")
    x = keras.layers.Bidirectional(gru, name="bidirectional")(x)
    mean = keras.layers.GlobalAveragePooling1D(name="mean_over_time")(x)
    peak = keras.layers.GlobalMaxPooling1D(name="max_over_time")(x)
    x = keras.layers.Concatenate(name="pooled")([mean, peak])
    x = keras.layers.Dropout(config.dropout, name="pooled_dropout")(x)
    x = keras.layers.Dense(config.embedding_size, activation="relu", name=EMBEDDING)(x)
    x = keras.layers.Dropout(config.dropout, name="embedding_dropout")(x)
    return keras.Model(inputs, keras.layers.Dense(n_genres, name=LOGITS)(x), name="crnn")


def _convolution_block(
    x: keras.KerasTensor, number: int, filters: int, pool: tuple[int, int], dropout: float
) -> keras.KerasTensor:
    strides = (1, pool[1]) if number == 1 else (1, 1)
    rest = (pool[0], 1) if number == 1 else pool
    x = keras.layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False, name=f"conv{number}")(x)
    x = keras.layers.BatchNormalization(momentum=0.9, name=f"batch_norm{number}")(x)
    x = keras.layers.ReLU(name=f"relu{number}")(x)
    if rest != (1, 1):
        x = keras.layers.MaxPooling2D(rest, padding="same", name=f"pool{number}")(x)
    return keras.layers.SpatialDropout2D(dropout / 3, name=f"conv_dropout{number}")(x)


def set_normalization(model: keras.Model, mean: npt.ArrayLike, variance: npt.ArrayLike) -> keras.Model:
    """`model` rebuilt so that its first layer subtracts `mean` and divides by the deviation.

    The layer bakes its statistics in as constants, which is what both export and
    loading need; so the network is cloned around a new one.

    Args:
        model: A CRNN made by `build_crnn`.
        mean: dB per mel band, shape `(n_mels,)`, of the training split alone.
        variance: dB² per mel band, shape `(n_mels,)`.
    """
    n_mels = model.input_shape[-1]
    fixed = (
        np.broadcast_to(np.asarray(mean, np.float32), n_mels),
        np.broadcast_to(np.asarray(variance, np.float32), n_mels),
    )

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, keras.layers.Normalization):
            return keras.layers.Normalization(axis=-1, mean=fixed[0], variance=fixed[1], name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def with_new_head(model: keras.Model, n_genres: int) -> keras.Model:
    """The body of a trained CRNN under a fresh layer of `n_genres` logits."""
    body = model.get_layer("embedding_dropout").output
    return keras.Model(model.inputs, keras.layers.Dense(n_genres, name=LOGITS)(body), name="crnn")


def serving_model(model: keras.Model) -> keras.Model:
    """`model` with the two outputs that a bundle serves: logits and embedding."""
    outputs = {LOGITS: model.output, EMBEDDING: model.get_layer(EMBEDDING).output}
    return keras.Model(model.inputs, outputs, name="crnn")


def learns_head_only(model: keras.Model, *, head_only: bool) -> None:
    """Freeze everything below the embedding, or free it again."""
    trainable_alone = {EMBEDDING, LOGITS}
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Normalization):
            layer.trainable = not head_only or layer.name in trainable_alone
