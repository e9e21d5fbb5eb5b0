"""Settings: checked when made, the same after a round trip through JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from crnn.config import AugmentConfig, FeatureConfig, ModelConfig, TrainConfig

Config = FeatureConfig | ModelConfig | AugmentConfig | TrainConfig
DEFAULTS: list[Config] = [FeatureConfig(), ModelConfig(), AugmentConfig(), TrainConfig()]
KIND = pytest.mark.parametrize("config", DEFAULTS, ids=lambda config: type(config).__name__)


@KIND
def test_round_trip_through_json(config: Config) -> None:
    again = type(config).from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert hash(again) == hash(config)


@KIND
def test_frozen(config: Config) -> None:
    name = dataclasses.fields(config)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, name, 1)


@KIND
def test_missing_and_unknown_fields_are_named(config: Config) -> None:
    values = config.to_dict()
    gone = next(iter(values))
    del values[gone]
    with pytest.raises(ValueError, match=rf"missing fields \['{gone}'\], unknown fields \['colour'\]"):
        type(config).from_dict({**values, "colour": 1})


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (FeatureConfig, "sample_rate", 7999),
        (FeatureConfig, "sample_rate", 96_001),
        (FeatureConfig, "n_fft", 32),
        (FeatureConfig, "hop_length", 0),
        (FeatureConfig, "hop_length", 2049),
        (FeatureConfig, "n_mels", 4),
        (FeatureConfig, "fmin", -1.0),
        (FeatureConfig, "fmin", 12_000.0),
        (FeatureConfig, "fmax", 11_026.0),
        (FeatureConfig, "segment_seconds", 0.5),
        (FeatureConfig, "segment_seconds", float("nan")),
        (FeatureConfig, "segment_hop_seconds", 0.0),
        (FeatureConfig, "segment_hop_seconds", 10.5),
        (FeatureConfig, "db_floor", 0.0),
        (ModelConfig, "channels", ()),
        (ModelConfig, "channels", (0, 1, 1, 1)),
        (ModelConfig, "pools", ((1, 2),)),
        (ModelConfig, "pools", ((1, 2), (2, 2), (2, 2), (2, 99))),
        (ModelConfig, "gru_units", 0),
        (ModelConfig, "dropout", 1.0),
        (AugmentConfig, "tempo", -0.1),
        (AugmentConfig, "noise_chance", 1.5),
        (TrainConfig, "epochs", 0),
        (TrainConfig, "batch_size", 0),
        (TrainConfig, "learning_rate", 0.0),
        (TrainConfig, "learning_rate", float("nan")),
        (TrainConfig, "seed", -1),
    ],
)
def test_values_out_of_range_are_refused(kind: Any, field: str, value: object) -> None:
    with pytest.raises(ValueError, match="chances" if "chance" in field else field):
        dataclasses.replace(kind(), **{field: value})


def test_derived_values() -> None:
    config = FeatureConfig(sample_rate=16_000, n_fft=512, hop_length=160, fmax=8000.0, segment_seconds=3.0)
    assert config.frame_rate_hz == 100.0
    assert config.n_frames == 300
    assert config.n_hop_frames == 250
    assert FeatureConfig(segment_hop_seconds=0.001).n_hop_frames == 1
