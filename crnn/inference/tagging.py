"""From the network's tags to words, to the probability of music, and to that of music of another genre."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crnn.bundles.tagging import INPUTS, MusicRule, OtherRule, Tag, Tagging
from crnn.inference.decision import track_posterior
from crnn.inference.listening import Answers

FloatArray = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


def sigmoid(values: npt.ArrayLike) -> Floats:
    """The logistic function, without overflow."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(np.asarray(values, dtype=np.float64), -60, 60))))


def joined(tag_logits: FloatArray, classes: tuple[int, ...]) -> Floats:
    """Logarithm of the sum of the exponentials of some classes' logits, `(n_segments,)`.

    Args:
        tag_logits: Of segments, `(n_segments, n_outputs)`.
        classes: Which outputs.
    """
    chosen = tag_logits[:, list(classes)].astype(np.float64)
    return np.asarray(np.logaddexp.reduce(chosen, axis=1))


def tag_scores(tag_logits: FloatArray, tagging: Tagging) -> Floats:
    """The joined logits of each tag's classes, `(n_segments, n_tags)`, of `(n_segments, n_outputs)`.

    Of those against it half is taken off.

    Args:
        tag_logits: Of segments.
        tagging: Its tags name their classes.
    """
    columns = [_score(tag_logits, tag) for tag in tagging.tags]
    return np.stack(columns, axis=1) if columns else np.zeros((len(tag_logits), 0))


def _score(tag_logits: FloatArray, tag: Tag) -> Floats:
    said = joined(tag_logits, tag.classes)
    return said - 0.5 * joined(tag_logits, tag.against) if tag.against else said


def tag_probabilities(scores: Floats, tagging: Tagging) -> Floats:
    """Calibrated probability of each tag, same shape as the scores: of segments, or of their mean.

    Args:
        scores: From `tag_scores`, `(…, n_tags)`.
        tagging: Its tags hold slope and intercept (Platt 1999).
    """
    slopes = np.array([tag.slope for tag in tagging.tags])
    intercepts = np.array([tag.intercept for tag in tagging.tags])
    return sigmoid(scores * slopes + intercepts)


def music_probability(tag_logits: FloatArray, rule: MusicRule) -> float:
    """Probability that a sound is music, from the tags of its segments, `(n_segments, n_outputs)`.

    Args:
        tag_logits: Of the segments that are not silent.
        rule: Groups of outputs, a weight for each, and the bias.
    """
    groups = np.stack([joined(tag_logits, group) for group in rule.groups], axis=1)
    return float(sigmoid((groups @ np.array(rule.weights)).mean() + rule.bias))


def certainty(logits: FloatArray, temperature: float) -> Floats:
    """How sure the genre is, in four numbers, from the logits of the segments, `(n_segments, n_genres)`.

    The greatest posterior, the entropy of the posterior, and of the mean logits, before any temperature, the
    joined and the greatest: music of another kind excites none of them much.

    Args:
        logits: Of the segments that are not silent.
        temperature: Of the posterior.
    """
    posterior = track_posterior(logits, temperature)
    raw = logits.mean(axis=0, dtype=np.float64)
    entropy = -(posterior * np.log(posterior + 1e-9)).sum()
    return np.array([posterior.max(), entropy, np.logaddexp.reduce(raw), raw.max()])


def other_inputs(
    heard: Answers, temperature: float, inputs: tuple[str, ...] = INPUTS, classes: tuple[int, ...] = ()
) -> Floats:
    """What the regression reads of one sound, from what the network says of its segments.

    Args:
        heard: Of the segments that are not silent.
        temperature: Of the posterior.
        inputs: Which parts, in this order.
        classes: Outputs that are read as tags.

    Returns:
        float64 `(n_inputs,)`.
    """
    parts = {
        "embedding": heard.embeddings.mean(axis=0, dtype=np.float64),
        "tags": heard.tags[:, list(classes)].mean(axis=0, dtype=np.float64),
        "certainty": certainty(heard.logits, temperature),
    }
    return np.concatenate([parts[name] for name in inputs])


def other_probability(heard: Answers, temperature: float, rule: OtherRule) -> float:
    """Probability that a sound is music of none of the genres.

    Args:
        heard: Of the segments that are not silent.
        temperature: Of the posterior.
        rule: What is read, and the regression on it.
    """
    read = other_inputs(heard, temperature, rule.inputs, rule.classes)
    return float(sigmoid(read @ np.array(rule.weights) + rule.bias))
