"""A part of a sound that was chosen by dragging: its own answer, its reasons, what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from crnn import text
from crnn.audio.clip import Clip
from crnn.errors import CrnnError
from crnn.inference import output
from crnn.inference.classifier import Prediction
from crnn.limits import MAX_CLIP_SECONDS, MIN_CLIP_SECONDS
from ui.components.player import Region
from ui.listen import correction
from ui.shared import answer_cache
from ui.shared.answer_cache import View
from ui.shared.media import part_samples, wav_part
from ui.shared.state import EXPLORE_PART, EXPLORE_SOUND, LONG_PART, REASONS, WHY_AT, WHY_GENRE, Model, Sound, classifier
from ui.shared.words import file_stem_of, plain

_KEPT = "listen.part"


@dataclass(frozen=True)
class Part:
    """What the model says of a part alone.

    wav: The part as a file.
    found: Its answer; None where `refusal` says why there is none.
    is_error: Whether what was refused is a fault of the sound.
    """

    span: tuple[float, float]
    wav: bytes = b""
    found: Prediction | None = None
    refusal: str = ""
    is_error: bool = False

    def told(self) -> str:
        """The answer in a line."""
        if self.found is None:
            return self.refusal
        if self.found.genre is None or output.time_shares(self.found):
            return f"This part. {output.answer_sentence(self.found)}"
        return f"This part: {self.found.genre}, {text.confidence(self.found.confidence)}"


def ask(sound: Sound, model: Model, view: View | None, region: Region | None) -> Part | None:
    """The answer for a part; None where none was chosen.

    Args:
        sound: What was given.
        model: Who answers.
        view: The sound as it is played; None for one too long to be held, of which the part is read.
        region: The part.
    """
    if region is None:
        return None
    start, end = span = region.start_seconds, region.end_seconds
    if end - start < MIN_CLIP_SECONDS:
        return Part(span, refusal=f"Too short for an answer: a part needs {MIN_CLIP_SECONDS:.0f} s.")
    if end - start > MAX_CLIP_SECONDS:
        most = f"at most {MAX_CLIP_SECONDS / 60:.0f} minutes of it can be asked about at once"
        return Part(span, refusal=f"Too long a part: {most}.")
    try:
        wav = _wav(sound, view, span)
        return Part(span, wav, _answer(sound, model, wav, span))
    except CrnnError as err:
        return Part(span, refusal=str(err), is_error=True)


def draw_part(sound: Sound, model: Model, view: View | None, part: Part | None) -> None:
    """Draw what the model says of the part alone, and what can be done with it; a hint where none was chosen.

    Args:
        sound: What was given.
        model: Who answered.
        view: The sound as it is played; None for one too long to be held.
        part: The answer.
    """
    if part is None:
        st.caption("Ask about a part: press “select” and drag over it.")
        return
    if part.is_error:
        st.error(plain(part.refusal))
        return
    start, end = part.span
    clocks = f"{text.clock(start)} to {text.clock(end)}"
    found = part.found
    if found is None:
        st.markdown(f"**{clocks}.** {plain(part.refusal)}")
        return
    whole = output.answer_sentence(found)
    st.markdown(f"**{clocks}.** {plain(whole)} {plain(output.candidates_sentence(found))}")
    name = f"{sound.stem}, {clocks}.wav"
    with st.container(horizontal=True):
        if found.is_music and st.button("Why this part?", key="listen.part.why"):
            genre = found.ranked()[0][0]
            st.session_state[WHY_GENRE], st.session_state[WHY_AT] = genre, (sound.digest, genre, (start + end) / 2)
            st.session_state[EXPLORE_PART], st.session_state[EXPLORE_SOUND] = REASONS, sound.digest
            if view is None:
                # Explore reads a part of a long sound.
                st.session_state[LONG_PART] = (sound.digest, (start, end))
            st.switch_page("pages/1_Explore.py")
        st.download_button(
            "WAV of this part",
            part.wav,
            f"{file_stem_of(sound.name)}, {clocks.replace(':', '.')}.wav",
            "audio/wav",
            on_click="ignore",
            icon=":material/download:",
            key="listen.part.wav",
        )
    correction.draw_correction(Sound(name, part.wav, "upload"), model.bundle.genres, is_part=True)


def _wav(sound: Sound, view: View | None, span: tuple[float, float]) -> bytes:
    if view is not None:
        return wav_part(view.wav, *span)
    with st.spinner("Reading the part"):
        return answer_cache.excerpt(sound, span).data


def _answer(sound: Sound, model: Model, wav: bytes, span: tuple[float, float]) -> Prediction:
    """The answer for the part alone, the last one kept."""
    key = (sound.digest, model.fingerprint, span)
    kept = st.session_state.get(_KEPT)
    if kept is None or kept[0] != key:
        rate = model.bundle.feature_config.sample_rate
        samples = part_samples(wav, 0.0, span[1] - span[0], rate)
        kept = (key, classifier(model).classify(Clip(samples, rate, sound.name)))
        st.session_state[_KEPT] = kept
    found: Prediction = kept[1]
    return found
