"""Which genre is asked about first, where in the sound, and what share it has there."""

from __future__ import annotations

import numpy as np

from crnn.inference import output, stretches
from crnn.inference.classifier import Cell, Prediction


def genres_to_ask(prediction: Prediction) -> list[str]:
    """All genres: of a sound that changes those that it was told to be made of first, then by confidence.

    Args:
        prediction: The answer for the whole sound.
    """
    told = list(output.time_shares(prediction))
    return told + [genre for genre, _ in prediction.ranked() if genre not in told]


def clearest_moment(prediction: Prediction, genre: str) -> float:
    """Where a genre is best asked about: amid its longest stretch of a sound that changes, else where it is strongest.

    Args:
        prediction: The answer for the whole sound.
        genre: One of the model's.

    Returns:
        Seconds.
    """
    told = stretches.of_prediction(prediction) if output.time_shares(prediction) else ()
    spans = [(part.start_seconds, part.end_seconds) for part in told if part.genre == genre]
    if spans:
        start, end = max(spans, key=lambda span: span[1] - span[0])
    else:
        label = prediction.genres.index(genre)
        best = max(prediction.timeline, key=lambda cell: 0.0 if cell.is_silent else float(cell.posterior[label]))
        start, end = best.start_seconds, best.end_seconds
    return (start + end) / 2


def greatest_share(prediction: Prediction, genre: str, start: float, end: float) -> float:
    """The greatest share of a genre in the timeline between two moments.

    Args:
        prediction: The answer for the whole sound.
        genre: One of the model's.
        start: Seconds.
        end: Seconds.
    """
    label, cells = prediction.genres.index(genre), _cells_between(prediction, start, end)
    return max((float(cell.posterior[label]) for cell in cells if not cell.is_silent), default=0.0)


def mean_share(prediction: Prediction, genre: str, start: float, end: float) -> float:
    """The mean share of a genre in what sounds between two moments, as the stretches of the timeline have it.

    Args:
        prediction: The answer for the whole sound.
        genre: One of the model's.
        start: Seconds.
        end: Seconds.
    """
    label, cells = prediction.genres.index(genre), _cells_between(prediction, start, end)
    cells = [cell for cell in cells if not cell.is_silent] or cells
    seconds = [min(cell.end_seconds, end) - max(cell.start_seconds, start) for cell in cells]
    return float(np.average([float(cell.posterior[label]) for cell in cells], weights=seconds))


def _cells_between(prediction: Prediction, start: float, end: float) -> list[Cell]:
    return [cell for cell in prediction.timeline if cell.end_seconds > start and cell.start_seconds < end]
