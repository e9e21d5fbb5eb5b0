"""The word for the size of a network that a preset trains."""

from __future__ import annotations

import dataclasses

from crnn.config import ModelConfig
from crnn.jobs.order import INSTANT, PRESETS, preset
from ui.train.options import _size_of


def test_each_preset_that_trains_a_network_has_a_size_for_it() -> None:
    sizes = {name: _size_of(preset(name).model) for name in PRESETS if name != INSTANT}
    assert sizes == {"quick": "small", "standard": "middle", "best": "large"}


def test_a_size_is_that_of_the_network_whoever_trains_it() -> None:
    """A preset of another name, with other settings of training, has the size of its network."""
    small = ModelConfig(channels=(16, 32, 48, 64), gru_units=32, embedding_size=64)
    overnight = dataclasses.replace(preset("best"), model=small)
    assert _size_of(overnight.model) == "small"
    assert _size_of(ModelConfig()) == "large"
