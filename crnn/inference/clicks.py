"""Sound that is nothing but clicks: short, far apart, and little between them.

A ticking clock, a mouse, a microphone's test signal: a network that was taught by music takes their beat for music.
Of 896 pieces of real music none is such a sound: docs/scores.md.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crnn.config import FeatureConfig

# Frames within the first of the loudest belong to clicks; those further below it than the second lie between them.
_LOUD_DB, _FAINT_DB = 30.0, 50.0
_LOUD_SHARE, _FAINT_SHARE = 0.3, 0.5
# The length of a click, without that of the window it is seen through.
_CLICK_SECONDS = 0.1
# Fewer may be knocks against the microphone, unless there is no other sound.
_N_CLICKS = 4


def are_clicks(levels_db: npt.NDArray[np.float32], config: FeatureConfig) -> bool:
    """Whether a segment holds isolated clicks and nothing else.

    Args:
        levels_db: Level of each frame, `(n_frames,)`, as `frame_levels_db` gives them.
        config: Of the frames.
    """
    loudest = levels_db.max()
    is_loud = levels_db > loudest - _LOUD_DB
    if is_loud.mean() >= _LOUD_SHARE:
        return False
    edges = np.diff(np.concatenate([[0], is_loud, [0]]).astype(np.int8))
    lengths = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
    window_seconds = config.window_length / config.sample_rate
    if lengths.max() / config.frame_rate_hz >= _CLICK_SECONDS + window_seconds:
        return False
    return bool(len(lengths) >= _N_CLICKS or (levels_db > loudest - _FAINT_DB).mean() < _FAINT_SHARE)
