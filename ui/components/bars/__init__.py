"""A bar for every genre, drawn at once by the browser: Plotly would take seconds to load first."""

from __future__ import annotations

from collections.abc import Mapping

from crnn import text
from crnn.analysis.figures import genre_color
from crnn.inference import output
from crnn.inference.classifier import Prediction
from ui.components import component, payload, rounded_share


def genre_bars(
    ranked: list[tuple[str, float]], key: str, label: str = "Confidence of each genre, 0 to 1", *, title: str = ""
) -> None:
    """Draw genres with their confidence, in the order given.

    Args:
        ranked: Genres and posteriors, most confident first.
        key: Widget key.
        label: What the list is, for those who hear the page.
        title: What stands above them.
    """
    bars = [_bar(genre, share) for genre, share in ranked]
    component("bars")(key=key, data=payload({"bars": bars, "label": label, "title": title}))


def answer_bars(
    prediction: Prediction, key: str, *, most: int | None = None, label: str = "Confidence of each genre, 0 to 1"
) -> None:
    """Draw the bars of an answer: of a sound that changes each genre's share of the time, else its confidence.

    Args:
        prediction: The answer.
        key: Widget key.
        most: As many genres are drawn; all where it is not given.
        label: What the list of confidences is, for those who hear the page.
    """
    shares = output.time_shares(prediction)
    if shares:
        _time_bars(shares, key)
    else:
        # So that the bars do not contradict a verdict of none of these genres, or of no music.
        title = "" if prediction.verdict.traits.has_stretches else "If it were one of these"
        genre_bars(prediction.ranked()[:most], key, label, title=title)


def _time_bars(shares: Mapping[str, float], key: str) -> None:
    told = zip(shares.items(), text.percents(list(shares.values())), strict=True)
    values = {
        "bars": [_bar(genre, share) | {"value": f"{percentage}\u00a0%"} for (genre, share), percentage in told],
        "label": "Share of the time of each genre",
        "title": "Share of the time",
        "scale": ["0", "50\u00a0%", "100\u00a0%"],
    }
    component("bars")(key=key, data=payload(values))


def _bar(genre: str, share: float) -> dict[str, str | float]:
    return {"name": genre, "share": rounded_share(share), "color": genre_color(genre)}
