"""Log-mels of sounds that are no music, which every training learns to decline: made once, and kept for the next.

They hold nothing of anybody, so one store serves everybody on a machine. Its ways are those of the features of data
sets (`crnn.data.feature_store`): what is damaged is made anew, a disk that refuses costs the shortcut and no more.
"""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import scipy

from crnn import paths
from crnn.config import FeatureConfig
from crnn.data.feature_cache import CACHE_FILE, made_with
from crnn.data.feature_store import Computed, FeatureStore
from crnn.errors import DatasetError
from crnn.features.archive import UInt8Array, cells_of
from crnn.features.log_mel import mel_power
from crnn.synthesis import instruments, mixer, negatives

_PER_KIND = 12
_SECONDS = 12.0
_MADE_BY = (negatives, instruments, mixer)
_log = logging.getLogger(__name__)


def store_path() -> Path:
    """The SQLite file that they are kept in."""
    return paths.made_dir() / CACHE_FILE


def no_music(config: FeatureConfig, seed: int) -> list[UInt8Array]:
    """Log-mels of sounds that are no music: `_PER_KIND` of each kind.

    Args:
        config: What to compute.
        seed: The same seed gives the same sounds.

    Returns:
        Per sound of 12 s its cells, `(n_frames, n_mels)`.
    """
    try:
        store = FeatureStore(store_path(), made_with(config))
    except DatasetError as err:
        _log.warning("Sounds that are no music are not kept: %s", err)
        return [_made(kind, number, config) for kind, number in _sounds(seed)]
    with closing(store):
        return [_kept_or_made(store, kind, number, config) for kind, number in _sounds(seed)]


def _sounds(seed: int) -> Iterator[tuple[str, int]]:
    return ((kind, seed + i) for kind in negatives.KINDS for i in range(_PER_KIND))


def _kept_or_made(store: FeatureStore, kind: str, number: int, config: FeatureConfig) -> UInt8Array:
    content = f"no music {_maker()} {kind} {number} {_SECONDS}"
    kept = store.get(content)
    if kept is not None and kept.shape[1] == config.n_mels:
        return kept
    cells = _made(kind, number, config)
    store.put(content, Computed(cells, is_clipped=False))
    return cells


def _made(kind: str, number: int, config: FeatureConfig) -> UInt8Array:
    sound = negatives.synthesize(kind, number, _SECONDS, config.sample_rate)
    return cells_of(mel_power(sound, config), config)


@functools.cache
def _maker() -> str:
    """What decides a sound beside its kind and number: the code that makes it, and the libraries that draw and filter.

    Nobody has to remember to raise a version: whoever changes a sound has it made anew.
    """
    made_by = hashlib.sha256(f"{np.__version__} {scipy.__version__}".encode())
    for module in _MADE_BY:
        made_by.update(Path(str(module.__file__)).read_bytes())
    return made_by.hexdigest()
