"""A head for the length of a visit: fitted in the server's process in a second, never saved, its sounds not kept.

Of each clip the mean embedding is held, two kB: a head's mean logits are the logits of the mean (see
`crnn.training.instant`), so folds and head lose nothing by it. A coarse picture of it, 0.1 MB a minute, tells one
recording in two files: as in every other training both lie on one side of a fold, or the score flatters.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn.bundles.bundle import Bundle
from crnn.config import FeatureConfig
from crnn.data.collection import Collection, with_copies_together
from crnn.data.near_duplicates import find_near_copies
from crnn.data.splits import most_folds, protection_of
from crnn.data.tracks import Dataset, Track
from crnn.errors import ClipTooShortError, DatasetError, EmptyAudioError, TooFewTracksError
from crnn.evaluation.cross_fitting import pooled
from crnn.evaluation.report import Report, build_report
from crnn.features.archive import UInt8Array, cells_of
from crnn.inference.classifier import Classifier
from crnn.inference.listening import FileListening
from crnn.owner import Owner
from crnn.text import listed
from crnn.training import instant
from crnn.training.inheritance import inherited_rejection, inherited_tagging
from crnn.training.own_genres import LEAST_CLIPS
from crnn.training.publish import made_now

FloatArray = npt.NDArray[np.float32]

# Copies are found in pictures with a quarter of the tagger's frames and half its bands: of 40 recordings of `demo`
# and a copy of each, cut, softer and coded at 64 kbit/s, all 40 pairs and no other. In whole pictures it was 37.
_PICTURE_HZ, _PICTURE_BANDS = 25.0, 64
NAME = "my-genres"
# One to learn from and one to judge by.
LEAST_RECORDINGS = 2


@dataclass(frozen=True)
class VisitTrack:
    """What is held of a clip that a visitor gave.

    digest: SHA-256 of the file. embedding: mean over its segments that sound, `(embedding_size,)`.
    picture: its log-mel, coarse, uint8 `(n_frames, n_bands)`; None of one whose copies are not looked for.
    """

    name: str
    genre: str
    digest: str
    embedding: FloatArray
    picture: UInt8Array | None = None


@dataclass(frozen=True)
class VisitHead:
    """What was taught: the facts of a model that lies on no disk, the head, and the report on it."""

    bundle: Bundle
    head: instant.Head
    report: Report


class _HeadSession:
    """Takes the place of ONNX Runtime's session: another model's network, under a head of one's own.

    Args:
        body: Whose network; it is shared, and nothing of it is copied.
        head: None leaves it its own.
    """

    def __init__(self, body: Classifier, head: instant.Head | None) -> None:
        self._body, self._head = body, head

    def get_inputs(self) -> Sequence[Any]:
        return (SimpleNamespace(name=""),)

    def run(self, output_names: Sequence[str], input_feed: Mapping[str, FloatArray]) -> Sequence[Any]:
        (batch,) = input_feed.values()
        said = self._body.run_all(batch)
        logits = said.logits if self._head is None else self._head.logits([said.embeddings])[0]
        named = {"logits": logits, "embedding": said.embeddings, "tags": said.tags}
        return [named[name] for name in output_names]


def with_head(body: Classifier, taught: VisitHead) -> Classifier:
    """The classifier of what was taught, on the network of the model that it was taught on.

    Args:
        body: The model that it was taught on, opened; its network is shared.
        taught: The head, and the facts of its bundle.
    """
    return Classifier(taught.bundle, opened=lambda _: _HeadSession(body, taught.head))


def hear(
    body: Classifier, data: bytes, name: str, genre: str, *, owner: Owner, on_block: Callable[[], object] = lambda: None
) -> VisitTrack:
    """Listen to a clip, and hold what the network makes of it.

    Args:
        body: The model to teach.
        data: The file.
        name: Its name; empty for a recording.
        genre: What it is.
        owner: Whose limits hold; of a longer clip the beginning is learnt from.
        on_block: Called after each stretch.

    Raises:
        NotAllowedError: Nobody is taught here.
        AudioError: It cannot be used, is too short or silent.
        BundleError: The network fails on it.
    """
    owner.require("teach")
    # A companion has a say in the genre, not in the embedding.
    alone = Classifier(dataclasses.replace(body.bundle, companion=None), opened=lambda _: _HeadSession(body, None))
    frames: list[FloatArray] = []
    with FileListening(alone, data, name, keep=lambda _, __, power: frames.append(power)) as listening:
        while listening.seconds < owner.limits.learnt_seconds and listening.step():
            on_block()
        if not listening.seconds:
            raise ClipTooShortError(f"“{name}” holds no sound.")
        heard = listening.answer()
    sounding = [cell.segment for cell in heard.timeline if not cell.is_silent]
    if not sounding:
        raise EmptyAudioError(f"“{name or 'The recording'}” is silent: there is nothing to learn from it.")
    embedding = heard.embeddings[sounding].mean(axis=0, dtype=np.float64).astype(np.float32)
    picture = _picture(np.concatenate(frames), body.config)
    return VisitTrack(name or "recording", genre, hashlib.sha256(data).hexdigest(), embedding, picture)


def _picture(power: FloatArray, config: FeatureConfig) -> UInt8Array:
    cells = cells_of(power, config)
    step, fold = _coarseness(config)
    n_frames, n_bands = (len(cells) // step, cells.shape[1] // fold)
    kept = cells[: n_frames * step, : n_bands * fold].reshape(n_frames, step, n_bands, fold)
    return np.rint(kept.mean(axis=(1, 3))).astype(np.uint8)


def _coarseness(config: FeatureConfig) -> tuple[int, int]:
    """How many frames and how many bands of the features make one of a picture."""
    return max(1, round(config.frame_rate_hz / _PICTURE_HZ)), max(1, config.n_mels // _PICTURE_BANDS)


def with_track(tracks: tuple[VisitTrack, ...], track: VisitTrack, owner: Owner) -> tuple[VisitTrack, ...]:
    """The tracks and one more; one that was there under another genre moves.

    Args:
        tracks: What was given so far; it is not changed.
        track: The one more, known by its digest.
        owner: Whose limit of tracks holds.

    Raises:
        DatasetError: It would be more than he may give.
    """
    others = tuple(other for other in tracks if other.digest != track.digest)
    if len(others) >= owner.limits.tracks:
        raise DatasetError(f"{len(others)} clips are as many as are learnt from here. Take a genre away first.")
    return (*others, track)


def what_is_missing(tracks: Sequence[VisitTrack]) -> str:
    """What has to be given before there is anything to learn, as a sentence; empty if nothing is missing."""
    counts = Counter(track.genre for track in tracks)
    few = sorted(genre for genre, n in counts.items() if n < LEAST_CLIPS)
    if few:
        return f"Each genre needs {LEAST_CLIPS} clips at least, to be learnt and judged; too few in {listed(few)}."
    return "" if len(counts) > 1 else f"Two genres are needed, with {LEAST_CLIPS} clips each at least."


def teach(tracks: Sequence[VisitTrack], start: Bundle, *, owner: Owner) -> VisitHead:
    """Fit a head to all clips, and judge its recipe by folds.

    Args:
        tracks: What was given, heard by the network of `start`.
        start: Whose body it is.
        owner: Who teaches.

    Raises:
        NotAllowedError: Nobody is taught here.
        TooFewTracksError: Less was given than can be learnt and judged.
    """
    owner.require("teach")
    missing = what_is_missing(tracks)
    if missing:
        raise TooFewTracksError(missing)
    genres = tuple(sorted({track.genre for track in tracks}))
    labels = np.array([genres.index(track.genre) for track in tracks])
    embeddings = [track.embedding[None] for track in tracks]
    collection = _with_copies_together(tracks, start.feature_config)
    known = list(collection.tracks)
    try:
        dealt = most_folds(known, "random", 0)
    except TooFewTracksError as err:
        raise TooFewTracksError(_one_recording(known)) from err
    fold_of = {track.track_id: number for number, part in enumerate(dealt.values()) for track in part}
    folds = np.array([fold_of[track.track_id] for track in known])
    fitted = instant.fit(embeddings, labels, folds, len(genres))
    judged = pooled(fitted.logits, labels, folds, genres, as_kept=fitted.as_kept)
    bundle = dataclasses.replace(
        start,
        name=NAME,
        genres=genres,
        calibration=judged.calibration,
        rejection=inherited_rejection(start, embeddings),
        tagging=inherited_tagging(start),
        # It knows the start's genres alone.
        companion=None,
        data={"name": "clips of one visit", "n_tracks": len(tracks)},
        split={"name": "random", "seed": 0, "n_folds": len(dealt)},
        scores={"folds": judged.scores},
        training={"method": "fitted head", "start": start.name, "strength": fitted.strength},
        created=made_now(),
        notes="",
        files={},
        path=None,
    )
    report = build_report(
        bundle,
        collection,
        known,
        judged.posteriors,
        history=[],
        kept_epoch=0,
        protection=protection_of(dealt, len(dealt)),
        notes=(),
    )
    return VisitHead(bundle, fitted.head, report)


def _as_tracks(tracks: Sequence[VisitTrack]) -> list[Track]:
    """The clips as splits and reports know them; of one name they are told apart."""
    often = Counter(track.name for track in tracks)
    return [
        Track(track.name if often[track.name] == 1 else f"{track.name} ({track.digest[:4]})", track.genre, None)
        for track in tracks
    ]


def _with_copies_together(tracks: Sequence[VisitTrack], config: FeatureConfig) -> Collection:
    """The clips as a collection in which those of one recording stay together."""
    known = _as_tracks(tracks)
    rate_hz = config.frame_rate_hz / _coarseness(config)[0]
    pairs = find_near_copies([track.picture for track in tracks], rate_hz)
    found = Dataset("clips of one visit", tuple(known), "folder", None)
    collection = Collection((found,), tuple(known), {track.track_id: (0, track) for track in known}, ())
    return with_copies_together(
        collection, [(known[pair.first].track_id, known[pair.second].track_id) for pair in pairs]
    )


def _one_recording(tracks: Sequence[Track]) -> str:
    """What to say of genres whose clips are copies of one recording."""
    units: dict[str, set[str]] = {}
    for track in tracks:
        units.setdefault(track.genre, set()).add(track.group or track.track_id)
    alike = sorted(genre for genre, recordings in units.items() if len(recordings) < LEAST_RECORDINGS)
    return (
        f"The clips of {listed(alike or sorted(units))} are one recording, or parts of it, so that nothing is left to "
        "judge by. Give clips of another."
    )
