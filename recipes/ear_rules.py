"""Rules of `ten-genres` that rest on the tagger's answers: what is music, and what is music of another genre.

Both are logistic regressions, and their thresholds lie on scores that each kind or fold had without being learnt.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import special

from recipes.ear_outputs import (
    ELSEWHERE,
    GTZAN,
    N_FOLDS,
    FloatArray,
    Floats,
    Heard,
    Integers,
    Mask,
    folds_of,
    log_sum_exp,
    track_posteriors,
)

# What the class names call an instrument and is as often something else.
_BELLS = (
    "Bicycle bell,Tuning fork,Church bell,Jingle bell,Wind chime,Chime,Bell,Change ringing (campanology),"
    "Rattle (instrument)"
).split(",")
_SUNG = (
    "Singing,Choir,Yodeling,Chant,Mantra,Male singing,Female singing,Child singing,Synthetic singing,Rapping,Humming,"
    "Beatboxing,A capella,Vocal music"
).split(",")
# Neither for nor against music: tones, effects, places, and what a recording itself sounds like.
_NEUTRAL = (
    "Inside, small room|Inside, large room or hall|Inside, public space|Outside, urban or manmade|"
    "Outside, rural or natural|Whistling|Ding|Sine wave|Harmonic|Chirp tone|Silence|Reverberation|Echo|Sound effect|"
    "Effects unit|Chorus effect|Electronic tuner|Radio|Television|Noise|Distortion"
).split("|")
# What no teacher of music names; here it speaks against music.
_TONES = (
    "Noise|Static|Hum|Mains hum|White noise|Pink noise|Environmental noise|Sine wave|Harmonic|Chirp tone|Buzz|Hiss|"
    "Sidetone|Cacophony|Rumble|Silence|Sound effect"
).split("|")
# Sounds made by `crnn.synthesis.negatives`, ten of each kind.
MADE = "made.clean"
# Chosen with the scores of left-out kinds in view: hardly a full mix is lost by it, and few single instruments.
_MUSIC_THRESHOLD = 0.3
# Effects of games, in which the tagger, as published, gives no class of music this much.
EFFECTS, BENT_EFFECTS = "effects.clean", "effects.degrade1"
_LEAST_OF_MUSIC = 0.1
SOLOS, SHORT_SOLOS = "solos.clean", "solos.short"
_MADE_WEIGHT = 1.0
_MOST_LOST_OF_GTZAN, _MOST_LOST_OF_ELSEWHERE = 0.025, 0.05


def music_groups(names: Sequence[str]) -> list[list[int]]:
    """Classes of music, instruments, singing, genres, speech, other sound, noise and tones, from all names in order."""
    at = {name: index for index, name in enumerate(names)}
    instruments = range(at["Musical instrument"], at["Scratching (performance technique)"] + 1)
    instruments = [index for index in instruments if names[index] not in _BELLS]
    sung = [at[name] for name in _SUNG]
    genres = [i for i in range(at["Pop music"], at["Scary music"] + 1) if names[i] != "Beatboxing"]
    speech = list(range(at["Singing"]))
    known = {*instruments, *sung, *genres, *speech, at["Music"], *(at[name] for name in [*_BELLS, *_NEUTRAL])}
    other = [index for index in range(len(names)) if index not in known]
    return [[at["Music"]], instruments, sung, genres, speech, other, [at[name] for name in _TONES]]


def hears_music(tags: FloatArray, names: Sequence[str]) -> Mask:
    """Whether the tagger hears music, an instrument, singing or a genre in segments, `(n,)`.

    Args:
        tags: Logits of its classes, `(n, 527)`.
        names: Of the classes, in their order.
    """
    loudness = [log_sum_exp(tags, group) for group in music_groups(names)[:4]]
    return np.asarray(special.expit(np.max(loudness, axis=0)) >= _LEAST_OF_MUSIC)


def _music_sets(heard: Mapping[str, Heard]) -> list[tuple[str, int, list[str], float]]:
    """Set, whether it is music, the kind of each track, which is left out as a whole, and its weight."""

    def of(name: str, prefix: str, values: Sequence[str]) -> tuple[str, list[str]]:
        return name, [prefix + str(value) for value in values]

    solos = [str(int(name.split("_")[1]) // 8) for name in heard[SOLOS].ids]
    games = [name.split(":")[1] for name in heard["debmus.clean"].ids]
    sets: list[tuple[str, list[str], int, float]] = [
        (*of(GTZAN, "m-", heard[GTZAN].genres), 1, 1.0),
        (*of("gtzan.phone1", "m-", heard["gtzan.phone1"].genres), 1, 0.3),
        (*of("cuts.clean", "m-", heard["cuts.clean"].genres), 1, 1.0),
        ("emo.clean", ["m-emo"] * heard["emo.clean"].n_tracks, 1, 1.0),
        (*of(ELSEWHERE, "m-", heard[ELSEWHERE].genres), 1, 1.0),
        (*of("debmus.clean", "m-", games), 1, 0.15),
        (*of(SOLOS, "s-", solos), 1, 1.5),
        (*of(SHORT_SOLOS, "s-", solos), 1, 1.0),
        (*of("notmusic.clean", "n-", heard["notmusic.clean"].genres), 0, 2.0),
        (*of("notmusic.degrade1", "n-", heard["notmusic.degrade1"].genres), 0, 1.0),
        (*of("debspeech.clean", "n-", heard["debspeech.clean"].groups), 0, 0.5),
        (*of("debspeech.degrade1", "n-", heard["debspeech.degrade1"].groups), 0, 0.25),
        (*of(EFFECTS, "e-", heard[EFFECTS].groups), 0, 1.0),
        (*of(BENT_EFFECTS, "e-", heard[BENT_EFFECTS].groups), 0, 0.5),
        (*of(MADE, "y-", heard[MADE].genres), 0, 1.0),
    ]
    return [(name, is_music, kinds, weight) for name, kinds, is_music, weight in sets]


def fit_music(heard: Mapping[str, Heard], names: Sequence[str]) -> dict[str, Any]:
    """The rule for music, as `heads.json` holds it; prints what share of each set it refuses, unlearnt.

    Args:
        heard: Answers of the first network by set.
        names: Of the tagger's classes, in their order.
    """
    groups, sets = music_groups(names), _music_sets(heard)
    loudness = [_loudness(heard[name], groups) for name, *_ in sets]
    x = np.concatenate([heard[name].track_mean(values) for (name, *_), values in zip(sets, loudness, strict=True)])
    y = np.concatenate([np.full(len(kinds), is_music) for _, is_music, kinds, _ in sets])
    kind = np.concatenate([np.array(kinds) for _, _, kinds, _ in sets])
    weight = np.concatenate([np.full(len(kinds), weight) for _, _, kinds, weight in sets])
    source = np.concatenate([np.full(len(kinds), name) for name, _, kinds, _ in sets])
    scores = np.zeros(len(y))
    for left_out in np.unique(kind):
        learnt = kind != left_out
        weights, bias = _music_regression(x[learnt], y[learnt], weight[learnt])
        scores[~learnt] = x[~learnt] @ weights + bias
    for name in np.unique(source):
        refused = 1 / (1 + np.exp(-scores[source == name])) < _MUSIC_THRESHOLD
        print(f"{name}: {refused.mean():.3f} of {len(refused)} called no music, each kind by a rule without it")
    weights, bias = _music_regression(x, y, weight)
    return {
        "groups": groups,
        "weights": weights.tolist(),
        "bias": bias,
        "threshold": _MUSIC_THRESHOLD,
        "hears_ending": True,
    }


def _loudness(heard: Heard, groups: list[list[int]]) -> Floats:
    """Joined logits of each group in each segment: of a sound that is repeated, mean of that and of it heard once."""
    hearings = [heard.tags] if heard.ended is None else [heard.tags, heard.ended]
    of_hearings = [np.stack([log_sum_exp(tags, group) for group in groups], axis=1) for tags in hearings]
    return np.asarray(np.mean(of_hearings, axis=0))


def _music_regression(x: Floats, y: Integers, weight: Floats) -> tuple[Floats, float]:
    balance = np.where(y == 1, 1 / weight[y == 1].sum(), 1 / weight[y == 0].sum()) * len(y) / 2
    return _regression(x, y, weight * balance, x.std(axis=0), 0.05)


def _regression(x: Floats, y: Integers, weight: Floats, scale: Floats, c: float) -> tuple[Floats, float]:
    """Weights and bias for `x` as it is."""
    from sklearn.linear_model import LogisticRegression

    mean = x.mean(axis=0)
    fitted = LogisticRegression(C=c, max_iter=500).fit((x - mean) / scale, y, sample_weight=weight)
    weights = fitted.coef_[0] / scale
    return weights, float(fitted.intercept_[0] - weights @ mean)


def fit_other(
    heard: Mapping[str, Heard],
    logits: Mapping[str, Floats],
    scales: tuple[Floats, Floats],
    names: Sequence[str],
    temperature: float,
) -> tuple[dict[str, Any], dict[str, Floats]]:
    """The rule for music of another genre, as `heads.json` holds it, and crossed probabilities by set and track.

    Args:
        heard: Answers of the first network.
        logits: Crossed, of both networks together, by set and segment; of the made sounds the first network's.
        scales: Mean and scale of the embedding.
        names: Class names in order.
        temperature: Of the posteriors.
    """
    at = {name: index for index, name in enumerate(names)}
    spans = (("Singing", "Humming"), ("Music", "Scary music"))
    classes = sorted({index for first, last in spans for index in range(at[first], at[last] + 1)})
    gtzan, clips = heard[GTZAN], heard[ELSEWHERE]
    sets = (GTZAN, ELSEWHERE, MADE)
    x = np.concatenate([_other_features(heard[n], logits[n], scales, classes, temperature) for n in sets])
    is_other, n_made = clips.labels < 0, heard[MADE].n_tracks
    # A click track or a siren that passes for music is none of the genres, either.
    y = np.concatenate([np.zeros(gtzan.n_tracks), is_other, np.ones(n_made)]).astype(np.int64)
    weight = np.concatenate([np.full(gtzan.n_tracks, 0.6), np.where(is_other, 3.0, 1.5), np.full(n_made, _MADE_WEIGHT)])
    folds = np.concatenate([_gtzan_folds(gtzan), folds_of(clips.groups), folds_of(heard[MADE].genres)])
    scores = np.zeros(len(x))
    for fold in range(N_FOLDS):
        learnt = folds != fold
        weights, bias = _other_regression(x[learnt], y[learnt], weight[learnt])
        scores[~learnt] = x[~learnt] @ weights + bias
    weights, bias = _other_regression(x, y, weight)
    probability = 1 / (1 + np.exp(-scores))
    of_clips = slice(gtzan.n_tracks, gtzan.n_tracks + clips.n_tracks)
    lost = (
        np.quantile(probability[: gtzan.n_tracks], 1 - _MOST_LOST_OF_GTZAN),
        np.quantile(probability[of_clips][~is_other], 1 - _MOST_LOST_OF_ELSEWHERE),
    )
    rule = {
        "embedding_scale": (0.5 / scales[1]).tolist(),
        "embedding_mean": scales[0].tolist(),
        "tag_classes": classes,
        "tag_scale": 0.5,
        "weights": weights.tolist(),
        "bias": bias,
        "threshold": float(max(lost)),
    }
    of_made = probability[gtzan.n_tracks + clips.n_tracks :]
    return rule, {GTZAN: probability[: gtzan.n_tracks], ELSEWHERE: probability[of_clips], MADE: of_made}


def _other_features(
    heard: Heard, logits: Floats, scales: tuple[Floats, Floats], classes: list[int], temperature: float
) -> Floats:
    """Embedding, tags and how sure the genre is, `(n_tracks, …)`."""
    posteriors, raw = track_posteriors(heard, logits, temperature), heard.track_mean(logits)
    greatest = raw.max(axis=1)
    certainty = np.stack(
        [
            posteriors.max(axis=1),
            -(posteriors * np.log(posteriors + 1e-9)).sum(axis=1),
            greatest - special.log_softmax(raw, axis=1).max(axis=1),  # log-sum-exp
            greatest,
        ],
        axis=1,
    )
    embedding = heard.track_mean((heard.embedding - scales[0]) / scales[1])
    return np.concatenate([embedding * 0.5, heard.track_mean(heard.tags[:, classes]) * 0.5, certainty], axis=1)


def _gtzan_folds(gtzan: Heard) -> Integers:
    """Folds of GTZAN by dozens of neighbouring numbers: neighbours often are of one artist."""
    dozens = [f"{genre}{int(name.split('.')[1]) // 12}" for name, genre in zip(gtzan.ids, gtzan.genres, strict=True)]
    return np.array([zlib.crc32(dozen.encode()) % N_FOLDS for dozen in dozens], dtype=np.int64)


def _other_regression(x: Floats, y: Integers, weight: Floats) -> tuple[Floats, float]:
    scale = x.std(axis=0) + 1e-3
    # The four figures of certainty count for more than any one feature.
    scale[-4:] *= 0.3
    return _regression(x, y, weight, scale, 0.003)
