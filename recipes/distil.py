"""A student learns what two teachers hear, from windows of audio and of the archive.

Its timbral half starts from MSD_musicnn's own kernels (`recipes.teachers.transplant`). On audio
it is held to that teacher's features per frame, penultimate layer and tags; on the archive,
whose sound is not here, to the published tags alone. Its stack starts from the CRNN of Choi et al.
and learns what that hears in six seconds: its convolutions, its recurrent states, its tags.
Both hear bad sound as well, and are held to what the teachers heard in the good.
Runs on TensorFlow and on JAX alike.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from crnn.config import FeatureConfig, ModelConfig
from crnn.networks.crnn import DB_PER_NEPER, EMBEDDING, FRAMES, STACK_STEPS, build_crnn, set_normalization
from recipes.hearing import FROM_AUDIO, Batch, Leg, Source, StackBatches, TaggedWindows, TimbralBatches
from recipes.targets import Teachers
from recipes.teachers import choi, transplant

FloatArray = npt.NDArray[np.float32]
OnStep = Callable[[int, FloatArray], None]

N_TAGS = 50
_BATCHES_AHEAD = 6
_MOMENTUM = 0.97
# Of the offsets tried (−6, 0, +3, +6 dB) those above zero let the untrained student follow the teacher best.
_OFFSET_DB = 3.0
# A few outliers would rule a plain square.
_MOST_SQUARE = 9.0
_PARTS = ("frame_mean", "frame_deviation", "penultimate", "tags", "archive_tags", "whole_tags")


def new_student(
    teachers: Teachers, config: FeatureConfig, model_config: ModelConfig, *, with_kernels: bool = True
) -> keras.Model:
    """A CRNN of two front ends that start from their teachers' kernels.

    Args:
        teachers: Whose kernels it starts from.
        config: Its log-mel.
        model_config: Its size; must have both front ends.
        with_kernels: Whether the timbral half starts from its teacher's kernels; the stack always does.
    """
    student = build_crnn(model_config, config.n_mels, N_TAGS)
    if with_kernels:
        transplant.transplant(student, teachers.windows, config)
    transplant.transplant_stack(student, teachers.whole, config)
    offset = transplant.band_offset_db() + _OFFSET_DB
    variance = np.full(config.n_mels, DB_PER_NEPER**2)
    return set_normalization(student, np.full(config.n_mels, offset), variance)


class TimbralDistillation:
    """Trains the timbral half of a student; the tag head on its embedding starts from the teacher's.

    Args:
        student: The network, of both halves.
        teacher: MSD_musicnn.
        audio: Music without labels.
        archive: Windows of an archive, with the teacher's published tags.
        config: What the student reads.
    """

    def __init__(
        self,
        student: keras.Model,
        teacher: keras.Model,
        audio: Sequence[Source],
        archive: TaggedWindows,
        config: FeatureConfig,
    ) -> None:
        self.batches = TimbralBatches(audio, archive, config)
        norm = keras.layers.BatchNormalization(name="tag_norm", epsilon=1e-3)
        tags = keras.layers.Dense(N_TAGS, name="tags")
        whole_tags = keras.layers.Dense(N_TAGS, name="whole_tags")
        penultimate = norm(student.get_layer(f"timbral_{EMBEDDING}").output)
        outputs = [student.get_layer(FRAMES).output, penultimate, tags(penultimate), whole_tags(penultimate)]
        names = ("frame_mean", "frame_deviation", "penultimate")
        scales = [_joined(audio, name).std(axis=0) + 0.05 for name in names]
        parts = functools.partial(_timbral_parts, scales=scales)
        self.network = Pupil(student.inputs, outputs, _PARTS, parts)
        norm.set_weights(teacher.get_layer("batch_normalization_10").get_weights())
        tags.set_weights(teacher.get_layer("dense_1").get_weights())
        # Tags are rare: a head that starts from how rare need not learn that first.
        rate = np.clip(_joined(audio, "whole_posterior").mean(axis=0), 1e-3, 1 - 1e-3)
        whole_tags.set_weights([0.1 * whole_tags.get_weights()[0], np.log(rate / (1 - rate))])
        # Below the filters a gradient would cost more than all the rest.
        student.get_layer("input_norm").trainable = False
        _set_momentum(self.network)

    def run(self, leg: Leg, on_step: OnStep = lambda step, losses: None) -> None:
        """Train for one leg.

        Args:
            leg: How long, how fast, and on which sound.
            on_step: Called with the number of each step, from 0, and the six parts of its loss, `(6,)`.
        """
        weights = (1.0, 0.5, 1.0, 1.0, 1.0, leg.whole_weight)
        # XLA makes a step of these wide products a third faster, and one of the stack slower.
        self.network.learn(leg, self.batches, weights, on_step, jit_compile=True)


def _timbral_parts(found: Sequence[Any], taught: Sequence[Any], scales: Sequence[FloatArray]) -> list[Any]:
    frames, penultimate, tags, whole_tags = found
    frame_mean, frame_deviation, of_penultimate, audio_tags, archive_tags, whole = taught
    heard = frames[:FROM_AUDIO]
    mean = keras.ops.mean(heard, axis=1)
    deviation = keras.ops.sqrt(keras.ops.var(heard, axis=1) + 1e-4)
    return [
        _square_error(mean, frame_mean, scales[0]),
        _square_error(deviation, frame_deviation, scales[1]),
        _square_error(penultimate[:FROM_AUDIO], of_penultimate, scales[2]),
        _divergence(audio_tags, tags[:FROM_AUDIO]),
        _divergence(archive_tags, tags[FROM_AUDIO:]),
        _divergence(whole, whole_tags),
    ]


class StackDistillation:
    """Trains the stack of a student to hear in six seconds what its teacher hears in three of its steps.

    The stack starts from the teacher's kernels; the tags are read by the teacher's own last layer.

    Args:
        student: The network, of both halves.
        teacher: The CRNN of Choi et al.
        audio: Music without labels.
        config: What the student reads.
    """

    def __init__(
        self,
        student: keras.Model,
        teacher: keras.Model,
        audio: Sequence[Source],
        config: FeatureConfig,
    ) -> None:
        tags = keras.layers.Dense(N_TAGS, name="stack_tags")
        states, last = student.get_layer("stack_gru1_mean").output, student.get_layer("stack_gru2").output
        chunk = keras.layers.Concatenate()([states, last, tags(last)])
        of_chunk = choi.chunk_features(teacher, StackBatches.N_STEPS)
        chunks = [_chunks(of_chunk, source.targets.steps) for source in audio]
        self.batches = StackBatches(audio, chunks, config)
        sizes = [states.shape[-1], last.shape[-1], N_TAGS]
        # The last state is what the teacher's tags are read from.
        weights = (np.repeat([1.0, 1.5, 1.0], sizes) / np.repeat(sizes, sizes) / 3.5).astype(np.float32)
        chunk_scale = np.concatenate([of.reshape(-1, sum(sizes)) for of in chunks]).std(axis=0) + 0.02
        step_scale = _joined(audio, "steps")[:, 1:-1].reshape(-1, choi.STEP_SIZE).std(axis=0) + 0.05

        def parts(found: Sequence[Any], taught: Sequence[Any]) -> list[Any]:
            square = keras.ops.minimum(keras.ops.square((found[0] - taught[0]) / chunk_scale), _MOST_SQUARE)
            of_chunks = keras.ops.mean(keras.ops.sum(square * weights, axis=-1))
            return [of_chunks, _square_error(found[1], taught[1], step_scale)]

        self.network = Pupil(student.inputs, [chunk, student.get_layer(STACK_STEPS).output], ("chunks", "steps"), parts)
        tags.set_weights(teacher.get_layer("output").get_weights())
        _set_momentum(self.network)
        # The first block is the largest picture, and fits as it is: without a gradient there a step takes half as long.
        for name in ("stack_bands", "stack_conv1", "stack_batch_norm1"):
            student.get_layer(name).trainable = False

    def run(self, leg: Leg, on_step: OnStep = lambda step, losses: None) -> None:
        """Train for one leg.

        Args:
            leg: How long, how fast, and on which sound.
            on_step: Called with the number of each step, from 0, and the two parts of its loss: chunks and steps.
        """
        self.network.learn(leg, self.batches, (1.0, 1.0), on_step)


def _chunks(of_chunk: keras.Model, steps: FloatArray) -> FloatArray:
    n_steps, firsts = StackBatches.N_STEPS, StackBatches.FIRST_STEPS
    cut = np.stack([steps[:, first : first + n_steps] for first in firsts], axis=1)
    answers = of_chunk.predict(cut.reshape(-1, n_steps, choi.STEP_SIZE), batch_size=512, verbose=0)
    return np.asarray(answers, np.float32).reshape(len(steps), len(firsts), -1)


class Pupil(keras.Model):  # type: ignore[misc]  # Keras has no types
    """A network that learns by a loss of several parts, from all of its outputs and targets.

    Args:
        inputs: Of the network.
        outputs: Likewise.
        names: Of the parts.
        parts: The parts, from outputs and targets.
    """

    def __init__(
        self,
        inputs: Any,
        outputs: Any,
        names: Sequence[str],
        parts: Callable[[Sequence[Any], Sequence[Any]], list[Any]],
    ) -> None:
        super().__init__(inputs, outputs)
        self.parts = parts
        self.weights_of_parts: Sequence[float] = [1.0] * len(names)
        self.trackers = [keras.metrics.Mean(name=name) for name in names]

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The weighted sum of the parts.

        Args:
            x: Not used.
            y: Targets, as `parts` takes them.
            y_pred: All outputs.
            sample_weight: Not used.
            training: Not used.
        """
        del x, sample_weight, training
        parts = self.parts(y_pred, y)
        for tracker, part in zip(self.trackers, parts, strict=True):
            tracker.update_state(part)
        return sum(weight * part for weight, part in zip(self.weights_of_parts, parts, strict=True))

    def learn(
        self,
        leg: Leg,
        batches: Callable[[Leg, int], Batch],
        weights: Sequence[float],
        on_step: OnStep,
        *,
        jit_compile: bool = False,
        ema_momentum: float = 0.0,
    ) -> None:
        """Train for one leg.

        Args:
            leg: Number of steps and learning rates.
            batches: Segments and targets of a leg's step.
            weights: Of the parts in the loss, in their order.
            on_step: Called with the number of each step, from 0, and its unweighted parts, `(n_parts,)`.
            jit_compile: Whether XLA compiles a step; on JAX it always does.
            ema_momentum: Of the weights' moving average, which is what they end with; 0 leaves them as they come.
        """
        self.weights_of_parts = weights
        averaging: dict[str, Any] = {"use_ema": True, "ema_momentum": ema_momentum} if ema_momentum else {}
        optimizer = keras.optimizers.AdamW(leg.learning_rate, weight_decay=1e-5, clipnorm=1.0, **averaging)
        # Without it JAX would run operation by operation.
        self.compile(optimizer, jit_compile=jit_compile or keras.backend.backend() == "jax")
        for step, (heard, *taught) in enumerate(_ahead(lambda step: batches(leg, step), leg.steps)):
            optimizer.learning_rate.assign(leg.rate(step))
            self.reset_metrics()
            losses = self.train_on_batch(heard, tuple(taught), return_dict=True)
            on_step(step, np.array([losses[tracker.name] for tracker in self.trackers], np.float32))
        optimizer.finalize_variable_values(self.trainable_variables)


def _joined(sources: Sequence[Source], name: str) -> FloatArray:
    return np.concatenate([getattr(source.targets, name) for source in sources])


def _set_momentum(network: keras.Model) -> None:
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = _MOMENTUM


def _ahead(make_batch: Callable[[int], Batch], n_batches: int) -> Iterator[Batch]:
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(make_batch, step) for step in range(min(_BATCHES_AHEAD, n_batches))]
        for step in range(n_batches):
            if step + _BATCHES_AHEAD < n_batches:
                waiting.append(pool.submit(make_batch, step + _BATCHES_AHEAD))
            yield waiting.pop(0).result()


def _square_error(found: Any, taught: Any, scale: Any) -> Any:
    return keras.ops.mean(keras.ops.minimum(keras.ops.square((found - taught) / scale), _MOST_SQUARE))


def _divergence(posterior: Any, logits: Any) -> Any:
    """Kullback–Leibler divergence of independent tags, summed over them."""
    ops = keras.ops
    cross = ops.softplus(logits) - posterior * logits
    own = -posterior * ops.log(posterior + 1e-6) - (1 - posterior) * ops.log(1 - posterior + 1e-6)
    return ops.mean(ops.sum(cross - own, axis=-1))
