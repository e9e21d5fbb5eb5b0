"""From a sound to its answer and its picture, kept for the visit.

The answer comes first and for any length; what the player plays, and a picture in
full detail, only of sounds that fit in memory. Answers are kept as long as their
sound is among those heard in this visit, pictures for the sound on show.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from crnn import text
from crnn.analysis.figures import Picture
from crnn.audio import clip as audio
from crnn.audio import workers
from crnn.audio.clip import AudioStream, load_clip, load_part
from crnn.config import FeatureConfig
from crnn.errors import CrnnError
from crnn.features.log_mel import MelStream
from crnn.inference.classifier import Prediction
from crnn.inference.listening import FileListening
from crnn.limits import MAX_CLIP_SECONDS
from crnn.owner import check_granted
from ui.shared import visitor
from ui.shared.holdings import HELD
from ui.shared.media import wav_bytes
from ui.shared.state import Model, Sound, classifier, sounds, visit_lock
from ui.shared.state import heard as heard_sounds
from ui.shared.taken import FULL_BAND_RATE, FULL_BAND_SECONDS, Taken

ANSWERS = "genrescope.answers"
_LEFT = "genrescope.left"
_STOPPED = "genrescope.stopped"
_TAKEN = "genrescope.taken"
_VIEW = "genrescope.view"
_EXCERPT = "genrescope.excerpt"
_DECLARED = "genrescope.declared"
LONG_PICTURE = "genrescope.long_picture"


@dataclass(frozen=True)
class View:
    """What the player needs of a sound.

    power: mel power of the clip, shape `(n_frames, n_mels)`.
    wav: what is played.
    peak_db: the clip's greatest sample, in dB re full scale.
    """

    power: npt.NDArray[np.float32]
    wav: bytes
    peak_db: float

    def __post_init__(self) -> None:
        HELD.add(self, lambda view: {id(view.power): view.power.nbytes, id(view.wav): len(view.wav)})


def answer(sound: Sound, model: Model, on_progress: Callable[[float], None] | None = None) -> Prediction:
    """The model's answer for a sound of any length; for what was heard of it, where that was stopped.

    A script that is left while it listens goes on where it was.

    Args:
        sound: What was given.
        model: Who answers.
        on_progress: Called with the seconds read so far.

    Raises:
        CrnnError: The sound or the model cannot be used.
    """
    with visit_lock():
        return _answer(sound, model, on_progress)


def _answer(sound: Sound, model: Model, on_progress: Callable[[float], None] | None) -> Prediction:
    answers, left = _answers(), _left()
    key = (sound.digest, model.fingerprint)
    if key not in answers:
        try:
            listening = left.get(key) or _listen(sound, model)
            left[key] = listening
            while key not in _stopped() and listening.step():
                check_granted(listening.seconds, visitor.owner())
                if on_progress is not None:
                    on_progress(listening.seconds)
            found: Prediction | CrnnError = listening.answer()
        except CrnnError as err:
            found = err
            st.session_state.pop(_TAKEN, None)
        if key in _stopped() and isinstance(found, Prediction):
            return found
        answers[key] = found
        if key in left:
            left.pop(key).close()
    found = answers[key]
    if isinstance(found, CrnnError):
        raise found
    return found


def _listen(sound: Sound, model: Model) -> FileListening:
    """Begins to listen; what is made for the answer is kept for the view, of the last sound alone."""
    hearer = classifier(model)
    if st.session_state.get(_VIEW, (None,))[0] == (sound.digest, hearer.config):
        return FileListening(hearer, sound.data, sound.name)
    taken = Taken(hearer.config)
    listening = FileListening(hearer, sound.data, sound.name, keep=taken.take, play_rate=FULL_BAND_RATE)
    st.session_state[_TAKEN] = (sound.digest, taken, listening)
    return listening


def stop(sound: Sound, model: Model) -> None:
    """Leave a sound that is being listened to: its answer is for what was heard of it.

    Args:
        sound: What was given.
        model: Who answers.
    """
    _stopped().add((sound.digest, model.fingerprint))


def go_on(sound: Sound, model: Model) -> None:
    """Go on with a sound that was left.

    Args:
        sound: What was given.
        model: Who answers.
    """
    _stopped().discard((sound.digest, model.fingerprint))


def is_stopped(sound: Sound, model: Model) -> bool:
    """Whether the answer is for a part of the sound, as it was left.

    Args:
        sound: What was given.
        model: Who answers.
    """
    key = (sound.digest, model.fingerprint)
    return key in _stopped() and key not in _answers()


def _left() -> dict[tuple[str, str], FileListening]:
    kept: dict[tuple[str, str], FileListening] = st.session_state.setdefault(_LEFT, {})
    return kept


def _stopped() -> set[tuple[str, str]]:
    kept: set[tuple[str, str]] = st.session_state.setdefault(_STOPPED, set())
    return kept


def known(sound: Sound, model: Model) -> Prediction | None:
    """The answer, if it was given before and is one.

    Args:
        sound: What was given.
        model: Who answers.
    """
    found = _answers().get((sound.digest, model.fingerprint))
    return None if isinstance(found, CrnnError) else found


def is_answered(sound: Sound, model: Model) -> bool:
    """Whether `answer` would return at once.

    Args:
        sound: What was given.
        model: Who answers.
    """
    return (sound.digest, model.fingerprint) in _answers()


def _answers() -> dict[tuple[str, str], Prediction | CrnnError]:
    kept: dict[tuple[str, str], Prediction | CrnnError] = st.session_state.setdefault(ANSWERS, {})
    wanted = {sound.digest for sound in sounds()} | {heard.sound.digest for heard in heard_sounds()}
    if _EXCERPT in st.session_state:
        wanted.add(st.session_state[_EXCERPT][1].digest)
    for key in [key for key in kept if key[0] not in wanted]:
        del kept[key]
    if _TAKEN in st.session_state and st.session_state[_TAKEN][0] not in wanted:
        del st.session_state[_TAKEN]
    with visit_lock():
        left = _left()
        for key in [key for key in left if key[0] not in wanted]:
            left.pop(key).close()
    return kept


def warm_up(model: Model) -> None:
    """Open the network while the visitor still looks for a song, so that the first answer is quick."""
    workers.warm_up()
    with contextlib.suppress(CrnnError):
        classifier(model)


def seconds_of(sound: Sound) -> float:
    """How long a sound is: as it was heard, else as its file says; 0 where neither tells.

    Args:
        sound: What was given.
    """
    heard = (found for (digest, _), found in _answers().items() if digest == sound.digest)
    for found in heard:
        if isinstance(found, Prediction):
            return found.duration_seconds
    kept: dict[str, float] = st.session_state.setdefault(_DECLARED, {})
    if sound.digest not in kept:
        kept.clear()
        try:
            kept[sound.digest] = audio.declared_seconds(sound.data, sound.name)
        except CrnnError:
            kept[sound.digest] = 0.0
    return kept[sound.digest]


def fits_in_memory(prediction: Prediction) -> bool:
    """Whether a sound is short enough to be held whole."""
    return prediction.duration_seconds <= MAX_CLIP_SECONDS


def view(sound: Sound, config: FeatureConfig) -> View:
    """The picture's mel power and the sound to play.

    Args:
        sound: What was given.
        config: How the picture is computed.

    Raises:
        AudioError: The sound cannot be used.
    """
    key = (sound.digest, config)
    kept = st.session_state.get(_VIEW)
    if kept is None or kept[0] != key:
        kept = (key, _look(sound, config))
        st.session_state[_VIEW] = kept
    found: View = kept[1]
    return found


def long_picture(sound: Sound, config: FeatureConfig) -> Picture | None:
    """The picture of a sound too long to be held, from when it was listened to; None where that was elsewhere.

    Args:
        sound: What was given.
        config: How the picture was computed.
    """
    digest, taken, listening = st.session_state.get(_TAKEN, (None, None, None))
    if digest == sound.digest and listening.is_ended:
        found = taken.picture(config)
        if found is not None:
            st.session_state[LONG_PICTURE] = (sound.digest, config, found)
    kept = st.session_state.get(LONG_PICTURE)
    return kept[2] if kept is not None and kept[:2] == (sound.digest, config) else None


def excerpt(
    sound: Sound, seconds: tuple[float, float], on_progress: Callable[[float], None] = lambda seconds: None
) -> Sound:
    """A part of a sound as a sound of its own; the last one is kept for the visit.

    Args:
        sound: What was given, of any length.
        seconds: Where the part starts and ends, at most `MAX_CLIP_SECONDS` apart.
        on_progress: Called with the seconds read so far.

    Raises:
        AudioError: The sound cannot be used, or the part is shorter than a second.
    """
    key = (sound.digest, seconds)
    kept = st.session_state.get(_EXCERPT)
    if kept is None or kept[0] != key:
        with AudioStream(sound.data, FULL_BAND_RATE, sound.name) as stream:
            rate = min(stream.source_rate, FULL_BAND_RATE)
        if seconds[1] - seconds[0] > FULL_BAND_SECONDS:
            rate = min(rate, FeatureConfig().sample_rate)
        clip = load_part(sound.data, rate, seconds, name=sound.name, on_progress=on_progress)
        name = f"{sound.stem}, {text.clock(seconds[0])} to {text.clock(seconds[1])}.wav"
        kept = (key, Sound(name, wav_bytes(clip), sound.origin))
        st.session_state[_EXCERPT] = kept
    found: Sound = kept[1]
    return found


def _look(sound: Sound, config: FeatureConfig) -> View:
    digest, taken, listening = st.session_state.pop(_TAKEN, (None, None, None))
    is_of_it = digest == sound.digest and listening.is_ended and taken.config == config
    if is_of_it and taken.is_whole:
        play_rate = listening.play_rate
    else:
        taken, play_rate = _take(sound, config)
    peak_db = 20 * float(np.log10(min(1.0, max(taken.peak, 1e-10))))
    return View(taken.power(), taken.wav(play_rate), peak_db)


def _take(sound: Sound, config: FeatureConfig) -> tuple[Taken, int]:
    """All of a sound that was answered by another model, or long ago."""
    taken, mel_stream, rates = Taken(config), MelStream(config), []

    def keep(stream: AudioStream, block: npt.NDArray[np.float32]) -> None:
        taken.take(block, stream.played, mel_stream.push(block))
        rates.append(stream.play_rate)

    load_clip(sound.data, config.sample_rate, name=sound.name, play_rate=FULL_BAND_RATE, keep=keep)
    nothing = np.zeros(0, dtype=np.float32)
    taken.take(nothing, nothing, mel_stream.finish())
    return taken, rates[0]
