"""The report on a finished training: how good the model is, where it errs, what its split protects against.

A plain dict, so that it is the JSON download as it stands; `to_html` is the same for
reading, one file that loads nothing.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn import intervals
from crnn.bundles.bundle import Bundle
from crnn.data.collection import Collection
from crnn.data.tracks import Track
from crnn.errors import CrnnError
from crnn.text import confidence, number_of, off_by, right_of, with_interval
from crnn.untrusted import visible

Report = dict[str, Any]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { padding: 0.25rem 0.6rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; }
@media print { table { display: table; } th, td { white-space: normal; } }
"""


# What is told of each track that was answered.
_TRACK: dict[str, type | tuple[type, ...]] = {
    "track_id": str,
    "genre": str,
    "answer": str,
    "confidence": (int, float),
    "path": (str, type(None)),
    "demo_id": (str, int, type(None)),
}


def build_report(
    bundle: Bundle,
    collection: Collection,
    valid: Sequence[Track],
    posteriors: npt.NDArray[np.float64],
    *,
    history: list[dict[str, Any]],
    kept_epoch: int,
    protection: Iterable[str],
    notes: Iterable[str],
    compared: dict[str, Any] | None = None,
) -> Report:
    """All that is known of a new model.

    Args:
        bundle: The model.
        collection: What it learnt from and was checked on.
        valid: Tracks that it was checked on.
        posteriors: Its answers for them, `(n_tracks, n_genres)`.
        history: Facts of each epoch.
        kept_epoch: The epoch whose weights were kept.
        protection: What the split guards against, as sentences.
        notes: What else a musician should know.
        compared: The fitted head against the trained network, from `crnn.evaluation.paired`; None for one alone.
    """
    return {
        "created": bundle.created,
        "data": bundle.data,
        "split": bundle.split,
        "genres": list(bundle.genres),
        "scores": bundle.scores.get("valid") or bundle.scores.get("folds"),
        "lucky_guess": _lucky_guess(valid),
        "protection": list(protection),
        "notes": list(notes),
        "kept_epoch": kept_epoch,
        "compared": compared,
        "is_calibrated": bundle.calibration.is_fitted,
        "history": history,
        "tracks": [_answer(track, row, bundle, collection) for track, row in zip(valid, posteriors, strict=True)],
        "settings": bundle.training,
    }


def _lucky_guess(valid: Sequence[Track]) -> dict[str, Any] | None:
    """What always naming the commonest genre would score."""
    counts = Counter(track.genre for track in valid)
    if not counts:
        return None
    genre, n = max(counts.items(), key=lambda item: (item[1], item[0]))
    return {"genre": genre, "accuracy": n / len(valid)}


def _answer(track: Track, posterior: npt.NDArray[np.float64], bundle: Bundle, collection: Collection) -> Report:
    number, original = collection.origins[track.track_id]
    is_demo = collection.datasets[number].kind == "demo"
    return {
        "track_id": track.track_id,
        "genre": track.genre,
        "answer": bundle.genres[int(posterior.argmax())],
        "confidence": float(posterior.max()),
        "posterior": {genre: float(share) for genre, share in zip(bundle.genres, posterior, strict=True)},
        "artist": track.artist,
        "title": track.title,
        "path": None if track.path is None else str(track.path),
        "demo_id": original.track_id if is_demo else None,
    }


def mistakes(report: Report) -> list[Report]:
    """Tracks that were answered wrongly, the surest mistake first."""
    wrong = [track for track in report["tracks"] if track["answer"] != track["genre"]]
    return sorted(wrong, key=lambda track: -track["confidence"])


def headline(report: Report, noun: str = "track") -> str:
    """The score in one sentence.

    Args:
        report: On a new model.
        noun: What was given: track, or clip.
    """
    scores = report["scores"]
    if not scores:
        return "No score: the data set's split keeps no tracks to check with."
    n_right = round(scores["accuracy"] * scores["n_tracks"])
    low, high = scores["accuracy_interval"]
    return (
        f"{n_right} of {scores['n_tracks']} unheard {noun}s right: {_percent(scores['accuracy'])} "
        f"({100 * low:.0f} to {_percent(high)})."
    )


def perspective(report: Report) -> str:
    """What the score's interval means, and what luck would score; empty without a score."""
    scores, guess = report["scores"], report["lucky_guess"]
    if not scores:
        return ""
    # Tracks of an artist are right or wrong together: it is artists that chance deals.
    tell = intervals.tell_as_much(scores)
    as_many = f"; {scores['n_tracks']} tracks {tell}" if tell else ""
    sentence = f"In brackets: what it may be of others (95 % interval{as_many})."
    if guess:
        sentence += f" Always saying {guess['genre']} would score {_percent(guess['accuracy'])}."
    return sentence


def learnt_from(report: Report) -> str:
    """What data it was, as a sentence."""
    data = report["data"]
    return f"Learnt from {data.get('name')}, {data.get('n_tracks')} tracks."


def kept_sentence(report: Report) -> str:
    """Which epoch is the model, and why that one."""
    epochs = report["history"]
    if not report["kept_epoch"]:
        return "Kept: a head fitted to the embedding of the model that it started from; no epoch was needed."
    reason = "the one with the lowest loss on the validation tracks" if _is_watched(report) else "the last one"
    return f"Kept: epoch {report['kept_epoch']} of {len(epochs)}, {reason}."


def _is_watched(report: Report) -> bool:
    return any("valid_loss" in epoch for epoch in report["history"])


def calibration_sentence(report: Report) -> str:
    """What the confidence rests on, and how far it is off; empty without a score."""
    scores = report["scores"]
    if not scores:
        return ""
    if not report.get("is_calibrated", True):
        checked = number_of(scores["n_tracks"], "track")
        return f"Not calibrated: only {checked} to check with. The confidence is the network's own."
    error = f"Expected calibration error {scores['expected_calibration_error']:.3f}{_chance(scores)}"
    if scores.get("part") == "folds":
        return f"{error}. Each fold's confidence was calibrated on the others.{_how_rough(scores)}"
    return (
        f"{error}. These are the tracks that the confidence was calibrated on: expect a little more on others."
        f"{_how_rough(scores)}"
    )


def _how_rough(scores: Report) -> str:
    """How far the confidence may be off on tracks like these; bundles of before do not say it."""
    if "overconfidence_interval" not in scores:
        return ""
    low, high = scores["overconfidence_interval"]
    others = "other artists" if "independent_tracks" in scores else "other tracks"
    return f" On {others} the confidence may be {off_by(low, high)} (95 %)."


def _chance(scores: Report) -> str:
    by_chance = intervals.error_by_chance(scores.get("reliability") or (), intervals.independent_share(scores))
    if by_chance is None:
        return ""
    return f", where up to {by_chance:.3f} is chance on {number_of(scores['n_tracks'], 'track')}"


def check(report: Report) -> None:
    """Refuse a report that does not hold what is told of it: of another version, or damaged.

    Args:
        report: As it was read from disk.

    Raises:
        CrnnError: It cannot be told.
    """
    try:
        to_html(report)
        costliest(report)
        # The page draws what the file leaves out where it is not known.
        _ = (report["scores"] or {"reliability": ()})["reliability"]
        is_whole = all(
            isinstance(track[name], kinds) for track in report["tracks"] for name, kinds in _TRACK.items()
        ) and all(isinstance(epoch["epoch"], int) for epoch in report["history"])
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        is_whole = False
    if not is_whole:
        raise CrnnError(
            "The report of this training cannot be shown: it is damaged, or of another version of GenreScope. Its "
            "model is kept, and can be saved; train again to have it judged."
        )


def to_html(report: Report, name: str = "a new model") -> str:
    """The report as one HTML file without scripts or pictures from elsewhere.

    Args:
        report: From `build_report`.
        name: What the model is called.
    """
    parts = [f"<h1>Report on {escape(name)}</h1>", f"<p>{escape(headline(report))} {escape(perspective(report))}</p>"]
    parts.append(f"<p>{escape(learnt_from(report))} Made {escape(str(report['created'])[:10])}.</p>")
    parts += [_list("What the split protects against", report["protection"]), _list("Notes", report["notes"])]
    scores = report["scores"]
    if scores:
        parts += ["<h2>By genre</h2>", _genre_table(scores), "<h2>Confusion</h2>", _confusion_table(scores)]
        parts += ["<h2>Reliability</h2>", f"<p>{escape(calibration_sentence(report))}</p>"]
        parts += [_table(("mean confidence", "share right", "tracks"), _reliability(scores))]
        parts += ["<h2>Mistakes, the surest first</h2>", _mistake_table(report)]
    parts += ["<h2>Epochs</h2>", f"<p>{escape(kept_sentence(report))}</p>"]
    parts += [_history_table(report)] if report["history"] else []
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        # Should markup ever come through, it fetches and runs nothing.
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Report on {escape(name)}</title><style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def escape(text: str) -> str:
    """Text that others chose as text of a page: no markup, and nothing that is not seen (text that runs backwards)."""
    return html.escape(visible(text))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _list(title: str, sentences: list[str]) -> str:
    if not sentences:
        return ""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f"<h2>{escape(title)}</h2><ul>{items}</ul>"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def genre_rows(scores: Report) -> list[tuple[str, str, str, str, str]]:
    """Genre, tracks, precision, recall and F1, each with its 95 % interval, as text."""
    rows = []
    for genre, of_genre in genre_intervals(scores).items():
        row = scores["per_genre"][genre]
        precision = with_interval(row["precision"], of_genre.precision)
        recall, f1 = with_interval(row["recall"], of_genre.recall), with_interval(row["f1"], of_genre.f1)
        rows.append((genre, f"{row['n_tracks']:.0f}", precision, recall, f1))
    return rows


def genre_intervals(scores: Report) -> dict[str, intervals.OfGenre]:
    """Intervals of precision, recall and F1, by genre."""
    found = intervals.of_genres(scores["confusion"], _counts(scores), intervals.independent_share(scores))
    return dict(zip(scores["genres"], found, strict=True))


def macro_f1(scores: Report) -> str:
    """The mean F1 of the genres with its 95 % interval, as text."""
    means = intervals.of_means(scores["confusion"], _counts(scores), intervals.independent_share(scores))
    return with_interval(scores["macro_f1"], means.macro_f1)


def _counts(scores: Report) -> list[float]:
    return [scores["per_genre"][genre]["n_tracks"] for genre in scores["genres"]]


def costliest(report: Report) -> list[tuple[str, str, int]]:
    """Confusions by what they cost, the dearest first: what it is, what was answered, and how many tracks.

    A confusion costs as many tracks as it has wrong; of equal ones the surer costs more.
    """
    wrong = mistakes(report)
    counts = Counter((track["genre"], track["answer"]) for track in wrong)
    sureness: Counter[tuple[str, str]] = Counter()
    for track in wrong:
        sureness[track["genre"], track["answer"]] += track["confidence"]
    order = sorted(counts, key=lambda cell: (-counts[cell], -sureness[cell], cell))
    return [(genre, answer, counts[genre, answer]) for genre, answer in order]


def _genre_table(scores: Report) -> str:
    return _table(("genre", "tracks", "precision", "recall", "F1"), genre_rows(scores))


def _confusion_table(scores: Report) -> str:
    rows = [
        (genre, *(str(n) if n else "·" for n in row))
        for genre, row in zip(scores["genres"], scores["confusion"], strict=True)
    ]
    return _table(("is ↓, answered →", *scores["genres"]), rows)


def _reliability(scores: Report) -> list[tuple[str, str, str]]:
    return [(f"{c:.2f}", f"{a:.2f}", str(n)) for c, a, n in scores.get("reliability") or ()]


def _mistake_table(report: Report) -> str:
    rows = [(t["track_id"], t["genre"], t["answer"], confidence(t["confidence"])) for t in mistakes(report)]
    return _table(("track", "is", "answered", "confidence"), rows)


def _history_table(report: Report) -> str:
    rows = [
        (
            str(e["epoch"]),
            *(f"{e[key]:.3f}" if key in e else "" for key in ("loss", "valid_loss")),
            right_of(e["confusion"]) if "confusion" in e else "",
        )
        for e in report["history"]
    ]
    return _table(("epoch", "loss", "validation loss", "validation tracks right"), rows)
