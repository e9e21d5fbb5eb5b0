"""MPEG audio frame by frame: how much sound an mp3 holds, and whether its rate or channels change."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import BinaryIO

_STEP = 1 << 20
_BIT_RATES = {
    (3, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (3, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)
# Encoders whose tables say how much padding they added.
_ENCODERS = frozenset({b"LAME", b"Lavc", b"Lavf", b"GOGO", b"L3.9"})
_MAX_JOINED = 1000


@dataclass(frozen=True)
class _Frame:
    n_bytes: int
    n_samples: int
    sample_rate: int
    is_mono: bool
    bit_rate: int


@dataclass(frozen=True)
class Walk:
    """What the frames of a file come to, or of one that was joined to others.

    start: byte of the first frame.
    seconds: of all frames, without what its table says that the encoder added.
    frame_seconds: of the most frequent kind of frame.
    changes: rate or channels change on the way.
    declared_seconds: what its table (Xing, Info) counts, in the same way; 0 without one.
    """

    start: int
    seconds: float
    frame_seconds: float
    changes: bool
    has_many_bit_rates: bool
    declared_seconds: float


@dataclass(frozen=True)
class _Table:
    """A frame of no sound that counts the others, and the samples that the encoder added."""

    n_frames: int
    n_added: int


def id3_size(head: bytes) -> int:
    """Bytes of an ID3v2 tag at the start; 0 without one."""
    if head[:3] != b"ID3" or len(head) < 10 or max(head[6:10]) > 0x7F or 0xFF in head[3:5]:
        return 0
    footer = 10 if head[5] & 0x10 else 0
    return 10 + footer + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))


def is_frame(head: bytes) -> bool:
    """Whether a frame of layer 1, 2 or 3 begins here, and another follows it if there is so much."""
    frame = _parse(head[:4])
    if frame is None:
        return False
    return len(head) < frame.n_bytes + 4 or _parse(head[frame.n_bytes : frame.n_bytes + 4]) is not None


def frame_bytes(head: bytes) -> int:
    """Bytes of the frame of layer 1, 2 or 3 that begins here; 0 if none does.

    Args:
        head: Its first four bytes, or more.
    """
    frame = _parse(head[:4])
    return frame.n_bytes if frame else 0


def walk(file: BinaryIO, start: int, end: int) -> list[Walk]:
    """Go over the frames between two positions, past tags and damage; the file's position is changed.

    Args:
        file: Open for reading.
        start: Byte of the first frame.
        end: Byte behind the last one.

    Returns:
        One for each file that was joined, as far as they have tables; nothing where there are no frames.
    """
    walks: list[Walk] = []
    counts: Counter[bytes] = Counter()
    known: dict[bytes, _Frame | None] = {}
    table, first = None, start
    file.seek(start)
    data, base, at = file.read(_STEP), start, 0
    while True:
        if at + 4096 > len(data) and base + len(data) < end:
            # The next megabyte, without the memory of a long file.
            file.seek(base + at)
            base, at, data = base + at, 0, file.read(_STEP)
            if not data:
                break
        head = data[at : at + 4]
        if len(head) < 4:
            break
        if head not in known:
            known[head] = _parse(head)
        frame = known[head]
        if frame is None:
            at += _to_next(data, at)
            continue
        found = _table(data[at : at + 256])
        if found is None:
            counts[head] += 1
        elif len(walks) < _MAX_JOINED:
            walks += _sum(first, counts, known, table)
            counts, table, first = Counter(), found, base + at if counts else first
        at += frame.n_bytes
    return walks + _sum(first, counts, known, table)


def _to_next(data: bytes, at: int) -> int:
    """Bytes to the next pair of frames, past a tag if one begins here."""
    skipped = id3_size(data[at : at + 10])
    if skipped:
        return skipped
    found = data.find(b"\xff", at + 1)
    while found >= 0 and not is_frame(data[found : found + 4096]):
        found = data.find(b"\xff", found + 1)
    return (found if found >= 0 else len(data)) - at


def _sum(start: int, counts: Counter[bytes], known: dict[bytes, _Frame | None], table: _Table | None) -> list[Walk]:
    frames = [(frame, n) for head, n in counts.items() if (frame := known[head]) is not None]
    if not frames:
        return []
    most, _ = max(frames, key=lambda pair: pair[1])
    by_kind: Counter[tuple[int, bool]] = Counter()
    by_bit_rate: Counter[int] = Counter()
    for frame, n in frames:
        by_kind[frame.sample_rate, frame.is_mono] += n
        by_bit_rate[frame.bit_rate] += n
    # Two frames of another kind are a false find in damage.
    n_kinds, n_bit_rates = (sum(n > 2 for n in found.values()) for found in (by_kind, by_bit_rate))
    frame_seconds = most.n_samples / most.sample_rate
    added = table.n_added / most.sample_rate if table else 0.0
    seconds = max(frame_seconds, sum(n * frame.n_samples / frame.sample_rate for frame, n in frames) - added)
    declared = max(frame_seconds, table.n_frames * frame_seconds - added) if table else 0.0
    return [Walk(start, seconds, frame_seconds, n_kinds > 1, n_bit_rates > 1, declared)]


def _table(head: bytes) -> _Table | None:
    """The Xing or Info table of a file's first frame; None where the frame is another, or does not count.

    Args:
        head: The first bytes of the frame.
    """
    for magic in (b"Xing", b"Info"):
        at = head.find(magic, 0, 64)
        if at >= 0 and len(head) >= at + 12 and head[at + 7] & 1:
            n_frames = int.from_bytes(head[at + 8 : at + 12], "big")
            # Behind the fields that its flags name: who encoded, and how many samples stand before and after the sound.
            encoder = at + 8 + sum(size for bit, size in enumerate((4, 4, 100, 4)) if head[at + 7] >> bit & 1)
            is_told = head[encoder : encoder + 4] in _ENCODERS
            added = int.from_bytes(head[encoder + 21 : encoder + 24], "big") if is_told else 0
            return _Table(n_frames, (added >> 12) + (added & 0xFFF)) if n_frames else None
    return None


def _parse(head: bytes) -> _Frame | None:
    """A frame by its four bytes; None if it is none, or of a free bit rate."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    rate_code, bit_code = head[2] >> 2 & 3, head[2] >> 4
    if version == 1 or layer == 0 or rate_code == 3 or bit_code in {0, 15} or head[3] & 3 == 2:
        return None
    bit_rate = 1000 * _BIT_RATES[3 if version == 3 else 2, layer][bit_code - 1]
    sample_rate = _RATES[rate_code] // {3: 1, 2: 2, 0: 4}[version]
    padding = head[2] >> 1 & 1
    n_samples = 384 if layer == 3 else 1152 if layer == 2 or version == 3 else 576
    n_bytes = (12 * bit_rate // sample_rate + padding) * 4 if layer == 3 else 0
    n_bytes = n_bytes or n_samples // 8 * bit_rate // sample_rate + padding
    return _Frame(n_bytes, n_samples, sample_rate, head[3] >> 6 == 3, bit_rate)
