"""What a visitor teaches where nothing is kept: the clips that he gave by genre, and the model made of them.

Both live in his visit and go with it; of a clip only what the model hears in it is held, never the sound.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from crnn.bundles.library import default_model
from crnn.data.user_clips import genre_folder
from crnn.errors import BundleError, CrnnError
from crnn.evaluation.report import Report
from crnn.training import visit_head
from crnn.training.visit_head import VisitTrack
from ui.shared import state, visitor
from ui.shared.holdings import HELD


def tracks() -> tuple[VisitTrack, ...]:
    """What was given so far."""
    given: tuple[VisitTrack, ...] = st.session_state.get(state.LESSON, ())
    return given


def counts() -> dict[str, int]:
    """Clips of each genre, by name."""
    return dict(sorted(Counter(track.genre for track in tracks()).items()))


def add(
    genre: str,
    clips: Sequence[tuple[str, bytes]],
    on_progress: Callable[[float, str], object] = lambda share, words: None,
) -> list[str]:
    """Listen to clips of a genre and hold what is heard; the sentences of those that cannot be used.

    Args:
        genre: As the visitor named it.
        clips: Name and bytes of each.
        on_progress: Called with the share that is done, and words for it.
    """
    faults: list[str] = []
    owner = visitor.owner()
    try:
        name, body = genre_folder(genre), state.classifier(_start())
    except CrnnError as err:
        return [str(err)]
    for number, (file_name, data) in enumerate(clips):
        tell = partial(on_progress, number / len(clips), f"Listening to {number + 1} of {len(clips)} clips")
        try:
            HELD.check_room(owner.limits)
            heard = visit_head.hear(body, data, file_name, name, owner=owner, on_block=tell)
            st.session_state[state.LESSON] = visit_head.with_track(tracks(), heard, owner)
            HELD.add(heard, _weigh)
        except CrnnError as err:
            faults.append(str(err))
    _forget_model()
    return list(dict.fromkeys(faults))


def remove(genre: str) -> None:
    """Let go of a genre's clips, and of what was learnt from them."""
    st.session_state[state.LESSON] = tuple(track for track in tracks() if track.genre != genre)
    _forget_model()


def forget() -> None:
    """Let go of all clips and of the model."""
    st.session_state.pop(state.LESSON, None)
    _forget_model()


def teach() -> None:
    """Make a model of the clips, for this visit.

    Raises:
        CrnnError: There is too little to learn from, or no model to begin with.
    """
    start = _start()
    taught = visit_head.teach(tracks(), start.bundle, owner=visitor.owner())
    classifier = visit_head.with_head(state.classifier(start), taught)
    digest = hashlib.sha256(taught.head.weights.tobytes() + taught.head.bias.tobytes()).hexdigest()
    st.session_state[state.TAUGHT] = state.Model(taught.bundle, digest, "visit", classifier)
    st.session_state[state.TAUGHT_REPORT] = taught.report


def model() -> state.Model | None:
    """What was taught, until its clips change."""
    found: state.Model | None = st.session_state.get(state.TAUGHT)
    return found


def report() -> Report | None:
    """The report on it."""
    found: Report | None = st.session_state.get(state.TAUGHT_REPORT)
    return found


def _forget_model() -> None:
    st.session_state.pop(state.TAUGHT, None)
    st.session_state.pop(state.TAUGHT_REPORT, None)


def _weigh(track: VisitTrack) -> dict[int, int]:
    return {id(part): part.nbytes for part in (track.embedding, track.picture) if part is not None}


def _start() -> state.Model:
    """The host's model that is taught: the one that answers unless another is chosen."""
    hosts = [model for model in state.find_models()[0] if model.shelf == "host"]
    named = next((model for model in hosts if model.bundle.name == default_model()), None)
    if named is None and not hosts:
        raise BundleError("There is no model here to begin with.")
    return named or hosts[0]
