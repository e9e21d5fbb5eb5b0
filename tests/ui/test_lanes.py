"""What the timeline shows of which cell, by worked cases."""

from __future__ import annotations

import numpy as np

from crnn.inference.classifier import Cell, HeardTag, Prediction
from crnn.inference.verdict import Verdict
from ui.listen.answer import genre_lane, tag_lanes

CELLS = (
    Cell(0.0, 4.0, np.float32([0.75, 0.25]), False, 1),
    Cell(4.0, 10.0, np.float32([0.5, 0.5]), True, 0),
)
TAGS = (HeardTag("flute", "instrument", 0.9, True), HeardTag("organ", "instrument", 0.8, True))
ANSWER = Prediction(
    ("jazz", "rock"), np.float32([0.25, 0.75]), Verdict.GENRE, "rock", 0.75, ("rock",), CELLS, (), np.zeros((2, 1)),
    1.0, 10.0, tags=TAGS, tag_timeline=np.array([[0.1, 0.2], [0.3, 0.4]]),
)  # fmt: skip


def test_shares_stand_in_the_order_of_the_names_and_silence_has_none() -> None:
    lane = genre_lane(ANSWER)
    assert (lane.labels, lane.edges, lane.segments) == (("rock", "jazz"), (0.0, 4.0, 10.0), (1, 0))
    assert lane.shares == ((0.25, 0.75), ())


def test_a_word_has_its_own_row_by_the_segment_of_each_cell() -> None:
    lanes = tag_lanes(ANSWER)
    assert [(lane.name, lane.shares) for lane in lanes] == [("flute", ((0.3,), (0.1,))), ("organ", ((0.4,), (0.2,)))]
    assert {lane.edges for lane in lanes} == {(0.0, 4.0, 10.0)}
