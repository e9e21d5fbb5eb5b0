"""What both networks answer to the sets of sounds that `recipes.ear_inputs` keeps: the input of the heads."""

from __future__ import annotations

import dataclasses
import zlib
from pathlib import Path

import numpy as np

from crnn.bundles.bundle import Bundle
from crnn.config import FeatureConfig
from crnn.networks.tagger_crnn import GENRE_CLASSES, TAGS
from recipes.ear_body import Run, embedder, second_segments
from recipes.ear_inputs import SECOND, Inputs, piece_of, read_inputs, read_second, repeated_after, with_silence_after
from recipes.ear_outputs import (
    ARCHIVE,
    CUTS,
    ELSEWHERE,
    ELSEWHERE_ARCHIVE,
    GTZAN,
    Companions,
    Heard,
    Mask,
    numbers_within,
)
from recipes.ear_rules import BENT_EFFECTS, EFFECTS, MADE, SHORT_SOLOS, SOLOS, hears_music

FIRST_HEARS = (
    GTZAN,
    "gtzan.phone1",
    "gtzan.degrade1",
    CUTS,
    ARCHIVE,
    ELSEWHERE,
    ELSEWHERE_ARCHIVE,
    "emo.clean",
    "debmus.clean",
    SOLOS,
    SHORT_SOLOS,
    "notmusic.clean",
    "notmusic.degrade1",
    "debspeech.clean",
    "debspeech.degrade1",
    MADE,
    EFFECTS,
    BENT_EFFECTS,
)
SECOND_HEARS = (ARCHIVE, ELSEWHERE, CUTS)
# Ten seconds, every five: `recipes.ear_genre.EVERY` says which of them count.
_SECOND_CONFIG = FeatureConfig.from_dict(SECOND.to_dict() | {"segment_seconds": 10.0, "segment_hop_seconds": 5.0})
_BATCH = 64


def heard_by_first(run: Run, work: Path) -> dict[str, Heard]:
    """Answers of the first network by set.

    Args:
        run: From segments to its `embedding` and `tags`.
        work: Folder of the inputs.
    """
    heard = {name: _heard(run, work, *name.split("."), with_ending=True) for name in FIRST_HEARS if name != SHORT_SOLOS}
    return heard | {SHORT_SOLOS: _short_solos(run, work)}


def without_music(tagger: Run, work: Path, names: list[str]) -> Mask:
    """Which of the effects the tagger hears no music in, `(n_tracks,)`.

    Args:
        tagger: As published; gives `tags`.
        work: Folder of the inputs.
        names: Of the tagger's classes, in their order.
    """
    effects = _heard(tagger, work, *EFFECTS.split("."))
    return np.asarray(effects.track_mean(hears_music(effects.tags, names).astype(np.float64)) == 0)


def heard_by_second(bundle: Bundle, work: Path) -> dict[str, Companions]:
    """Answers of the second network by set.

    Args:
        bundle: `gtzan-crnn`.
        work: Folder of the inputs.
    """
    run, found = embedder(bundle), {}
    for name in SECOND_HEARS:
        tracks = read_second(work, name.split(".")[0])
        answers = [run(second_segments(cells, _SECOND_CONFIG))["embedding"] for cells in tracks]
        own = np.repeat(np.arange(len(tracks)), list(map(len, answers)))
        found[name] = Companions(np.concatenate(answers), own)
    return found


def _heard(run: Run, work: Path, name: str, kind: str, *, with_ending: bool = False) -> Heard:
    inputs = read_inputs(work, name, kind)
    return _answered(run, inputs, with_ending=with_ending)


def _short_solos(run: Run, work: Path) -> Heard:
    """A piece of each solo's first segment: single notes are music."""
    solos = read_inputs(work, *SOLOS.split("."))
    firsts = np.flatnonzero(numbers_within(solos.own) == 0)
    pieces = [
        piece_of(solos.segments[row], np.random.default_rng(zlib.crc32(f"{name} short".encode())))
        for row, name in zip(firsts, solos.ids, strict=True)
    ]
    return _answered(
        run, dataclasses.replace(solos, segments=np.stack(pieces), own=np.arange(len(pieces))), with_ending=True
    )


def _answered(run: Run, inputs: Inputs, *, with_ending: bool) -> Heard:
    segments = inputs.segments
    answers = [run(segments[i : i + _BATCH].astype(np.float32)) for i in range(0, len(segments), _BATCH)]
    tags = np.concatenate([answer[TAGS] for answer in answers])
    embedding = np.concatenate([answer["embedding"] for answer in answers])
    # The words stand last in the embedding and are the tags themselves, which rounded weights must not part.
    embedding[:, -len(GENRE_CLASSES) :] = tags[:, list(GENRE_CLASSES)]
    ended = tags.copy() if with_ending else None
    if ended is not None:
        for row in [row for row, segment in enumerate(segments) if repeated_after(segment) < len(segment)]:
            ended[row] = run(with_silence_after(segments[row])[np.newaxis])[TAGS][0]
    return Heard(embedding, tags, inputs.own, inputs.ids, inputs.genres, inputs.groups, ended)
