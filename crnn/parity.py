"""Whether a model's files answer alike, on music and not on noise.

The sounds are the pieces of `crnn.examples`, music, speech-like sound and silence, made
on the spot so that every machine has them; and any recordings that are named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn import features
from crnn.audio import load_clip
from crnn.bundle import Bundle
from crnn.config import FeatureConfig
from crnn.errors import BundleError
from crnn.examples import example, example_names
from crnn.export import MAX_POSTERIOR_DIFFERENCE
from crnn.inference import Classifier, softmax
from crnn.keras_file import open_keras

FloatArray = npt.NDArray[np.float32]


def music_segments(config: FeatureConfig, recordings: Iterable[Path] = ()) -> FloatArray:
    """Segments of whole length to compare on, `(n_segments, n_frames, n_mels)`: two of each sound.

    Args:
        config: Features of the model.
        recordings: Sound files beside the examples.

    Raises:
        AudioError: A recording cannot be used.
    """
    rate = config.sample_rate
    sounds = [example(name, rate).samples for name in example_names()]
    sounds += [load_clip(path, rate).samples for path in recordings]
    least = round((config.segment_seconds + config.segment_hop_seconds) * rate) + config.n_fft
    # A sound shorter than that is repeated.
    return np.concatenate([features.segment(np.resize(s, max(len(s), least)), config)[:2] for s in sounds])


def check_answers(bundle: Bundle, segments: FloatArray, logits: FloatArray, kind: str) -> float:
    """The greatest difference between posteriors and those that the app serves.

    Args:
        bundle: The model.
        segments: What was answered, `(n_segments, n_frames, n_mels)`.
        logits: The answers, `(n_segments, n_genres)`.
        kind: What gave them, for the message.

    Raises:
        BundleError: It exceeds `MAX_POSTERIOR_DIFFERENCE`.
    """
    served, _ = Classifier(bundle).run(segments)
    difference = float(np.abs(softmax(logits) - softmax(served)).max())
    if not difference <= MAX_POSTERIOR_DIFFERENCE:
        raise BundleError(
            f"The {kind} network of “{bundle.name}” answers differently from the one that the app serves, by "
            f"{difference:.1e}. It was not saved."
        )
    return difference


def check_keras(bundle: Bundle, recordings: Sequence[Path] = ()) -> tuple[float, int]:
    """The greatest difference between Keras and ONNX, and the number of segments that it was looked for on.

    Args:
        bundle: A bundle with its Keras model.
        recordings: As in `music_segments`.

    Raises:
        AudioError: A recording cannot be used.
        BundleError: The bundle has no Keras model, or the answers differ.
    """
    segments = music_segments(bundle.feature_config, recordings)
    model = open_keras(bundle)
    logits = np.concatenate(
        [np.asarray(model.predict_on_batch(segments[i : i + 4])) for i in range(0, len(segments), 4)]
    )
    return check_answers(bundle, segments, logits, "Keras"), len(segments)
