"""A student learns what two teachers hear, from windows of audio and of the archive.

It starts from the teacher's own kernels (`crnn.teachers.transplant`). On audio it is held
to the teacher's features per frame, penultimate layer and tags; on the archive, whose
sound is not here, to the published tags alone. Choi's CRNN, which hears half a minute at
once, gives the tags of the whole around each window.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from crnn import augment, features
from crnn.archive import to_db
from crnn.config import FeatureConfig, ModelConfig
from crnn.model import DB_PER_NEPER, EMBEDDING, FRAMES, build_crnn, set_normalization
from crnn.teachers import musicnn, transplant
from recipes.targets import Targets

FloatArray = npt.NDArray[np.float32]

N_TAGS = 50
_FROM_AUDIO, _FROM_ARCHIVE = 40, 24
_WARMUP_STEPS = 50
_LEAST_RATE = 0.02
_BATCHES_AHEAD = 3
# Of the offsets tried (−6, 0, +3, +6 dB) those above zero let the untrained student follow the teacher best.
_OFFSET_DB = 3.0


@dataclass(frozen=True)
class TaggedWindows:
    """Windows of the archive, `(n, n_frames, n_mels)` uint8, with published tags and the whole's, `(n, 50)`."""

    log_mel: npt.NDArray[np.uint8]
    tag_posterior: FloatArray
    whole_posterior: FloatArray


@dataclass(frozen=True)
class Leg:
    """A stretch of distillation: `steps` of a cosine schedule that would take `of_steps`.

    whole_weight: weight of the second teacher's tags in the loss.
    """

    steps: int
    of_steps: int
    learning_rate: float = 1e-3
    whole_weight: float = 0.0


def new_student(teacher: keras.Model, config: FeatureConfig, model_config: ModelConfig) -> keras.Model:
    """A CRNN with the teacher's kernels."""
    student = build_crnn(model_config, config.n_mels, N_TAGS)
    transplant.transplant(student, teacher, config)
    offset = transplant.band_offset_db() + _OFFSET_DB
    variance = np.full(config.n_mels, DB_PER_NEPER**2)
    return set_normalization(student, np.full(config.n_mels, offset), variance)


class Distillation:
    """Trains a student; the tag head on its embedding starts from the teacher's."""

    def __init__(
        self,
        student: keras.Model,
        teacher: keras.Model,
        audio: Targets,
        archive: TaggedWindows,
        config: FeatureConfig,
        *,
        seed: int = 1,
    ) -> None:
        self.student, self.audio, self.archive, self.config, self.seed = student, audio, archive, config, seed
        norm = keras.layers.BatchNormalization(name="tag_norm", epsilon=1e-3)
        tags = keras.layers.Dense(N_TAGS, name="tags")
        whole_tags = keras.layers.Dense(N_TAGS, name="whole_tags")
        penultimate = norm(student.get_layer(EMBEDDING).output)
        outputs = [student.get_layer(FRAMES).output, penultimate, tags(penultimate), whole_tags(penultimate)]
        self.network = keras.Model(student.inputs, outputs)
        norm.set_weights(teacher.get_layer("batch_normalization_10").get_weights())
        tags.set_weights(teacher.get_layer("dense_1").get_weights())
        # Tags are rare: a head that starts from how rare need not learn that first.
        rate = np.clip(audio.whole_posterior.mean(axis=0), 1e-3, 1 - 1e-3)
        whole_tags.set_weights([0.1 * whole_tags.get_weights()[0], np.log(rate / (1 - rate))])
        # Below the filters a gradient would cost more than all the rest.
        student.get_layer("input_norm").trainable = False
        for layer in self.network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = 0.97
        self._scales = [
            np.std(values, axis=0) + 0.05 for values in (audio.frame_mean, audio.frame_deviation, audio.penultimate)
        ]

    def run(self, leg: Leg, on_step: Callable[[int, FloatArray], None] = lambda step, losses: None) -> None:
        """Train for one leg; `on_step` gets the six parts of the loss."""
        optimizer = keras.optimizers.AdamW(leg.learning_rate, weight_decay=1e-5, clipnorm=1.0)
        variables = self.network.trainable_variables

        @tf.function(reduce_retracing=True)
        def learn(segments: Any, *targets: Any) -> Any:
            with tf.GradientTape() as tape:
                parts = self._losses(self.network(segments, training=True), targets)
                total = parts[0] + 0.5 * parts[1] + 0.5 * parts[2] + parts[3] + parts[4]
                total += leg.whole_weight * parts[5]
            optimizer.apply(tape.gradient(total, variables), variables)
            return tf.stack(parts)

        for step, batch in enumerate(self._batches(leg.steps)):
            warm = min(1.0, (step + 1) / _WARMUP_STEPS)
            cosine = 0.5 * (1 + math.cos(math.pi * step / leg.of_steps))
            optimizer.learning_rate.assign(leg.learning_rate * warm * max(_LEAST_RATE, cosine))
            on_step(step, learn(*(tf.constant(array, tf.float32) for array in batch)).numpy())

    def save(self, path: Path) -> None:
        """Write the student, whole or not at all."""
        draft = path.with_name(f".{path.stem}.draft.keras")
        keras.Model(self.student.inputs, self.student.outputs, name="crnn").save(draft)
        draft.replace(path)

    def _losses(self, outputs: list[Any], targets: tuple[Any, ...]) -> list[Any]:
        frames, penultimate, tags, whole_tags = outputs
        frame_mean, frame_deviation, taught, audio_tags, archive_tags, whole = targets
        heard = frames[:_FROM_AUDIO]
        mean = tf.reduce_mean(heard, 1)
        deviation = tf.sqrt(tf.math.reduce_variance(heard, 1) + 1e-4)
        return [
            tf.reduce_mean(tf.minimum(tf.square((mean - frame_mean) / self._scales[0]), 9.0)),
            tf.reduce_mean(tf.minimum(tf.square((deviation - frame_deviation) / self._scales[1]), 9.0)),
            tf.reduce_mean(tf.square((penultimate[:_FROM_AUDIO] - taught) / self._scales[2])),
            _divergence(audio_tags, tags[:_FROM_AUDIO]),
            _divergence(archive_tags, tags[_FROM_AUDIO:]),
            _divergence(whole, whole_tags),
        ]

    def _batches(self, n_batches: int) -> Iterator[tuple[FloatArray, ...]]:
        with ThreadPoolExecutor(1) as pool:
            waiting = [pool.submit(self._batch, step) for step in range(min(_BATCHES_AHEAD, n_batches))]
            for step in range(n_batches):
                if step + _BATCHES_AHEAD < n_batches:
                    waiting.append(pool.submit(self._batch, step + _BATCHES_AHEAD))
                yield waiting.pop(0).result()

    def _batch(self, step: int) -> tuple[FloatArray, ...]:
        rng = np.random.default_rng([self.seed, step])
        from_audio = rng.integers(0, len(self.audio), _FROM_AUDIO)
        from_archive = rng.integers(0, len(self.archive.log_mel), _FROM_ARCHIVE)
        windows = [*self.audio.log_mel[from_audio], *self.archive.log_mel[from_archive]]
        audio, archive = self.audio, self.archive
        whole = [audio.whole_posterior[from_audio], archive.whole_posterior[from_archive]]
        return (
            np.stack([varied(to_db(window), self.config, rng) for window in windows]),
            audio.frame_mean[from_audio],
            audio.frame_deviation[from_audio],
            audio.penultimate[from_audio],
            audio.tag_posterior[from_audio],
            archive.tag_posterior[from_archive],
            np.concatenate(whole),
        )


def varied(segment: FloatArray, config: FeatureConfig, rng: np.random.Generator) -> FloatArray:
    """A window as it is, or, every other time, through an equaliser, a small shift, noise, a raised floor."""
    segment = segment - segment.max()
    if rng.random() < 0.5:
        segment = augment.shift_pitch(segment, rng.uniform(-0.7, 0.7), config)
        segment = segment + augment.random_equaliser(4.0, config, rng)
        if rng.random() < 0.1:
            segment = augment.limit_band(segment, config, rng)
        if rng.random() < 0.15:
            segment = augment.add_noise(segment, rng)
        segment = augment.raise_floor(segment - segment.max(), 20.0, config, rng)
    return features.rereference(segment, config)


def _divergence(posterior: Any, logits: Any) -> Any:
    """Kullback–Leibler divergence of independent tags, summed over them."""
    cross = tf.nn.sigmoid_cross_entropy_with_logits(posterior, logits)
    own = tf.nn.sigmoid_cross_entropy_with_logits(
        posterior, tf.math.log(posterior + 1e-6) - tf.math.log(1 - posterior + 1e-6)
    )
    return tf.reduce_mean(tf.reduce_sum(cross - own, -1))


def archive_windows(
    log_mels: list[npt.NDArray[np.uint8]],
    column_seconds: FloatArray,
    taggrams: list[FloatArray],
    whole_posteriors: FloatArray,
    config: FeatureConfig,
) -> TaggedWindows:
    """Windows of archive tracks beside their published taggrams.

    Args:
        log_mels: Per track uint8 `(n_columns, n_mels)`.
        column_seconds: Time of each column, shape `(n_columns,)`.
        taggrams: Per track `(n_windows, 50)`, window k from 0.976 · k s.
        whole_posteriors: `(n_tracks, 50)`, the second teacher's.
        config: Length of a window.
    """
    hop_seconds = musicnn.TAGGRAM_HOP_FRAMES * musicnn.HOP_LENGTH / musicnn.SAMPLE_RATE
    windows, tags, wholes = [], [], []
    for log_mel, taggram, whole in zip(log_mels, taggrams, whole_posteriors, strict=True):
        for index, posterior in enumerate(taggram):
            start = min(int(np.searchsorted(column_seconds, index * hop_seconds)), len(log_mel) - config.n_frames)
            windows.append(log_mel[start : start + config.n_frames])
            tags.append(posterior)
            wholes.append(whole)
    return TaggedWindows(np.stack(windows), np.stack(tags).astype(np.float32), np.stack(wholes))
