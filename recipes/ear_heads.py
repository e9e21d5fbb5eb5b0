"""Heads and rules of `ten-genres`, from what both networks answer.

`fit_heads` writes `heads.npz` (`genre_kernel`, `genre_bias`; `old_kernel`, `old_bias` of the second network; `weight`,
its share) and `heads.json` (front end, calibration, tags, rules, scores) for `recipes.ear`, and prints the tables of
docs/scores.md.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from crnn.evaluation.metrics import score
from crnn.intervals import wilson_interval
from recipes import ear_calibration, ear_genre, ear_rules, ear_tags
from recipes.ear_outputs import (
    ARCHIVE,
    CUTS,
    ELSEWHERE,
    GENRES,
    GTZAN,
    Companions,
    Floats,
    Heard,
    track_posteriors,
)

# Facts of the first network's input that `recipes.ear` holds against `tagger_features`.
_INPUT: dict[str, Any] = {
    "format": 1,
    "front_end": {"kind": "tagger-mel", "level": 100.0},
    "segment_frames": 1000,
    "segment_hop_frames": 1000,
    "least_new_frames": 300,
    "short": "repeat",
    "genres": list(GENRES),
}
# GTZAN's tracks as a phone in a room would hear them.
PHONE = "gtzan.phone1"
# Draws of the folds of elsewhere: with 77 clips one draw alone moves what is right of the answers by four points.
N_DRAWS = 4
_LEVELS = {
    GTZAN: "GTZAN tracks with sound, crossed by artist",
    ELSEWHERE: "tracks from elsewhere, crossed by artist",
}


def fit_heads(heard: dict[str, Heard], companions: dict[str, Companions], names: list[str], out: Path) -> None:
    """Fit, cross, write, and say what came out.

    Args:
        heard: Answers of the first network by set.
        companions: Of the second.
        names: Of the tagger's classes, in their order.
        out: Folder of the two files.
    """
    rows = ear_genre.Rows(heard)
    second = ear_genre.SecondRows(heard, companions)
    mean, scale = ear_genre.scales(heard, rows.weights.words_scale)
    first = ear_genre.crossed(rows, (GTZAN, CUTS, ARCHIVE, PHONE))
    logits = ear_genre.together(rows, first, second.crossed())
    draws = [_draw(rows, second, draw) for draw in range(N_DRAWS)]
    first[ELSEWHERE], logits[ELSEWHERE] = draws[0]
    whole = ear_genre.fit(rows.without(), mean, scale, rows.weights.c)
    logits[ear_rules.MADE] = whole(heard[ear_rules.MADE].embedding)
    temperature = ear_calibration.temperature_of(heard, logits)
    answers = {name: _of_the_ten(heard[name], logits[name], temperature) for name in _LEVELS}
    elsewhere = [_of_the_ten(heard[ELSEWHERE], both, temperature) for _, both in draws]
    other, is_other = ear_rules.fit_other(heard, logits, (mean, scale), names, temperature)
    calibration = ear_calibration.calibration(*map(np.concatenate, zip(*elsewhere, strict=True)), temperature)
    heads = _INPUT | {"calibration": calibration, "music": ear_rules.fit_music(heard, names), "other": other}
    heads |= {"tags": ear_tags.fit_tags(heard, names)}
    heads |= {"scores": {level: _scores(*answers[name]) for name, level in _LEVELS.items()}}
    out.mkdir(parents=True, exist_ok=True)
    (out / "heads.json").write_text(json.dumps(heads), encoding="utf-8")
    _write_heads(out / "heads.npz", whole, second)
    _tell({name: [_of_the_ten(heard[name], logits[name], temperature)] for name in (GTZAN, CUTS)}, heads)
    _tell({ELSEWHERE: elsewhere}, heads)
    _tell_others(heard, logits, is_other, heads)
    for name in (GTZAN, ELSEWHERE, PHONE):
        posteriors, labels = _of_the_ten(heard[name], first[name], temperature)
        print(f"{name}, the first network alone: {_share(posteriors.argmax(axis=1) == labels)}")


def _draw(rows: ear_genre.Rows, second: ear_genre.SecondRows, draw: int) -> tuple[Floats, Floats]:
    """Crossed logits of the clips from elsewhere, by one draw of the folds: of the first network, and of both."""
    first = ear_genre.crossed_elsewhere(dataclasses.replace(rows, draw=draw))
    of_second = dataclasses.replace(second, draw=draw).crossed_elsewhere()
    return first, ear_genre.mixed(rows, ELSEWHERE, first, of_second)


def _tell(answers: dict[str, list[tuple[Floats, Any]]], heads: dict[str, Any]) -> None:
    """Print the tables of docs/scores.md: crossed, and means over the draws of the folds."""
    settings = heads["calibration"]
    for name, draws in answers.items():
        figures = []
        for posteriors, labels in draws:
            confidence, is_right = posteriors.max(axis=1), posteriors.argmax(axis=1) == labels
            is_answered = confidence >= settings["unsure_below"]
            in_set = posteriors >= np.minimum(settings["set_threshold"], confidence[:, np.newaxis])
            covered = in_set[np.arange(len(labels)), labels]
            figures.append(
                (
                    is_right.mean(),
                    is_answered.mean(),
                    is_right[is_answered].mean(),
                    covered.mean(),
                    in_set.sum(axis=1).mean(),
                    score(labels, posteriors, GENRES).expected_calibration_error,
                )
            )
        right, answered, right_of_answered, covered, size, error = np.mean(figures, axis=0)
        n_tracks = len(draws[0][1])
        print(f"{name}, {len(draws)} draws: top genre {_interval(right, n_tracks)}", end="; ")
        print(f"answered {_interval(answered, n_tracks)}", end=", ")
        print(f"of them right {_interval(right_of_answered, round(answered * n_tracks))}", end="; ")
        print(f"set {_interval(covered, n_tracks)} of {size:.2f} genres; calibration error {error:.3f}")


def _interval(share: float, n: int) -> str:
    low, high = wilson_interval(round(share * n), n)
    return f"{share:.3f} ({low:.3f} to {high:.3f}, {n})"


def _tell_others(
    heard: dict[str, Heard], logits: dict[str, Floats], is_other: dict[str, Floats], heads: dict[str, Any]
) -> None:
    """Print what becomes of music of other genres, and of that of the ten by the rule for it."""
    settings, threshold = heads["calibration"], heads["other"]["threshold"]
    for name in (GTZAN, ELSEWHERE):
        known = heard[name].labels >= 0
        print(f"{name}: lost to other {_share((is_other[name] >= threshold)[known])}")
    clips = heard[ELSEWHERE]
    confidence = track_posteriors(clips, logits[ELSEWHERE], settings["temperature"]).max(axis=1)[clips.labels < 0]
    print(f"made sounds, by rules without their kind: told {_share(is_other[ear_rules.MADE] >= threshold)}")
    is_told = is_other[ELSEWHERE][clips.labels < 0] >= threshold
    print(f"music of other genres: told {_share(is_told)}", end="; ")
    for least in (settings["unsure_below"], 0.9):
        print(f"named at {least:.2f} {_share(~is_told & (confidence >= least))}", end="; ")
    print()


def _share(found: Any) -> str:
    low, high = wilson_interval(int(found.sum()), len(found))
    return f"{found.mean():.3f} ({low:.3f} to {high:.3f}, {len(found)})"


def _write_heads(path: Path, first: ear_genre.Head, second: ear_genre.SecondRows) -> None:
    of_second = second.fit()
    np.savez(
        path,
        genre_kernel=first.kernel.astype(np.float32),
        genre_bias=first.bias.astype(np.float32),
        old_kernel=of_second.kernel.astype(np.float32),
        old_bias=of_second.bias.astype(np.float32),
        weight=second.weights.second,
    )


def _of_the_ten(heard: Heard, logits: Floats, temperature: float) -> tuple[Floats, Any]:
    known = heard.labels >= 0
    return track_posteriors(heard, logits, temperature)[known], heard.labels[known]


def _scores(posteriors: Floats, labels: Any) -> dict[str, Any]:
    return score(labels, posteriors, GENRES).to_dict() | {"level": "track"}
