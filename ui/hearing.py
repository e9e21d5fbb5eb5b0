"""From a sound to its answer and its picture, kept for the visit.

The answer comes first and for any length; the picture and what the player plays
only for sounds that fit in memory. Answers are kept as long as their sound is
among those given, pictures for the sound on show.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from crnn import features, reporting
from crnn.audio import AudioStream, load_clip, load_part
from crnn.config import FeatureConfig
from crnn.errors import CrnnError
from crnn.inference import Prediction
from crnn.limits import MAX_CLIP_SECONDS
from ui.media import wav_bytes
from ui.state import Model, Sound, classifier, sounds

_ANSWERS = "genrescope.answers"
_VIEW = "genrescope.view"
_EXCERPT = "genrescope.excerpt"

# A whole WAV at 44.1 kHz is fetched for playing; beyond this the model's rate halves it.
_FULL_BAND_SECONDS = 6 * 60.0
_FULL_BAND_RATE = 44_100
_LARGE_BYTES = 5 * 2**20


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


def answer(sound: Sound, model: Model, on_progress: Callable[[float], None] | None = None) -> Prediction:
    """The model's answer for a sound of any length.

    Args:
        sound: What was given.
        model: Who answers.
        on_progress: Called with the seconds read so far.

    Raises:
        CrnnError: The sound or the model cannot be used.
    """
    answers = _answers()
    key = (sound.digest, model.fingerprint)
    if key not in answers:
        try:
            answers[key] = classifier(model).classify_file(sound.data, name=sound.name, on_progress=on_progress)
        except CrnnError as err:
            answers[key] = err
    found = answers[key]
    if isinstance(found, CrnnError):
        raise found
    return found


def is_answered(sound: Sound, model: Model) -> bool:
    """Whether `answer` would return at once."""
    return (sound.digest, model.fingerprint) in _answers()


def _answers() -> dict[tuple[str, str], Prediction | CrnnError]:
    kept: dict[tuple[str, str], Prediction | CrnnError] = st.session_state.setdefault(_ANSWERS, {})
    wanted = {sound.digest for sound in sounds()}
    if _EXCERPT in st.session_state:
        wanted.add(st.session_state[_EXCERPT][1].digest)
    for key in [key for key in kept if key[0] not in wanted]:
        del kept[key]
    return kept


def warm_up(model: Model) -> None:
    """Open the network while the visitor still looks for a song, so that the first answer is quick."""
    with contextlib.suppress(CrnnError):
        classifier(model)


def declared_seconds(sound: Sound) -> float:
    """How long a large file says it is, for a progress bar; 0 where it is small or does not say."""
    if len(sound.data) < _LARGE_BYTES:
        return 0.0
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(sound.data)) as file:
            return float(file.frames / file.samplerate)
    except soundfile.LibsndfileError:
        return 0.0


def fits_in_memory(prediction: Prediction) -> bool:
    """Whether a sound is short enough to be shown whole."""
    return prediction.duration_seconds <= MAX_CLIP_SECONDS


def view(sound: Sound, config: FeatureConfig) -> View:
    """The picture's mel power and the sound to play.

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
        with AudioStream(sound.data, _FULL_BAND_RATE, sound.name) as stream:
            rate = min(stream.source_rate, _FULL_BAND_RATE)
        if seconds[1] - seconds[0] > _FULL_BAND_SECONDS:
            rate = min(rate, FeatureConfig().sample_rate)
        clip = load_part(sound.data, rate, seconds, name=sound.name, on_progress=on_progress)
        stem = sound.name.rsplit(".", 1)[0] or "recording"
        name = f"{stem}, {reporting.clock(seconds[0])} to {reporting.clock(seconds[1])}.wav"
        kept = (key, Sound(name, wav_bytes(clip), sound.origin))
        st.session_state[_EXCERPT] = kept
    found: Sound = kept[1]
    return found


def _look(sound: Sound, config: FeatureConfig) -> View:
    clip = played = load_clip(sound.data, config.sample_rate, name=sound.name)
    with AudioStream(sound.data, config.sample_rate, sound.name) as stream:
        rate = min(stream.source_rate, _FULL_BAND_RATE)
    if rate > config.sample_rate and clip.duration_seconds <= _FULL_BAND_SECONDS:
        played = load_clip(sound.data, rate, name=sound.name)
    peak = float(np.abs(clip.samples).max(initial=0.0))
    peak_db = 20 * float(np.log10(min(1.0, max(peak, 1e-10))))
    return View(features.mel_power(clip.samples, config), wav_bytes(played), peak_db)
