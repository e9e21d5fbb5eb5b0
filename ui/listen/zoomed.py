"""What is zoomed to on Listen: pictures of parts at the detail of a screen, the last of them kept for the visit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from crnn.analysis import figures
from crnn.config import FeatureConfig
from ui.components.player import picture_values
from ui.shared.holdings import HELD
from ui.shared.state import Sound

_KEPT = "listen.zoomed"
# Packed, each takes about as much as a screenshot.
_MOST_KEPT = 8


@dataclass(frozen=True)
class _Fine:
    """A picture of a part as the browser draws it, counted as held for its visit."""

    values: dict[str, Any]

    def __post_init__(self) -> None:
        HELD.add(self, lambda fine: {id(fine): len(fine.values["cells"])})


def detail(
    sound: Sound,
    config: FeatureConfig,
    whole: figures.Picture,
    span: tuple[float, float],
    read: Callable[[], npt.NDArray[np.float32] | None],
) -> dict[int, dict[str, Any]]:
    """The finer picture of a part, as the listening view wants it; empty where the part cannot be read.

    Args:
        sound: What was given.
        config: How its picture is computed.
        whole: The picture of all of it.
        span: Where the part starts and ends, in seconds.
        read: Gives the part's samples at the config's rate; called where the picture is not kept.
    """
    kept: dict[tuple[object, ...], _Fine] = st.session_state.setdefault(_KEPT, {})
    key = (sound.digest, config, span)
    # The one that was looked at last is the last to go.
    found = kept.pop(key, None)
    if found is None:
        samples = read()
        if samples is None:
            return {}
        found = _Fine(picture_values(figures.detail_picture(samples, config, whole, span[0])))
    kept[key] = found
    for old in list(kept)[:-_MOST_KEPT]:
        kept.pop(old, None)
    return {0: found.values}
