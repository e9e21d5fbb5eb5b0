"""Learning to tell music from other sound, on the embeddings of a trained CRNN.

A logistic regression between the segments a model was trained on and negatives
made on the spot: noise, hum, tones, clicks, babble. It costs seconds, and answers
"that doesn't sound like music" instead of a genre at 99 %.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crnn.bundles.bundle import Rejection
from crnn.inference.tagging import sigmoid

# Music wrongly refused annoys more than noise wrongly named: the share of training
# music that the threshold may refuse.
MUSIC_REFUSED = 0.005
# scikit-learn's `C` per standardised dimension. Weaker penalties learn by heart the kinds of noise they are shown.
STRENGTH = 0.1


def fit_rejection(
    music: list[npt.NDArray[np.float32]],
    other: list[npt.NDArray[np.float32]],
    *,
    seed: int = 0,
    strength: float = STRENGTH,
    music_refused: float = MUSIC_REFUSED,
) -> Rejection:
    """The rejection that separates music from other sound.

    Args:
        music: Per track the embeddings of its segments, `(n_segments, embedding_size)`.
        other: The same of sounds that are no music.
        seed: Of the solver.
        strength: Inverse of the L2 penalty.
        music_refused: Share of the music tracks that the threshold lets go.

    Returns:
        Weights in the scale of the raw embeddings, with a threshold on the mean
        probability of a track's segments, at most 0.5.
    """
    from sklearn.linear_model import LogisticRegression

    inputs = np.concatenate([*music, *other]).astype(np.float64)
    is_music = np.repeat([1, 0], [sum(map(len, music)), sum(map(len, other))])
    scale = inputs.std(axis=0) + 1e-6
    fitted = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000, random_state=seed)
    fitted.fit(inputs / scale, is_music)
    weights, bias = fitted.coef_[0] / scale, float(fitted.intercept_[0])
    of_music = [float(sigmoid(track @ weights + bias).mean()) for track in music]
    threshold = min(0.5, float(np.quantile(of_music, music_refused)))
    return Rejection(tuple(float(w) for w in weights), bias, threshold)
