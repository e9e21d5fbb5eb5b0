"""What decoders give: blocks of samples at a rate, and what a library made of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

# Small enough that damage in a block costs little, large enough to read fast.
SAMPLES_PER_READ = 1 << 17


class Block(NamedTuple):
    """Samples `(n_frames, n_channels)` as a file holds them; the rate and the channels may change on the way."""

    samples: FloatArray
    sample_rate: int


@dataclass
class Opened:
    """What one library made of a file.

    declared_seconds: what its header says; 0 where that is unknown.
    format: of the container, as the library calls it, in small letters.
    coding: of the sound, for a sentence; empty where it is not known.
    is_damaged: known when `blocks` has ended.
    by_soundfile: another library may read on where this one stops.
    seek: Goes to a second of the sound before the first block is read, where that is exact; None where it is not.
    """

    sample_rate: int
    n_channels: int
    blocks: Iterator[Block]
    close: Callable[[], None]
    declared_seconds: float = 0.0
    format: str = ""
    coding: str = ""
    is_damaged: bool = False
    notes: tuple[str, ...] = ()
    by_soundfile: bool = False
    seek: Callable[[float], None] | None = None
