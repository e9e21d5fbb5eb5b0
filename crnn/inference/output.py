"""A prediction in words and in files: sentences, JSON, CSV and Audacity labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crnn.inference.classifier import Cell, Prediction
from crnn.inference.stretches import Stretch, of_prediction, shares, stretches
from crnn.inference.verdict import Verdict
from crnn.text import in_words, percent, percents, sentence_case
from crnn.untrusted import csv_line, visible

# Half of a usual segment: below it the model has too little to go by.
SHORT_SECONDS = 5.0
# A genre with less of the time is not among those that are named.
LEAST_TOLD_SHARE = 0.1
# More words than that are read by nobody.
MOST_HEARD = 4


def verdict_sentence(prediction: Prediction) -> str:
    """The answer as a musician would say it."""
    return _SENTENCES[prediction.verdict](prediction)


def _named(prediction: Prediction) -> str:
    return f"Sounds like {prediction.genre}. {sentence_case(percent(prediction.confidence))} sure."


def _of_none(prediction: Prediction) -> str:
    nearest = _nearest_genres(prediction)
    return f"None of the {in_words(len(prediction.genres))} genres{': ' if nearest else ''}{', '.join(nearest)}."


def _unclear(prediction: Prediction) -> str:
    names = list(prediction.prediction_set) or [prediction.ranked()[0][0]]
    if len(names) == 1:
        return f"Can't tell: {names[0]} at best."
    if len(names) <= 3:
        return f"Can't tell: between {', '.join(names[:-1])} and {names[-1]}."
    return f"Can't tell: {names[0]} or {names[1]}, or one of {len(names) - 2} others."


_SENTENCES: dict[Verdict, Callable[[Prediction], str]] = {
    Verdict.SILENCE: lambda _: "Silence: nothing above −60 dB.",
    Verdict.NOT_MUSIC: lambda _: "That doesn't sound like music.",
    Verdict.OTHER: _of_none,
    Verdict.UNSURE: _unclear,
    Verdict.GENRE: _named,
}


# The sets of the bundled models hold what is as probable as that.
_LEAST_TOLD = 0.15


def candidates_sentence(prediction: Prediction) -> str:
    """What else it could be, for the line under a verdict that names a genre; empty for the others."""
    if not prediction.verdict.traits.names_genre:
        return ""
    others = [genre for genre in prediction.prediction_set if genre != prediction.genre]
    if not others:
        # A set fitted on few tracks may leave out what the bars show plainly.
        for genre, posterior in prediction.ranked()[1:2]:
            if posterior >= _LEAST_TOLD:
                return f"{sentence_case(genre)} comes next."
        return "No other candidate."
    if len(others) == 1:
        return f"{sentence_case(others[0])} is the only other candidate."
    return f"Other candidates: {', '.join(others[:-1])} and {others[-1]}."


def heard_words(prediction: Prediction) -> tuple[str, ...]:
    """What else is heard, most probable first: two genres, what is not a genre, then further genres.

    A third name for one kind of music says less than an instrument or a voice. The model's own genres, and what
    the verdict has said, are left out.
    """
    said = {genre.casefold() for genre in prediction.genres}
    if prediction.verdict.traits.names_nearest:
        said |= {name.casefold() for name in _nearest_genres(prediction)}
    heard = [tag for tag in prediction.tags if tag.is_heard and tag.name.casefold() not in said]
    genres = [tag.name for tag in heard if tag.kind == "genre"]
    return (*genres[:2], *(tag.name for tag in heard if tag.kind != "genre"), *genres[2:])


def heard_sentence(prediction: Prediction, beginning: str = "Also heard") -> str:
    """What else is heard, for the line under the verdict; empty where nothing is, or where it is no music.

    Args:
        prediction: The answer.
        beginning: Of the sentence.
    """
    words = heard_words(prediction)[:MOST_HEARD]
    return f"{beginning}: {', '.join(words)}." if words and prediction.is_music else ""


def _nearest_genres(prediction: Prediction) -> tuple[str, ...]:
    """The genres beyond the model's own that are heard most, at most two."""
    own = {genre.casefold() for genre in prediction.genres}
    names = [t.name for t in prediction.tags if t.kind == "genre" and t.is_heard and t.name.casefold() not in own]
    return tuple(names[:2])


def changes_sentence(found: tuple[Stretch, ...]) -> str:
    """What a sound that changes is made of; empty for one that is of one genre nearly all the time.

    Args:
        found: Its stretches.
    """
    parts = shares(found)
    whole = zip(parts.items(), percents(list(parts.values())), strict=True)
    told = [(genre, percentage) for (genre, share), percentage in whole if share >= LEAST_TOLD_SHARE]
    if len(parts) < 2 or (len(told) < 2 and next(iter(parts.values())) > 1 - LEAST_TOLD_SHARE):
        return ""
    first, *others = (f"{genre} {percentage} %" for genre, percentage in told[:4])
    return f"Changes: {', '.join([f'{first} of the time', *others])}."


def answer_sentence(prediction: Prediction) -> str:
    """What stands at the top of an answer: what a sound that changes is made of, else the verdict."""
    return changes_sentence(of_prediction(prediction)) or verdict_sentence(prediction)


def beside_sentence(prediction: Prediction) -> str:
    """What stands under the answer: of a sound that changes the verdict on the whole of it, else other candidates."""
    if changes_sentence(of_prediction(prediction)):
        return f"Taken as a whole: {verdict_sentence(prediction)}"
    return candidates_sentence(prediction)


def time_shares(prediction: Prediction) -> dict[str, float]:
    """Each genre's share of the time, greatest first, of a sound that is told to change; empty for another."""
    found = of_prediction(prediction)
    return shares(found) if changes_sentence(found) else {}


def short_verdict(prediction: Prediction) -> str:
    """The answer in a word or two, for lists."""
    if changes_sentence(of_prediction(prediction)):
        return "changes"
    return prediction.genre or prediction.verdict.traits.word


def notes(prediction: Prediction) -> tuple[str, ...]:
    """What a musician should know about the sound: what was found in it, and whether it was too short."""
    seconds = prediction.duration_seconds
    if seconds >= SHORT_SECONDS:
        return prediction.notes
    return (f"Only {seconds:.1f} s long: ten seconds or more give a better answer.", *prediction.notes)


def cell_genre(cell: Cell, genres: tuple[str, ...]) -> str:
    """The top genre of a stretch of the timeline, or "silence".

    Args:
        cell: A stretch of the timeline.
        genres: Names in logit order.
    """
    return "silence" if cell.is_silent else genres[int(cell.posterior.argmax())]


def to_json(prediction: Prediction, file: str, *, with_timeline: bool = True) -> dict[str, Any]:
    """The prediction as JSON-ready values, by the command line's contract.

    Args:
        prediction: What was answered.
        file: How the row names the file.
        with_timeline: Whether the posterior of each stretch is told.
    """
    found = of_prediction(prediction)
    values: dict[str, Any] = {
        "file": file,
        "duration_seconds": round(prediction.duration_seconds, 3),
        "verdict": prediction.verdict,
        "genre": prediction.genre,
        "confidence": round(prediction.confidence, 6),
        "genres": _by_genre(prediction.genres, prediction.posterior),
        "prediction_set": list(prediction.prediction_set),
        "tags": {tag.name: round(tag.probability, 4) for tag in prediction.tags},
        "heard": list(heard_words(prediction)),
        "notes": list(notes(prediction)),
        "shares": {genre: round(share, 6) for genre, share in shares(found).items()},
        "stretches": [_stretch_json(stretch) for stretch in found],
    }
    if with_timeline:
        values["timeline"] = [
            {
                "start_seconds": round(cell.start_seconds, 3),
                "end_seconds": round(cell.end_seconds, 3),
                "genres": _by_genre(prediction.genres, cell.posterior),
            }
            for cell in prediction.timeline
        ]
    return values


def timeline_csv(prediction: Prediction) -> str:
    """The timeline as CSV: start, end, top genre, then a posterior per genre."""
    lines = [csv_line(["start_seconds", "end_seconds", "genre", *prediction.genres])]
    for cell in prediction.timeline:
        posterior = [f"{value:.6f}" for value in cell.posterior]
        times = [f"{cell.start_seconds:.3f}", f"{cell.end_seconds:.3f}"]
        lines.append(csv_line([*times, cell_genre(cell, prediction.genres), *posterior]))
    return "".join(lines)


def audacity_labels(prediction: Prediction) -> str:
    """The stretches as an Audacity label track."""
    return "".join(
        f"{stretch.start_seconds:.6f}\t{stretch.end_seconds:.6f}\t{visible(stretch.genre or 'silence')}\n"
        for stretch in stretches(prediction.timeline, prediction.genres)
    )


def _stretch_json(stretch: Stretch) -> dict[str, Any]:
    return {
        "start_seconds": round(stretch.start_seconds, 3),
        "end_seconds": round(stretch.end_seconds, 3),
        "genre": stretch.genre,
        "confidence": None if stretch.confidence is None else round(stretch.confidence, 6),
    }


def _by_genre(genres: tuple[str, ...], posterior: Any) -> dict[str, float]:
    return {genre: round(float(value), 6) for genre, value in zip(genres, posterior, strict=True)}
