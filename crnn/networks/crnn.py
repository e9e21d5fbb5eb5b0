"""The CRNN: convolutions over time and mel, a bidirectional GRU, pooling over time; or two such side by side.

Takes any number of frames. Normalisation is the network's first layer, so it
travels with the weights; the network ends in logits. After Choi et al. (2017),
"Convolutional recurrent neural networks for music classification".
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from crnn.config import ModelConfig
from crnn.networks.tagger_crnn import TAGS, build_tagger_crnn, is_taggers

EMBEDDING = "embedding"
FRAMES = "per_frame"
STACK_STEPS = "stack_steps"
# 10 / ln 10: dB of power over this are natural logarithms.
DB_PER_NEPER = 10.0 / np.log(10.0)
LOGITS = "logits"


def build_crnn(config: ModelConfig, n_mels: int, n_genres: int) -> keras.Model:
    """An untrained CRNN.

    Args:
        config: Sizes.
        n_mels: Bands of the input.
        n_genres: Number of logits.

    Returns:
        Model from `(batch, n_frames, n_mels)` to `(batch, n_genres)` logits; with tags, to a dict of these,
        the embedding and the tags.
    """
    if config.front_end == "tagger":
        return build_tagger_crnn(config, n_mels, n_genres)
    inputs = keras.Input((None, n_mels), name="log_mel")
    if config.front_end == "timbral+stack":
        timbral = _timbral_embedding(inputs, config, f"timbral_{EMBEDDING}", config.timbral_embedding_size)
        x = keras.layers.Concatenate(name=EMBEDDING)([timbral, *_stack_embedding(inputs, config)])
    elif config.front_end == "timbral":
        x = _timbral_embedding(inputs, config, EMBEDDING, config.embedding_size)
    else:
        x = _square_embedding(inputs, config)
    x = keras.layers.Dropout(config.dropout, name="embedding_dropout")(x)
    return keras.Model(inputs, keras.layers.Dense(n_genres, name=LOGITS)(x), name="crnn")


def _timbral_embedding(inputs: keras.KerasTensor, config: ModelConfig, name: str, size: int) -> keras.KerasTensor:
    slower, pooled_frames = _timbral_front_end(inputs, config)
    recurrent = _bidirectional_gru(slower, config.gru_units)
    return _embedding([*pooled_frames, *_pool_over_time(recurrent, "gru")], config.dropout, name, size)


def _square_embedding(inputs: keras.KerasTensor, config: ModelConfig) -> keras.KerasTensor:
    recurrent = _bidirectional_gru(_square_front_end(inputs, config), config.gru_units)
    return _embedding(_pool_over_time(recurrent, "gru"), config.dropout, EMBEDDING, config.embedding_size)


def _bidirectional_gru(frames: keras.KerasTensor, units: int) -> keras.KerasTensor:
    gru = keras.layers.GRU(units, return_sequences=True, name="gru")
    return keras.layers.Bidirectional(gru, name="bidirectional")(frames)


def _embedding(pooled: list[keras.KerasTensor], dropout: float, name: str, size: int) -> keras.KerasTensor:
    x = keras.layers.Concatenate(name="pooled")(pooled)
    x = keras.layers.BatchNormalization(name="pooled_norm")(x)
    x = keras.layers.Dropout(dropout, name="pooled_dropout")(x)
    return keras.layers.Dense(size, activation="relu", name=name)(x)


def _pool_over_time(x: keras.KerasTensor, name: str) -> list[keras.KerasTensor]:
    return [
        keras.layers.GlobalMaxPooling1D(name=f"{name}_max")(x),
        keras.layers.GlobalAveragePooling1D(name=f"{name}_mean")(x),
    ]


def _square_front_end(inputs: keras.KerasTensor, config: ModelConfig) -> keras.KerasTensor:
    """Blocks of 3×3 convolutions; features per slower frame, which the GRU reads."""
    n_mels = inputs.shape[-1]
    mean, variance = np.full(n_mels, -40.0), np.full(n_mels, 400.0)
    x = keras.layers.Normalization(axis=-1, mean=mean, variance=variance, name="norm")(inputs)
    x = keras.layers.Reshape((-1, n_mels, 1), name="as_picture")(x)
    for i, (filters, pool) in enumerate(zip(config.channels, config.pools, strict=True), start=1):
        strides = (1, pool[1]) if i == 1 else (1, 1)
        x = keras.layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False, name=f"conv{i}")(x)
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"batch_norm{i}")(x)
        x = keras.layers.ReLU(name=f"relu{i}")(x)
        if (rest := (pool[0] // strides[0], pool[1] // strides[1])) != (1, 1):
            x = keras.layers.MaxPooling2D(rest, padding="same", name=f"pool{i}")(x)
        x = keras.layers.SpatialDropout2D(config.dropout / 3, name=f"conv_dropout{i}")(x)
    return keras.layers.Reshape((-1, x.shape[2] * x.shape[3]), name=FRAMES)(x)


def _stack_embedding(inputs: keras.KerasTensor, config: ModelConfig) -> list[keras.KerasTensor]:
    """What the tagger of Choi et al. (2017) hears: a stack of 3×3 convolutions and two GRUs.

    It reads fewer bands at twice the frame rate, interpolated, as a picture of mean 0 and deviation 1.
    Convolutions of a rank are a product of one along time and one along frequency. The maximum
    comes before the ELU, which is the same and less to do.
    """
    x = keras.layers.Dense(config.stack_bands, activation="relu", name="stack_bands")(inputs)
    x = keras.layers.LayerNormalization(axis=(1, 2), center=False, scale=False, name="stack_standardised")(x)
    # Twice the mean of two neighbours, after each frame was doubled: linear interpolation at ¼ and ¾.
    x = keras.layers.UpSampling1D(2, name="stack_doubled")(x)
    for i in (1, 2):
        x = keras.layers.AveragePooling1D(2, strides=1, padding="valid", name=f"stack_interpolated{i}")(x)
    x = keras.layers.Reshape((-1, config.stack_bands, 1), name="stack_as_picture")(x)
    for i, (filters, pool, rank) in enumerate(
        zip(config.stack_channels, config.stack_pools, config.stack_ranks, strict=True), start=1
    ):
        shape: tuple[int, int] = (3, 3)
        if rank:
            x = keras.layers.Conv2D(rank, (3, 1), padding="same", use_bias=False, name=f"stack_conv{i}_time")(x)
            shape = (1, 3)
        x = keras.layers.Conv2D(filters, shape, padding="same", name=f"stack_conv{i}")(x)
        x = keras.layers.BatchNormalization(momentum=0.97, name=f"stack_batch_norm{i}")(x)
        x = keras.layers.MaxPooling2D(pool, padding="same", name=f"stack_pool{i}")(x)
        x = keras.layers.ELU(name=f"stack_elu{i}")(x)
    steps = keras.layers.Reshape((-1, x.shape[2] * x.shape[3]), name=STACK_STEPS)(x)
    # The tagger's gates: piecewise linear, and the reset before the recurrent product.
    gates = {"recurrent_activation": "hard_sigmoid", "reset_after": False}
    states = keras.layers.GRU(config.stack_gru_units, return_sequences=True, name="stack_gru1", **gates)(steps)
    last = keras.layers.GRU(config.stack_gru_units, name="stack_gru2", **gates)(states)
    mean_state = keras.layers.GlobalAveragePooling1D(name="stack_gru1_mean")(states)
    return [mean_state, last, *_pool_over_time(steps, STACK_STEPS)]


def _timbral_front_end(
    inputs: keras.KerasTensor, config: ModelConfig
) -> tuple[keras.KerasTensor, list[keras.KerasTensor]]:
    """Tall and long filters, each pooled over all of frequency, then convolutions over time.

    After Pons & Serra's musicnn (2019) at this project's frame rate. Softplus of dB is the
    log(1 + power) that it was trained on. Returns the middle layers for the GRU, and the
    pools of all features.
    """
    x = keras.layers.Normalization(axis=-1, mean=0.0, variance=DB_PER_NEPER**2, name="norm")(inputs)
    x = keras.layers.Activation("softplus", name="log_one_plus_power")(x)
    x = keras.layers.BatchNormalization(name="input_norm")(x)
    shapes = [(f"vertical{i}", 3, span, 2) for i, span in enumerate(config.vertical_spans, start=1)]
    shapes += [(f"horizontal{i}", span, 1, 1) for i, span in enumerate(config.horizontal_spans, start=1)]
    parts = []
    for name, n_frames, n_mels, stride in shapes:
        filters = config.vertical_filters if n_mels > 1 else config.horizontal_filters
        pooled = PooledFilters(filters, n_frames, n_mels, stride, config.n_used_mels, name=name)(x)
        parts.append(keras.layers.BatchNormalization(name=f"{name}_norm")(pooled))
    features = [keras.layers.Concatenate(name="front")(parts)]
    for i in (1, 2, 3):
        y = keras.layers.Conv1D(config.middle_filters, 3, padding="same", activation="relu", name=f"middle{i}")(
            features[-1]
        )
        y = keras.layers.BatchNormalization(name=f"middle{i}_norm")(y)
        features.append(y if i == 1 else keras.layers.Add(name=f"residual{i}")([y, features[-1]]))
    per_frame = keras.layers.Concatenate(name=FRAMES)(features)
    middle = keras.layers.Concatenate(name="middle")(features[1:])
    slower = keras.layers.AveragePooling1D(4, padding="same", name="slower")(middle)
    return slower, _pool_over_time(per_frame, "frames")


@keras.saving.register_keras_serializable("crnn")
class PooledFilters(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Convolution over `(n_frames, n_mels)`, ReLU, and the maximum over all positions on the mel axis.

    From `(batch, frames, mels)` to `(batch, frames, filters)`. Written as a matrix product:
    with one input channel that trains several times faster on a CPU than a convolution.

    Args:
        filters: How many.
        span_frames: Length of each in frames; frames at the edges are padded with zeros.
        span_mels: Height of each in bands; it never leaves the bands.
        mel_stride: Step between positions on the mel axis.
        n_used_mels: Bands that are looked at, from the lowest.
        kwargs: As of any layer.
    """

    def __init__(
        self, filters: int, span_frames: int, span_mels: int, mel_stride: int, n_used_mels: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters, self.span_frames, self.span_mels = filters, span_frames, span_mels
        self.mel_stride, self.n_used_mels = mel_stride, n_used_mels

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make kernel `(span_frames, span_mels, 1, filters)` and bias."""
        del input_shape
        self.kernel = self.add_weight(
            shape=(self.span_frames, self.span_mels, 1, self.filters), initializer="he_normal", name="kernel"
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        """Features of each frame."""
        n_positions = (self.n_used_mels - self.span_mels) // self.mel_stride + 1
        mels = self.mel_stride * np.arange(n_positions)[:, None] + np.arange(self.span_mels)[None, :]
        before = (self.span_frames - 1) // 2
        padded = keras.ops.pad(inputs, ((0, 0), (before, self.span_frames - 1 - before), (0, 0)))
        n_frames = keras.ops.shape(inputs)[1]
        shifted = [
            keras.ops.take(padded[:, i : i + n_frames], mels.astype(np.int32), axis=2) for i in range(self.span_frames)
        ]
        pictures = keras.ops.concatenate(shifted, axis=-1)
        matrix = keras.ops.reshape(self.kernel, (self.span_frames * self.span_mels, self.filters))
        # The maximum first: bias and ReLU change nothing about which position is largest, and have less to do.
        return keras.ops.relu(keras.ops.max(keras.ops.matmul(pictures, matrix), axis=2) + self.bias)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`(batch, frames, filters)`."""
        return (*input_shape[:2], self.filters)

    def get_config(self) -> dict[str, Any]:
        """Arguments, for saving."""
        names = ("filters", "span_frames", "span_mels", "mel_stride", "n_used_mels")
        return super().get_config() | {name: getattr(self, name) for name in names}


def set_normalization(model: keras.Model, mean: npt.ArrayLike, variance: npt.ArrayLike) -> keras.Model:
    """`model` rebuilt so that its first layers subtract `mean` and divide by the deviation.

    Such a layer bakes its statistics in as constants, which is what both export and
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
    """The body of a trained CRNN under a fresh layer of `n_genres` logits.

    Args:
        model: A trained CRNN; its layers are shared, not copied.
        n_genres: Logits of the new layer.
    """
    body = model.get_layer("embedding_dropout").output
    logits = keras.layers.Dense(n_genres, name=LOGITS)(body)
    outputs = model.output | {LOGITS: logits} if isinstance(model.output, dict) else logits
    return keras.Model(_input_of(model), outputs, name="crnn")


def genre_model(model: keras.Model) -> keras.Model:
    """`model` with its logits alone; it shares all weights."""
    return keras.Model(_input_of(model), logits_of(model), name="crnn")


def said_at_once(model: keras.Model, inputs: Any) -> Any:
    """What a network says of a batch, layer by layer: arrays in the form of its outputs.

    `predict` first traces a graph for each network and each shape, which takes longer than some batches do.

    Args:
        model: A network.
        inputs: A batch, as `model` takes it.
    """
    return keras.tree.map_structure(np.asarray, model(inputs, training=False))


def logits_of(model: keras.Model) -> keras.KerasTensor:
    """The logits of a CRNN."""
    return model.output[LOGITS] if isinstance(model.output, dict) else model.output


def has_tags(model: keras.Model) -> bool:
    """Whether the network gives an AudioSet tagger's tags beside the logits."""
    return any(layer.name == TAGS for layer in model.layers)


def _input_of(model: keras.Model) -> keras.KerasTensor:
    return model.inputs[0]


def learns_head_only(model: keras.Model, *, head_only: bool) -> None:
    """Freeze everything below the embedding, or free it again, but for what tags and their calibration rest on.

    Args:
        model: A CRNN; it must be compiled anew before this shows.
        head_only: Whether to freeze. The layers that tags rest on and the normalisation never learn.
    """
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Normalization):
            is_free = not head_only and not is_taggers(layer)
            layer.trainable = is_free or layer.name == LOGITS or layer.name.endswith(EMBEDDING)
