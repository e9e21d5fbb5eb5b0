"""A prediction in words and in files: sentences, JSON, CSV and Audacity labels."""

from __future__ import annotations

import csv
import io
from typing import Any

from crnn.inference import Cell, Prediction

# Half of a usual segment: below it the model has too little to go by.
SHORT_SECONDS = 5.0


def verdict_sentence(prediction: Prediction) -> str:
    """The answer as a musician would say it."""
    ranked = prediction.ranked()
    if prediction.verdict == "silence":
        return "Silence: nothing above −60 dB."
    if prediction.verdict == "not_music":
        return "That doesn't sound like music."
    if prediction.verdict == "genre":
        sure = percent(prediction.confidence)
        return f"Sounds like {prediction.genre}. {sure[0].upper()}{sure[1:]} sure."
    names = list(prediction.prediction_set) or [ranked[0][0]]
    if len(names) == 1:
        return f"Can't tell: {names[0]} at best."
    if len(names) <= 3:
        return f"Can't tell: between {', '.join(names[:-1])} and {names[-1]}."
    return f"Can't tell: {names[0]} or {names[1]}, or one of {len(names) - 2} others."


def candidates_sentence(prediction: Prediction) -> str:
    """What else it could be, for the line under a `genre` verdict; empty for the others."""
    if prediction.verdict != "genre":
        return ""
    others = [genre for genre in prediction.prediction_set if genre != prediction.genre]
    if not others:
        return "No other candidate."
    if len(others) == 1:
        return f"{others[0].capitalize()} is the only other candidate."
    return f"Other candidates: {', '.join(others[:-1])} and {others[-1]}."


def notes(prediction: Prediction) -> tuple[str, ...]:
    """What a musician should know about the sound: what was found in it, and whether it was too short."""
    seconds = prediction.duration_seconds
    if seconds >= SHORT_SECONDS:
        return prediction.notes
    return (f"Only {seconds:.1f} s long: ten seconds or more give a better answer.", *prediction.notes)


def percent(share: float) -> str:
    """A share as a percentage of two significant digits, never a certain 100 %."""
    return "over 99 %" if share > 0.99 else f"{100 * share:.0f} %"


def clock(seconds: float) -> str:
    """Seconds as m:ss.t."""
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def decibels(value_db: float) -> str:
    """A level as whole dB, with a true minus sign."""
    return f"{value_db:.0f} dB".replace("-0 dB", "0 dB").replace("-", "−")


def hertz(frequency_hz: float) -> str:
    """A frequency in Hz below 1 kHz, in kHz above."""
    return f"{frequency_hz:.0f} Hz" if frequency_hz < 1000 else f"{frequency_hz / 1000:.1f} kHz"


def cell_genre(cell: Cell, genres: tuple[str, ...]) -> str:
    """The top genre of a stretch of the timeline, or "silence"."""
    return "silence" if cell.is_silent else genres[int(cell.posterior.argmax())]


def to_json(prediction: Prediction, file: str, *, with_timeline: bool = True) -> dict[str, Any]:
    """The prediction as JSON-ready values, by the command line's contract."""
    values: dict[str, Any] = {
        "file": file,
        "duration_seconds": round(prediction.duration_seconds, 3),
        "verdict": prediction.verdict,
        "genre": prediction.genre,
        "confidence": round(prediction.confidence, 6),
        "genres": _by_genre(prediction.genres, prediction.posterior),
        "prediction_set": list(prediction.prediction_set),
        "notes": list(notes(prediction)),
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


def error_json(err: Exception, file: str) -> dict[str, Any]:
    """What went wrong with a file as JSON-ready values, by the command line's contract."""
    return {"file": file, "error": {"type": type(err).__name__, "message": str(err)}}


def timeline_csv(prediction: Prediction) -> str:
    """The timeline as CSV: start, end, top genre, then a posterior per genre."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["start_seconds", "end_seconds", "genre", *prediction.genres])
    for cell in prediction.timeline:
        posterior = [f"{value:.6f}" for value in cell.posterior]
        times = [f"{cell.start_seconds:.3f}", f"{cell.end_seconds:.3f}"]
        writer.writerow([*times, cell_genre(cell, prediction.genres), *posterior])
    return out.getvalue()


def audacity_labels(prediction: Prediction) -> str:
    """The timeline as an Audacity label track; neighbours of one genre are joined."""
    return "".join(f"{start:.6f}\t{end:.6f}\t{genre}\n" for start, end, genre, _ in stretches(prediction))


def stretches(prediction: Prediction) -> list[tuple[float, float, str, float | None]]:
    """The timeline with neighbours of one genre joined.

    Returns:
        Start and end in seconds, genre (or "silence"), and the genre's mean posterior
        over the stretch, weighted by time (None for silence).
    """
    joined: list[list[Cell]] = []
    for cell in prediction.timeline:
        genre = cell_genre(cell, prediction.genres)
        if joined and cell_genre(joined[-1][0], prediction.genres) == genre:
            joined[-1].append(cell)
        else:
            joined.append([cell])
    return [_stretch(cells, prediction.genres) for cells in joined]


def _stretch(cells: list[Cell], genres: tuple[str, ...]) -> tuple[float, float, str, float | None]:
    genre = cell_genre(cells[0], genres)
    start, end = cells[0].start_seconds, cells[-1].end_seconds
    if cells[0].is_silent:
        return start, end, genre, None
    column = genres.index(genre)
    weighted = sum((cell.end_seconds - cell.start_seconds) * float(cell.posterior[column]) for cell in cells)
    return start, end, genre, weighted / (end - start) if end > start else float(cells[0].posterior[column])


def _by_genre(genres: tuple[str, ...], posterior: Any) -> dict[str, float]:
    return {genre: round(float(value), 6) for genre, value in zip(genres, posterior, strict=True)}
