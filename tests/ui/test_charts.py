"""Charts of genres whose names are markup: what Plotly is given holds no tag, and a click still means the genre."""

from __future__ import annotations

import html
import json

import pytest
from streamlit.testing.v1 import AppTest

from crnn.intervals import wilson_interval
from ui.components import rounded_share

LINK = '<a href="http://evil.example">R&B</a>'


def test_names_of_genres_are_text() -> None:
    def script(link: str) -> None:
        from ui.train import charts

        charts.draw_confusion(["jazz", link], [[1, 0], [1, 2]], "confusion", is_clickable=True)
        row = {"f1": 0.5, "precision": 0.5, "recall": 0.5, "n_tracks": 2.0}
        scores = {"per_genre": {"jazz": row, link: row}, "genres": ["jazz", link], "confusion": [[1, 1], [1, 1]]}
        charts.draw_genre_scores(scores, "genres")

    app = AppTest.from_function(script, args=(LINK,)).run()
    assert not app.exception
    drawn = [element.proto.spec for element in app.get("plotly_chart")]
    assert len(drawn) == 2
    assert not [spec for spec in drawn if "<a" in spec or "\\u003ca" in spec.lower()]
    # Both as a label and as what a click gives back.
    assert html.unescape(drawn[0]).count("evil.example") >= 2


def test_the_reliability_diagram_counts_its_tracks() -> None:
    def script() -> None:
        from ui.train import charts

        charts.draw_reliability([[0.55, 0.5, 4], [0.95, 1.0, 37]], "reliability")
        charts.draw_confusion(["a", "b"], [[1, 0], [2, 3]], "confusion")

    app = AppTest.from_function(script).run()
    assert not app.exception
    reliability, confusion = (element.proto.spec for element in app.get("plotly_chart"))
    assert '"text":["4","37"]' in reliability.replace(" ", "")
    assert '"1 track"' in confusion
    assert '"2 tracks"' in confusion


def test_scores_are_drawn_with_how_far_chance_moves_them() -> None:
    """Wilson's: of 3 right of 4 from 0.30 to 0.95, an epoch, a bin of confidence, and the F1 of a genre."""

    def script() -> None:
        from ui.train import charts

        epoch = {"epoch": 1, "loss": 1.0, "valid_loss": 1.0, "valid_accuracy": 0.75, "confusion": [[2, 1], [0, 1]]}
        charts.draw_curves([epoch, epoch | {"epoch": 2}], "curves")
        charts.draw_reliability([[0.8, 0.75, 4]], "reliability")
        row = {"f1": 0.857, "precision": 1.0, "recall": 0.75, "n_tracks": 4.0}
        charts.draw_genre_scores({"per_genre": {"a": row}, "genres": ["a"], "confusion": [[3]]}, "genres")

    app = AppTest.from_function(script).run()
    assert not app.exception
    _, accuracy, reliability, genres = (json.loads(element.proto.spec)["data"] for element in app.get("plotly_chart"))
    low, high = wilson_interval(3, 4)
    band = next(trace for trace in accuracy if trace["name"] == "95 % interval")
    assert band["y"] == pytest.approx([high, high, low, low])
    bar = reliability[1]["error_y"]
    assert (bar["array"], bar["arrayminus"]) == (pytest.approx([high - 0.75]), pytest.approx([0.75 - low]))
    assert genres[0]["error_x"]["arrayminus"] == pytest.approx([0.857 - 2 * low / (1 + low)])


def test_share_that_is_told_as_over_99_percent_is_so_in_every_browser() -> None:
    shares = (0.99, 0.990049, 0.99012, 0.1234, 1.0)
    assert [rounded_share(share) for share in shares] == [0.99, 0.9901, 0.9901, 0.1234, 1.0]
