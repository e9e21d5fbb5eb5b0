"""The words of `ten-genres` for what is heard beside the genre: which classes say them, and what they are worth.

A word is a logistic regression on the classes that say it, learnt where labels at hand tell who has it: clips from
elsewhere and GTZAN's genres, speech, and solos of known instruments, at equal weight of both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recipes.ear_outputs import ELSEWHERE, GENRES, GTZAN, Floats, Heard, Mask, log_sum_exp

_SOLOS, _SPEECH = "solos.clean", "debspeech.clean"
_LEAST_AUC = 0.75
_N_BOOTSTRAPS = 1000
# What is shown beside one of the ten genres is to be rare there: a kind of electronic music in one of 200 tracks,
# another genre in one of 20.
_MOST_OF_KINDS, _MOST_OF_GENRES = 0.005, 0.05
# Solos have an instrument more often than music does; so far towards how rare it is there does the intercept go.
_TOWARDS_RARE = 0.4
# With the clips in view: a sung dance track more says so, and no track of the ten.
_ELECTRONIC_FROM = 0.45
_ELECTRONIC = (
    "House music,Techno,Dubstep,Drum and bass,Electronica,Electronic dance music,Ambient music,Trance music"
).split(",")
_OTHER_GENRES = ("Pop music", "Traditional music")


@dataclass(frozen=True)
class _Word:
    """A word, and who has it: genres of clips from elsewhere and of GTZAN, or programs of solos.

    classes: That say it.
    rivals: Genres or programs that are asked neither way.
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    has: tuple[str, ...] = ()
    programs: tuple[int, ...] = ()
    rivals: tuple[str, ...] = ()


_DANCE = ("electronic",)
_WORDS = (
    _Word("electronic", "genre", ("Electronic music", *_ELECTRONIC), _DANCE),
    _Word("house", "genre", ("House music",), _DANCE),
    _Word("techno", "genre", ("Techno",), _DANCE),
    _Word("trance", "genre", ("Trance music",), _DANCE),
    _Word("dance music", "genre", ("Dance music", "Electronic dance music"), _DANCE),
    _Word("drum and bass", "genre", ("Drum and bass",), _DANCE),
    _Word("dubstep", "genre", ("Dubstep",), _DANCE),
    _Word("electronica", "genre", ("Electronica",), _DANCE),
    _Word("latin", "genre", ("Music of Latin America", "Salsa music"), ("latin", "reggaeton"), rivals=("tango",)),
    _Word("salsa", "genre", ("Salsa music",), ("latin",), rivals=("tango", "reggaeton")),
    _Word("asian music", "genre", ("Music of Asia", "Music of Bollywood"), ("bollywood", "jpop", "kpop")),
    _Word("folk", "genre", ("Folk music", "Traditional music"), ("folk", "folk-world"), rivals=("country", "tango")),
    _Word("swing", "genre", ("Swing music",), ("jazz",)),
    _Word("singing", "voice", ("Singing", "Male singing", "Female singing"), ("country", "pop", "soul-rnb", "latin")),
    _Word("rapping", "voice", ("Rapping",), ("hiphop",), rivals=("reggaeton", "soul-rnb")),
    _Word(
        "speech",
        "voice",
        ("Speech", "Male speech, man speaking", "Female speech, woman speaking", "Narration, monologue"),
    ),
    _Word("piano", "instrument", ("Piano",), programs=(0, 1, 2, 3)),
    _Word("electric piano", "instrument", ("Electric piano",), programs=(4, 5)),
    _Word("organ", "instrument", ("Organ", "Electronic organ", "Hammond organ"), programs=(16, 17, 18, 19, 20)),
    _Word("accordion", "instrument", ("Accordion",), programs=(21, 23)),
    _Word("harmonica", "instrument", ("Harmonica",), programs=(22,)),
    _Word("acoustic guitar", "instrument", ("Acoustic guitar",), programs=(24, 25)),
    _Word("bass guitar", "instrument", ("Bass guitar",), programs=(33, 34, 35, 36, 37)),
    _Word("double bass", "instrument", ("Double bass",), programs=(32, 43)),
    _Word("violin", "instrument", ("Violin, fiddle",), programs=(40, 110)),
    _Word("cello", "instrument", ("Cello",), programs=(42,)),
    _Word(
        "strings",
        "instrument",
        ("Bowed string instrument", "String section", "Violin, fiddle", "Cello"),
        programs=(40, 41, 42, 44, 48, 49, 110),
    ),
    _Word("harp", "instrument", ("Harp",), programs=(46,)),
    _Word("timpani", "instrument", ("Timpani",), programs=(47,)),
    _Word("trumpet", "instrument", ("Trumpet",), programs=(56, 59)),
    _Word("trombone", "instrument", ("Trombone",), programs=(57,)),
    _Word("french horn", "instrument", ("French horn",), programs=(60,)),
    _Word(
        "brass",
        "instrument",
        ("Brass instrument", "Trumpet", "Trombone", "French horn"),
        programs=(56, 57, 58, 59, 60, 61, 62, 63),
    ),
    _Word("saxophone", "instrument", ("Saxophone",), programs=(64, 65, 66, 67)),
    _Word("clarinet", "instrument", ("Clarinet",), programs=(71,)),
    _Word("flute", "instrument", ("Flute",), programs=(72, 73, 75)),
    _Word("bagpipes", "instrument", ("Bagpipes",), programs=(109,)),
    _Word("banjo", "instrument", ("Banjo",), programs=(105,)),
    _Word("sitar", "instrument", ("Sitar",), programs=(104,)),
    _Word(
        "mallets",
        "instrument",
        ("Marimba, xylophone", "Vibraphone", "Glockenspiel", "Mallet percussion"),
        programs=(9, 11, 12, 13),
    ),
    _Word("synthesizer", "instrument", ("Synthesizer",), programs=tuple(range(80, 96))),
    _Word("orchestra", "instrument", ("Orchestra",), ("classical",), rivals=("jazz",)),
    _Word(
        "drum machine", "instrument", ("Drum machine",), ("hiphop", "electronic", "reggaeton"), rivals=("disco", "pop")
    ),
    _Word(
        "drums",
        "instrument",
        ("Drum kit", "Drum", "Snare drum", "Bass drum", "Cymbal", "Hi-hat"),
        ("rock", "metal", "disco", "hiphop", "pop"),
        rivals=("jazz", "blues", "country", "electronic", "latin"),
    ),
)


def fit_tags(heard: Mapping[str, Heard], names: Sequence[str]) -> list[dict[str, Any]]:
    """The words that are worth showing, as `heads.json` holds them.

    Args:
        heard: Answers of the first network by set.
        names: Of the tagger's classes, in their order.
    """
    return [tag for word in _WORDS if (tag := _fit(word, heard, names))["auc"] >= _LEAST_AUC]


def _fit(word: _Word, heard: Mapping[str, Heard], names: Sequence[str]) -> dict[str, Any]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    classes = [names.index(name) for name in word.classes]
    against = _against(names) if word.name == "electronic" else []
    x = np.concatenate([_said(heard[name], classes, against)[asked] for name, asked, _ in _asked(word, heard)])
    y = np.concatenate([has[asked] for _, asked, has in _asked(word, heard)]).astype(np.int64)
    regression = LogisticRegression(class_weight="balanced").fit(x[:, None], y)
    slope, intercept = float(regression.coef_[0, 0]), float(regression.intercept_[0])
    if word.programs:
        intercept += _TOWARDS_RARE * float(np.log(y.mean() / (1 - y.mean())))
    rng = np.random.default_rng(0)
    drawn = [
        np.concatenate([rng.choice(np.flatnonzero(y == side), (y == side).sum()) for side in (0, 1)])
        for _ in range(_N_BOOTSTRAPS)
    ]
    interval = np.quantile([roc_auc_score(y[rows], x[rows]) for rows in drawn], (0.025, 0.975))
    return {
        "name": word.name,
        "kind": word.kind,
        "classes": classes,
        "against": against,
        "calibration": [slope, intercept],
        "threshold": _threshold(word, heard, classes, slope, intercept),
        "auc": round(float(roc_auc_score(y, x)), 3),
        "auc_interval": [round(float(end), 3) for end in interval],
    }


def _against(names: Sequence[str]) -> list[int]:
    """Genres that are not electronic, nor a way of singing or a place."""
    first, last = (names.index(name) for name in _OTHER_GENRES)
    left_out = {"Electronic music", *_ELECTRONIC, "Beatboxing", "Vocal music", "A capella"}
    left_out |= {"Music for children", "New-age music"}
    return [index for index in range(first, last + 1) if names[index] not in left_out]


def _said(heard: Heard, classes: list[int], against: list[int]) -> Floats:
    said = log_sum_exp(heard.tags, classes)
    if against:
        said = said - 0.5 * log_sum_exp(heard.tags, against)
    return heard.track_mean(said)


def _asked(word: _Word, heard: Mapping[str, Heard]) -> Iterator[tuple[str, Mask, Mask]]:
    """Of each set that tells: its name, which tracks are asked, and which of them have the word."""
    if word.programs:
        programs = np.array([int(name.split("_")[1]) for name in heard[_SOLOS].ids])
        yield _SOLOS, np.ones(len(programs), dtype=bool), np.isin(programs, word.programs)
        return
    for name in (GTZAN, ELSEWHERE):
        genres = heard[name].genres
        has = np.isin(genres, word.has)
        # GTZAN's tracks, jazz and electronic ones may be sung or not; of singing only solos tell that there is none.
        asked = has & (name == ELSEWHERE) if word.name == "singing" else ~np.isin(genres, word.rivals)
        yield name, asked, has
    if word.kind == "voice":
        is_speech = word.name == "speech"
        spoken = heard[_SPEECH].n_tracks
        yield _SPEECH, np.full(spoken, word.name != "singing"), np.full(spoken, is_speech)
    if word.name in {"singing", "drums"}:
        n_solos = heard[_SOLOS].n_tracks
        yield _SOLOS, np.ones(n_solos, dtype=bool), np.zeros(n_solos, dtype=bool)


def _threshold(word: _Word, heard: Mapping[str, Heard], classes: list[int], slope: float, intercept: float) -> float:
    """From which probability on a word is shown."""
    if word.name == "electronic":
        return _ELECTRONIC_FROM
    if word.kind != "genre":
        return 0.5
    of_ten = []
    for name in (GTZAN, ELSEWHERE):
        is_of_ten = np.isin(heard[name].genres, GENRES) & ~np.isin(heard[name].genres, word.has)
        of_ten.append(_said(heard[name], classes, [])[is_of_ten])
    probability = 1 / (1 + np.exp(-(slope * np.concatenate(of_ten) + intercept)))
    most = _MOST_OF_KINDS if word.has == _DANCE else _MOST_OF_GENRES
    return max(0.5, float(np.quantile(probability, 1 - most)))
