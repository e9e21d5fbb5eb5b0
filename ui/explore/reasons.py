"""Why a genre: what spoke for it, and how that sounds by itself."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from crnn import text
from crnn.analysis import masking, what_ifs
from crnn.audio.clip import Clip
from crnn.config import FeatureConfig
from crnn.features.log_mel import mel_power
from crnn.inference import explanation, output
from crnn.inference.classifier import Prediction
from crnn.inference.explanation import Explanation
from ui.components.player import listening_view
from ui.components.player.panels import GREYS, tint
from ui.explore import zoom
from ui.explore.asked_stretch import clearest_moment, genres_to_ask, greatest_share, mean_share
from ui.explore.kept import kept, kept_before
from ui.explore.view_panels import mel_panel
from ui.explore.views import clip_of
from ui.listen.answer import genre_lanes
from ui.shared.media import serve, wav_bytes
from ui.shared.state import WHY_AT, WHY_GENRE, Model, Sound, classifier, name_of, visit_lock
from ui.shared.words import plain

_STOPPED = "explore.why_stopped"
# The moment that the player told last.
_MOMENT = "explore.why_moment"
# Below this share there is nothing to explain.
_LEAST_SHARE = 0.05


def draw_reasons(sound: Sound, model: Model, prediction: Prediction) -> None:
    """The mel spectrogram with what spoke for a genre in orange and against it in blue, and how it sounds.

    Args:
        sound: What was given.
        model: Who answers.
        prediction: Its answer.
    """
    config = model.bundle.feature_config
    clip = clip_of(sound, config.sample_rate)
    player = f"explore.why.{sound.digest}"
    if not prediction.verdict.traits.has_stretches:
        # What is explained would belie the answer.
        st.markdown(f"{plain(output.verdict_sentence(prediction))} What follows is of the genre that it would be.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        genre = st.selectbox("Why, or why not", genres_to_ask(prediction), key=WHY_GENRE, width=220)
        start = _start(
            player, sound, prediction, genre, seconds=clip.duration_seconds, segment_seconds=config.segment_seconds
        )
        parts = ("the sound", "what spoke for it", "the rest")
        heard = st.segmented_control("Hear", parts, default=parts[0], key="explore.why_heard") or parts[0]
    strongest = greatest_share(prediction, genre, start, start + explanation.MAX_SECONDS)
    if strongest < _LEAST_SHARE:
        st.info(
            f"Nothing to explain: from {text.clock(start)} on, the model does not hear {plain(genre)} "
            f"(at most {text.confidence(strongest)}). Ask about another genre, or click elsewhere in the timeline."
        )
    key = ("why", sound.digest, model.fingerprint, genre, start)
    found = _within(_found(key, sound, model), clip.duration_seconds) if strongest >= _LEAST_SHARE else None
    mel = kept(("mel", sound.digest, config, genre), lambda: _mel(clip, config, genre))
    is_whole = _is_explained_whole(clip.duration_seconds, config.segment_seconds)
    end = clip.duration_seconds if is_whole else start + _longest(config.segment_seconds)
    facts: dict[str, Any] = {"config": config, "span": (start, end)}
    if found is None:
        _draw_reasons_player(player, sound, prediction, clip, clip, mel=mel, **facts)
        return
    # What it would be without a part is asked once the first squares are seen.
    words, asked = st.empty(), ("words", *key)
    strongest_words, explained = what_ifs.strongest_sentence(found, config), in_words(found, prediction, model)
    words.markdown(f"{kept_before(asked, '')} {strongest_words}".strip())
    mel = _with_reasons(mel, found, config, explained)
    played = clip if heard == parts[0] else _heard(sound, model, found, clip, heard == parts[1])
    _draw_reasons_player(player, sound, prediction, clip, played, mel=mel, **facts)
    st.caption(plain(explained))
    words.markdown(f"{_what_if_words(asked, clip, model, (start, end))} {strongest_words}".strip())
    _go_on(key, found)


# A fragment of its own, as that of what-ifs: what is zoomed to is drawn without the rest of the page.
@st.fragment
def _draw_reasons_player(
    player: str,
    sound: Sound,
    prediction: Prediction,
    clip: Clip,
    heard: Clip,
    *,
    mel: dict[str, Any],
    config: FeatureConfig,
    span: tuple[float, float],
) -> None:
    listening_view(
        key=player,
        seconds=clip.duration_seconds,
        title=name_of(sound),
        url=serve(wav_bytes(heard), "explore.why"),
        lanes=genre_lanes(prediction),
        pictures=(mel,),
        detail=zoom.of_first(sound.digest, clip.samples, config, mel),
        span=span,
    )
    if _new_moment(player, clip.duration_seconds, config.segment_seconds) is not None:
        # Another stretch is to be explained.
        st.rerun()


def _new_moment(player: str, seconds: float, segment_seconds: float) -> float | None:
    """The moment gone to since the page was drawn, where the sound is longer than what is explained at once."""
    told = (st.session_state.get(player) or {}).get("moment")
    if _is_explained_whole(seconds, segment_seconds) or not isinstance(told, int | float) or not 0 <= told <= seconds:
        return None
    return None if st.session_state.get(_MOMENT) == (player, told) else float(told)


def _longest(segment_seconds: float) -> float:
    return max(explanation.MAX_SECONDS, segment_seconds)


def _is_explained_whole(seconds: float, segment_seconds: float) -> bool:
    # Clips “of 30 s” are some milliseconds longer.
    return seconds <= _longest(segment_seconds) + 0.1


def _with_reasons(mel: dict[str, Any], found: Explanation, config: FeatureConfig, words: str) -> dict[str, Any]:
    """The mel spectrogram with what spoke for the genre over it, in words too, and the moment that spoke most."""
    strongest = what_ifs.strongest(found, config)
    moment = {} if strongest is None else {"moment": round(strongest[0], 1)}
    told = f"{words} {what_ifs.strongest_sentence(found, config)}"
    return mel | moment | {
        "tint": tint(found.shares(), found.start_seconds, found.seconds_per_column),
        "name": f"{mel['title']} {mel['about']} {told}".strip(),
    }  # fmt: skip


def _mel(clip: Clip, config: FeatureConfig, genre: str) -> dict[str, Any]:
    about = "in orange, and against it in blue, over the mel spectrogram."
    return mel_panel(clip.samples, config, f"What spoke for {genre}", about, stops=GREYS) | {"height": 300}


def _what_if_words(key: tuple[object, ...], clip: Clip, model: Model, span: tuple[float, float]) -> str:
    """What the model would say of the stretch without the drums, the bass or the voice."""

    def ask() -> str:
        rate = clip.sample_rate
        samples = clip.samples[round(span[0] * rate) : round(span[1] * rate)]
        hearer = classifier(model)
        after = {
            part: hearer.classify(Clip(what_ifs.without(samples, rate, part), rate, clip.name))
            for part in what_ifs.PARTS
        }
        before = hearer.classify(Clip(samples, rate, clip.name))
        return plain(f"{what_ifs.sentence(before, after)} {output.heard_sentence(before, 'Heard in it')}".strip())

    with st.spinner("Asking what it would be without the drums, the bass or the voice"):
        words: str = kept(key, ask)
    return words


def _start(
    player: str, sound: Sound, prediction: Prediction, genre: str, *, seconds: float, segment_seconds: float
) -> float:
    """Where the stretch to explain begins, whose middle is the moment that was asked about, else the clearest one."""
    longest = _longest(segment_seconds)
    if _is_explained_whole(seconds, segment_seconds):
        return 0.0
    told = _new_moment(player, seconds, segment_seconds)
    if told is not None:
        # It counts until another genre is asked about.
        st.session_state[_MOMENT], st.session_state[WHY_AT] = (player, told), (sound.digest, genre, told)
    digest, asked_genre, at = st.session_state.get(WHY_AT) or ("", "", 0.0)
    if (digest, asked_genre) != (sound.digest, genre):
        at = clearest_moment(prediction, genre)
    start = at - longest / 2
    # On whole seconds, so that a moment nearby finds what was worked out.
    return float(min(max(0.0, round(start)), seconds - longest))


def in_words(found: Explanation, prediction: Prediction, model: Model) -> str:
    """What an explanation is of, and how it was found, as sentences.

    The confidence is that of the answer, as in every other place, not of the one network that is asked for reasons.

    Args:
        found: What is explained.
        prediction: The answer for the whole sound.
        model: Who answered.
    """
    genre, start, end = found.genre, found.start_seconds, found.end_seconds
    whole = dict(prediction.ranked())[genre]
    companion, asked = model.bundle.companion, "again"
    if companion is not None:
        asked = f"the first of its two networks again (the second has {100 * companion.weight:.0f} % of the say)"
    part = f"from {text.clock(start)} to {text.clock(end)} " if end - start < prediction.duration_seconds - 0.1 else ""
    rest = f"Over the whole sound: {text.confidence(whole)}. " if part else ""
    sure = text.confidence(mean_share(prediction, genre, start, end) if part else whole)
    hears = f"{part}the model hears {genre}"
    if not prediction.verdict.traits.has_stretches:
        hears = f"if it were one of these genres, the model would hear {genre} {part}".rstrip()
    return (
        f"{text.sentence_case(hears)} with a confidence of {sure}. {rest}"
        f"What spoke for it was measured by deleting a fifth of the picture {explanation.N_MASKS} times in each "
        f"{model.bundle.feature_config.segment_seconds:.0f}\u00a0s and asking {asked}."
    )


def _found(key: tuple[Any, ...], sound: Sound, model: Model) -> Explanation:
    """What is known so far of what spoke for a genre; the first part of it is worked out at once.

    Raises:
        CrnnError: The sound or the model cannot be used.
    """
    *_, genre, start_seconds = key

    def begin() -> list[Any]:
        config = model.bundle.feature_config
        power = mel_power(clip_of(sound, config.sample_rate).samples, config)
        steps = explanation.steps(classifier(model), power, genre, start_seconds=start_seconds)
        return [steps, next(steps)]

    with st.spinner("Asking the model what it would say without each part"):
        found: Explanation = kept(key, begin)[1]
    return found


def _go_on(key: tuple[object, ...], found: Explanation) -> None:
    """Work out the next part and draw again: the picture grows while it can already be looked at and heard."""
    if found.share_done >= 1:
        return
    if st.session_state.get(_STOPPED) == key:
        st.button("Go on", on_click=st.session_state.pop, args=(_STOPPED, None), key="explore.why_again")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(found.share_done, "Asking about the rest")
        st.button("Stop", on_click=partial(_stop, key), key="explore.why_stop")
    with visit_lock():
        progress = kept_before(key)
        # There is no next one where the former script found the last part meanwhile.
        progress[1] = next(progress[0], progress[1])
    st.rerun()


def _stop(key: tuple[object, ...]) -> None:
    st.session_state[_STOPPED] = key


def _within(found: Explanation, seconds: float) -> Explanation:
    """What spoke for a genre, without the columns that lie after the end: there the last segment was padded."""
    n_columns = max(1, round((seconds - found.start_seconds) / found.seconds_per_column))
    return replace(found, weights=found.weights[:n_columns])


def _heard(sound: Sound, model: Model, found: Explanation, clip: Clip, is_for: bool) -> Clip:
    """Only what spoke for the genre (the strongest fifth of the cells), or only the rest."""

    def work() -> Clip:
        weights = found.weights
        cells = (weights >= max(float(np.quantile(weights, 1 - explanation.DELETED_SHARE)), 1e-9)) == is_for
        gains = masking.grid_gains(
            cells.astype(np.float32),
            len(clip.samples),
            model.bundle.feature_config,
            start_seconds=found.start_seconds,
            seconds_per_column=found.seconds_per_column,
        )
        changed = masking.level_matched(masking.masked(clip.samples, gains), clip.samples)
        return Clip(changed, clip.sample_rate)

    key = ("heard", sound.digest, model.fingerprint, found.genre, found.start_seconds, found.share_done, is_for)
    heard: Clip = kept(key, work)
    return heard
