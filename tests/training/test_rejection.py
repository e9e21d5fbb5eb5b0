"""The rejection that is fitted to examples made on the spot: its threshold, by what it says of the music."""

from __future__ import annotations

import numpy as np
import pytest

from crnn.training.rejection import fit_rejection

MUSIC, NOISE = np.float32([[1.0]]), np.float32([[-1.0]])


def test_the_threshold_lets_go_of_so_much_music_by_the_mean_of_its_segments() -> None:
    # One of ten tracks sounds like noise in two of its three segments.
    odd = np.concatenate([NOISE, NOISE, MUSIC])
    music = [MUSIC] * 9 + [odd]
    found = fit_rejection(music, [NOISE] * 10, music_refused=0.0)
    of_music, of_noise = (1 / (1 + np.exp(-(sign * found.weights[0] + found.bias))) for sign in (1, -1))
    assert of_noise < 0.5 < of_music
    assert found.threshold == pytest.approx((of_music + 2 * of_noise) / 3)
    # Of ten, a tenth may go: nine tenths of the way from the least to the next.
    tenth = fit_rejection([MUSIC, *music], [NOISE] * 10, music_refused=0.1)
    assert tenth.threshold == 0.5
