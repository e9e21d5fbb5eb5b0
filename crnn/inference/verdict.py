"""The verdicts: what each means for all who show, write or count an answer, and the rule that decides between them.

Nobody else asks which verdict an answer has: they ask its traits. Only its sentence is elsewhere, in
`crnn.inference.output`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy.typing as npt

from crnn.inference.decision import is_sure

if TYPE_CHECKING:
    from crnn.bundles.bundle import Bundle


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What a verdict means.

    word: it in a word or two, for lists; empty where the genre says it.
    outcome: what comes after “Without the drums …”; `{top}` stands for the top genre.
    refusal: why a track is refused, for the report of a training; empty where it is not.
    is_heard: whether there is a sound to judge: without one there is no confidence, no bar and no reason.
    is_music: of whatever genre: with tempo, key and what else is heard.
    names_genre: whether the answer is the top genre.
    has_stretches: whether it is the music of the model's genres, which may follow one another.
    has_timeline: whether the genres of its moments are shown; they would belie that something is no music.
    names_nearest: whether its sentence names the genres beyond the model's own that are heard most.
    """

    word: str
    outcome: str
    refusal: str = ""
    is_heard: bool = True
    is_music: bool = True
    names_genre: bool = False
    has_stretches: bool = False
    has_timeline: bool = True
    names_nearest: bool = False


class Verdict(StrEnum):
    """An answer's kind; as text it is what rows, reports and JSON hold. In the order in which they are asked for."""

    SILENCE = "silence"
    NOT_MUSIC = "not_music"
    OTHER = "other"
    UNSURE = "unsure"
    GENRE = "genre"

    @property
    def traits(self) -> Traits:
        """What it means."""
        return _TRAITS[self]


_TRAITS = {
    Verdict.SILENCE: Traits(
        word="silence",
        outcome="nothing would be left to hear",
        is_heard=False,
        is_music=False,
    ),
    Verdict.NOT_MUSIC: Traits(
        word="no music",
        outcome="it would not sound like music",
        refusal="for not sounding like music",
        is_music=False,
        has_timeline=False,
    ),
    Verdict.OTHER: Traits(
        word="none of these",
        outcome="it would be none of the genres",
        refusal="as music of another genre",
        names_nearest=True,
    ),
    Verdict.UNSURE: Traits(
        word="can't tell",
        outcome="it would be unclear, {top} at best",
        has_stretches=True,
    ),
    Verdict.GENRE: Traits(
        word="",
        outcome="it would be {top}",
        names_genre=True,
        has_stretches=True,
    ),
}


def verdict_of(bundle: Bundle, posterior: npt.ArrayLike, *, is_silent: bool, music: float, other: float) -> Verdict:
    """The rule: silence by level, then whether it is music, of the model's genres, and surely of one.

    Args:
        bundle: Whose thresholds are asked.
        posterior: The track's, `(n_genres,)`.
        is_silent: All of it.
        music: Probability that it is music.
        other: Probability that it is music of none of the genres.
    """
    tagging, rejection = bundle.tagging, bundle.rejection
    rule = tagging.music if tagging is not None and tagging.music is not None else rejection
    if is_silent:
        return Verdict.SILENCE
    if rule is not None and music < rule.threshold:
        return Verdict.NOT_MUSIC
    if tagging is not None and tagging.other is not None and other >= tagging.other.threshold:
        return Verdict.OTHER
    return Verdict.GENRE if is_sure(posterior, bundle.calibration) else Verdict.UNSURE
