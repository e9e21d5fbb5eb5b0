"""What the Listen page shows of the sounds that were given."""

from __future__ import annotations

import streamlit as st

from crnn.errors import CrnnError
from ui.listen import answer, batch, correction, share, tempo_key
from ui.shared import answer_cache, progress
from ui.shared.state import Model, Sound
from ui.shared.words import file_stem_of, plain


def draw_answer(given: tuple[Sound, ...], model: Model) -> None:
    """The answers of several sounds as a table; of one, or of the row that was clicked, all that there is.

    Args:
        given: What was given last.
        model: Who answers.
    """
    sound = given[0]
    # One for both: a file that is added while another is heard finds its bar, and takes its place.
    bar = st.empty()
    if len(given) > 1:
        answered = progress.answer_all(given, model, place=bar)
        if not answered:
            return
        sound = batch.choose_sound(answered)
    config = model.bundle.feature_config
    place = st.empty()
    try:
        prediction = progress.answer_one(sound, model, place=bar)
    except CrnnError as err:
        st.error(plain(str(err)))
        return
    is_stopped = progress.draw_stopped(place, sound, model, prediction)
    among_notes, beside_downloads = answer.draw_verdict(sound, prediction)
    is_held = answer_cache.fits_in_memory(prediction) and not is_stopped
    if not is_stopped:
        answer.keep_room(among_notes, sound, prediction)
    with st.spinner("Drawing the sound"):
        view = answer_cache.view(sound, config) if is_held else None

    def tell() -> None:
        heard = "" if is_stopped else tempo_key.words(sound, prediction, view)
        answer.draw_heard_words(among_notes, heard, sound, view)
        stem = file_stem_of(sound.name)
        share.draw_share(beside_downloads, sound, prediction, view, model=model, heard=heard, stem=stem)

    # The middle of a sound that is not held has to be read, which may take long: what is known comes first.
    if is_held:
        tell()
    answer.draw_listening_view(sound, prediction, view, model)
    answer.draw_numbers(prediction, view, config)
    if not is_stopped:
        correction.draw_correction(sound, model.bundle.genres)
    if not is_held:
        tell()
