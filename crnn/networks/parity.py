"""Whether a model's files answer alike, on music and not on noise.

The sounds are the pieces of `crnn.synthesis.examples`, music, speech-like sound and silence, made
on the spot so that every machine has them; and any recordings that are named.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from crnn.audio.clip import load_clip
from crnn.bundles.bundle import ONNX_NAME, Bundle
from crnn.bundles.companion import COMPANION_NAME
from crnn.config import FeatureConfig
from crnn.errors import BundleError
from crnn.features import log_mel
from crnn.inference.decision import softmax
from crnn.inference.network import open_session
from crnn.networks.crnn import genre_model
from crnn.networks.keras_file import open_keras
from crnn.networks.onnx_export import MAX_POSTERIOR_DIFFERENCE
from crnn.synthesis.examples import example, example_names

FloatArray = npt.NDArray[np.float32]

_SEGMENTS_PER_RUN = 4


def music_segments(config: FeatureConfig, recordings: Iterable[Path] = ()) -> FloatArray:
    """Segments of whole length to compare on, `(n_segments, n_frames, n_mels)`: two of each sound.

    Args:
        config: Features of the model.
        recordings: Sound files beside the examples.

    Raises:
        AudioError: A recording cannot be used.
    """
    rate = config.sample_rate
    sounds = [*_examples(rate)]
    sounds += [load_clip(path, rate).samples for path in recordings]
    least = round((config.segment_seconds + config.segment_hop_seconds) * rate) + config.n_fft
    # A sound shorter than that is repeated.
    return np.concatenate([log_mel.segment(np.resize(s, max(len(s), least)), config)[:2] for s in sounds])


@functools.lru_cache(maxsize=1)
def _examples(rate: int) -> tuple[FloatArray, ...]:
    """Synthesized once for both networks of a bundle, which takes two seconds."""
    return tuple(example(name, rate).samples for name in example_names())


def check_answers(
    bundle: Bundle, segments: FloatArray, logits: FloatArray, kind: str, file_name: str = ONNX_NAME
) -> float:
    """The greatest difference between posteriors and those that the app serves.

    Args:
        bundle: The model.
        segments: What was answered, `(n_segments, n_frames, n_mels)`.
        logits: The answers, `(n_segments, n_genres)`.
        kind: What gave them, for the message.
        file_name: Which of the bundle's networks is meant.

    Raises:
        BundleError: It exceeds `MAX_POSTERIOR_DIFFERENCE`.
    """
    session = open_session(bundle, 0, file_name)
    parts = [segments[i : i + _SEGMENTS_PER_RUN] for i in range(0, len(segments), _SEGMENTS_PER_RUN)]
    served = np.concatenate([np.asarray(session.run(["logits"], {"log_mel": part})[0]) for part in parts])
    difference = float(np.abs(softmax(logits) - softmax(served)).max())
    if not difference <= MAX_POSTERIOR_DIFFERENCE:
        raise BundleError(
            f"The {kind} network of “{bundle.name}” answers differently from the one that the app serves, by "
            f"{difference:.1e}. It was not saved."
        )
    return difference


def check_keras(bundle: Bundle, recordings: Sequence[Path] = (), model: keras.Model | None = None) -> tuple[float, int]:
    """The greatest difference between Keras and ONNX, and the number of segments that it was looked for on.

    Args:
        bundle: A bundle with its Keras model.
        recordings: As in `music_segments`.
        model: The network in another form; the bundle's own if None.

    Raises:
        AudioError: A recording cannot be used.
        BundleError: The bundle has no Keras model, or the answers differ.
    """
    segments = music_segments(bundle.feature_config, recordings)
    logits = _logits(genre_model(model or open_keras(bundle)), segments)
    return check_answers(bundle, segments, logits, "Keras"), len(segments)


def check_companion(bundle: Bundle, recordings: Sequence[Path], model: keras.Model) -> tuple[float, int]:
    """As `check_keras`, of the second network.

    Args:
        bundle: A bundle with a companion.
        recordings: As in `music_segments`.
        model: The companion in Keras.

    Raises:
        AudioError: A recording cannot be used.
        BundleError: It has none, or the answers differ.
    """
    if bundle.companion is None:
        raise BundleError(f"The model “{bundle.name}” has one network.")
    segments = music_segments(bundle.companion.feature_config, recordings)
    return check_answers(bundle, segments, _logits(model, segments), "Keras", COMPANION_NAME), len(segments)


def _logits(network: keras.Model, segments: FloatArray) -> FloatArray:
    parts = [segments[i : i + _SEGMENTS_PER_RUN] for i in range(0, len(segments), _SEGMENTS_PER_RUN)]
    return np.concatenate([np.asarray(network.predict_on_batch(part)) for part in parts])
