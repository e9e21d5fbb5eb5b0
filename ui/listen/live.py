"""Listening along: the answer grows while the microphone is open, and what was heard is then a sound like any other."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import streamlit as st

from crnn import text
from crnn.analysis.figures import genre_color
from crnn.errors import CrnnError
from crnn.inference import output
from crnn.inference.live import RECENT_SECONDS, LiveListening, Moment
from crnn.inference.verdict import Verdict
from crnn.limits import MAX_CLIP_SECONDS, MIN_CLIP_SECONDS
from ui.components import microphone
from ui.components.bars import answer_bars
from ui.components.microphone import Cell, Message, Shown
from ui.shared import state, visitor
from ui.shared.holdings import HELD
from ui.shared.media import wav_of
from ui.shared.state import Model, Sound, classifier
from ui.shared.words import plain

# When it ends by itself, if the answer is not sure and steady before.
MOST_SECONDS = 20.0

_KEY = "listen.live"
_OPEN = state.LISTENING
_SHOWN = "genrescope.live_shown"
_NEWS = "genrescope.live_news"

_NO_GENRE_COLOR = "#7A8899"
_BYTES_PER_SAMPLE = 2
_LOST = "The connection was lost, and what was heard with it. Listen again."
_KEPT = " What came before it is kept."
_LOST_ON_ITS_WAY = f"Some of the sound was lost on its way.{_KEPT}"
_BROKEN_OFF = f"The listening was broken off, by a refresh or a lost connection.{_KEPT}"


@dataclass
class _Open:
    """A listening that goes on, and its name.

    words: why it ended, once it has: it stays until its sound is given, for whoever sets the state of a visit may be
        stopped there by the next script, which then gives it.
    """

    listening: str
    live: LiveListening
    words: str | None = None


def is_open() -> bool:
    """Whether the microphone is listening."""
    return _OPEN in st.session_state


@st.fragment
def draw_live(model: Model, on_taken: Callable[[], None]) -> None:
    """Draw the button that listens, and the answer so far beside it.

    Args:
        model: Who answers; one that is chosen meanwhile answers from the next press on.
        on_taken: Called when what was heard became the sound that the pages speak of.
    """
    was_open = is_open()
    # The next script may begin before the former one has ended.
    with state.visit_lock():
        sound = _hear(microphone.message(_KEY), model)
        found = st.session_state[_OPEN].live.prediction if sound is None and is_open() else None
    if sound is not None:
        state.give((sound,))
        on_taken()
        st.session_state.pop(_OPEN, None)
    left, right = st.columns([5, 4], gap="medium")
    with left:
        microphone.microphone(_KEY, st.session_state.get(_SHOWN, Shown()), most_seconds=MOST_SECONDS)
    with right:
        if found is not None and found.is_music:
            answer_bars(found, key="listen.live.bars")
    # The rest of the page is another while it listens.
    if is_open() != was_open:
        st.rerun()


def draw_news() -> None:
    """What is to be said of a listening that ended, as long as its sound is on show."""
    words, digest = st.session_state.get(_NEWS, ("", ""))
    if words and [sound.digest for sound in state.sounds()] == [digest]:
        st.info(plain(words))


def _hear(message: Message | None, model: Model) -> Sound | None:
    """Take in what came; what was heard, where it ended with that."""
    opened: _Open | None = st.session_state.get(_OPEN)
    if opened is not None and opened.words is not None:
        return _end(opened, opened.words)
    if opened is not None and _is_former(opened):
        # A copy, because its page may still listen if this is a duplicate in another tab.
        st.session_state[_OPEN] = opened = replace(opened)
        if message is None or message.listening != opened.listening or _is_over(message):
            return _end(opened, _BROKEN_OFF)
    if message is None:
        # Its page was left, and the browser closed the microphone.
        return _end(opened, "") if opened is not None else None
    if opened is None or opened.listening != message.listening:
        opened = _begin(message, model)
    if opened is None:
        return None
    try:
        return _take(message, opened)
    except CrnnError as err:
        return _end(opened, str(err))


def _is_former(opened: _Open) -> bool:
    """Whether a listening was brought back from before a refresh, or a lost connection."""
    shown: Shown = st.session_state.get(_SHOWN, Shown())
    return shown.listening != opened.listening or shown.is_over


def _is_over(message: Message) -> bool:
    """Whether the browser was told that the listening has ended, and has closed the microphone."""
    shown: Shown = st.session_state.get(_SHOWN, Shown())
    return shown.is_over and shown.listening == message.listening


def _begin(message: Message, model: Model) -> _Open | None:
    if _is_over(message):
        return None
    words = _LOST if message.at else ""
    try:
        # The last of a sound that a page can show and that may be given.
        granted = visitor.owner().limits
        HELD.check_room(granted)
        kept_seconds = min(MAX_CLIP_SECONDS, granted.upload_bytes / (_BYTES_PER_SAMPLE * message.rate) - 1)
        opened = _Open(message.listening, LiveListening(classifier(model), message.rate, kept_seconds=kept_seconds))
        HELD.add(opened.live, lambda live: {id(live): live.n_kept_bytes})
    except CrnnError as err:
        words = str(err)
    st.session_state.pop(_OPEN, None)
    st.session_state[_SHOWN] = Shown(message.listening, message.number, is_over=bool(words), words=words)
    if words:
        return None
    st.session_state[_OPEN] = opened
    return opened


def _take(message: Message, opened: _Open) -> Sound | None:
    live = opened.live
    if message.at > live.n_samples:
        return _end(opened, _LOST_ON_ITS_WAY)
    # What came before is skipped.
    new = message.samples[(live.n_samples - message.at) * _BYTES_PER_SAMPLE :]
    granted = visitor.owner().limits
    if new:
        HELD.check_room(granted)
        live.push(new)
        live.answer()
    longest = granted.sound_seconds
    is_enough = live.seconds >= MOST_SECONDS or live.is_settled
    if live.seconds >= longest:
        return _end(opened, f"It ended by itself after {longest / 3600:.0f} h, the most that is listened to here.")
    if message.is_last or (is_enough and not message.keeps_on):
        return _end(opened, "")
    st.session_state[_SHOWN] = replace(_so_far(live), listening=opened.listening, number=message.number)
    return None


def _so_far(live: LiveListening) -> Shown:
    shown = Shown(n_heard=live.n_samples)
    if live.prediction is None:
        return shown
    return replace(
        shown,
        seconds=round(live.seconds, 3),
        sentence=output.answer_sentence(live.prediction),
        about=" ".join(filter(None, (_of_when(live), output.heard_sentence(live.prediction)))),
        # A line of genres would belie that it is no music.
        cells=_cells(live) if live.prediction.verdict.traits.has_timeline else (),
    )


def _of_when(live: LiveListening) -> str:
    """What the sentence speaks of where the timeline beside it shows more."""
    return "Of the last half a minute." if live.seconds > RECENT_SECONDS else ""


def _cells(live: LiveListening) -> tuple[Cell, ...]:
    """The timeline, neighbours of one name as one."""
    cells = []
    for name, group in itertools.groupby(live.moments, key=_name):
        same = list(group)
        color = genre_color(name) if same[0].genre else _NO_GENRE_COLOR
        cells.append(Cell(round(same[0].start_seconds, 2), round(same[-1].end_seconds, 2), name, color))
    return tuple(cells)


def _name(moment: Moment) -> str:
    return moment.genre or (Verdict.SILENCE if moment.is_silent else Verdict.NOT_MUSIC).traits.word


def _end(opened: _Open, words: str) -> Sound | None:
    """Close a listening; what was heard, where that is enough for an answer."""
    live = opened.live
    opened.words = words
    shown = Shown(opened.listening, n_heard=live.n_samples, is_over=True)
    if live.seconds < MIN_CLIP_SECONDS:
        too_short = f"Only {live.seconds:.1f} s were heard. Listen for three seconds or more."
        # Which is no more than that, and is not kept.
        told = f"{words.removesuffix(_KEPT)} {too_short}" if words.endswith(_KEPT) else words or too_short
        st.session_state[_SHOWN] = replace(shown, words=told)
        st.session_state.pop(_OPEN, None)
        return None
    if live.kept_seconds < live.seconds:
        heard, kept = text.clock(live.seconds), text.clock(live.kept_seconds)
        words = f"{words} Of {heard} heard, the last {kept} are kept.".strip()
    sound = Sound("", wav_of(live.sound, live.sample_rate), "recording")
    st.session_state[_SHOWN], st.session_state[_NEWS] = replace(shown, words=words), (words, sound.digest)
    return sound
