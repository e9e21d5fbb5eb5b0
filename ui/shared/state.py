"""Facts that pages share: the sounds that were given, the models that are there.

Sounds and answers belong to one visitor (`st.session_state`), models to the
process (`cache_resource`). Widgets hold none of it, so that a page is found as
it was left.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import streamlit as st

from crnn import text
from crnn.bundles.bundle import ONNX_NAME, Bundle, load_bundle
from crnn.bundles.shelves import Shelf, visible
from crnn.errors import BundleError
from crnn.inference.classifier import Classifier
from crnn.inference.remote import RemoteSession
from ui.shared import visitor
from ui.shared.holdings import HELD

Origin = Literal["recording", "upload", "example"]

# What Explore shows when it is opened: which part, and of which sound (its digest).
EXPLORE_PART = "genrescope.explore_part"
EXPLORE_SOUND = "genrescope.explore_sound"
VIEWS, REASONS = "Views", "Why this genre"
# What is asked there beforehand: a genre, and a moment of a sound (its digest, the genre, seconds).
WHY_GENRE, WHY_AT = "explore.why_genre", "genrescope.why_at"
# The part of a long sound that is to be looked at there: the sound's digest, and from and to which second.
LONG_PART = "genrescope.long_part"

SOUNDS = "genrescope.sounds"
HEARD = "genrescope.heard"
_TITLES = "genrescope.titles"
# The sound on show is another than the uploader and the examples show: they are to be emptied.
BROUGHT_BACK = "genrescope.brought_back"
# An open microphone; what it has heard so far is no sound yet.
LISTENING = "genrescope.live"
# Which of the ways to give a sound is open when a page is come to.
WAY = "genrescope.way"
# The widget that gave a sound in this visit to a page (its key): only from that one it can be taken away.
GAVE = "genrescope.gave"
MODEL, MODEL_CONTENT = "genrescope.model", "genrescope.model_content"
# Which of several sounds is on show on Listen (its digest).
ROW = "genrescope.row"
# Which model's card is open on Models (its name and content).
SHELF_MODEL = "models.chosen"
# What was taught in this visit, where nothing is kept: the clips as the model heard them, the model, its report.
LESSON = "genrescope.lesson"
TAUGHT = "genrescope.taught"
TAUGHT_REPORT = "genrescope.taught_report"
# Files that were asked for and take a while: one that the page makes, and a model's that a thread makes.
TAKEN_HOME = "genrescope.taken_home"
MAKING = "models.exports.making"
_LOCK = "genrescope.lock"
_MARKS: dict[Shelf, str] = {
    "host": "",
    "own": " (yours)",
    "imported": " (imported by you)",
    "shown": " (by another)",
    "visit": " (of this visit)",
}

# How many sounds of a visit are kept, and how much memory they may take.
_MAX_HEARD = 50
_MAX_HEARD_BYTES = 400 * 2**20


@dataclass(frozen=True)
class Sound:
    """What a visitor gave: the bytes of a file, and where they came from.

    name: the file's; empty for a recording.
    """

    name: str
    data: bytes
    origin: Origin

    def __post_init__(self) -> None:
        HELD.add(self, lambda sound: {id(sound.data): len(sound.data)})

    @property
    def stem(self) -> str:
        """Its name without the ending: what a part of it is called after."""
        return self.name.rsplit(".", 1)[0] or "recording"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the bytes and the name, the key of what is derived from them."""
        return hashlib.sha256(self.data + b"\0" + self.name.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True)
class Model:
    """A bundle that loads, a fingerprint of its files, and how it came to be on the shelf.

    answers: who answers for one that lies on no disk.
    """

    bundle: Bundle
    fingerprint: str
    shelf: Shelf = "host"
    answers: Classifier | None = None

    @property
    def label(self) -> str:
        """Its name, with what tells it from one of the host's."""
        return self.bundle.name + _MARKS[self.shelf]

    @property
    def digest(self) -> str:
        """The beginning of its network's SHA-256: what a name alone does not prove."""
        return self.bundle.files.get(ONNX_NAME, self.fingerprint)[:12]


def visit_lock() -> threading.RLock:
    """Held while a script of the visit works on what is kept half done: a listening, a search for reasons.

    A click starts the next script at once, while the former one is on its way to its end.
    """
    kept: threading.RLock = st.session_state.setdefault(_LOCK, threading.RLock())
    return kept


def sounds() -> tuple[Sound, ...]:
    """What the visitor gave last, on whichever page."""
    given: tuple[Sound, ...] = st.session_state.get(SOUNDS, ())
    return given


def give(given: tuple[Sound, ...]) -> None:
    """Make `given` the sounds that the pages speak of, and remember them for the visit.

    Args:
        given: What was given; what was given twice is one.
    """
    given = tuple({sound.digest: sound for sound in given}.values())
    before = {sound.digest for sound in sounds()}
    added = [sound.digest for sound in given if sound.digest not in before]
    if before and added:
        # Who adds a file to others wants its answer.
        st.session_state[ROW] = added[0]
    st.session_state[SOUNDS] = given
    now = time.time()
    add_heard(heard(), tuple(Heard(sound, now) for sound in given))


@dataclass(frozen=True)
class Heard:
    """A sound of this visit, and when it was given (seconds since 1970)."""

    sound: Sound
    given_at: float


def heard() -> tuple[Heard, ...]:
    """What was given in this visit, latest first."""
    found: tuple[Heard, ...] = st.session_state.get(HEARD, ())
    return found


def name_of(sound: Sound) -> str:
    """What a sound is called wherever this visit is told of it: by its name, and a number if others have it, too.

    A number once told stays with its sound as long as this is known to the visit.
    """
    known = {each.sound.digest: each.sound for each in sorted(heard(), key=lambda each: each.given_at)}
    known |= {given.digest: given for given in sounds()}
    told: dict[str, str] = {
        digest: words for digest, words in st.session_state.get(_TITLES, {}).items() if digest in known
    }
    new = [digest for digest in known if digest not in told]
    names = text.distinct([*told.values(), *(known[digest].name or "recording" for digest in new)])
    st.session_state[_TITLES] = told = told | dict(zip(new, names[len(told) :], strict=True))
    return told.get(sound.digest, sound.name or "recording")


def bring_back(sound: Sound) -> None:
    """Make a sound of this visit the one that the pages speak of."""
    st.session_state[SOUNDS] = (sound,)
    st.session_state[BROUGHT_BACK] = True


def add_heard(before: tuple[Heard, ...], given: tuple[Heard, ...]) -> None:
    """Put what was given before what was heard; too many, or too much, and the oldest go.

    Args:
        before: What was heard, latest first.
        given: What is put before it; it always stays.
    """
    digests = {each.sound.digest for each in given}
    most_bytes = min(_MAX_HEARD_BYTES, visitor.owner().limits.held_bytes)
    kept = list(given)
    n_bytes = sum(len(each.sound.data) for each in given)
    for each in before:
        n_bytes += len(each.sound.data)
        if each.sound.digest in digests:
            continue
        if len(kept) >= _MAX_HEARD or n_bytes > most_bytes:
            break
        kept.append(each)
    st.session_state[HEARD] = tuple(kept)


def forget(digests: set[str]) -> None:
    """Let go of sounds of this visit."""
    st.session_state[HEARD] = tuple(each for each in heard() if each.sound.digest not in digests)
    left = tuple(sound for sound in sounds() if sound.digest not in digests)
    if len(left) < len(sounds()):
        # Otherwise the uploader would hand it in again with the next file.
        st.session_state[BROUGHT_BACK] = True
    st.session_state[SOUNDS] = left


def find_models() -> tuple[list[Model], list[str]]:
    """Every model that this visitor may use and that loads, by name, and a sentence for each that does not."""
    found, faults = [], []
    try:
        shelved = visible(visitor.owner())
    except BundleError as err:
        return [], [str(err)]
    for path, shelf in ((model.folder, model.shelf) for model in shelved):
        try:
            fingerprint = _fingerprint(path)
            found.append(Model(_bundle(str(path), fingerprint), fingerprint, shelf))
        except BundleError as err:
            faults.append(str(err))
        except FileNotFoundError:
            # Another server has deleted it meanwhile.
            continue
        except OSError as err:
            faults.append(f"The model “{path.name}” cannot be read: {err.strerror or err}.")
    taught: Model | None = st.session_state.get(TAUGHT)
    return found + ([taught] if taught is not None else []), faults


def model_in(folder: Path) -> Model:
    """A model that lies on no shelf: what was just taught.

    Raises:
        BundleError: It cannot be read.
    """
    try:
        fingerprint = _fingerprint(folder)
    except OSError as err:
        raise BundleError(f"The model “{folder.name}” cannot be read: {err.strerror or err}.") from err
    return Model(_bundle(str(folder), fingerprint), fingerprint, "own")


def use_model(name: str) -> None:
    """Make a model the one that every page offers first.

    Args:
        name: A model's label, or the name of one that was just made.
    """
    # Any model of that name is meant, whatever is in it.
    st.session_state.pop(MODEL_CONTENT, None)
    st.session_state[MODEL] = name if visitor.mode() == "local" or name.endswith(")") else name + _MARKS["own"]


def classifier(model: Model) -> Classifier:
    """The classifier of a model, opened once for all visitors.

    Raises:
        BundleError: The network cannot be opened.
    """
    return model.answers or _classifier(model, model.fingerprint)


def _fingerprint(folder: Path) -> str:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(repr((str(folder), facts)).encode()).hexdigest()


@st.cache_resource(max_entries=64, show_spinner=False)
def _bundle(folder: str, fingerprint: str) -> Bundle:
    return load_bundle(Path(folder))


@st.cache_resource(max_entries=4, show_spinner=False)
def _classifier(_model: Model, fingerprint: str) -> Classifier:
    # A model from elsewhere answers in a process of its own, where it can do no harm.
    opened = partial(RemoteSession, _model.bundle) if _model.shelf == "imported" else None
    return Classifier(_model.bundle, opened=opened)
