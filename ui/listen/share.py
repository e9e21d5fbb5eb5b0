"""The card of an answer, to be shared: a picture and a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from crnn.analysis import figures
from crnn.analysis.card import Card, page, svg
from crnn.inference.classifier import Prediction
from ui.components.card import card_picture
from ui.listen import tempo_key
from ui.shared.answer_cache import View
from ui.shared.state import Model, Sound

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

# The card is no wider than its picture's pixels.
_COLUMNS = 800


def draw_share(
    place: DeltaGenerator, sound: Sound, prediction: Prediction, view: View | None, *, model: Model, stem: str
) -> None:
    """Draw the way to the card, in its place beside the downloads.

    Args:
        place: Where.
        sound: What was given.
        prediction: Its answer.
        view: The sound as it is shown; None for one that is too long for it.
        model: Who answered.
        stem: What its files are called, before their ending.
    """
    picture, heard = None, ""
    if view is not None:
        picture = figures.clip_picture(view.power, model.bundle.feature_config, _COLUMNS)
        heard = tempo_key.words(sound, prediction, view)
    card = Card(sound.name or "recording", model.bundle.name, prediction, picture, heard)
    with place.popover("Share", icon=":material/share:", key="listen.share"):
        st.caption("A card with the answer, without the sound.")
        card_picture(svg(card), stem, key="listen.card")
        st.download_button("Page (HTML)", page(card), f"{stem}.html", "text/html", on_click="ignore")
