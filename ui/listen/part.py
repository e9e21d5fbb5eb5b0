"""A part of a sound that was chosen by dragging: its own answer, its reasons, what is kept of it."""

from __future__ import annotations

import streamlit as st

from crnn import text
from crnn.audio.clip import Clip
from crnn.errors import CrnnError
from crnn.inference import output, stretches
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


def draw_part(sound: Sound, model: Model, view: View | None, region: Region | None) -> None:
    """Draw what the model says of the part alone, and what can be done with it; a hint where none was chosen.

    Args:
        sound: What was given.
        model: Who answers.
        view: The sound as it is played; None for one too long to be held, of which the part is read.
        region: The part.
    """
    if region is None:
        st.caption("Ask about a part: press “select” and drag over it, or mark it with the keys I and O.")
        return
    start, end = region.start_seconds, region.end_seconds
    clocks = f"{text.clock(start)} to {text.clock(end)}"
    if end - start < MIN_CLIP_SECONDS:
        st.markdown(f"**{clocks}.** Too short for an answer: a part needs {MIN_CLIP_SECONDS:.0f} s.")
        return
    if end - start > MAX_CLIP_SECONDS:
        most = f"at most {MAX_CLIP_SECONDS / 60:.0f} minutes of it can be asked about at once"
        st.markdown(f"**{clocks}.** Too long a part: {most}.")
        return
    try:
        wav = _wav(sound, view, (start, end))
        found = _answer(sound, model, wav, (start, end))
    except CrnnError as err:
        st.error(plain(str(err)))
        return
    whole = output.changes_sentence(stretches.of_prediction(found)) or output.verdict_sentence(found)
    st.markdown(f"**{clocks}.** {plain(whole)} {plain(output.candidates_sentence(found))}")
    name = f"{_stem(sound)}, {clocks}.wav"
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
            wav,
            f"{file_stem_of(sound.name)}, {clocks.replace(':', '.')}.wav",
            "audio/wav",
            on_click="ignore",
            icon=":material/download:",
            key="listen.part.wav",
        )
    correction.draw_correction(
        Sound(name, wav, "upload"), model.bundle.genres, title="Add this part to a data set", key="listen.part.correct"
    )


def _stem(sound: Sound) -> str:
    """What a part is called after."""
    return sound.name.rsplit(".", 1)[0] or "recording"


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
