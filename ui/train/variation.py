"""What the chosen variation does to a track of the data: seen and heard before training."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import streamlit as st

from crnn.audio.clip import load_part
from crnn.config import AugmentConfig, FeatureConfig
from crnn.data import demo
from crnn.data.collection import Collection
from crnn.data.tracks import Track
from crnn.errors import CrnnError
from ui.shared.words import plain
from ui.train.augmentation import draw_varied

_SEED = "train.variation.seed"


def draw_variation(collection: Collection, augment: AugmentConfig, config: FeatureConfig) -> None:
    """A switch, and below it a track as it is and as training would show it.

    Args:
        collection: The data; its first track is shown.
        augment: How much is varied.
        config: The features of what training starts from.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        is_on = st.toggle("See and hear the variation", key="train.variation")
        if is_on and st.button("Roll the dice again", key="train.roll"):
            st.session_state[_SEED] = st.session_state.get(_SEED, 0) + 1
    if not is_on or not collection.tracks:
        return
    track = collection.tracks[0]
    try:
        samples = _samples(collection, track, config)
    except CrnnError as err:
        st.caption(plain(str(err)))
        return
    if samples is None:
        st.caption("A log-mel archive holds no sound to play. “What training hears”, above, varies any sound.")
        return
    seed = st.session_state.get(_SEED, 0)
    draw_varied(samples, config, augment, seed=seed, title=track.track_id, key="train.variation.player")


def _samples(collection: Collection, track: Track, config: FeatureConfig) -> npt.NDArray[np.float32] | None:
    """The beginning of a track, as long as what the model reads at once; None if it has no sound."""
    number, original = collection.origins[track.track_id]
    length = round(config.segment_seconds * config.sample_rate)
    if track.path is not None:
        found = load_part(track.path, config.sample_rate, (0.0, config.segment_seconds)).samples
    elif collection.datasets[number].kind == "demo":
        found = demo.render(original, config.sample_rate)
    else:
        return None
    # What is shorter goes round, as it does in training.
    return np.resize(found, length)
