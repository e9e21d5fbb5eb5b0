"""What the answers for tracks come to: how many are given and right, and what is said of genres beyond the model's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crnn.data.collection import OTHER_NAMES
from crnn.inference.classifier import Prediction
from crnn.inference.verdict import Verdict
from crnn.intervals import share_interval

# A wrong genre that is said with this confidence is believed.
SURELY = 0.9


@dataclass(frozen=True)
class Answered:
    """A track, its true genre, and the answer for it; None if it could not be read.

    unit: whose it is (`crnn.data.units`), where artists are known.
    """

    track_id: str
    truth: str
    prediction: Prediction | None
    unit: str | None = None

    def to_row(self) -> dict[str, Any]:
        """JSON-ready values, a line of `evaluate --rows`."""
        found = self.prediction
        if found is None:
            return {"track": self.track_id, "truth": self.truth, "verdict": "error"}
        return {
            "track": self.track_id,
            "truth": self.truth,
            "verdict": found.verdict,
            "genre": found.genre,
            "posterior": {genre: round(float(p), 6) for genre, p in zip(found.genres, found.posterior, strict=True)},
            "prediction_set": list(found.prediction_set),
            "tags": {tag.name: round(tag.probability, 4) for tag in found.tags},
        }


def is_other(truth: str, genres: tuple[str, ...]) -> bool:
    """Whether a track is known to be music of none of the genres.

    Args:
        truth: What the data set calls it.
        genres: Those that the model knows.
    """
    return truth not in genres and truth.casefold() in OTHER_NAMES


def summarize(answers: Sequence[Answered], genres: tuple[str, ...], *, tells_other: bool = False) -> dict[str, Any]:
    """Shares of verdicts, answers that are right, prediction sets; and what is said of genres beyond the model's.

    A track that could not be read is of the verdict `error`, and in no set.

    Args:
        answers: One for each track.
        genres: Those that the model knows; other true genres are summed up apart.
        tells_other: Whether the model can tell music of none of its genres: of a folder `other`, how many are.

    Returns:
        JSON-ready values.
    """
    known = [answer for answer in answers if answer.truth in genres]
    unknown = [answer for answer in answers if answer.truth not in genres]
    summary = {"verdicts": _verdicts(known), **_of_known(known)}
    others = [answer for answer in unknown if tells_other and is_other(answer.truth, genres)]
    if others:
        summary["other"] = _of_other(others)
    return summary | ({"unknown_genres": _of_unknown(unknown)} if unknown else {})


def _verdicts(answers: Sequence[Answered]) -> dict[str, float]:
    counts = Counter(answer.prediction.verdict if answer.prediction else "error" for answer in answers)
    return {verdict: n / len(answers) for verdict, n in sorted(counts.items())}


def units_of_all(answers: Sequence[Answered]) -> list[str] | None:
    """Whose each answer is; None where that is not known, and of no answer.

    Args:
        answers: One for each track.
    """
    units = [answer.unit for answer in answers if answer.unit is not None]
    return units if units and len(units) == len(answers) else None


def _interval(hits: Sequence[bool], answers: Sequence[Answered]) -> list[float]:
    """95 % interval of the share of hits among answers, of which those of a unit go together."""
    return list(share_interval(hits, units_of_all(answers)))


def _of_known(answers: Sequence[Answered]) -> dict[str, Any]:
    named = [answer for answer in answers if answer.prediction is not None and answer.prediction.genre is not None]
    right = [answer.prediction is not None and answer.truth == answer.prediction.genre for answer in named]
    sets = [answer.prediction.prediction_set if answer.prediction else () for answer in answers]
    is_held = [answer.truth in held for answer, held in zip(answers, sets, strict=True)]
    n = max(1, len(answers))
    return {
        "answered": len(named) / n,
        "answered_accuracy": sum(right) / len(named) if named else None,
        "answered_interval": _interval(right, named),
        "set_coverage": sum(is_held) / n,
        "set_coverage_interval": _interval(is_held, answers),
        "set_size": sum(map(len, sets)) / n,
    }


def _of_unknown(answers: Sequence[Answered]) -> dict[str, Any]:
    found = [answer.prediction for answer in answers]
    is_named = [prediction is not None and prediction.genre is not None for prediction in found]
    is_sure = [prediction is not None and prediction.confidence >= SURELY for prediction in found]
    surely = [named and sure for named, sure in zip(is_named, is_sure, strict=True)]
    return {
        "n_tracks": len(answers),
        "verdicts": _verdicts(answers),
        "named": sum(is_named) / len(answers),
        "named_interval": _interval(is_named, answers),
        "named_surely": sum(surely) / len(answers),
        "named_surely_interval": _interval(surely, answers),
    }


def _of_other(answers: Sequence[Answered]) -> dict[str, Any]:
    told = [answer.prediction is not None and answer.prediction.verdict is Verdict.OTHER for answer in answers]
    return {
        "n_tracks": len(answers),
        "verdicts": _verdicts(answers),
        "told": sum(told) / len(answers),
        "told_interval": _interval(told, answers),
    }
