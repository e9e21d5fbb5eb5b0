"""The model card of a bundle, as Markdown, from its facts alone."""

from __future__ import annotations

from typing import Any

from crnn.bundle import Bundle


def model_card(bundle: Bundle) -> str:
    """What a model knows, how it was made, how good it is and where it fails."""
    parts = [
        f"# {bundle.name}",
        f"Names the genre of a sound: {', '.join(bundle.genres)}. Made by GenreScope on {bundle.created[:10]}.",
    ]
    if bundle.notes:
        parts.append(bundle.notes.strip())
    parts += ["## Data and split", _facts(bundle.data | {f"split: {k}": v for k, v in bundle.split.items()})]
    for part, scores in bundle.scores.items():
        parts += [f"## Scores: {part}", _scores(scores)]
    parts += ["## Calibration", _calibration(bundle), "## Network", _facts(_flat(bundle.model))]
    config = bundle.feature_config
    parts.append(
        f"Input: log-mel of {config.segment_seconds:g} s segments, {config.n_mels} bands up to "
        f"{config.fmax / 1000:g} kHz, {config.frame_rate_hz:.1f} frames a second, dB re the segment's loudest cell, "
        f"floor {config.db_floor:g} dB."
    )
    parts += ["## Limits", _limits(bundle), "## Versions", _facts(bundle.versions)]
    return "\n\n".join(parts) + "\n"


def _scores(scores: dict[str, Any]) -> str:
    low, high = scores["accuracy_interval"]
    lines = [
        f"{scores['n_tracks']} tracks, one answer a track.",
        "",
        "| score | value |",
        "|---|---|",
        f"| accuracy | {scores['accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f}) |",
        f"| macro-F1 | {scores['macro_f1']:.3f} |",
        f"| macro recall | {scores['macro_recall']:.3f} |",
        f"| right genre among the first three | {scores['top3_accuracy']:.3f} |",
        f"| expected calibration error, 10 bins | {scores['expected_calibration_error']:.3f} |",
        "",
        "| genre | tracks | precision | recall | F1 |",
        "|---|---|---|---|---|",
    ]
    for genre, row in scores["per_genre"].items():
        lines.append(
            f"| {genre} | {row['n_tracks']:.0f} | {row['precision']:.2f} | {row['recall']:.2f} | {row['f1']:.2f} |"
        )
    genres = scores["genres"]
    lines += ["", "Rows are the true genre, columns the answer:", "", "| | " + " | ".join(genres) + " |"]
    lines.append("|---" * (len(genres) + 1) + "|")
    for genre, row in zip(genres, scores["confusion"], strict=True):
        lines.append(f"| {genre} | " + " | ".join(str(n) if n else "·" for n in row) + " |")
    if scores.get("reliability"):
        lines += ["", "| mean confidence | share right | tracks |", "|---|---|---|"]
        lines += [f"| {c:.2f} | {a:.2f} | {n} |" for c, a, n in scores["reliability"]]
    return "\n".join(lines)


def _calibration(bundle: Bundle) -> str:
    calibration = bundle.calibration
    text = (
        f"Temperature {calibration.temperature:.2f}. Below a confidence of {calibration.unsure_below:.2f} the "
        f"answer is “unsure”. Genres of at least {calibration.set_threshold:.3f} form the "
        f"{calibration.set_coverage:.0%} prediction set."
    )
    if bundle.rejection is not None:
        text += f" Below a probability of music of {bundle.rejection.threshold:.2f} the answer is “not music”."
    return text


def _limits(bundle: Bundle) -> str:
    return (
        f"It knows {len(bundle.genres)} genres and will name the nearest of them for any other music, or say that "
        "it is unsure. Confidence is not certainty: it is right about as often as it says on music like that it "
        "was calibrated on."
    )


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", " "): value for name, value in values.items()}


def _facts(values: dict[str, Any]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in values.items()) or "- not stated"
