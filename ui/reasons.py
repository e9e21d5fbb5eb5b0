"""Why a genre: what spoke for it, heard by itself, and what the model would say if something were gone."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from crnn import explanation, masking, reporting
from crnn.audio import Clip
from crnn.explanation import Explanation
from crnn.features import mel_power
from crnn.inference import Prediction
from ui.answers import genre_lane
from ui.bars import genre_bars
from ui.exploring import clip_of, mel_panel
from ui.media import serve, wav_bytes
from ui.player import Region, chosen_region, listening_view
from ui.player.panels import GREYS, tint
from ui.progress import Bar
from ui.state import Model, Sound, classifier

FloatArray = npt.NDArray[np.float32]

_KEPT = "explore.kept"
_STOPPED = "explore.why_stopped"
_MOST_KEPT = 12
_BASS_HZ = (0.0, 200.0)
_VOICE_HZ = (300.0, 3400.0)
WHAT_IFS = ("without bass", "without voice band", "without drums", "without a rectangle")
_WHAT_IF_WORDS = {
    "without bass": "Without the bass (below 200 Hz)",
    "without voice band": "Without the voice band (300 Hz to 3.4 kHz)",
    "without drums": "Without the drums (the percussive part)",
    "without a rectangle": "Without a rectangle that you draw",
}


def draw_reasons(sound: Sound, model: Model, prediction: Prediction) -> None:
    """The mel spectrogram with what spoke for a genre in orange and against it in blue, and how it sounds."""
    config = model.bundle.feature_config
    clip = clip_of(sound, config.sample_rate)
    longest = max(explanation.MAX_SECONDS, config.segment_seconds)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ranked = [genre for genre, _ in prediction.ranked()]
        genre = st.selectbox("Why, or why not", ranked, key="explore.why_genre", width=220)
        start = 0.0
        if clip.duration_seconds > longest:
            start = st.slider(
                "From, seconds",
                0.0,
                clip.duration_seconds - longest,
                0.0,
                1.0,
                "%.0f",
                key="explore.why_start",
                width=320,
            )
        parts = ("the sound", "what spoke for it", "the rest")
        heard = st.segmented_control("Hear", parts, default=parts[0], key="explore.why_heard") or parts[0]
    found = explain(sound, model, genre, start)
    if found is None:
        st.info("Stopped. Nothing is lost: choose another genre or moment, or go on.")
        st.button("Go on", on_click=st.session_state.pop, args=(_STOPPED, None), key="explore.why_again")
        return
    samples = clip.samples if heard == parts[0] else _heard(sound, model, found, clip, heard == parts[1])
    mel = mel_panel(
        clip.samples, config, f"What spoke for {genre}", "in orange, and against it in blue, over the mel spectrogram.",
        stops=GREYS,
    )  # fmt: skip
    mel |= {"tint": tint(found.shares(), found.start_seconds, found.seconds_per_column), "height": 300}
    mel["name"] = f"{mel['title']} {mel['about']} {in_words(found, config.segment_seconds)}"
    listening_view(
        key=f"explore.why.{sound.digest}",
        seconds=clip.duration_seconds,
        title=sound.name or "recording",
        url=serve(wav_bytes(Clip(samples, config.sample_rate)), "explore.why"),
        lanes=(genre_lane(prediction),),
        panels=(mel,),
        span=(found.start_seconds, min(found.end_seconds, clip.duration_seconds)),
    )
    st.caption(in_words(found, config.segment_seconds))


def in_words(found: Explanation, segment_seconds: float) -> str:
    """What an explanation shows, as sentences."""
    weights = found.weights
    sentence = (
        f"From {reporting.clock(found.start_seconds)} the model hears {found.genre} with a confidence of "
        f"{found.posterior:.2f}. "
    )
    if weights.max() > 0:
        column, _ = np.unravel_index(int(weights.argmax()), weights.shape)
        at = found.start_seconds + (column + 0.5) * found.seconds_per_column
        sentence += f"What speaks for it most lies near {reporting.clock(at)}. "
    return sentence + (
        f"Measured by deleting a fifth of the picture {explanation.N_MASKS} times in each {segment_seconds:.0f}\u00a0s "
        "and asking the model again."
    )


def explain(sound: Sound, model: Model, genre: str, start_seconds: float = 0.0) -> Explanation | None:
    """What spoke for a genre, with a bar and a way to stop while it is worked out; kept for the visit.

    Returns:
        None if it was stopped.

    Raises:
        CrnnError: The sound or the model cannot be used.
    """
    key = ("why", sound.digest, model.fingerprint, genre, start_seconds)
    if st.session_state.get(_STOPPED) == key:
        return None
    found: Explanation = kept(key, lambda: _work_out(key, sound, model, genre, start_seconds))
    return found


def _work_out(key: tuple[object, ...], sound: Sound, model: Model, genre: str, start_seconds: float) -> Explanation:
    bar = Bar("explore.why_stop", partial(_stop, key), patience_seconds=0.0)
    try:
        bar.show(0.0, "Asking the model what it would say without each part")
        config = model.bundle.feature_config
        power = mel_power(clip_of(sound, config.sample_rate).samples, config)
        return explanation.explain(
            classifier(model), power, genre, start_seconds=start_seconds,
            on_progress=lambda share: bar.show(
                share, f"Asking the model what it would say without each part, {share:.0%} done"
            ),
        )  # fmt: skip
    finally:
        bar.clear()


def _stop(key: tuple[object, ...]) -> None:
    st.session_state[_STOPPED] = key


def kept(key: tuple[object, ...], work: Any) -> Any:
    """What `work` gives, kept for the visit; the oldest go first."""
    found_before: dict[tuple[object, ...], Any] = st.session_state.setdefault(_KEPT, {})
    if key not in found_before:
        found = work()
        while len(found_before) >= _MOST_KEPT:
            del found_before[next(iter(found_before))]
        found_before[key] = found
    return found_before[key]


def _heard(sound: Sound, model: Model, found: Explanation, clip: Clip, is_for: bool) -> FloatArray:
    """Only what spoke for the genre (the strongest fifth of the cells), or only the rest."""

    def work() -> FloatArray:
        weights = found.weights
        cells = (weights >= max(np.quantile(weights, 1 - explanation.DELETED_SHARE), 1e-9)) == is_for
        gains = masking.grid_gains(
            cells.astype(np.float32),
            len(clip.samples),
            model.bundle.feature_config,
            start_seconds=found.start_seconds,
            seconds_per_column=found.seconds_per_column,
        )
        return masking.level_matched(masking.masked(clip.samples, gains), clip.samples)

    key = ("heard", sound.digest, model.fingerprint, found.genre, found.start_seconds, is_for)
    heard: FloatArray = kept(key, work)
    return heard


def draw_what_ifs(sound: Sound, model: Model, prediction: Prediction) -> None:
    """The answer before and after something is muted, and how that sounds."""
    config = model.bundle.feature_config
    clip = clip_of(sound, config.sample_rate)
    choice = st.segmented_control(
        "Mute", WHAT_IFS, default=WHAT_IFS[0], key="explore.what_if",
        label_visibility="collapsed",
    ) or WHAT_IFS[0]  # fmt: skip
    key = f"explore.what_if.player.{sound.digest}"
    region = chosen_region(key, clip.duration_seconds)
    if choice == "without a rectangle" and (region is None or region.low_hz is None):
        changed, after = clip.samples, None
    else:
        with st.spinner("Listening again"):
            rectangle = region if choice == "without a rectangle" else None
            changed, after = kept(
                ("if", sound.digest, model.fingerprint, choice, rectangle),
                lambda: _ask_again(clip, model, choice, rectangle),
            )
    sides = ("with that gone", "as it is")
    heard = sides[0]
    if after is not None:
        heard = st.segmented_control("Hear", sides, default=heard, key="explore.what_if_heard") or heard
    listening_view(
        key=key,
        seconds=clip.duration_seconds,
        title=sound.name or "recording",
        url=serve(wav_bytes(Clip(changed if heard == sides[0] else clip.samples, config.sample_rate)), "explore.if"),
        panels=(mel_panel(changed, config, _WHAT_IF_WORDS[choice], "The mel spectrogram of what is left."),),
        can_select=choice == "without a rectangle",
    )
    if after is None:
        st.info("Press “select” and drag a rectangle over the picture: it is muted, and the model asked again.")
        return
    _draw_before_and_after(prediction, after)


def _ask_again(clip: Clip, model: Model, choice: str, rectangle: Region | None) -> tuple[FloatArray, Prediction]:
    n_samples, rate = len(clip.samples), clip.sample_rate
    if choice == "without drums":
        gains = 1 - masking.percussive_share(clip.samples)
    elif rectangle is not None:
        seconds = (rectangle.start_seconds, rectangle.end_seconds)
        hertz = (rectangle.low_hz or 0.0, rectangle.high_hz or rate / 2)
        gains = masking.rectangle_gains(n_samples, rate, seconds, hertz)
    else:
        gains = masking.band_gains(n_samples, rate, *(_BASS_HZ if choice == "without bass" else _VOICE_HZ))
    changed = masking.masked(clip.samples, gains)
    return changed, classifier(model).classify(Clip(changed, rate, clip.name))


def _draw_before_and_after(before: Prediction, after: Prediction) -> None:
    order = [genre for genre, _ in before.ranked()]
    left, right = st.columns(2, gap="medium")
    for place, title, found in ((left, "As it is", before), (right, "With that gone", after)):
        with place:
            st.markdown(f"**{title}.** {reporting.verdict_sentence(found)}")
            shares = dict(zip(found.genres, map(float, found.posterior), strict=True))
            genre_bars([(genre, shares[genre]) for genre in order], key=f"explore.bars.{title}")
