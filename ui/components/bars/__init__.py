"""A bar for every genre, drawn at once by the browser: Plotly would take seconds to load first."""

from __future__ import annotations

from crnn.analysis.figures import genre_color
from ui.components import component, payload, rounded_share


def genre_bars(ranked: list[tuple[str, float]], key: str, label: str = "Confidence of each genre, 0 to 1") -> None:
    """Draw genres with their confidence, in the order given.

    Args:
        ranked: Genres and posteriors, most confident first.
        key: Widget key.
        label: What the list is, for those who hear the page.
    """
    bars = [{"name": genre, "share": rounded_share(share), "color": genre_color(genre)} for genre, share in ranked]
    component("bars")(key=key, data=payload({"bars": bars, "label": label}))
