"""What if something were gone: the answer before and after it is muted, and how that sounds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import streamlit as st

from crnn.analysis import masking, what_ifs
from crnn.audio.clip import Clip
from crnn.inference import output
from crnn.inference.classifier import Prediction
from ui.components.bars import genre_bars
from ui.components.player import Version, chosen_region, listening_view
from ui.components.player.panels import Panel
from ui.explore import zoom
from ui.explore.kept import kept
from ui.explore.view_panels import mel_panel
from ui.explore.views import clip_of
from ui.shared.media import serve, wav_bytes
from ui.shared.state import Model, Sound, classifier, name_of
from ui.shared.words import plain

FloatArray = npt.NDArray[np.float32]
# From and to which second, from and to which Hz.
Rectangle = tuple[tuple[float, float], tuple[float, float]]

# The rectangle that was muted last, or none.
_RECTANGLE = "explore.what_if_rectangle"
_PART_OF = {"without bass": what_ifs.BASS, "without voice band": what_ifs.VOICE, "without drums": what_ifs.DRUMS}
WHAT_IFS = ("without bass", "without voice band", "without drums", "without a rectangle")
_WHAT_IF_WORDS = {
    "without bass": "Without the bass (below 200 Hz)",
    "without voice band": "Without the voice band (300 Hz to 3.4 kHz)",
    "without drums": "Without the drums (the percussive part)",
    "without a rectangle": "Without a rectangle that you draw",
}


def draw_what_ifs(sound: Sound, model: Model, prediction: Prediction) -> None:
    """The answer before and after something is muted, and how that sounds.

    Args:
        sound: What was given.
        model: Who answers.
        prediction: Its answer.
    """
    config = model.bundle.feature_config
    clip = clip_of(sound, config.sample_rate)
    choice = st.segmented_control(
        "Mute", WHAT_IFS, default=WHAT_IFS[0], key="explore.what_if",
        label_visibility="collapsed",
    ) or WHAT_IFS[0]  # fmt: skip
    key = f"explore.what_if.player.{sound.digest}"
    region = chosen_region(key, clip.duration_seconds)
    st.session_state[_RECTANGLE] = (key, region)
    is_drawn, rectangle = choice == "without a rectangle", None
    if is_drawn and region is not None and region.hertz is not None:
        rectangle = (region.start_seconds, region.end_seconds), region.hertz
    if is_drawn and rectangle is None:
        changed, after = clip.samples, None
    else:
        with st.spinner("Listening again"):
            changed, after = kept(
                ("if", sound.digest, model.fingerprint, choice, rectangle),
                lambda: _ask_again(clip, model, choice, rectangle),
            )
    # The picture of the sound as it is where nothing is muted yet.
    what = (sound.digest, choice, rectangle) if after is not None else (sound.digest,)
    words = (_WHAT_IF_WORDS[choice], "The mel spectrogram of what is left.")
    mel = kept(("if mel", *what, config, choice), lambda: mel_panel(changed, config, *words))
    versions = [Version("as it is", serve(wav_bytes(clip), "explore.if.before"))]
    if after is not None:
        versions.insert(0, Version("with that gone", serve(wav_bytes(Clip(changed, clip.sample_rate)), "explore.if")))
    detail = zoom.of_first(" ".join(map(str, what)), changed, config, mel)
    _draw_what_if_player(
        key, sound, clip.duration_seconds, tuple(versions), mel=mel, detail=detail, can_select=is_drawn
    )
    if after is None:
        st.info("Press “select” and drag a rectangle over the picture: it is muted, and the model asked again.")
        return
    _draw_before_and_after(prediction, after)


@st.fragment
def _draw_what_if_player(
    key: str,
    sound: Sound,
    seconds: float,
    versions: tuple[Version, ...],
    *,
    mel: Panel,
    detail: Callable[[float, float], dict[int, Panel]],
    can_select: bool,
) -> None:
    drawn, title = chosen_region(key, seconds), name_of(sound)
    listening_view(
        key=key, seconds=seconds, title=title, url=versions, pictures=(mel,), detail=detail, can_select=can_select
    )
    if can_select and st.session_state.get(_RECTANGLE) != (key, drawn):
        # Another rectangle is to be muted.
        st.rerun()


def _ask_again(clip: Clip, model: Model, choice: str, rectangle: Rectangle | None) -> tuple[FloatArray, Prediction]:
    rate = clip.sample_rate
    if rectangle is None:
        changed = what_ifs.without(clip.samples, rate, _PART_OF[choice])
    else:
        gains = masking.rectangle_gains(len(clip.samples), rate, *rectangle)
        changed = masking.masked(clip.samples, gains)
    return changed, classifier(model).classify(Clip(changed, rate, clip.name))


def _draw_before_and_after(before: Prediction, after: Prediction) -> None:
    told = "As a whole: " if output.time_shares(before) else ""
    left, right = st.columns(2, gap="medium")
    first, second = (dict(zip(found.genres, map(float, found.posterior), strict=True)) for found in (before, after))
    # In one order, so that a phone, which shows three, shows what either is.
    order = sorted(first, key=lambda genre: -max(first[genre], second[genre]))
    for place, title, found, shares in (
        (left, "As it is", before, first), (right, "With that gone", after, second),
    ):  # fmt: skip
        with place:
            st.markdown(f"**{title}.** {told}{plain(output.verdict_sentence(found))}")
            genre_bars([(genre, shares[genre]) for genre in order], key=f"explore.bars.{title}")
