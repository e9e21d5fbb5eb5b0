"""What Listen shows before there is a sound: what an answer looks like, by an example that the model has heard."""

from __future__ import annotations

import streamlit as st

from crnn.audio.clip import Clip
from crnn.config import FeatureConfig
from crnn.errors import CrnnError
from crnn.inference import output
from crnn.inference.classifier import Prediction
from crnn.synthesis.examples import SECONDS, example
from ui.components.bars import answer_bars
from ui.listen import sound_input
from ui.shared.media import part_samples, wav_bytes
from ui.shared.state import Model, classifier
from ui.shared.words import plain

EXAMPLE = "disco groove"
_N_BARS = 3


def draw_opening(model: Model) -> None:
    """Draw the model's answer for `EXAMPLE`, small; nothing where it has none to give.

    Args:
        model: Who answers.
    """
    try:
        with st.spinner("Hearing an example"):
            found = _answer(model, model.fingerprint)
    except CrnnError:
        # Whoever gives a sound reads what is wrong with the model.
        return
    with st.container(border=True):
        st.caption(
            f"What an answer looks like. This model heard the example “{EXAMPLE}”, synthesized on this machine; "
            "nobody recorded it."
        )
        left, right = st.columns([6, 5], gap="medium")
        with left:
            whole = output.answer_sentence(found)
            st.markdown(f"**{plain(whole)}**  \n{plain(output.candidates_sentence(found))}")
            st.button(
                "Hear and see it",
                on_click=sound_input.choose_example,
                args=(EXAMPLE,),
                key="listen.opening",
                icon=":material/graphic_eq:",
            )
        if found.is_music:
            with right:
                answer_bars(
                    found,
                    key="listen.opening.bars",
                    most=_N_BARS,
                    label="Confidence of the genres heard most in the example, 0 to 1",
                )


@st.cache_resource(max_entries=16, show_spinner=False)
def _answer(_model: Model, fingerprint: str) -> Prediction:
    rate = _model.bundle.feature_config.sample_rate
    samples = part_samples(_wav(), 0.0, SECONDS, rate)
    return classifier(_model).classify(Clip(samples, rate, EXAMPLE))


@st.cache_resource(show_spinner=False)
def _wav() -> bytes:
    """What is given when the example is chosen, so that the answer is the one promised here."""
    return wav_bytes(example(EXAMPLE, FeatureConfig().sample_rate))
