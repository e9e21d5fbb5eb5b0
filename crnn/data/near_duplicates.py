"""The same recording in another codec, at another level or cut at another place, found in log-mels.

Two stages. Pairs of spectral peaks are hashed (after Wang 2003), so that two tracks are
compared only where several of their hashes agree on one shift in time: the cost grows
with the number of tracks, not of pairs. Then the log-mels are laid over each other at
that shift and correlated: that decides. Each band is taken relative to its own mean, so
that level and equalisation do not matter. Covers, other performances and changes of
speed are other recordings and are not found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crnn.features.archive import UInt8Array

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

# Correlation of aligned log-mels above which two tracks hold one recording. Measured (bench/near_copies.py) on 573
# recordings: 60 copies in other codecs, cut or both reach 0.85 to 1.00, other recordings 0.54 at most.
SAME_ABOVE = 0.7
# Shorter overlaps agree by chance: a bar of one drum machine.
MIN_OVERLAP_SECONDS = 5.0

# The frame rate at which all below was measured. At 100 a second fewer copies are found, in four times the time.
_RATE_HZ = 24.1
_PEAKS_PER_SECOND = 8
_PEAK_FRAMES, _PEAK_BANDS = 4, 4
_FAN_OUT = 6
_MAX_STEP = 32
_BANDS = 128
# Codecs cut off what lies above: the highest eighth of the bands is not listened to.
_USED_BANDS = 7 / 8
_MIN_VOTES = 5
# Bounds memory: 2 million hashes of 16 bytes, each compared with `_NEIGHBOURS` that follow it.
_MAX_HASHES = 2_000_000
_NEIGHBOURS = 12
_MAX_CANDIDATES_PER_TRACK = 8
# The votes tell the shift to within a frame or two.
_REFINE = (-2, -1, 0, 1, 2)


@dataclass(frozen=True)
class NearCopy:
    """Two tracks that hold one recording.

    first, second: their numbers, `first < second`.
    shift_seconds: what sounds at 0 s in `second` sounds here in `first`; negative if `second` begins earlier.
    overlap_seconds: how much they share.
    correlation: of the log-mels over that.
    """

    first: int
    second: int
    shift_seconds: float
    overlap_seconds: float
    correlation: float


def find_near_copies(log_mels: Sequence[UInt8Array | None], frame_rate_hz: float) -> list[NearCopy]:
    """Pairs of tracks that hold one recording.

    Args:
        log_mels: uint8 `(n_frames, n_mels)` of each track as in an archive; None is passed over.
        frame_rate_hz: Frames a second.
    """
    step = max(1, round(frame_rate_hz / _RATE_HZ))
    log_mels, frame_rate_hz = [_coarser(log_mel, step) for log_mel in log_mels], frame_rate_hz / step
    hashes, owners, frames = [], [], []
    n_known = sum(log_mel is not None for log_mel in log_mels)
    every = -(-_n_expected(log_mels, frame_rate_hz) // _MAX_HASHES)
    for number, log_mel in enumerate(log_mels):
        if log_mel is not None:
            found, at = _hashes(log_mel, frame_rate_hz)
            # Chosen by their value, so that copies keep the same ones.
            kept = found * 2_654_435_761 % 2**32 % max(1, every) == 0
            hashes.append(found[kept])
            frames.append(at[kept])
            owners.append(np.full(int(kept.sum()), number, dtype=np.int64))
    if n_known < 2:
        return []
    candidates = _candidates(np.concatenate(hashes), np.concatenate(owners), np.concatenate(frames), len(log_mels))
    copies = []
    for first, second, shift in candidates:
        copy = _compare((first, second), log_mels, shift, frame_rate_hz)
        if copy is not None:
            copies.append(copy)
    return copies


def _coarser(log_mel: UInt8Array | None, step: int) -> UInt8Array | None:
    """Means of so many frames each."""
    if log_mel is None or step == 1:
        return log_mel
    n = len(log_mel) // step
    return np.rint(log_mel[: n * step].reshape(n, step, log_mel.shape[1]).mean(axis=1)).astype(np.uint8)


def _n_expected(log_mels: Sequence[UInt8Array | None], frame_rate_hz: float) -> int:
    seconds = sum(len(log_mel) for log_mel in log_mels if log_mel is not None) / frame_rate_hz
    return int(seconds * _PEAKS_PER_SECOND * _FAN_OUT)


def _peaks(log_mel: UInt8Array, frame_rate_hz: float) -> tuple[IntArray, IntArray]:
    """Frames and bands of the cells that stand out most, by time."""
    from scipy import ndimage

    n_used = int(log_mel.shape[1] * _USED_BANDS)
    cells = log_mel[:, :n_used].astype(np.float32)
    cells -= cells.mean(axis=0)
    around = ndimage.maximum_filter(cells, (2 * _PEAK_FRAMES + 1, 2 * _PEAK_BANDS + 1), mode="nearest")
    frames, bands = np.nonzero((cells == around) & (cells > 0))
    n_wanted = int(len(cells) / frame_rate_hz * _PEAKS_PER_SECOND)
    if len(frames) > n_wanted:
        # The strongest of each second: a loud chorus must not take the peaks of a quiet verse.
        second = (frames / frame_rate_hz).astype(np.int64)
        order = np.lexsort((-cells[frames, bands], second))
        rank = np.arange(len(order)) - np.searchsorted(second[order], second[order])
        kept = np.sort(order[rank < _PEAKS_PER_SECOND])
        frames, bands = frames[kept], bands[kept]
    return frames.astype(np.int64), (bands * _BANDS // log_mel.shape[1]).astype(np.int64)


def _hashes(log_mel: UInt8Array, frame_rate_hz: float) -> tuple[IntArray, IntArray]:
    """Hashes of pairs of peaks, and the frame of each one's first peak."""
    frames, bands = _peaks(log_mel, frame_rate_hz)
    found, at = [], []
    for ahead in range(1, _FAN_OUT + 1):
        step = frames[ahead:] - frames[:-ahead]
        near = (step > 0) & (step <= _MAX_STEP)
        first, second = bands[:-ahead][near], bands[ahead:][near]
        found.append((first * _BANDS + second) * (_MAX_STEP + 1) + step[near])
        at.append(frames[:-ahead][near])
    return np.concatenate(found), np.concatenate(at)


def _candidates(hashes: IntArray, owners: IntArray, frames: IntArray, n_tracks: int) -> list[tuple[int, int, int]]:
    """Pairs of tracks and the shift in frames on which most of their hashes agree, if enough do."""
    order = np.lexsort((owners, hashes))
    hashes, owners, frames = hashes[order], owners[order], frames[order]
    reach = int(frames.max(initial=0)) + 2
    keys = []
    for ahead in range(1, _NEIGHBOURS + 1):
        same = np.flatnonzero((hashes[ahead:] == hashes[:-ahead]) & (owners[ahead:] != owners[:-ahead]))
        # Sorted by owner within a hash: the first is the lower number.
        shift = frames[same] - frames[same + ahead] + reach
        pair = owners[same] * n_tracks + owners[same + ahead]
        # A cut between two frames spreads the votes over two shifts, so each votes for both.
        keys += [(pair * (2 * reach + 2) + shift), (pair * (2 * reach + 2) + shift + 1)]
    votes, counts = np.unique(np.concatenate(keys), return_counts=True)
    enough = counts >= _MIN_VOTES
    votes, counts = votes[enough], counts[enough]
    best: dict[tuple[int, int], tuple[int, int]] = {}
    for i in np.argsort(-counts, kind="stable")[: 20 * _MAX_CANDIDATES_PER_TRACK * n_tracks].tolist():
        both, at = divmod(int(votes[i]), 2 * reach + 2)
        best.setdefault(divmod(both, n_tracks), (at - reach, int(counts[i])))
    chosen = list(best.items())[: _MAX_CANDIDATES_PER_TRACK * n_tracks]
    return [(first, second, shift) for (first, second), (shift, _) in chosen]


def _compare(
    pair: tuple[int, int], log_mels: Sequence[UInt8Array | None], shift: int, frame_rate_hz: float
) -> NearCopy | None:
    a, b = log_mels[pair[0]], log_mels[pair[1]]
    assert a is not None
    assert b is not None
    n_used = int(min(a.shape[1], b.shape[1]) * _USED_BANDS)
    best, best_shift, best_overlap = -1.0, 0.0, 0
    for around in _REFINE:
        moved = shift + around
        start_a, start_b = max(0, moved), max(0, -moved)
        n = min(len(a) - start_a, len(b) - start_b)
        if n < MIN_OVERLAP_SECONDS * frame_rate_hz:
            continue
        x, y = a[start_a : start_a + n, :n_used], b[start_b : start_b + n, :n_used]
        correlation = _correlation(x, y)
        if correlation > best:
            best, best_shift, best_overlap = correlation, float(moved), n
    if best < SAME_ABOVE:
        return None
    return NearCopy(*pair, best_shift / frame_rate_hz, best_overlap / frame_rate_hz, best)


def _correlation(x: UInt8Array, y: UInt8Array) -> float:
    a, b = _relative(x), _relative(y)
    power = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / power if power > 0 else 0.0


def _relative(cells: UInt8Array) -> FloatArray:
    """Cells relative to the mean of their band: what changes in time, whatever level and tone colour."""
    values = cells.astype(np.float32)
    return values - values.mean(axis=0)
