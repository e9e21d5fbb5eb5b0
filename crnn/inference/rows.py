"""Answers as rows: the lines of `classify` and of the app's downloads, for people, programs and spreadsheets."""

from __future__ import annotations

import os
from typing import Any

from crnn.inference.tag_words import sentence
from crnn.inference.verdict import Verdict
from crnn.text import clock, confidence
from crnn.untrusted import csv_line, csv_name, visible

# A row as `crnn.inference.output` makes it, or the error of a file.
Row = dict[str, Any]

# Behind all others: whoever counts columns finds those of before where they were.
_TAGGED = ("tagged", "agrees", "heard")
_MOST_HEARD = 4
_FACTS = ("file", "duration_seconds", "verdict", "genre", "confidence")


def error_row(name: str, kind: str, message: str) -> Row:
    """The row of a file without answer.

    Args:
        name: The file as the row names it.
        kind: The class of the error.
        message: Its sentence; control characters are made visible.
    """
    return {"file": name, "error": {"type": kind, "message": visible(message)}}


def csv_header(genres: tuple[str, ...]) -> str:
    """The first line of a CSV of rows."""
    return csv_line([*_FACTS, *genres, "notes", "error", *_TAGGED])


def csv_row(row: Row, genres: tuple[str, ...]) -> str:
    """A row as a line of CSV.

    Args:
        row: As `crnn.inference.output.to_json` or `error_row` gives it.
        genres: The columns of posteriors, in their order.
    """
    name = csv_name(row["file"])
    if "error" in row:
        return csv_line(
            [name, *[""] * (len(_FACTS) - 1 + len(genres)), "", row["error"]["message"], *[""] * len(_TAGGED)]
        )
    posteriors = [f"{row['genres'][genre]:.6f}" for genre in genres]
    facts = [name, row["duration_seconds"], row["verdict"], row["genre"] or "", f"{row['confidence']:.6f}"]
    tagged = row.get("tagged") or {"words": [], "agrees": None}
    agrees = {True: "yes", False: "no", None: ""}[tagged["agrees"]]
    return csv_line(
        [
            *facts,
            *posteriors,
            " ".join(row["notes"]),
            "",
            "; ".join(tagged["words"]),
            agrees,
            "; ".join(row.get("heard", ())),
        ]
    )


def _said_of_genres(row: Row) -> tuple[str, str]:
    """The confidence, and the genres in question: a verdict of none of them has no confidence in one to show."""
    traits = Verdict(row["verdict"]).traits
    ranked = sorted(row["genres"].items(), key=lambda item: -item[1])[:3]
    if traits.has_stretches:
        best = ", ".join(f"{visible(genre)} {confidence(posterior)}" for genre, posterior in ranked)
        return confidence(row["confidence"]), f"({best})"
    return "", f"(nearest {visible(ranked[0][0])})" if traits.is_music else ""


def table_lines(row: Row) -> str:
    """A row for reading: the answer and what else it might be; a line for each cell where the row has a timeline."""
    name = visible(os.path.basename(row["file"]))
    if "error" in row:
        return f"{'error':<10} {'':>6}  {name}: {visible(row['error']['message'])}\n"
    verdict = visible(row["genre"] or row["verdict"].replace("_", " "))
    sure, best = _said_of_genres(row)
    lines = [f"{verdict:<10} {sure:>6}  {name}  {best}{'  ' if best else ''}{visible(sentence(row))}".rstrip()]
    heard = row.get("heard", ())
    if heard and Verdict(row["verdict"]).traits.is_music:
        lines.append(f"{'':<17}  also heard: {', '.join(map(visible, heard[:_MOST_HEARD]))}")
    # The genres of its moments would belie that something is no music, and their confidences that it is silent.
    traits = Verdict(row["verdict"]).traits
    for cell in row.get("timeline", []) if traits.is_music and traits.has_timeline else ():
        genre, posterior = max(cell["genres"].items(), key=lambda item: item[1])
        times = f"{clock(cell['start_seconds']):>9} to {clock(cell['end_seconds']):>9}"
        lines.append(f"    {times}  {visible(genre)} {confidence(posterior)}")
    return "\n".join(lines) + "\n"
