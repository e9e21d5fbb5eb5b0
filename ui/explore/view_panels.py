"""The panels of Explore's views, of a whole sound and of what is zoomed to in it, kept by all that they depend on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import streamlit as st

from crnn.analysis import views
from crnn.analysis.closer import closer
from crnn.config import FeatureConfig
from ui.components.player.panels import Panel, detail_of, panel

# What a view was scaled by: its peak, and the values of its darkest and brightest cell.
Scale = tuple[float | None, float, float]

_MOST_KEPT = 20


def settings_of(config: FeatureConfig) -> views.ViewSettings:
    """How a model's mel spectrogram is computed, as a view's settings.

    Args:
        config: The model's features.
    """
    return views.ViewSettings(config.n_fft, config.hop_length, config.n_mels, config.fmin, config.fmax)


@dataclass(frozen=True)
class Drawing:
    """How views are drawn, whichever they are, and whatever part of the sound they show.

    sample_rate: Hz of the samples.
    settings: How a view is computed.
    stops: Colours from low to high, `#rrggbb`; the player's own where there are none.
    """

    sample_rate: int
    settings: views.ViewSettings
    stops: tuple[str, ...] = ()


def view_panel(
    digest: str, name: str, drawing: Drawing, *, span: tuple[float, float], _samples: npt.NDArray[np.float32]
) -> Panel:
    """A view of the samples as a panel, kept by all that it depends on.

    Args:
        digest: With `span` it stands for the samples, which would take long to hash.
        name: One of `views.VIEWS`.
        drawing: How it is drawn.
        span: Where in the sound the samples start and end, in seconds.
        _samples: Of the span; not looked at by the cache.
    """
    return _panels(digest, views.siblings(name), drawing, span=span, _samples=_samples)[name]


@st.cache_data(max_entries=_MOST_KEPT, show_spinner=False)
def _panels(
    digest: str, names: tuple[str, ...], drawing: Drawing, *, span: tuple[float, float],
    _samples: npt.NDArray[np.float32],
) -> dict[str, Panel]:  # fmt: skip
    """Panels of views that are computed together. What is kept is as wide as a screen, however long the sound."""
    found = views.compute_with_siblings(names[0], _samples, drawing.sample_rate, drawing.settings)
    return {
        name: _panel(name, view, drawing.stops, span[0]) | {"scales": _scales(found)} for name, view in found.items()
    }


def _panel(name: str, view: views.View, stops: tuple[str, ...], start: float) -> Panel:
    kind = views.VIEWS[name]
    return panel(view, title=kind.name, about=kind.explained, stops=stops, start_seconds=start)


def _scales(found: dict[str, views.View]) -> dict[str, Scale]:
    return {name: (view.peak, view.low, view.high) for name, view in found.items()}


def closer_panel(
    digest: str, name: str, whole: Panel, drawing: Drawing, *, span: tuple[float, float],
    _samples: npt.NDArray[np.float32],
) -> Panel | None:  # fmt: skip
    """A part of a view, as fine as the screen; None where there is nothing finer to be had.

    Args:
        digest: It stands for the samples, which would take long to hash.
        name: One of `views.VIEWS`.
        whole: The panel of the whole.
        drawing: How the whole was drawn.
        span: Where the part starts and ends, in seconds.
        _samples: Of the whole sound; not looked at by the cache.
    """
    scales = tuple((each, *scale) for each, scale in whole["scales"].items())
    first = name if len(scales) == 1 else scales[0][0]
    return _closer_panels(digest, first, scales, drawing, span=span, _samples=_samples).get(name)


@st.cache_data(max_entries=_MOST_KEPT, show_spinner=False)
def _closer_panels(
    digest: str,
    name: str,
    scales: tuple[tuple[str, float | None, float, float], ...],
    drawing: Drawing,
    *,
    span: tuple[float, float],
    _samples: npt.NDArray[np.float32],
) -> dict[str, Panel]:
    """Of views that are computed together; drawn between the same values as the whole."""
    peaks = {each: peak for each, peak, _, _ in scales}
    found = closer(name, _samples, drawing.sample_rate, drawing.settings, span=span, peaks=peaks)
    bounds = {each: (low, high) for each, _, low, high in scales}
    return {
        each: detail_of(_panel(each, replace(view, low=bounds[each][0], high=bounds[each][1]), drawing.stops, start))
        for each, (view, start) in found.items()
    }


def mel_panel(
    samples: npt.NDArray[np.float32], config: FeatureConfig, title: str, about: str, *,
    start_seconds: float = 0.0, stops: tuple[str, ...] = (),
) -> Panel:  # fmt: skip
    """The mel spectrogram with the model's own settings, as a panel.

    Args:
        samples: At the model's rate.
        config: The model's features.
        title: The panel's name.
        about: What it shows, for who does not see it.
        start_seconds: Where in the sound the samples start.
        stops: Colours from low to high, `#rrggbb`; the model's own where there are none.
    """
    found = views.compute("mel", samples, config.sample_rate, settings_of(config))
    drawn = panel(found, title=title, about=about, start_seconds=start_seconds, stops=stops)
    return drawn | {"scales": _scales({"mel": found})}
