"""The body of `ten-genres`: the tagger's convolutions learn, without labels, to hear bent sound as they heard it clean.

Every segment has targets from clean sound: of the tagger `mn04_as`, as published, the logits of its classes and its
pooled map, and of `gtzan-crnn` the embedding, which a layer that is thrown away later reads off the memory of the GRU.
What is heard is clean or bent (`recipes.ear_inputs`), and half of it is bent once more in the mel domain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from crnn.bundles.bundle import ONNX_NAME, Bundle
from crnn.config import FeatureConfig, ModelConfig
from crnn.features import log_mel, tagger_mel
from crnn.features.archive import to_db
from crnn.networks.crnn import build_crnn
from crnn.networks.tagger_crnn import TAGS, copy_tag_words, is_taggers
from crnn.onnx_runtime import onnx_runtime, resting_options
from recipes.distil import OnStep, Pupil
from recipes.ear_inputs import FIRST, SECOND, Inputs, read_inputs, read_second
from recipes.hearing import Batch, Leg
from recipes.teachers import efficientat

FloatArray = npt.NDArray[np.float32]
# From segments, `(n, n_frames, n_mels)`, to a network's outputs by name.
Run = Callable[[FloatArray], dict[str, FloatArray]]

NETWORK = ModelConfig(front_end="tagger", gru_units=64, embedding_size=522, dropout=0.3)
LEG = Leg(3600, 3600, learning_rate=8e-4, warmup_steps=60, seed=0)
BATCH = 20
# Of the weights' moving average, which is what is kept.
EMA = 0.995
PARTS = ("tags", "pooled", "memory")
WEIGHTS = (1.0, 1.0, 1.2)
# Set, kind of sound, and its share of what is heard. GTZAN's validation tracks are left out.
HEARD = (
    ("gtzan", "clean", 3.0),
    ("gtzan", "degrade1", 2.5),
    ("gtzan", "degrade2", 2.5),
    ("gtzan", "phone1", 1.5),
    ("cuts", "clean", 2.0),
    ("cuts", "degrade1", 1.5),
    ("arch", "clean", 1.5),
    ("else", "clean", 3.0),
    ("emo", "clean", 1.0),
    ("emo", "degrade1", 1.0),
    ("emo", "degrade2", 1.0),
    ("debmus", "clean", 2.0),
    ("debmus", "degrade1", 3.0),
    ("solos", "clean", 0.7),
    ("solos", "degrade1", 0.7),
    ("notmusic", "clean", 1.6),
    ("notmusic", "degrade1", 1.6),
    ("debspeech", "clean", 0.8),
    ("debspeech", "degrade1", 1.0),
    ("effects", "clean", 5.0),
    ("effects", "degrade1", 3.0),
)
# Below these layers a gradient would cost as much as all the rest, and they fit as they are.
_KEPT = ("stem", "block1", "block2", "block3")
_VALIDATION = "valid"
# Of the second network: the same ten seconds, or what there is.
_SAME_SECONDS = FeatureConfig.from_dict(
    SECOND.to_dict() | {"segment_seconds": 10.0, "segment_hop_seconds": 10.0, "tail_seconds": FIRST.tail_seconds}
)
_BENT_IN_MEL = 0.5
# Of ten seconds of music two or three are heard alone, and what the teachers heard in all ten is to be guessed.
_CUT_SHORT, _SHORT_FRAMES = 0.15, (200, 300)
_LONG_MUSIC = ("gtzan", "else", "emo", "debmus")


@dataclass(frozen=True)
class Taught:
    """What the teachers hear in the clean segments of a set: `(n_segments, 527)`, `(…, 384)` and `(…, 520)`."""

    tags: FloatArray
    pooled: FloatArray
    memory: FloatArray


def new_body(tagger: Path) -> keras.Model:
    """The network with the tagger's weights where it has layers of the tagger's; its logits are not used.

    Args:
        tagger: The published file.
    """
    return efficientat.set_weights(build_crnn(NETWORK, FIRST.n_mels, 10), efficientat.read_weights(tagger))


def distil_body(body: keras.Model, work: Path, companion: Bundle, leg: Leg, on_step: OnStep) -> None:
    """Train a new body.

    Args:
        body: From `new_body`; its weights are changed.
        work: Folder of inputs.
        companion: `gtzan-crnn`.
        leg: How long, how fast.
        on_step: Called with the number of each step, from 0, and the parts of its loss, `(3,)`.
    """
    inputs = {(name, kind): read_inputs(work, name, kind) for name, kind, _ in HEARD}
    names = dict.fromkeys(name for name, _ in inputs)
    teachers = _Teachers.of(body, companion)
    taught = {name: teachers.teach(inputs[name, "clean"], read_second(work, name)) for name in names}
    scales = [np.concatenate([getattr(of, part) for of in taught.values()]).std(axis=0) + 0.05 for part in PARTS]
    memory = keras.layers.Dense(scales[-1].shape[0], name="of_memory")(body.get_layer("memory").output)
    outputs = [body.output[TAGS], body.get_layer("pooled").output, memory]

    def parts(found: Any, targets: Any) -> list[Any]:
        return [_error(*of_part) for of_part in zip(found, targets, scales, strict=True)]

    pupil = Pupil(body.inputs, outputs, PARTS, parts)
    for layer in body.layers:
        layer.trainable = layer.name.split("_")[0] not in _KEPT
    pupil.learn(leg, _Batches(inputs, taught), WEIGHTS, on_step, ema_momentum=EMA)
    for layer in body.layers:
        layer.trainable = True
    copy_tag_words(body)


def towards_tagger(body: keras.Model, tagger: Path, share: float) -> None:
    """Bring the tagger's layers of a body part of the way back to the weights that they began with.

    A body forgets what it did not hear while it learnt; between both weights it keeps most of either
    (WiSE-FT: Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).

    Args:
        body: One that began as `new_body`; its weights are changed.
        tagger: The published file.
        share: Of the way, 0 to 1.
    """
    began = new_body(tagger)
    for layer in body.layers:
        if is_taggers(layer):
            weights = zip(layer.get_weights(), began.get_layer(layer.name).get_weights(), strict=True)
            layer.set_weights([(1 - share) * learnt + share * old for learnt, old in weights])


def second_segments(cells: npt.NDArray[np.uint8], config: FeatureConfig) -> FloatArray:
    """What the second network reads of a track, `(n_segments, n_frames, 128)`.

    Args:
        cells: Of the track, `(n_frames, 128)`.
        config: How it is cut.
    """
    return log_mel.input_from_db(log_mel.stack_segments(to_db(cells), config), config)


def embedder(bundle: Bundle) -> Run:
    """A function from segments to the outputs of a bundle's network by name."""
    return runner(bundle.file(ONNX_NAME).read_bytes())


def runner(content: bytes) -> Run:
    """A function from segments, `(n, n_frames, n_mels)`, to a network's outputs by name.

    Args:
        content: The network in ONNX.
    """
    session = onnx_runtime().InferenceSession(content, resting_options(), providers=["CPUExecutionProvider"])
    names, (face,) = [output.name for output in session.get_outputs()], session.get_inputs()

    def run(segments: FloatArray) -> dict[str, FloatArray]:
        answers = [session.run(names, {face.name: segments[i : i + 32]}) for i in range(0, len(segments), 32)]
        return dict(zip(names, map(np.concatenate, zip(*answers, strict=True)), strict=True))

    return run


@dataclass(frozen=True)
class _Teachers:
    """The tagger, which a new body is, and the second network."""

    tagger: Run
    second: Run
    pooled_size: int

    @classmethod
    def of(cls, body: keras.Model, companion: Bundle) -> _Teachers:
        from crnn.networks.onnx_export import onnx_model

        tagger = runner(onnx_model(body).SerializeToString())
        return cls(tagger, embedder(companion), body.get_layer("pooled").output.shape[-1])

    def teach(self, clean: Inputs, cells: list[npt.NDArray[np.uint8]]) -> Taught:
        answers = [
            self.tagger(clean.segments[i : i + 64].astype(np.float32)) for i in range(0, len(clean.segments), 64)
        ]
        tags = np.concatenate([answer[TAGS] for answer in answers])
        pooled = np.concatenate([answer["embedding"] for answer in answers])[:, : self.pooled_size]
        memory = []
        for track, of_track in enumerate(cells):
            heard = self.second(second_segments(of_track, _SAME_SECONDS))["embedding"]
            n_segments = int((clean.own == track).sum())
            memory.append(heard[np.minimum(np.arange(n_segments), len(heard) - 1)])
        return Taught(tags, pooled, np.concatenate(memory))


@dataclass(frozen=True)
class _Batches:
    inputs: Mapping[tuple[str, str], Inputs]
    taught: Mapping[str, Taught]

    def __call__(self, leg: Leg, step: int) -> Batch:
        """Segments of a step and what the teachers hear in them; they depend on the leg's seed and the step only."""
        rng = np.random.default_rng([leg.seed, step])
        shares = np.array([share for *_, share in HEARD])
        heard, targets = [], []
        for number in rng.choice(len(HEARD), BATCH, p=shares / shares.sum()):
            name, kind, _ = HEARD[number]
            inputs, taught = self.inputs[name, kind], self.taught[name]
            may_be_heard = np.flatnonzero(inputs.groups[inputs.own] != _VALIDATION)
            row = int(rng.choice(may_be_heard))
            segment = inputs.segments[row].astype(np.float32)
            if name in _LONG_MUSIC and rng.random() < _CUT_SHORT:
                segment = cut_short(segment, rng)
            heard.append(bent_in_mel(segment, rng) if rng.random() < _BENT_IN_MEL else segment)
            targets.append([getattr(taught, part)[row] for part in PARTS])
        return (np.stack(heard), *map(np.stack, zip(*targets, strict=True)))


def cut_short(segment: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Two to three seconds of a segment, as the network reads a sound that is no longer: repeated, at its own level.

    Args:
        segment: As the network reads it, `(n_frames, n_mels)`.
        rng: Says which.
    """
    n_kept = int(rng.integers(*_SHORT_FRAMES))
    start = int(rng.integers(len(segment) - n_kept + 1))
    power = tagger_mel.power_of_input(segment[start : start + n_kept])
    return tagger_mel.network_input(np.resize(power, segment.shape), FIRST)


def bent_in_mel(segment: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A segment as another loudspeaker, band, room or place would give it.

    Args:
        segment: As the network reads it, `(n_frames, n_mels)`.
        rng: Source of all chance.
    """
    power = tagger_mel.power_of_input(segment)
    n_frames, n_mels = power.shape
    bands = np.linspace(0, 1, n_mels)
    knots = rng.normal(0, rng.uniform(0, 6), 6)
    gain_db = np.interp(bands, np.linspace(0, 1, 6), knots)
    if rng.random() < 0.5:  # a band of any slope
        low, high = rng.uniform(0, 0.3), rng.uniform(0.5, 1)
        slope = rng.uniform(60, 600)
        gain_db -= slope * (np.maximum(low - bands, 0) + np.maximum(bands - high, 0))
    power = power * (10 ** (gain_db / 10)).astype(np.float32)
    if rng.random() < 0.4:  # a room: every cell fades away
        decay = 10 ** (-6 / (rng.uniform(0.15, 1.0) * FIRST.frame_rate_hz))
        tail = _with_its_past(power, decay) * (1 - decay)
        power = power + np.float32(10 ** (rng.uniform(-12, 0) / 10)) * tail
    if rng.random() < 0.4:  # steady noise
        colour = 10 ** (rng.uniform(-25, 5) * bands / 10)
        level = power.mean() / colour.mean() * 10 ** (-rng.uniform(8, 35) / 10)
        power = power + (colour * level * rng.exponential(size=(n_frames, n_mels))).astype(np.float32)
    return tagger_mel.network_input(np.asarray(power, np.float32), FIRST)


def _with_its_past(power: FloatArray, decay: float) -> FloatArray:
    """Each band's power with its fading past, `(n_frames, n_mels)`.

    Args:
        power: Of a segment.
        decay: What is left of it a frame later.
    """
    from scipy import signal

    return np.asarray(signal.lfilter([1.0], [1.0, -decay], power, axis=0), dtype=np.float32)


def _error(found: Any, taught: Any, scale: FloatArray) -> Any:
    """Mean square in units of the deviation over all sound; a few outliers would rule it."""
    return keras.ops.mean(keras.ops.minimum(keras.ops.square((found - taught) / scale), 9.0))
