"""Bars and timeline do not belie an answer: none of the genres is told as such, and two answers show what either is."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def _draw() -> None:
    import numpy as np
    import streamlit as st

    from crnn.inference.classifier import Cell, Prediction
    from crnn.inference.verdict import Verdict
    from ui.components.bars import answer_bars
    from ui.explore.what_if import _draw_before_and_after
    from ui.listen.answer import genre_lane, genre_lanes

    genres = ("blues", "disco", "jazz", "pop", "rock")

    def answer(verdict: Verdict, *posterior: float) -> Prediction:
        whole = np.float32(posterior)
        cell = Cell(0.0, 10.0, whole, False, 0)
        return Prediction(
            genres, whole, verdict, None, max(posterior), (), (cell,), (), np.zeros((1, 0)), 1.0, 10.0
        )  # fmt: skip

    other = answer(Verdict.OTHER, 0.02, 0.77, 0.01, 0.15, 0.05)
    unsure = answer(Verdict.UNSURE, 0.02, 0.58, 0.05, 0.12, 0.23)
    st.text(f"{genre_lane(other).name}, {genre_lane(unsure).name}")
    no_music = answer(Verdict.NOT_MUSIC, 0.02, 0.77, 0.01, 0.15, 0.05)
    st.text(f"{len(genre_lanes(no_music))}, {len(genre_lanes(other))}")
    answer_bars(other, key="other")
    answer_bars(no_music, key="no music")
    answer_bars(unsure, key="unsure")
    _draw_before_and_after(answer(Verdict.UNSURE, 0.02, 0.80, 0.13, 0.05, 0.0), unsure)


def test_bars_and_timeline_say_what_they_are_of() -> None:
    import json

    app = AppTest.from_function(_draw, default_timeout=120).run()
    assert not app.exception
    assert [text.value for text in app.text] == ["nearest, genre", "0, 1"]
    drawn = [json.loads(json.loads(each.proto.json)["json"]) for each in app.get("bidi_component")]
    assert [each["title"] for each in drawn] == ["If it were one of these"] * 2 + [""] * 3
    # By the greater of both: of the three that a phone shows, rock is of the answer after, jazz of that before.
    for bars in drawn[3:]:
        assert [bar["name"] for bar in bars["bars"]] == ["disco", "rock", "jazz", "pop", "blues"]
