"""What a bundle knows beyond its genres, by the tags that its network gives beside them.

The network's `tags` are logits of the classes of an AudioSet tagger. Out of them come the words
that are shown beside the answer, the probability of music, and that of music of another genre.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

KINDS = ("genre", "instrument", "voice", "mood", "sound")
# The last are four facts of how sure the genre is: `crnn.inference.tagging.certainty`.
INPUTS = ("embedding", "tags", "certainty")
N_CERTAINTY = 4
_MAX_OUTPUTS = 10_000
_MAX_TAGS = 1000

_T = TypeVar("_T")


@dataclass(frozen=True)
class Tag:
    """A word for what is heard beside the genre.

    classes: outputs of the network that say it, joined by the logarithm of the sum of their exponentials.
    against: outputs that say something else of its kind, joined alike; half of that is taken off. May be empty.
    slope, intercept: the probability of a sound is the logistic function of `slope` times the mean of that
        over its segments, plus `intercept`.
    threshold: from that probability on the word is shown.
    auc, auc_interval: how well it parts labelled sound that has it from sound that does not; 95 %.
    """

    name: str
    kind: str
    classes: tuple[int, ...]
    against: tuple[int, ...]
    slope: float
    intercept: float
    threshold: float
    auc: float
    auc_interval: tuple[float, float]


@dataclass(frozen=True)
class MusicRule:
    """Tells music from other sound: a logistic regression on groups of classes, each joined as a tag's are.

    groups: outputs of the network: music itself, instruments and voices, which single notes are heard
        as, speech, other sound.
    weights: one for each group; what is regressed is the mean over the segments.
    threshold: below that probability the verdict is `not_music`.
    hears_ending: whether a sound shorter than a segment is heard once more, with silence after it instead of
        repeated, and counts by the mean of both: a word that is repeated sounds like a beat.
    """

    groups: tuple[tuple[int, ...], ...]
    weights: tuple[float, ...]
    bias: float
    threshold: float
    hears_ending: bool = False


@dataclass(frozen=True)
class OtherRule:
    """Tells music of none of the genres: a logistic regression on means over the segments.

    inputs: some of `INPUTS`, in their order, joined; of the tags only `classes`.
    threshold: from that probability on the verdict is `other`.
    """

    inputs: tuple[str, ...]
    classes: tuple[int, ...]
    weights: tuple[float, ...]
    bias: float
    threshold: float

    def width(self, embedding_size: int) -> int:
        """How many numbers the regression reads."""
        widths = {"embedding": embedding_size, "tags": len(self.classes), "certainty": N_CERTAINTY}
        return sum(widths[name] for name in self.inputs)


@dataclass(frozen=True)
class Tagging:
    """All of it; `n_outputs` is the width of the network's `tags`."""

    n_outputs: int
    tags: tuple[Tag, ...] = ()
    music: MusicRule | None = None
    other: OtherRule | None = None


def tagging_from_dict(values: dict[str, Any], build: Callable[[type[Any], dict[str, Any]], Any]) -> Tagging:
    """What `dataclasses.asdict` made of a `Tagging`, its numbers and names checked one by one.

    Args:
        values: From JSON.
        build: Makes a dataclass of a dict that has exactly its fields.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: A value is missing or cannot be.
    """
    # A bundle of format 2 has no `hears_ending`.
    of_music = values["music"] if values["music"] is None else {"hears_ending": False, **values["music"]}
    found = {"music": _part(MusicRule, of_music, build), "other": _part(OtherRule, values["other"], build)}
    tags = tuple(_part(Tag, tag, build) for tag in values["tags"])
    tagging: Tagging = build(Tagging, {**values, **found, "tags": tags})
    if not 1 <= _whole(tagging.n_outputs) <= _MAX_OUTPUTS or len(tags) > _MAX_TAGS:
        raise ValueError(f"{tagging.n_outputs} outputs and {len(tags)} tags")
    for tag in tagging.tags:
        _check_tag(tag, tagging)
    if tagging.music is not None:
        music = tagging.music
        _check_numbers(music.bias, music.threshold, *music.weights)
        for group in music.groups:
            _check_classes(group, tagging)
        if type(music.hears_ending) is not bool:
            raise ValueError(f"hears_ending is {music.hears_ending!r}")
        if len(music.weights) != len(music.groups) or not all(music.groups):
            raise ValueError("music needs a weight for each of its groups")
    if tagging.other is not None:
        other = tagging.other
        _check_numbers(other.bias, other.threshold, *other.weights)
        _check_classes(other.classes, tagging)
        if not other.inputs or list(other.inputs) != [name for name in INPUTS if name in other.inputs]:
            raise ValueError(f"other reads {other.inputs}")
    return tagging


def _part(cls: type[_T], values: Any, build: Callable[[type[Any], dict[str, Any]], Any]) -> Any:
    if values is None:
        return None
    return build(cls, {name: _tuples(value) for name, value in values.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(part) for part in value) if isinstance(value, list) else value


def _check_tag(tag: Tag, tagging: Tagging) -> None:
    if not isinstance(tag.name, str) or not tag.name.isprintable() or not 1 <= len(tag.name) <= 60:
        raise ValueError(f"{str(tag.name)[:60]!r} cannot be a tag's name")
    if tag.kind not in KINDS or not tag.classes or len(tag.auc_interval) != 2:
        raise ValueError(f"the tag {tag.name} is of kind {tag.kind!r}, of {len(tag.classes)} classes")
    _check_classes((*tag.classes, *tag.against), tagging)
    _check_numbers(tag.slope, tag.intercept, tag.threshold, tag.auc, *tag.auc_interval)


def _check_classes(classes: tuple[int, ...], tagging: Tagging) -> None:
    if not all(0 <= _whole(index) < tagging.n_outputs for index in classes):
        raise ValueError(f"classes {classes[:10]} are not among {tagging.n_outputs}")


def _whole(value: object) -> int:
    if type(value) is not int:
        raise ValueError(f"{value!r} is no whole number")
    return value


def _check_numbers(*values: object) -> None:
    for value in values:
        if type(value) not in {int, float} or not math.isfinite(value):  # type: ignore[arg-type]
            raise ValueError(f"{value!r} is no number")
