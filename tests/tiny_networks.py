"""Networks of each build, as small as they come."""

import dataclasses

from crnn.config import ModelConfig

SQUARE = ModelConfig(channels=(4, 6, 8), pools=((1, 2), (2, 2), (2, 2)), gru_units=5, embedding_size=7)
TIMBRAL = ModelConfig(
    front_end="timbral",
    gru_units=5,
    embedding_size=7,
    n_used_mels=13,
    vertical_spans=(4, 9),
    vertical_filters=6,
    horizontal_spans=(5, 4, 3),
    horizontal_filters=3,
    middle_filters=4,
)
BOTH = dataclasses.replace(
    TIMBRAL,
    front_end="timbral+stack",
    embedding_size=21,
    stack_bands=6,
    stack_channels=(4, 6),
    stack_pools=(2, 3),
    stack_ranks=(0, 2),
    stack_gru_units=3,
)
