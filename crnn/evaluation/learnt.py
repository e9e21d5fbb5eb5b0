"""Whether a model is asked for tracks that it learnt: what it says of them tells nothing of music unheard."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from crnn.bundles.bundle import Bundle
from crnn.bundles.track_map import load_map
from crnn.data.tracks import Dataset
from crnn.evaluation.own_split import is_own
from crnn.evaluation.verdicts import Answered
from crnn.text import number_of

# Of an embedding's length. Of 22 tracks of own genres each differs from itself as it was learnt by at most 0.003, and
# from the nearest of 126 others by 0.11 or more.
_SAME_EMBEDDING = 0.02


def learnt_sentence(bundle: Bundle, dataset: Dataset, answers: Sequence[Answered]) -> str:
    """How many of the tracks the model learnt, and what that means for its scores; empty where none is known to be.

    A track is one that was learnt if its name and genre are, and the data are the model's own or it sounds as that
    one did: another data set may have files of the same names.

    Args:
        bundle: The model.
        dataset: Whose tracks they are.
        answers: What the model says of them.
    """
    known = [answer for answer in answers if answer.truth in bundle.genres]
    n_learnt = _n_learnt(bundle, dataset, known)
    if not n_learnt:
        return ""
    were = "was" if n_learnt == 1 else "were"
    said = f"{n_learnt} of these {number_of(len(known), 'track')} {were} learnt by the model"
    if n_learnt < len(known):
        return f"{said}: by these the scores are better than on music unheard."
    return f"{said}: the scores say nothing of music unheard."


def _n_learnt(bundle: Bundle, dataset: Dataset, answers: Sequence[Answered]) -> int:
    found = load_map(bundle)
    if found is None:
        return 0
    of_own_data = is_own(bundle, dataset)
    genres = [bundle.genres[label] for label in found.labels]
    learnt = {key: row for row, key in enumerate(zip(found.track_ids, genres, strict=True))}
    n = 0
    for answer in answers:
        # A data set that was joined with others has its name before the ids of its tracks.
        names = (answer.track_id, f"{dataset.name}/{answer.track_id}")
        rows = [learnt[name, answer.truth] for name in names if (name, answer.truth) in learnt]
        n += any(of_own_data or _sounds_like(answer, found.embeddings[row]) for row in rows)
    return n


def _sounds_like(answer: Answered, learnt: npt.NDArray[np.float32]) -> bool:
    if answer.prediction is None or not len(answer.prediction.embeddings):
        return False
    heard = answer.prediction.embeddings.mean(axis=0)
    return bool(np.linalg.norm(heard - learnt) <= _SAME_EMBEDDING * np.linalg.norm(learnt))
