"""Charts of a training: curves of the epochs, confusion, reliability; each says its facts in words too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from crnn.analysis.figures import VIRIDIS, genre_color, pooled
from crnn.config import TAGGER_MEL, FeatureConfig
from crnn.evaluation.report import genre_intervals
from crnn.features.log_mel import mel_frequencies
from crnn.intervals import wilson_interval
from crnn.text import number_of
from crnn.untrusted import as_label

if TYPE_CHECKING:
    import plotly.graph_objects as go

_TRAIN_COLOR, _VALID_COLOR, _VALID_BAND = "#4477AA", "#CC6677", "rgba(204, 102, 119, 0.2)"
_CONFIG = {"displaylogo": False, "displayModeBar": False}
_HEIGHT = 260
# Beyond this many genres numbers in the cells would be unreadable.
_MAX_NUMBERED = 15
_MAX_MEL_COLUMNS = 400
_MEL_TICKS_HZ = (100, 1000, 4000, 10_000)


def draw_curves(history: list[dict[str, Any]], key: str) -> None:
    """Loss and accuracy by epoch, side by side.

    Args:
        history: A dict an epoch, as the run's events have it.
        key: The widget's, one for each place of a page.
    """
    left, right = st.columns(2, gap="medium")
    epochs = [e["epoch"] for e in history]
    checked = [e for e in history if "valid_loss" in e]
    at = [e["epoch"] for e in checked]
    loss = _figure("epoch", "loss")
    _add_line(loss, epochs, [e["loss"] for e in history], "learning", color=_TRAIN_COLOR, dash="solid")
    _add_line(loss, at, [e["valid_loss"] for e in checked], "validation", color=_VALID_COLOR, dash="dash")
    # Of few tracks each is a step of the curve.
    n_tracks = sum(map(sum, checked[-1].get("confusion", ()))) if checked else 0
    accuracy = _figure("epoch", f"share of {n_tracks or 'the'} validation tracks right")
    _add_chance(accuracy, [e for e in checked if "confusion" in e])
    _add_line(accuracy, at, [e["valid_accuracy"] for e in checked], "validation", color=_VALID_COLOR, dash="dash")
    # A point at 1 is whole only with room above it.
    accuracy.update_yaxes(range=[0, 1.04])
    # The axis is as long as the training will be: it stays where it is as epochs come in.
    last = max([2, *at, *epochs, *(e.get("epochs", 0) for e in history)])
    for figure in (loss, accuracy):
        figure.update_xaxes(range=[0.8, last + 0.2], dtick=1 if last <= 20 else None, tickformat="d")
    with left:
        _show(loss, f"{key}.loss")
    with right:
        _show(accuracy, f"{key}.accuracy")


def _add_chance(figure: go.Figure, checked: list[dict[str, Any]]) -> None:
    """The 95 % interval of each epoch's share of tracks right, as a band."""
    import plotly.graph_objects as go

    bounds = [wilson_interval(sum(row[i] for i, row in enumerate(c)), sum(map(sum, c))) for c in _confusions(checked)]
    at = [e["epoch"] for e in checked]
    figure.add_trace(
        go.Scatter(
            x=[*at, *reversed(at)],
            y=[*(high for _, high in bounds), *(low for low, _ in reversed(bounds))],
            fill="toself",
            fillcolor=_VALID_BAND,
            # One epoch is no area: its interval is a line.
            line={"color": _VALID_BAND, "width": 6 if len(at) == 1 else 0},
            mode="lines",
            hoverinfo="skip",
            name="95 % interval",
        )
    )


def _confusions(checked: list[dict[str, Any]]) -> list[list[list[int]]]:
    return [epoch["confusion"] for epoch in checked]


def draw_confusion(
    genres: list[str], confusion: list[list[int]], key: str, *, is_clickable: bool = False
) -> tuple[str, str] | None:
    """Which genre was answered for which; the cell that was clicked, as what it is and what was answered.

    Args:
        genres: In the order of rows and columns.
        confusion: Tracks by what they are and what was answered.
        key: Of the chart.
        is_clickable: Whether a click shall be heard.
    """
    import plotly.graph_objects as go

    labels = [as_label(genre) for genre in genres]
    shares = [[n / max(1, sum(row)) for n in row] for row in confusion]
    numbers = [[str(n) if n else "" for n in row] for row in confusion] if len(genres) <= _MAX_NUMBERED else None
    figure = _figure("answered", "true genre")
    figure.add_trace(
        go.Heatmap(
            x=labels,
            y=labels,
            z=shares,
            text=numbers,
            texttemplate="%{text}" if numbers else None,
            customdata=_counted(confusion),
            zmin=0,
            zmax=1,
            colorscale=_viridis(),
            colorbar={"title": "share", "thickness": 10},
            hovertemplate="is %{y}, answered %{x}: %{customdata}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(height=max(_HEIGHT, 40 * len(genres) + 60))
    if not is_clickable:
        _show(figure, key)
        return None
    _add_click_points(figure, labels, confusion)
    event: Any = st.plotly_chart(
        figure, width="stretch", key=key, config=_CONFIG, on_select="rerun", selection_mode="points"
    )
    points = event["selection"]["points"]
    named = dict(zip(labels, genres, strict=True))
    # It comes from the browser: nothing in it is taken on trust.
    picked = [str(points[0].get(axis)) for axis in "yx"] if points else []
    return (named[picked[0]], named[picked[1]]) if picked and set(picked) <= named.keys() else None


def _add_click_points(figure: go.Figure, genres: list[str], confusion: list[list[int]]) -> None:
    """Points that nobody sees over the cells of a heatmap, on which Streamlit hears no click."""
    import plotly.graph_objects as go

    words = _counted(confusion)
    cells = [(answer, genre, words[i][j]) for i, genre in enumerate(genres) for j, answer in enumerate(genres)]
    figure.add_trace(
        go.Scatter(
            x=[answer for answer, _, _ in cells],
            y=[genre for _, genre, _ in cells],
            customdata=[n for _, _, n in cells],
            mode="markers",
            marker={"size": 30, "symbol": "square", "opacity": 0},
            # Streamlit dims what was not chosen; here there is nothing to dim.
            selected={"marker": {"opacity": 0}},
            unselected={"marker": {"opacity": 0}},
            showlegend=False,
            hovertemplate="is %{y}, answered %{x}: %{customdata}. Click to hear them<extra></extra>",
        )
    )
    # Wherever in a cell the pointer is, its point is the nearest.
    figure.update_traces(hoverinfo="skip", hovertemplate=None, selector={"type": "heatmap"})
    figure.update_layout(clickmode="event+select", dragmode=False, hovermode="closest", hoverdistance=-1)


def _counted(confusion: list[list[int]]) -> list[list[str]]:
    return [[number_of(n, "track") for n in row] for row in confusion]


def draw_reliability(bins: list[list[float]], key: str) -> None:
    """Whether it is right as often as it says.

    Args:
        bins: Confidence, share right and number of tracks of each.
        key: The widget's, one for each place of a page.
    """
    import plotly.graph_objects as go

    figure = _figure("confidence", "share right")
    _add_line(figure, [0, 1], [0, 1], "as it should be", color="#888888", dash="dot")
    figure.add_trace(
        go.Scatter(
            x=[confidence for confidence, _, _ in bins],
            y=[right for _, right, _ in bins],
            customdata=[n for _, _, n in bins],
            error_y=_reach([right for _, right, _ in bins], [wilson_interval(right * n, n) for _, right, n in bins]),
            mode="lines+markers+text",
            name="this model, with its tracks counted",
            line={"color": _TRAIN_COLOR},
            # A point of two tracks is no point to trust: the counts stand beside them.
            text=[str(n) for _, _, n in bins],
            textposition="top center",
            cliponaxis=False,
            hovertemplate="says %{x:.2f}, right in %{y:.2f} of %{customdata} tracks<extra></extra>",
        )
    )
    # Points at the ends are whole only with room beside them.
    figure.update_xaxes(range=[-0.02, 1.02])
    figure.update_yaxes(range=[-0.04, 1.04])
    _show(figure, key)


def _reach(values: list[float], intervals: list[tuple[float, float]]) -> dict[str, Any]:
    """Error bars from values to the ends of their intervals."""
    pairs = list(zip(values, intervals, strict=True))
    return {
        "array": [max(0.0, high - value) for value, (_, high) in pairs],
        "arrayminus": [max(0.0, value - low) for value, (low, _) in pairs],
        "symmetric": False,
        "thickness": 1.5,
        "width": 4,
        "color": "#777777",
    }


def draw_genre_scores(scores: dict[str, Any], key: str) -> None:
    """F1 of each genre with its 95 % interval, in the genres' own colours.

    Args:
        scores: Of a report.
        key: The widget's, one for each place of a page.
    """
    import plotly.graph_objects as go

    per_genre, reach = scores["per_genre"], genre_intervals(scores)
    genres = sorted(per_genre, key=lambda genre: per_genre[genre]["f1"])
    f1 = [per_genre[genre]["f1"] for genre in genres]
    figure = _figure("F1", "")
    figure.add_trace(
        go.Bar(
            x=f1,
            error_x=_reach(f1, [reach[genre].f1 or (0.0, 1.0) for genre in genres]),
            y=[as_label(genre) for genre in genres],
            orientation="h",
            marker_color=[genre_color(genre) for genre in genres],
            # Pale enough for the intervals to be seen on them, on both grounds.
            marker_opacity=0.6,
            customdata=[[per_genre[g]["precision"], per_genre[g]["recall"], per_genre[g]["n_tracks"]] for g in genres],
            hovertemplate="%{y}: F1 %{x:.2f}, precision %{customdata[0]:.2f}, recall %{customdata[1]:.2f}, "
            "%{customdata[2]:.0f} tracks<extra></extra>",
        )
    )
    figure.update_xaxes(range=[0, 1])
    figure.update_layout(height=max(_HEIGHT, 24 * len(genres) + 60))
    _show(figure, key)


def draw_log_mel(decibels: npt.NDArray[np.float32], config: FeatureConfig, key: str) -> None:
    """A log-mel as the model would see it.

    Args:
        decibels: `(n_frames, n_mels)`, in dB re its loudest cell, or the tagger's input.
        config: What it was made with.
        key: Of the chart.
    """
    import plotly.graph_objects as go

    # A preview is some hundred points wide: the loudest of what falls on one is shown.
    pool = -(-len(decibels) // _MAX_MEL_COLUMNS)
    columns = pooled(decibels, pool)
    row_hz = mel_frequencies(config)
    ticks = [int(np.abs(row_hz - hz).argmin()) for hz in _MEL_TICKS_HZ]
    # The tagger's mel has a logarithm of its own, some units wide.
    is_tagger = config.front_end == TAGGER_MEL
    unit = "as fed" if is_tagger else "dB"
    figure = _figure("s", "Hz")
    figure.add_trace(
        go.Heatmap(
            z=columns.T.round(2) if is_tagger else columns.T.round().astype(np.int8),
            dx=pool / config.frame_rate_hz,
            colorscale=_viridis(),
            colorbar={"title": unit, "thickness": 10},
            customdata=np.broadcast_to(row_hz[:, None].round().astype(np.int32), columns.T.shape),
            hovertemplate=f"%{{x:.1f}} s, %{{customdata}} Hz, %{{z}} {unit}<extra></extra>",
        )
    )
    figure.update_yaxes(tickvals=ticks, ticktext=[f"{hz:,}".replace(",", " ") for hz in _MEL_TICKS_HZ])
    figure.update_layout(height=180)
    _show(figure, key)


def _viridis() -> list[list[Any]]:
    return [[i / (len(VIRIDIS) - 1), _rgb(color)] for i, color in enumerate(VIRIDIS)]


def _figure(x_title: str, y_title: str) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(
        height=_HEIGHT,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        xaxis_title=x_title,
        yaxis_title=y_title,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )
    return figure


def _add_line(figure: go.Figure, x: list[Any], y: list[Any], name: str, *, color: str, dash: str) -> None:
    import plotly.graph_objects as go

    hover = f"{name}: %{{y:.3f}} in epoch %{{x}}<extra></extra>" if dash != "dot" else "<extra></extra>"
    mode = "lines+markers" if 0 < len(x) < 3 and dash != "dot" else "lines"
    figure.add_trace(
        go.Scatter(x=x, y=y, name=name, mode=mode, line={"color": color, "dash": dash}, hovertemplate=hover)
    )


def _rgb(color: str) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgb({red}, {green}, {blue})"


def _show(figure: go.Figure, key: str) -> None:
    st.plotly_chart(figure, width="stretch", key=key, config=_CONFIG)
