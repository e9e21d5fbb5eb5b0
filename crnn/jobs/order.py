"""What is to be trained: settings, presets and orders, as plain facts.

Pages write an order, the process that trains reads it; so nothing here may import
the training framework, and all of it travels as JSON.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from crnn.bundles.bundle import Bundle
from crnn.config import AugmentConfig, FeatureConfig, ModelConfig, TrainConfig

CHECKPOINT_NAME = "checkpoint.npz"
INSTANT = "instant"
# The networks that can be trained from scratch, under the words of page and presets.
SIZES = {
    "small": ModelConfig(channels=(16, 32, 48, 64), gru_units=32, embedding_size=64),
    "middle": ModelConfig(channels=(24, 48, 64, 96), gru_units=48),
    "large": ModelConfig(),
}


@dataclass(frozen=True)
class Preset:
    """A way to train: what it is for, as page and command line say it, the size of its network, and its schedule."""

    words: str
    size: str
    train: TrainConfig


_QUICK = TrainConfig(epochs=20, learning_rate=2e-3, average_decay=0.98)
# A fitted head uses neither network nor schedule.
PRESETS = {
    INSTANT: Preset(
        "a head for your genres on a model's hearing, in seconds: as good as any training where clips are few",
        "small",
        _QUICK,
    ),
    "quick": Preset("few epochs, to see whether the data hold what you hope", "small", _QUICK),
    "standard": Preset("a good model from some hundred tracks", "middle", TrainConfig(epochs=60)),
    "best": Preset("the most epochs, for an evening", "large", TrainConfig(epochs=120)),
}
Method = Literal["head", "network"]
# Small steps: a trained body forgets what it knows if it learns fast.
_TRANSFER_RATE_SHARE = 0.1
# A step that trains the body takes this many times as long as one of the head alone.
FINE_TUNED_COST = 5
_FINE_TUNED_SHARE = 10


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that decides the outcome of a run, beside the data."""

    features: FeatureConfig = field(default_factory=FeatureConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {name: getattr(self, name).to_dict() for name in ("features", "model", "augment", "train")}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainingSettings:
        """Settings from `to_dict`'s output.

        Raises:
            KeyError, ValueError: A part or a field is missing, unknown or out of range.
        """
        return cls(
            FeatureConfig.from_dict(values["features"]),
            ModelConfig.from_dict(values["model"]),
            AugmentConfig.from_dict(values["augment"]),
            TrainConfig.from_dict(values["train"]),
        )


def preset(name: str, *, is_transfer: bool = False) -> TrainingSettings:
    """Settings of one of `PRESETS`.

    Args:
        name: Which.
        is_transfer: For a start from a trained model: smaller steps, the body frozen at first.

    Raises:
        KeyError: There is no preset of that name.
    """
    found = TrainingSettings(model=SIZES[PRESETS[name].size], train=PRESETS[name].train)
    if not is_transfer:
        return found
    slower = dataclasses.replace(found.train, learning_rate=found.train.learning_rate * _TRANSFER_RATE_SHARE)
    return with_frozen_body(dataclasses.replace(found, train=slower))


def with_frozen_body(settings: TrainingSettings) -> TrainingSettings:
    """`settings`, the body frozen for all but the last of their epochs; steps stay as large as they are chosen."""
    train = settings.train
    frozen = train.epochs - max(1, train.epochs // _FINE_TUNED_SHARE)
    return dataclasses.replace(settings, train=dataclasses.replace(train, freeze_epochs=frozen))


def settings_from(bundle: Bundle, settings: TrainingSettings) -> TrainingSettings:
    """`settings`, with the features and the network of the model that training starts from.

    Args:
        bundle: What training starts from.
        settings: Whose augmentation and schedule are kept.
    """
    sizes = {key: value for key, value in bundle.model.items() if key != "n_parameters"}
    return dataclasses.replace(settings, features=bundle.feature_config, model=ModelConfig.from_dict(sizes))


@dataclass(frozen=True)
class TrainingOrder:
    """What to train on, from what, and where to put it.

    datasets: as `crnn.data.scan.scan` takes them; several are joined.
    init: name or folder of the model to start from; None for scratch.
    split: `column`, `fault-filtered`, `artist`, `random`, or None for the best the data allow.
    method: `network` trains it; `head` only fits a layer of logits to the embedding of `init`, in seconds.
    folds: judge the recipe by so many folds and keep a model that learnt all tracks; 0 for one split.
    genres: new names of genres; two of one name are merged, one named None is left out.
    run_dir: where the checkpoint lies; None is a folder beside `out`.
    """

    datasets: tuple[str, ...]
    out: Path
    settings: TrainingSettings
    init: str | None = None
    split: str | None = None
    folds: int = 0
    method: Method = "network"
    genres: dict[str, str | None] = field(default_factory=dict)
    resume: bool = False
    replace: bool = False
    n_jobs: int = 1
    notes: str = ""
    run_dir: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        run_dir = None if self.run_dir is None else str(self.run_dir)
        return values | {"out": str(self.out), "settings": self.settings.to_dict(), "run_dir": run_dir}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainingOrder:
        """An order from `to_dict`'s output.

        Raises:
            KeyError, TypeError, ValueError: A field is missing, unknown or out of range.
        """
        changed = {
            "datasets": tuple(values["datasets"]),
            "out": Path(values["out"]),
            "settings": TrainingSettings.from_dict(values["settings"]),
            "run_dir": None if values["run_dir"] is None else Path(values["run_dir"]),
        }
        return cls(**(values | changed))
