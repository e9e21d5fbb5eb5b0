"""The card of an answer, to be shared: a picture and a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from crnn.analysis import figures
from crnn.analysis.card import Card, page, svg
from crnn.inference.classifier import Prediction
from ui.components.card import card_picture
from ui.shared import answer_cache
from ui.shared.answer_cache import View
from ui.shared.state import Model, Sound

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

# The card is no wider than its picture's pixels.
_COLUMNS = 800


def draw_share(
    place: DeltaGenerator,
    sound: Sound,
    prediction: Prediction,
    view: View | None,
    *,
    model: Model,
    heard: str,
    stem: str,
) -> None:
    """Draw the way to the card, in its place beside the downloads.

    Args:
        place: Where.
        sound: What was given.
        prediction: Its answer.
        view: The sound as it is shown; None for one that is too long for it.
        model: Who answered.
        heard: Tempo and key in words, if they are known.
        stem: What its files are called, before their ending.
    """
    config = model.bundle.feature_config
    picture = (
        answer_cache.long_picture(sound, config) if view is None else figures.clip_picture(view.power, config, _COLUMNS)
    )
    card = Card(sound.name or "recording", model.bundle.name, prediction, picture, heard)
    with place.popover("Share", icon=":material/share:", key="listen.share"):
        st.caption("A card with the answer, without the sound.")
        card_picture(svg(card), stem, key="listen.card")
        st.download_button("Page (HTML)", page(card), f"{stem}.html", "text/html", on_click="ignore")
