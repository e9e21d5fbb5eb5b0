"""Makes log_mel.npz anew: `python tests/golden/make.py`. A change of it needs a line in CHANGELOG.md."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from sounds import SOUNDS

from crnn.config import FeatureConfig
from crnn.features import log_mel


def golden_log_mel(name: str) -> npt.NDArray[np.float32]:
    """Log-mel of one of the synthesized sounds: every fifth frame, at most 20 of them."""
    return log_mel.log_mel(SOUNDS[name](), FeatureConfig())[::5][:20]


if __name__ == "__main__":
    import scipy

    versions = f"python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}"
    arrays = {name: golden_log_mel(name) for name in SOUNDS}
    np.savez_compressed(Path(__file__).with_name("log_mel.npz"), versions=versions, **arrays)
