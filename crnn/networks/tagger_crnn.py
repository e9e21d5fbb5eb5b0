"""The CRNN whose convolutions are an AudioSet tagger's: columns of 0.32 s, a GRU, the tagger's own head beside.

The convolutions are EfficientAT's `mn04_as`, a MobileNetV3 of width 0.4 by F. Schmid, K. Koutini and
G. Widmer (ICASSP 2023, MIT licence), in Keras' own layers. Input is the tagger's mel, `(n_frames, n_mels)`,
of any length from a second; time is the first axis of every map. Batch norms are folded into their
convolutions: the function is the same, and a step on a CPU takes half as long.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras

from crnn.config import ModelConfig

N_CLASSES = 527
POOLED_SIZE = 384
TAGS, TAG_WORDS = "tags", "tag_words"
# The tagger's own words for the ten genres of GTZAN: Blues, Classical music, Country, Disco, Hip hop music, Jazz,
# Heavy metal, Pop music, Reggae, Rock music. In the embedding they lift its heads by four points of a hundred.
GENRE_CLASSES = (251, 237, 229, 236, 217, 235, 220, 216, 228, 219)
_TAG_HIDDEN = 512
_COLUMN_SIZE = 128
_RELU, _HARD_SWISH = "relu", "hard_silu"


@dataclass(frozen=True)
class _Block:
    """An inverted residual: its kernel, stride and activation, and its channels.

    squeezed: channels of squeeze and excitation; 0 has none.
    """

    kernel: int
    stride: int
    activation: str
    expanded: int
    projected: int
    squeezed: int = 0


BLOCKS = (
    _Block(3, 1, _RELU, 8, 8),
    _Block(3, 2, _RELU, 24, 16),
    _Block(3, 1, _RELU, 32, 16),
    _Block(5, 2, _RELU, 32, 16, 8),
    _Block(5, 1, _RELU, 48, 16, 16),
    _Block(5, 1, _RELU, 48, 16, 16),
    _Block(3, 2, _HARD_SWISH, 96, 32),
    _Block(3, 1, _HARD_SWISH, 80, 32),
    _Block(3, 1, _HARD_SWISH, 72, 32),
    _Block(3, 1, _HARD_SWISH, 72, 32),
    _Block(3, 1, _HARD_SWISH, 192, 48, 48),
    _Block(3, 1, _HARD_SWISH, 272, 48, 72),
    _Block(5, 2, _HARD_SWISH, 272, 64, 72),
    _Block(5, 1, _HARD_SWISH, 384, 64, 96),
    _Block(5, 1, _HARD_SWISH, 384, 64, 96),
)


def build_tagger_crnn(config: ModelConfig, n_mels: int, n_genres: int) -> keras.Model:
    """The network with random weights, from `(batch, n_frames, n_mels)` to `logits`, `embedding` and `tags`.

    The embedding is the tagger's pooled map, what a GRU over the columns makes of their order, and the logits of
    the tagger's words for genres.

    Args:
        config: Units of the GRU, and the size of the embedding, which must leave some for the memory of order.
        n_mels: Bands of the input.
        n_genres: Logits.
    """
    log_mel = keras.Input((None, n_mels), name="log_mel")
    body = _body(log_mel)
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(body)
    hidden = keras.layers.Dense(_TAG_HIDDEN, activation=_HARD_SWISH, name="tag_hidden")(pooled)
    tags = keras.layers.Dense(N_CLASSES, name=TAGS)(hidden)
    columns = keras.layers.AveragePooling2D((1, body.shape[2]), name="column_mean")(body)
    columns = keras.layers.Reshape((-1, POOLED_SIZE), name="columns")(columns)
    columns = keras.layers.Dense(_COLUMN_SIZE, activation=_HARD_SWISH, name="column_dense")(columns)
    gru = keras.layers.GRU(config.gru_units, return_sequences=True, name="gru")
    states = keras.layers.Bidirectional(gru, name="bidirectional")(columns)
    heard = keras.layers.Concatenate(name="heard")(
        [
            pooled,
            keras.layers.GlobalAveragePooling1D(name="gru_mean")(states),
            keras.layers.GlobalMaxPooling1D(name="gru_max")(states),
        ]
    )
    # A layer of its own, because a choice of the tags' columns is no plain layer of Keras.
    words = keras.layers.Dense(len(GENRE_CLASSES), name=TAG_WORDS)(hidden)
    memory = keras.layers.Dense(config.embedding_size - POOLED_SIZE - len(GENRE_CLASSES), name="memory")(heard)
    embedding = keras.layers.Concatenate(name="embedding")([pooled, memory, words])
    dropped = keras.layers.Dropout(config.dropout, name="embedding_dropout")(embedding)
    logits = keras.layers.Dense(n_genres, name="logits")(dropped)
    return keras.Model(log_mel, {"logits": logits, "embedding": embedding, TAGS: tags}, name="crnn")


def copy_tag_words(model: keras.Model) -> None:
    """Give the words in the embedding the weights that they have among the tags."""
    kernel, bias = model.get_layer(TAGS).get_weights()
    model.get_layer(TAG_WORDS).set_weights([kernel[:, list(GENRE_CLASSES)], bias[list(GENRE_CLASSES)]])


def is_taggers(layer: keras.layers.Layer) -> bool:
    """Whether a layer is the tagger's: what the tags and their calibration rest on."""
    return layer.name == "stem" or layer.name.split("_")[0] in {"top", "tag", TAGS} or _is_in_block(layer.name)


def _is_in_block(name: str) -> bool:
    return name.startswith("block")


def _body(log_mel: keras.KerasTensor) -> keras.KerasTensor:
    """The tagger's convolutions: a map `(n_columns, 4, 384)`, one column each 0.32 s."""
    x = keras.layers.Reshape((-1, log_mel.shape[-1], 1), name="as_picture")(log_mel)
    x = keras.layers.ZeroPadding2D(1, name="stem_pad")(x)
    x = keras.layers.Conv2D(8, 3, 2, name="stem")(x)
    x = _activation(x, "stem", _HARD_SWISH)
    for number, block in enumerate(BLOCKS, start=1):
        x = _inverted_residual(x, block, f"block{number}", expands=number > 1)
    x = keras.layers.Conv2D(POOLED_SIZE, 1, name="top")(x)
    return _activation(x, "top", _HARD_SWISH)


def _activation(x: keras.KerasTensor, name: str, activation: str) -> keras.KerasTensor:
    return keras.layers.Activation(activation, name=f"{name}_{activation}")(x)


def _inverted_residual(inputs: keras.KerasTensor, block: _Block, name: str, *, expands: bool) -> keras.KerasTensor:
    x = inputs
    if expands:
        x = keras.layers.Conv2D(block.expanded, 1, name=f"{name}_expand")(x)
        x = _activation(x, f"{name}_expand", block.activation)
    x = keras.layers.ZeroPadding2D(block.kernel // 2, name=f"{name}_pad")(x)
    x = keras.layers.DepthwiseConv2D(block.kernel, block.stride, name=f"{name}_depthwise")(x)
    x = _activation(x, f"{name}_depthwise", block.activation)
    if block.squeezed:
        x = _squeeze_and_excite(x, block.squeezed, name)
    x = keras.layers.Conv2D(block.projected, 1, name=f"{name}_project")(x)
    if block.stride == 1 and inputs.shape[-1] == x.shape[-1]:
        x = keras.layers.Add(name=f"{name}_add")([inputs, x])
    return x


def _squeeze_and_excite(x: keras.KerasTensor, squeezed: int, name: str) -> keras.KerasTensor:
    gates = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    gates = keras.layers.Conv2D(squeezed, 1, activation="relu", name=f"{name}_squeeze")(gates)
    gates = keras.layers.Conv2D(x.shape[-1], 1, activation="sigmoid", name=f"{name}_excite")(gates)
    return keras.layers.Multiply(name=f"{name}_scale")([x, gates])
