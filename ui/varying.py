"""What training hears: a clip varied by the training code itself, seen and heard."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import streamlit as st

from crnn import augment, features, masking
from crnn.audio import Clip
from crnn.config import AugmentConfig, FeatureConfig
from crnn.grids import Grid
from ui.exploring import clip_of
from ui.media import serve, wav_bytes
from ui.player import listening_view
from ui.player.panels import Panel, panel
from ui.reasons import kept
from ui.state import Model, Sound

FloatArray = npt.NDArray[np.float32]
Vary = Callable[[FloatArray, FeatureConfig, np.random.Generator], FloatArray]

_SEED = "explore.seed"
_AMOUNTS = AugmentConfig()


def _pitch(segment: FloatArray, config: FeatureConfig, rng: np.random.Generator) -> FloatArray:
    return augment.shift_pitch(segment, rng.uniform(-1, 1) * _AMOUNTS.pitch_semitones, config)


def _tempo(segment: FloatArray, config: FeatureConfig, rng: np.random.Generator) -> FloatArray:
    return augment.stretched_crop(segment, len(segment), _AMOUNTS.tempo, rng)


def _equalise(segment: FloatArray, config: FeatureConfig, rng: np.random.Generator) -> FloatArray:
    return segment + augment.random_equaliser(_AMOUNTS.equaliser_db, config, rng)


def _everything(segment: FloatArray, config: FeatureConfig, rng: np.random.Generator) -> FloatArray:
    return augment.random_crop(segment, config, _AMOUNTS, rng)


# What only changes levels is heard through gains on the sound itself; the others have to be reconstructed.
VARIATIONS: dict[str, tuple[Vary, bool]] = {
    "higher or lower": (_pitch, False),
    "faster or slower": (_tempo, False),
    "other tone colour": (_equalise, True),
    "through a phone": (augment.limit_band, True),
    "in noise": (lambda segment, _, rng: augment.add_noise(segment, rng), False),
    "parts masked": (lambda segment, _, rng: augment.mask(segment, _AMOUNTS, rng), True),
    "all of it, by chance": (_everything, False),
}


def draw_variations(sound: Sound, model: Model) -> None:
    """The first segment as training would vary them, under what they are."""
    config = model.bundle.feature_config
    with st.container(horizontal=True, vertical_alignment="bottom"):
        names = list(VARIATIONS)
        name = st.selectbox("Variation", names, key="explore.variation", width=260)
        if st.button("Roll the dice again", key="explore.roll"):
            st.session_state[_SEED] = st.session_state.get(_SEED, 0) + 1
    seed = st.session_state.get(_SEED, 0)
    samples = clip_of(sound, config.sample_rate).samples[: round(config.segment_seconds * config.sample_rate)]
    with st.spinner("Making it heard"):
        before, after, heard = kept(
            ("vary", sound.digest, config, name, seed), lambda: _vary(samples, config, name, seed)
        )
    is_gain = VARIATIONS[name][1]
    listening_view(
        key=f"explore.vary.{sound.digest}",
        seconds=len(samples) / config.sample_rate,
        title=f"{sound.name or 'recording'}, {name}",
        url=serve(wav_bytes(Clip(heard, config.sample_rate)), "explore.vary"),
        panels=(
            _panel(before, config, "As it is", "what the model reads of the first seconds."),
            _panel(after, config, name.capitalize(), "as training would show it."),
        ),
    )
    st.caption(
        "You hear the sound itself, louder and softer where the picture is."
        if is_gain
        else "You hear a reconstruction: training varies the picture, which holds no phase, so the phase is guessed."
    )


def _vary(
    samples: FloatArray, config: FeatureConfig, name: str, seed: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    vary, is_gain = VARIATIONS[name]
    before = features.log_mel(samples, config)
    after = np.maximum(vary(before, config, np.random.default_rng(seed)), config.db_floor).astype(np.float32)
    if is_gain:
        heard = masking.masked(samples, masking.mel_gains(after - before, len(samples), config))
    else:
        heard = masking.reconstructed(after, len(samples), config)
    return before, after, masking.level_matched(heard, samples)


def _panel(decibels: FloatArray, config: FeatureConfig, title: str, about: str) -> Panel:
    rows = features.mel_frequencies(config)
    # An equaliser may lift cells above what was the loudest.
    top = max(0.0, float(decibels.max()))
    grid = Grid(decibels, rows, "Hz", "dB", config.db_floor + top, top, 1 / config.frame_rate_hz)
    return panel(grid, title=title, about=about)
