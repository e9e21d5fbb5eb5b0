"""Charts of genres whose names are markup: what Plotly is given holds no tag, and a click still means the genre."""

from __future__ import annotations

import html

from streamlit.testing.v1 import AppTest

LINK = '<a href="http://evil.example">R&B</a>'


def test_names_of_genres_are_text() -> None:
    def script(link: str) -> None:
        from ui.train import charts

        charts.draw_confusion(["jazz", link], [[1, 0], [1, 2]], "confusion", is_clickable=True)
        scores = {"f1": 0.5, "precision": 0.5, "recall": 0.5, "n_tracks": 2.0}
        charts.draw_genre_scores({"jazz": scores, link: scores}, "genres")

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
