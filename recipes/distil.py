"""A student learns what two teachers hear, from windows of audio and of the archive.

Its timbral half starts from MSD_musicnn's own kernels (`crnn.teachers.transplant`). On audio
it is held to that teacher's features per frame, penultimate layer and tags; on the archive,
whose sound is not here, to the published tags alone. Its stack starts from the CRNN of Choi et al.
and learns what that hears in six seconds: its convolutions, its recurrent states, its tags.
Both hear bad sound as well, and are held to what the teachers heard in the good.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from crnn import augment, features
from crnn.archive import to_db
from crnn.config import FeatureConfig, ModelConfig
from crnn.model import DB_PER_NEPER, EMBEDDING, FRAMES, STACK_STEPS, build_crnn, set_normalization
from crnn.teachers import choi, musicnn, transplant
from recipes.targets import N_BAD, N_GOOD, PIECE_SECONDS, Targets, Teachers

FloatArray = npt.NDArray[np.float32]
Batch = tuple[FloatArray, ...]
OnStep = Callable[[int, FloatArray], None]

N_TAGS = 50
_FROM_AUDIO, _FROM_ARCHIVE = 46, 18
_STACK_BATCH = 32
_LEAST_RATE = 0.02
_BATCHES_AHEAD = 3
_MOMENTUM = 0.97
# Of the offsets tried (−6, 0, +3, +6 dB) those above zero let the untrained student follow the teacher best.
_OFFSET_DB = 3.0
# A few outliers would rule a plain square.
_MOST_SQUARE = 9.0


@dataclass(frozen=True)
class Source:
    """Music with targets, and its share of what is heard."""

    targets: Targets
    share: float


@dataclass(frozen=True)
class TaggedWindows:
    """Windows of the archive, `(n, n_frames, n_mels)` uint8, with published tags and the whole's, `(n, 50)`."""

    log_mel: npt.NDArray[np.uint8]
    tag_posterior: FloatArray
    whole_posterior: FloatArray


@dataclass(frozen=True)
class Leg:
    """A stretch of distillation: `steps` of a cosine schedule that would take `of_steps`.

    whole_weight: timbral half: weight of the second teacher's tags in the loss.
    bad_share: share of the windows that are heard through bad sound.
    seed: of the windows drawn; another leg of the same seed would hear the same ones again.
    """

    steps: int
    of_steps: int
    learning_rate: float = 1e-3
    whole_weight: float = 0.0
    bad_share: float = 0.0
    warmup_steps: int = 50
    seed: int = 1

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        cosine = 0.5 * (1 + math.cos(math.pi * step / self.of_steps))
        return self.learning_rate * min(1.0, (step + 1) / self.warmup_steps) * max(_LEAST_RATE, cosine)


def new_student(
    teachers: Teachers, config: FeatureConfig, model_config: ModelConfig, *, with_kernels: bool = True
) -> keras.Model:
    """A CRNN of two front ends, each with its teacher's kernels; or the timbral one without (`with_kernels`)."""
    student = build_crnn(model_config, config.n_mels, N_TAGS)
    if with_kernels:
        transplant.transplant(student, teachers.windows, config)
    transplant.transplant_stack(student, teachers.whole, config)
    offset = transplant.band_offset_db() + _OFFSET_DB
    variance = np.full(config.n_mels, DB_PER_NEPER**2)
    return set_normalization(student, np.full(config.n_mels, offset), variance)


class TimbralDistillation:
    """Trains the timbral half of a student; the tag head on its embedding starts from the teacher's."""

    def __init__(
        self,
        student: keras.Model,
        teacher: keras.Model,
        audio: Sequence[Source],
        archive: TaggedWindows,
        config: FeatureConfig,
    ) -> None:
        self.audio, self.archive, self.config = audio, archive, config
        norm = keras.layers.BatchNormalization(name="tag_norm", epsilon=1e-3)
        tags = keras.layers.Dense(N_TAGS, name="tags")
        whole_tags = keras.layers.Dense(N_TAGS, name="whole_tags")
        penultimate = norm(student.get_layer(f"timbral_{EMBEDDING}").output)
        outputs = [student.get_layer(FRAMES).output, penultimate, tags(penultimate), whole_tags(penultimate)]
        self.network = keras.Model(student.inputs, outputs)
        norm.set_weights(teacher.get_layer("batch_normalization_10").get_weights())
        tags.set_weights(teacher.get_layer("dense_1").get_weights())
        # Tags are rare: a head that starts from how rare need not learn that first.
        rate = np.clip(_joined(audio, "whole_posterior").mean(axis=0), 1e-3, 1 - 1e-3)
        whole_tags.set_weights([0.1 * whole_tags.get_weights()[0], np.log(rate / (1 - rate))])
        # Below the filters a gradient would cost more than all the rest.
        student.get_layer("input_norm").trainable = False
        _set_momentum(self.network)
        names = ("frame_mean", "frame_deviation", "penultimate")
        self._scales = [_joined(audio, name).std(axis=0) + 0.05 for name in names]

    def run(self, leg: Leg, on_step: OnStep = lambda step, losses: None) -> None:
        """Train for one leg; `on_step` gets the six parts of the loss."""

        def losses(outputs: list[Any], targets: tuple[Any, ...]) -> tuple[Any, list[Any]]:
            parts = self._losses(outputs, targets)
            weights = (1.0, 0.5, 1.0, 1.0, 1.0, leg.whole_weight)
            return sum(weight * part for weight, part in zip(weights, parts, strict=True)), parts

        # XLA makes a step of these wide products a third faster, and one of the stack slower.
        _learn(self.network, leg, lambda step: self._batch(step, leg), losses, on_step, jit_compile=True)

    def _losses(self, outputs: list[Any], targets: tuple[Any, ...]) -> list[Any]:
        frames, penultimate, tags, whole_tags = outputs
        frame_mean, frame_deviation, taught, audio_tags, archive_tags, whole = targets
        heard = frames[:_FROM_AUDIO]
        mean = tf.reduce_mean(heard, 1)
        deviation = tf.sqrt(tf.math.reduce_variance(heard, 1) + 1e-4)
        return [
            _square_error(mean, frame_mean, self._scales[0]),
            _square_error(deviation, frame_deviation, self._scales[1]),
            _square_error(penultimate[:_FROM_AUDIO], taught, self._scales[2]),
            _divergence(audio_tags, tags[:_FROM_AUDIO]),
            _divergence(archive_tags, tags[_FROM_AUDIO:]),
            _divergence(whole, whole_tags),
        ]

    def _batch(self, step: int, leg: Leg) -> Batch:
        rng = np.random.default_rng([leg.seed, step])
        windows, taught, wholes = [], [], []
        for source in _drawn(self.audio, _FROM_AUDIO, rng):
            window = rng.integers(len(source.piece))
            piece, start = source.piece[window], source.start[window]
            kind, is_bad = _kind_of_sound(leg, rng)
            heard = source.log_mel[piece, kind]
            windows.append(_window(heard[start : start + self.config.n_frames], self.config, rng, vary=not is_bad))
            names = ("frame_mean", "frame_deviation", "penultimate", "tag_posterior")
            taught.append([getattr(source, name)[window] for name in names])
            wholes.append(source.whole_posterior[piece])
        from_archive = rng.integers(0, len(self.archive.log_mel), _FROM_ARCHIVE)
        for window in self.archive.log_mel[from_archive]:
            decibels = to_db(window)
            if rng.random() < 0.5 * leg.bad_share:
                decibels = augment.limit_band(decibels - decibels.max(), self.config, rng)
            windows.append(varied(decibels, self.config, rng))
        return (
            np.stack(windows),
            *(np.stack(values) for values in zip(*taught, strict=True)),
            self.archive.tag_posterior[from_archive],
            np.concatenate([np.stack(wholes), self.archive.whole_posterior[from_archive]]),
        )


class StackDistillation:
    """Trains the stack of a student to hear in six seconds what its teacher hears in three of its steps.

    The stack starts from the teacher's kernels; the tags are read by the teacher's own last layer.
    """

    N_STEPS = 3

    def __init__(
        self,
        student: keras.Model,
        teacher: keras.Model,
        audio: Sequence[Source],
        config: FeatureConfig,
    ) -> None:
        self.config = config
        tags = keras.layers.Dense(N_TAGS, name="stack_tags")
        states, last = student.get_layer("stack_gru1_mean").output, student.get_layer("stack_gru2").output
        chunk = keras.layers.Concatenate()([states, last, tags(last)])
        self.network = keras.Model(student.inputs, [chunk, student.get_layer(STACK_STEPS).output])
        tags.set_weights(teacher.get_layer("output").get_weights())
        _set_momentum(self.network)
        # The first block is the largest picture, and fits as it is: without a gradient there a step takes half as long.
        for name in ("stack_bands", "stack_conv1", "stack_batch_norm1"):
            student.get_layer(name).trainable = False
        self._sizes = [states.shape[-1], last.shape[-1], N_TAGS]
        # The first and last step hear the padding.
        self._firsts = np.arange(1, choi.N_STEPS - self.N_STEPS)
        middle_seconds = (PIECE_SECONDS - choi.N_FRAMES * choi.HOP_LENGTH / choi.SAMPLE_RATE) / 2
        # A segment is 0.14 s shorter than three steps.
        seconds = middle_seconds + choi.step_seconds(self._firsts) + 0.07
        self._starts = np.round(seconds * config.frame_rate_hz).astype(np.int64)
        of_chunk = choi.chunk_features(teacher, self.N_STEPS)
        self.audio = [(source, self._chunks(of_chunk, source.targets.steps)) for source in audio]
        of_chunks = np.concatenate([chunks.reshape(-1, sum(self._sizes)) for _, chunks in self.audio])
        self._chunk_scale = of_chunks.std(axis=0) + 0.02
        self._step_scale = _joined(audio, "steps")[:, 1:-1].reshape(-1, choi.STEP_SIZE).std(axis=0) + 0.05

    def _chunks(self, chunk: keras.Model, steps: FloatArray) -> FloatArray:
        cut = np.stack([steps[:, first : first + self.N_STEPS] for first in self._firsts], axis=1)
        answers = chunk.predict(cut.reshape(-1, self.N_STEPS, choi.STEP_SIZE), batch_size=512, verbose=0)
        return np.asarray(answers, np.float32).reshape(len(steps), len(self._firsts), -1)

    def run(self, leg: Leg, on_step: OnStep = lambda step, losses: None) -> None:
        """Train for one leg; `on_step` gets the two parts of the loss: chunks and steps."""
        _learn(self.network, leg, lambda step: self._batch(step, leg), self._losses, on_step)

    def _losses(self, outputs: list[Any], targets: tuple[Any, ...]) -> tuple[Any, list[Any]]:
        chunk, steps = outputs
        # The last state is what the teacher's tags are read from.
        weights = np.repeat([1.0, 1.5, 1.0], self._sizes) / np.repeat(self._sizes, self._sizes) / 3.5
        square = tf.minimum(tf.square((chunk - targets[0]) / self._chunk_scale), _MOST_SQUARE)
        of_chunk = tf.reduce_mean(tf.reduce_sum(square * weights.astype(np.float32), -1))
        of_steps = _square_error(steps, targets[1], self._step_scale)
        return of_chunk + of_steps, [of_chunk, of_steps]

    def _batch(self, step: int, leg: Leg) -> Batch:
        rng = np.random.default_rng([leg.seed, step])
        segments, of_chunks, of_steps = [], [], []
        shares = np.array([source.share for source, _ in self.audio])
        for index in rng.choice(len(self.audio), _STACK_BATCH, p=shares / shares.sum()):
            source, chunks = self.audio[index]
            targets = source.targets
            piece, place = rng.integers(len(targets.log_mel)), rng.integers(len(self._firsts))
            kind, is_bad = _kind_of_sound(leg, rng)
            start = self._starts[place] + rng.integers(-3, 4)
            heard = targets.log_mel[piece, kind, start : start + self.config.n_frames]
            vary = not is_bad or bool(rng.random() < 0.3)
            segments.append(_window(heard, self.config, rng, vary=vary))
            first = self._firsts[place]
            of_chunks.append(chunks[piece, place])
            of_steps.append(targets.steps[piece, first : first + self.N_STEPS])
        return np.stack(segments), np.stack(of_chunks), np.stack(of_steps)


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


def _window(
    log_mel: npt.NDArray[np.uint8], config: FeatureConfig, rng: np.random.Generator, *, vary: bool
) -> FloatArray:
    """A window in dB; one that ends with the piece is filled up with its last frame."""
    missing = config.n_frames - len(log_mel)
    decibels = to_db(np.pad(log_mel, ((0, missing), (0, 0)), mode="edge") if missing > 0 else log_mel)
    return varied(decibels, config, rng) if vary else features.rereference(decibels, config)


def _kind_of_sound(leg: Leg, rng: np.random.Generator) -> tuple[int, bool]:
    """Which of a piece's log-mels is heard, and whether it is bad sound."""
    is_bad = bool(rng.random() < leg.bad_share)
    return int(N_GOOD + rng.integers(N_BAD) if is_bad else rng.integers(N_GOOD)), is_bad


def _drawn(sources: Sequence[Source], n: int, rng: np.random.Generator) -> Iterator[Targets]:
    shares = np.array([source.share for source in sources])
    for index in rng.choice(len(sources), n, p=shares / shares.sum()):
        yield sources[index].targets


def _joined(sources: Sequence[Source], name: str) -> FloatArray:
    return np.concatenate([getattr(source.targets, name) for source in sources])


def _set_momentum(network: keras.Model) -> None:
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = _MOMENTUM


def _learn(
    network: keras.Model,
    leg: Leg,
    make_batch: Callable[[int], Batch],
    losses: Callable[[list[Any], tuple[Any, ...]], tuple[Any, list[Any]]],
    on_step: OnStep,
    *,
    jit_compile: bool = False,
) -> None:
    optimizer = keras.optimizers.AdamW(leg.learning_rate, weight_decay=1e-5, clipnorm=1.0)
    variables = network.trainable_variables

    @tf.function(reduce_retracing=True, jit_compile=jit_compile)
    def learn(segments: Any, *targets: Any) -> Any:
        with tf.GradientTape() as tape:
            loss, parts = losses(network(segments, training=True), targets)
        optimizer.apply(tape.gradient(loss, variables), variables)
        return tf.stack(parts)

    for step, batch in enumerate(_ahead(make_batch, leg.steps)):
        optimizer.learning_rate.assign(leg.rate(step))
        on_step(step, learn(*(tf.constant(array, tf.float32) for array in batch)).numpy())


def _ahead(make_batch: Callable[[int], Batch], n_batches: int) -> Iterator[Batch]:
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(make_batch, step) for step in range(min(_BATCHES_AHEAD, n_batches))]
        for step in range(n_batches):
            if step + _BATCHES_AHEAD < n_batches:
                waiting.append(pool.submit(make_batch, step + _BATCHES_AHEAD))
            yield waiting.pop(0).result()


def _square_error(found: Any, taught: Any, scale: Any) -> Any:
    return tf.reduce_mean(tf.minimum(tf.square((found - taught) / scale), _MOST_SQUARE))


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
