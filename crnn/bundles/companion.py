"""A second network that hears the same sound through another front end, and has a say in the genre."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crnn.config import FeatureConfig

COMPANION_NAME = "companion.onnx"
_LONGEST_STRIDE = 4


@dataclass(frozen=True)
class Companion:
    """What `companion.onnx` takes, and what its answer counts.

    The logits of the two networks are averaged, this one's with `weight`, the first's with the rest: a weighted
    geometric mean of what each says. Embedding, tags and what rests on them are the first network's alone.

    stride: It hears one of so many of its segments, and the end; with two it costs half.
    """

    feature_config: FeatureConfig
    weight: float
    stride: int = 1


def companion_from_dict(values: dict[str, Any], build: Callable[[type[Any], dict[str, Any]], Any]) -> Companion:
    """What JSON says of a companion, checked.

    Args:
        values: From JSON.
        build: Makes a dataclass of a dict that has exactly its fields.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: A value is missing or cannot be.
    """
    companion: Companion = build(
        Companion, {**values, "feature_config": FeatureConfig.from_dict(values["feature_config"])}
    )
    if type(companion.weight) not in {int, float} or not 0 < companion.weight < 1:
        raise ValueError(f"a companion of weight {companion.weight!r}")
    if type(companion.stride) is not int or not 1 <= companion.stride <= _LONGEST_STRIDE:
        raise ValueError(f"a companion of stride {companion.stride!r}")
    return companion
