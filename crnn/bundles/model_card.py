"""The model card of a bundle, as Markdown, from its facts alone."""

from __future__ import annotations

from typing import Any

from crnn import intervals
from crnn.bundles.bundle import Bundle
from crnn.bundles.tagging import Tag
from crnn.config import FeatureConfig
from crnn.text import confidence, number_of, off_by, signed, with_interval

# Under `training` in a bundle: sentences on what the model was found to do with the tracks it was made from.
FOUND = "found"
# What a card may raise of facts that another program wrote: they may be anything.
CARD_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


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
    parts.append(_input(bundle.feature_config))
    if bundle.tagging is not None and bundle.tagging.tags:
        parts += ["## What else is heard", _tags(bundle.tagging.tags)]
    # An imported bundle may say anything there.
    told = bundle.training.get("legs")
    if legs := [leg for leg in told if isinstance(leg, dict)] if isinstance(told, list) else []:
        parts += ["## How it was made", "\n".join(_leg(number, leg) for number, leg in enumerate(legs, start=1))]
    parts += ["## Limits", _limits(bundle), "## Versions", _facts(bundle.versions)]
    return "\n\n".join(parts) + "\n"


def scored_parts(bundle: Bundle) -> dict[str, dict[str, Any]]:
    """Those of its scores that a line can tell: a share of so many tracks. Other programs may write anything there."""
    return {part: scores for part, scores in bundle.scores.items() if _is_score(scores)}


def _is_score(scores: Any) -> bool:
    return (
        isinstance(scores, dict)
        and type(scores.get("n_tracks")) is int
        and 0 < scores["n_tracks"] < 2**31
        and _is_share(scores.get("accuracy"))
    )


def interval_of(scores: dict[str, Any]) -> tuple[float, float] | None:
    """The interval of a score's accuracy, where one is told.

    Args:
        scores: One of `scored_parts`.
    """
    found = scores.get("accuracy_interval")
    if not isinstance(found, list | tuple) or len(found) != 2 or not all(map(_is_share, found)):
        return None
    return found[0], found[1]


def _is_share(value: Any) -> bool:
    return isinstance(value, float) and 0 <= value <= 1


def _leg(number: int, leg: dict[str, Any]) -> str:
    facts = [f"{name} {_plainly(value)}" for name, value in leg.items() if name != "what" and value != ""]
    return f"{number}. {leg.get('what', 'made')}" + (f" ({'; '.join(facts)})" if facts else "")


def _plainly(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(map(str, value.values()))
    if isinstance(value, list | tuple):
        return ", ".join(
            " and ".join(map(str, part)) if isinstance(part, list | tuple) else str(part) for part in value
        )
    return str(value)


def _cell(words: str) -> str:
    """A name in a table, in which a stroke would end its cell."""
    return words.replace("|", "\\|")


def _input(config: FeatureConfig) -> str:
    frames = (
        f"{config.segment_seconds:g} s segments, {config.n_mels} bands up to {config.fmax / 1000:g} kHz, "
        f"{config.frame_rate_hz:.1f} frames a second"
    )
    if config.level:
        return (
            f"Input: the mel of an AudioSet tagger, of {frames}, from sound at {config.sample_rate / 1000:g} kHz: "
            f"(ln(power + 0.00001) + 4.5) / 5, each segment's power brought to {config.level:g} on average."
        )
    return f"Input: log-mel of {frames}, dB re the segment's loudest cell, floor {config.db_floor:g} dB."


def _tags(tags: tuple[Tag, ...]) -> str:
    lines = [
        "Words beside the answer, never the answer. AUC: how well each parts labelled sound that has it from sound "
        "that does not, with its 95 % interval.",
        "",
        "| word | kind | shown from | AUC |",
        "|---|---|---|---|",
    ]
    for tag in tags:
        low, high = tag.auc_interval
        lines.append(f"| {tag.name} | {tag.kind} | {tag.threshold:.2f} | {tag.auc:.2f} ({low:.2f} to {high:.2f}) |")
    return "\n".join(lines)


def _scores(scores: dict[str, Any]) -> str:
    genres, n = scores["genres"], scores["n_tracks"]
    counts = [scores["per_genre"][genre]["n_tracks"] for genre in genres]
    share = intervals.independent_share(scores)
    means = intervals.of_means(scores["confusion"], counts, share)
    tell = intervals.tell_as_much(scores)
    by_chance = intervals.error_by_chance(scores.get("reliability") or (), share)
    chance = "" if by_chance is None else f" (up to {by_chance:.3f} is chance on so many tracks)"
    lines = [
        f"{n} tracks, one answer a track{f', which {tell}' if tell else ''}. In brackets 95 % intervals.",
        "",
        "| score | value |",
        "|---|---|",
        f"| accuracy | {with_interval(scores['accuracy'], scores['accuracy_interval'], 3)} |",
        f"| macro-F1 | {_mean(scores['macro_f1'], means.macro_f1)} |",
        f"| macro recall | {_mean(scores['macro_recall'], means.macro_recall)} |",
        *([_share("right genre among the first three", scores["top3_accuracy"], share * n)] if len(genres) > 3 else []),
        *_of_answers(scores, share * n),
        f"| expected calibration error, 10 bins | {scores['expected_calibration_error']:.3f}{chance} |",
        *_overconfidence(scores),
        "",
        "| genre | tracks | precision | recall | F1 |",
        "|---|---|---|---|---|",
    ]
    for genre, of_genre in zip(genres, intervals.of_genres(scores["confusion"], counts, share), strict=True):
        row = scores["per_genre"][genre]
        said = [with_interval(row[name], getattr(of_genre, name)) for name in ("precision", "recall", "f1")]
        lines.append(f"| {_cell(genre)} | {row['n_tracks']:.0f} | {' | '.join(said)} |")
    lines += ["", "Rows are the true genre, columns the answer:", "", "| | " + " | ".join(map(_cell, genres)) + " |"]
    lines.append("|---" * (len(genres) + 1) + "|")
    for genre, row in zip(genres, scores["confusion"], strict=True):
        lines.append(f"| {_cell(genre)} | " + " | ".join(str(n) if n else "·" for n in row) + " |")
    if scores.get("reliability"):
        lines += ["", "| mean confidence | share right | tracks |", "|---|---|---|"]
        lines += [f"| {c:.2f} | {a:.2f} | {n} |" for c, a, n in scores["reliability"]]
    return "\n".join(lines)


def _share(what: str, share: float, n: float) -> str:
    return f"| {what} | {with_interval(share, intervals.wilson_interval(share * n, n), 3)} |"


def _of_answers(scores: dict[str, Any], n: float) -> list[str]:
    """What "unsure" and the prediction set do, where that was judged by folds."""
    if "answered" not in scores:
        return []
    answered = scores["answered"]
    return [
        _share("answered, not “unsure”", answered, n),
        _share("answers that are right", scores["answered_accuracy"], answered * n),
        _share("the prediction set holds the truth", scores["set_coverage"], n),
        f"| genres in the prediction set | {scores['set_size']:.2f} |",
    ]


def _overconfidence(scores: dict[str, Any]) -> list[str]:
    """How far the confidence is above what is right; bundles of before do not say it."""
    if "overconfidence_interval" not in scores:
        return []
    value, (low, high) = scores["overconfidence"], scores["overconfidence_interval"]
    said = f"{signed(value)} ({signed(low)} to {signed(high)})"
    return [f"| mean confidence less the share right | {said} |"]


def _mean(value: float, interval: intervals.Interval | None) -> str:
    # Of very many genres none is worked out.
    return f"{value:.3f}" if interval is None else with_interval(value, interval, 3)


def _calibration(bundle: Bundle) -> str:
    calibration = bundle.calibration
    if calibration.is_fitted:
        text = (
            f"Temperature {calibration.temperature:.2f}. Below a confidence of {confidence(calibration.unsure_below)} "
            f"the answer is “unsure”. Genres of at least {calibration.set_threshold:.3f} form the "
            f"{100 * calibration.set_coverage:.0f} % prediction set."
        )
    else:
        text = (
            f"Not calibrated: {_n_checked(bundle)}. The confidence is the network's own, below "
            f"{calibration.unsure_below:.2f} the answer is “unsure”, and no prediction set is claimed."
        )
    if bundle.rejection is not None:
        text += f" Below a probability of music of {bundle.rejection.threshold:.2f} the answer is “not music”."
    tagging = bundle.tagging
    if tagging is not None and tagging.music is not None:
        text += f" Below a probability of music of {tagging.music.threshold:.2f}, by its tags, it is “not music”."
    if tagging is not None and tagging.other is not None:
        text += f" From a probability of {tagging.other.threshold:.2f} of another genre on it is “other”."
    return text


def _limits(bundle: Bundle) -> str:
    knows_others = bundle.tagging is not None and bundle.tagging.other is not None
    beyond = (
        "says of other music that it is none of them, or that it is unsure, and now and then names the nearest"
        if knows_others
        else "will name the nearest of them for any other music, or say that it is unsure"
    )
    rule_of_tags = bundle.tagging is not None and bundle.tagging.music is not None
    if bundle.rejection is not None and not rule_of_tags:
        beyond += ". Speech and noise it declines less surely than ten-genres and what starts from it"
    told = bundle.training.get(FOUND)
    found = [str(sentence) for sentence in told] if isinstance(told, list) else []
    text = f"It knows {len(bundle.genres)} genres and {beyond}. Confidence is not certainty"
    if not bundle.calibration.is_fitted:
        return " ".join([f"{text}, and how often it is right was not measured on enough tracks to say more.", *found])
    return " ".join(
        [
            f"{text}: on music like that it was calibrated on it is right about as often as it says, on "
            "other music less often.",
            *_how_rough(bundle),
            *found,
        ]
    )


def _how_rough(bundle: Bundle) -> list[str]:
    """How far confidence may be off on such music; bundles of before and those that were not checked do not say it."""
    scores = bundle.scores.get("folds") or bundle.scores.get("valid") or {}
    if "overconfidence_interval" not in scores:
        return []
    others = "by other artists" if "independent_tracks" in scores else "in other tracks"
    return [
        f"Of music like that, {others}, the mean confidence may be {off_by(*scores['overconfidence_interval'])} (95 %)."
    ]


def _n_checked(bundle: Bundle) -> str:
    """How many tracks there were to calibrate on."""
    counts = [scores["n_tracks"] for scores in bundle.scores.values() if "n_tracks" in scores]
    if not counts:
        return "no tracks were kept back to check with"
    return f"only {number_of(max(counts), 'track')} to check with"


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", " "): value for name, value in values.items()}


def _facts(values: dict[str, Any]) -> str:
    return "\n".join(f"- {name}: {_plainly(value)}" for name, value in values.items()) or "- not stated"
