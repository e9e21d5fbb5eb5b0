"""Training of the CRNN: a moving average of the weights, honest epochs.

All chance comes from the seed, the epoch and the track, so a run gives the same
model again, and one that was interrupted goes on as if it had not been. The loop
knows nothing of screens: it calls `on_event` with plain facts, asks `should_stop`
before every step, and writes a checkpoint after every epoch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from crnn.config import FeatureConfig
from crnn.data.labelled import LabelledTracks, TrainingData, plain_segments
from crnn.errors import TooFewTracksError, TrainingDivergedError
from crnn.evaluation import metrics
from crnn.features import log_mel as features
from crnn.features.archive import to_db
from crnn.inference.listening import Answers
from crnn.jobs.order import CHECKPOINT_NAME, TrainingSettings
from crnn.networks.crnn import build_crnn, genre_model, learns_head_only, set_normalization
from crnn.networks.onnx_export import OnnxNetwork
from crnn.training.checkpoint import read_checkpoint, unusable, write_checkpoint
from crnn.training.crops import Crops

FloatArray = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Event = dict[str, Any]


@dataclass
class TrainResult:
    """What a run gave: the kept model and how it came about."""

    model: keras.Model
    history: list[Event]
    kept_epoch: int
    stopped: bool
    notes: list[str] = field(default_factory=list)
    _said: dict[str, Answers] = field(default_factory=dict)

    @cached_property
    def network(self) -> OnnxNetwork:
        """The kept model for ONNX Runtime: exported once for all that is asked of it, and for its bundle."""
        return OnnxNetwork(self.model)

    def answers_of(self, tracks: LabelledTracks, config: FeatureConfig) -> list[Answers]:
        """What the kept model says of the segments of each track; none is heard twice.

        Args:
            tracks: Told apart by their ids.
            config: What their features were computed with.
        """
        for track_id, log_mel in zip(tracks.track_ids, tracks.log_mels, strict=True):
            if track_id not in self._said:
                self._said[track_id] = self.network.run(plain_segments(log_mel, config))
        return [self._said[track_id] for track_id in tracks.track_ids]


def train(
    data: TrainingData,
    settings: TrainingSettings,
    *,
    initial: keras.Model | None = None,
    run_dir: Path | None = None,
    resume: bool = False,
    identity: str = "",
    on_event: Callable[[Event], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> TrainResult:
    """Train a CRNN.

    Kept are the averaged weights of the epoch with the lowest validation loss, however the run ends; where no
    tracks are watched, those of the last epoch that was finished.

    Args:
        data: Tracks to learn from, and tracks to watch (they may be none).
        settings: Features, network, augmentation and schedule.
        initial: A network to start from (with a logit for each genre).
        run_dir: Where the checkpoint lies; None writes none.
        resume: Go on from the checkpoint in `run_dir`, if there is one.
        identity: What a checkpoint must be of; see `crnn.training.checkpoint`.
        on_event: Called with a dict after every step and epoch.
        should_stop: Asked before every step.

    Returns:
        The kept model (averaged weights) and the history.

    Raises:
        TooFewTracksError: A genre has no track to learn from.
        TrainingDivergedError: The loss became NaN or infinite.
    """
    counts = np.bincount(data.tracks.labels, minlength=len(data.genres))
    if (counts == 0).any():
        raise TooFewTracksError("Every genre needs at least one track to learn from. Add tracks, or leave it out.")
    keras.utils.set_random_seed(settings.train.seed)
    model = initial
    if model is None:
        mean, variance = band_statistics(data.tracks.log_mels, settings.features)
        untrained = build_crnn(settings.model, settings.features.n_mels, len(data.genres))
        model = set_normalization(untrained, mean, variance)
    run = _Run(model, data, settings, identity)
    checkpoint = run_dir / CHECKPOINT_NAME if run_dir is not None else None
    if resume and checkpoint is not None and checkpoint.is_file():
        run.restore(checkpoint)
    return run.go(checkpoint, on_event, should_stop)


def band_statistics(log_mels: tuple[Bytes, ...], config: FeatureConfig) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of each band in dB over plain segments, both `(n_mels,)`.

    Args:
        log_mels: Archive cells of the tracks, each `(n_frames, n_mels)`.
        config: What they were computed with.

    Returns:
        float32; the variance is at least 1 dB².
    """
    totals = np.zeros((2, config.n_mels))
    n_frames = 0
    for log_mel in log_mels:
        decibels = to_db(log_mel, config)
        for start in range(0, max(1, len(decibels) - config.n_frames + 1), config.n_frames):
            segment = features.input_from_db(decibels[start : start + config.n_frames], config)
            totals += np.stack([segment.sum(axis=0), (segment.astype(np.float64) ** 2).sum(axis=0)])
            n_frames += len(segment)
    mean, square = totals / n_frames
    return mean.astype(np.float32), np.maximum(square - mean**2, 1.0).astype(np.float32)


def predict_logits(model: keras.Model, log_mels: tuple[Bytes, ...], config: FeatureConfig) -> list[FloatArray]:
    """Logits per track, each `(n_segments, n_outputs)`, under the weights of this moment.

    Args:
        model: A CRNN.
        log_mels: Archive cells of the tracks, each `(n_frames, n_mels)`.
        config: What they were computed with.
    """
    network = OnnxNetwork(model)
    return [network.run(plain_segments(log_mel, config)).logits for log_mel in log_mels]


class _Run:
    """The state of one training, and how it is saved and taken up again."""

    def __init__(self, model: keras.Model, data: TrainingData, settings: TrainingSettings, identity: str = "") -> None:
        self.identity = identity
        # The part that learns gives logits only. It shares its weights with the whole, which may give tags too.
        self.whole, self.model = model, genre_model(model)
        self.valid = data.valid
        self.n_genres, self.settings, self.config = len(data.genres), settings, settings.train
        self.crops = Crops(data.tracks, self.n_genres, settings)
        self.steps_per_epoch = self.crops.n_batches
        self.averages = self.model.get_weights()
        self.best: list[npt.NDArray[Any]] = []
        self.best_epoch, self.best_loss = 0, math.inf
        self.epoch, self.step = 0, 0
        self.history: list[Event] = []
        # `should_stop` waits while the run is paused.
        self.paused_seconds = 0.0
        self._compile(head_only=self.config.freeze_epochs > 0)

    def go(
        self, checkpoint: Path | None, on_event: Callable[[Event], None], should_stop: Callable[[], bool]
    ) -> TrainResult:
        stopped, notes = False, []
        while self.epoch < self.config.epochs and not self._has_stalled():
            started, self.paused_seconds = time.monotonic(), 0.0
            try:
                loss = self._train_epoch(on_event, should_stop)
            except TrainingDivergedError as err:
                if not self.history:
                    raise
                notes.append(f"{err} What it had learnt before was kept.")
                loss = None
            if loss is None:
                stopped = True
                break
            self.epoch += 1
            facts = {"event": "epoch", "epoch": self.epoch, "epochs": self.config.epochs, "loss": loss}
            facts |= self._validate()
            # A pause is no time that the epoch took.
            facts["seconds"] = time.monotonic() - started - self.paused_seconds
            self.history.append(facts)
            on_event(facts)
            if checkpoint is not None:
                try:
                    self.save(checkpoint)
                except OSError as err:
                    said = f"The checkpoint of epoch {self.epoch} could not be written: {err.strerror or err}."
                    notes.append(said)
                    on_event({"event": "note", "message": said})
        self.model.set_weights(self.best or self.averages)
        return TrainResult(self.whole, self.history, self.best_epoch, stopped, notes)

    def _compile(self, *, head_only: bool) -> None:
        learns_head_only(self.model, head_only=head_only)
        optimizer = keras.optimizers.AdamW(
            self.config.learning_rate, weight_decay=self.config.weight_decay, clipnorm=1.0
        )
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        self.model.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True), jit_compile=False)
        optimizer.build(self.model.trainable_variables)

    def _has_stalled(self) -> bool:
        waited = self.epoch - max(self.best_epoch, self.config.freeze_epochs)
        return 0 < self.config.patience <= waited

    def _learning_rate(self) -> float:
        done = self.step / self.steps_per_epoch
        if done < self.config.warmup_epochs:
            return self.config.learning_rate * (done + 1 / self.steps_per_epoch) / (self.config.warmup_epochs + 1e-9)
        share = (done - self.config.warmup_epochs) / max(1e-9, self.config.epochs - self.config.warmup_epochs)
        return self.config.learning_rate * max(0.01, 0.5 * (1 + math.cos(math.pi * min(1.0, share))))

    def _train_epoch(self, on_event: Callable[[Event], None], should_stop: Callable[[], bool]) -> float | None:
        """Mean loss of one epoch, or None if it was stopped."""
        if self.epoch == self.config.freeze_epochs > 0:
            self._compile(head_only=False)
        self.step = self.epoch * self.steps_per_epoch
        losses = []
        for segments, targets in self.crops.batches(self.epoch):
            asked = time.monotonic()
            is_over = should_stop()
            self.paused_seconds += time.monotonic() - asked
            if is_over:
                return None
            rate = min(self._learning_rate(), self.config.learning_rate)
            self.model.optimizer.learning_rate.assign(rate)
            self.model.reset_metrics()
            loss = float(np.asarray(self.model.train_on_batch(segments, targets)))
            if not math.isfinite(loss):
                raise TrainingDivergedError(
                    f"The loss became {loss} in epoch {self.epoch + 1}. Train with a lower learning rate."
                )
            self._average()
            self.step += 1
            losses.append(loss)
            on_event(
                {
                    "event": "step",
                    "epoch": self.epoch + 1,
                    "epochs": self.config.epochs,
                    "step": len(losses),
                    "steps": self.steps_per_epoch,
                    "loss": loss,
                    "learning_rate": rate,
                }
            )
        return float(np.mean(losses))

    def _average(self) -> None:
        # A young average must not remember the random start.
        decay = min(self.config.average_decay, (1 + self.step) / (10 + self.step))
        for average, weight in zip(self.averages, self.model.get_weights(), strict=True):
            np.add(average, (1 - decay) * (weight - average), out=average)

    def _validate(self) -> Event:
        if not len(self.valid):
            self._keep(math.inf)
            return {}
        if self.epoch % self.config.evaluate_every and self.epoch != self.config.epochs:
            return {}
        current = self.model.get_weights()
        self.model.set_weights(self.averages)
        posteriors = metrics.track_posteriors(predict_logits(self.model, self.valid.log_mels, self.settings.features))
        self.model.set_weights(current)
        of_true = posteriors[np.arange(len(self.valid)), self.valid.labels]
        loss = float(-np.log(np.maximum(of_true, 1e-9)).mean())
        top = posteriors.argmax(axis=1)
        if loss < self.best_loss:
            self._keep(loss)
        confusion = np.zeros((self.n_genres, self.n_genres), dtype=np.int64)
        np.add.at(confusion, (self.valid.labels, top), 1)
        accuracy = float((top == self.valid.labels).mean())
        return {"valid_loss": loss, "valid_accuracy": accuracy, "confusion": confusion.tolist()}

    def _keep(self, loss: float) -> None:
        self.best, self.best_loss, self.best_epoch = [a.copy() for a in self.averages], loss, self.epoch

    def save(self, path: Path) -> None:
        """Write the whole state, in one step."""
        facts = {
            "identity": self.identity,
            "epoch": self.epoch,
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss if math.isfinite(self.best_loss) else None,
            "history": self.history,
        }
        write_checkpoint(path, facts, self._state())

    def _state(self) -> dict[str, list[Any]]:
        return {
            "weights": self.model.get_weights(),
            "averages": self.averages,
            "best": self.best,
            "optimizer": [variable.numpy() for variable in self.model.optimizer.variables],
            "seeds": [variable.numpy() for variable in self._seed_states()],
        }

    def _seed_states(self) -> list[Any]:
        # Dropout's generators: neither weights nor the optimiser's, but part of the run.
        known = {id(variable) for variable in self.model.weights}
        return [v for v in self.model.non_trainable_variables if id(v) not in known]

    def restore(self, path: Path) -> None:
        """Take up the state that `save` wrote.

        Raises:
            CrnnError: The checkpoint is damaged, or of another network or run.
        """
        names = ("weights", "averages", "best", "optimizer", "seeds")
        facts, groups = read_checkpoint(path, names, self.identity)
        try:
            self.epoch = int(facts["epoch"])
            # As in the epoch that was saved: layers that are freed later have no state of the optimiser yet.
            self._compile(head_only=self.epoch <= self.config.freeze_epochs)
            self.model.set_weights(groups["weights"])
            self._assign(self.model.optimizer.variables, groups["optimizer"])
            self._assign(self._seed_states(), groups["seeds"])
        except (ValueError, KeyError) as err:
            raise unusable(path, "it is of another network") from err
        self.averages, self.best = groups["averages"], groups["best"]
        self.best_epoch, self.history = int(facts["best_epoch"]), list(facts["history"])
        self.best_loss = math.inf if facts["best_loss"] is None else float(facts["best_loss"])

    @staticmethod
    def _assign(variables: list[Any], values: list[Any]) -> None:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
