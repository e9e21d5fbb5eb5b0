"""Which genre Explore explains first, and where in the sound, by worked cases."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from crnn.inference.classifier import Cell, Prediction
from crnn.inference.explanation import Explanation
from crnn.inference.verdict import Verdict
from ui.explore import reasons
from ui.explore.asked_stretch import clearest_moment, genres_to_ask, greatest_share, mean_share
from ui.shared import state
from ui.shared.state import WHY_AT, Sound

SONG = Sound("song.wav", b"song", "upload")
JAZZ, ROCK, BLUES = (0.9, 0.0, 0.1), (0.0, 0.8, 0.2), (0.2, 0.2, 0.6)


def answer(*cells: tuple[float, float, float], whole: tuple[float, float, float] = (0.3, 0.3, 0.4)) -> Prediction:
    """Cells of 10 s; on the whole blues is likeliest unless it is said otherwise."""
    timeline = tuple(Cell(10.0 * k, 10.0 * (k + 1), np.float32(each), False, k) for k, each in enumerate(cells))
    return Prediction(
        ("jazz", "rock", "blues"), np.float32(whole), Verdict.UNSURE, None, max(whole), (), timeline, (),
        np.zeros((0, 1)), 1.0, 10.0 * len(cells),
    )  # fmt: skip


def test_of_a_sound_that_changes_what_it_is_made_of_is_asked_about_first() -> None:
    changes = answer(*[JAZZ] * 4, *[ROCK] * 6, *[JAZZ] * 3)
    # Jazz has more of the time (70 s), and its longest stretch is the first, of 40 s.
    assert genres_to_ask(changes) == ["jazz", "rock", "blues"]
    assert clearest_moment(changes, "jazz") == 20.0
    assert clearest_moment(changes, "rock") == 70.0
    # Blues has no stretch: it is strongest in the first cell of rock.
    assert clearest_moment(changes, "blues") == 45.0


def test_of_a_sound_that_does_not_change_the_likeliest_is_asked_about_where_it_is_strongest() -> None:
    same = answer(*[JAZZ] * 5, BLUES, *[JAZZ] * 6, whole=(0.8, 0.05, 0.15))
    assert genres_to_ask(same) == ["jazz", "blues", "rock"]
    assert clearest_moment(same, "blues") == 55.0
    # Not amid its stretch: the first of those in which it is strongest.
    assert clearest_moment(same, "jazz") == 5.0


@pytest.mark.parametrize(("middle", "start"), [(48.0, 33.0), (5.0, 0.0), (118.0, 90.0)])
def test_reasons_for_a_part_lie_around_its_middle(monkeypatch: pytest.MonkeyPatch, middle: float, start: float) -> None:
    # 30 s are explained at once, whatever the segments' length.
    found = answer(*[JAZZ] * 12, whole=(0.9, 0.0, 0.1))
    monkeypatch.setattr(state.st, "session_state", {WHY_AT: (SONG.digest, "jazz", middle)})
    assert reasons._start("player", SONG, found, "jazz", seconds=120.0, segment_seconds=10.0) == start


def test_nothing_speaks_for_a_genre_after_the_end() -> None:
    # Columns of half a second, to 10 s: of 8.03 s the last one whose middle is in the sound is the sixteenth.
    padded = Explanation("jazz", np.eye(20, 4, -16, np.float32), 0.0, 0.5, 0.9)
    assert padded.weights.max() == 1.0
    found = reasons._within(padded, 8.03)
    assert found.end_seconds == 8.0
    assert found.weights.max() == 0.0
    assert reasons._within(padded, 30.0).end_seconds == 10.0


def test_the_longest_stretch_is_asked_about_and_silence_never() -> None:
    assert clearest_moment(answer(*[JAZZ] * 3, *[ROCK] * 6, *[JAZZ] * 4), "jazz") == 110.0
    same = answer(*[(0.9, 0.05, 0.05)] * 4, whole=(0.9, 0.05, 0.05))
    silent = dataclasses.replace(same.timeline[2], posterior=np.float32([1 / 3] * 3), is_silent=True)
    timeline = (*same.timeline[:2], silent, same.timeline[3])
    assert clearest_moment(dataclasses.replace(same, timeline=timeline), "blues") == 5.0


def test_cells_that_end_or_begin_at_a_part_are_not_in_it() -> None:
    assert greatest_share(answer(JAZZ, ROCK, JAZZ), "jazz", 10.0, 20.0) == 0.0
    assert greatest_share(answer(JAZZ, ROCK, JAZZ), "jazz", 10.0, 20.1) == pytest.approx(0.9)


def test_silence_has_no_share() -> None:
    """10 s of blues at 0.05, 10 s of silence, 10 s of blues at 0.6."""
    found = answer((0.9, 0.05, 0.05), BLUES, BLUES)
    silent = dataclasses.replace(found.timeline[1], is_silent=True)
    found = dataclasses.replace(found, timeline=(found.timeline[0], silent, found.timeline[2]))
    assert greatest_share(found, "blues", 0.0, 20.0) == pytest.approx(0.05)
    assert greatest_share(found, "blues", 10.0, 20.0) == 0.0
    # By time: 8 s and 3 s of it.
    assert mean_share(found, "blues", 2.0, 23.0) == pytest.approx((8 * 0.05 + 3 * 0.6) / 11)
    # Where nothing sounds it is what is said of silence.
    assert mean_share(found, "blues", 12.0, 18.0) == pytest.approx(0.6)
