"""How long a FLAC is by its frames, whatever its header says (RFC 9639)."""

from __future__ import annotations

from typing import BinaryIO

# The greatest frames of compressed stereo have some 30 kB.
_TAIL_BYTES = 1 << 18
# A picture in a tag may stand behind the sound.
_MAX_BEHIND_BYTES = 1 << 24
_HEADER_BYTES = 42
_BLOCK_SIZES = {1: 192, **{code: 576 << (code - 2) for code in range(2, 6)}}
_BLOCK_SIZES |= {code: 256 << (code - 8) for code in range(8, 16)}


def declared_seconds(header: bytes) -> float:
    """What the first bytes of a FLAC say; 0 where they do not."""
    if len(header) < 26:
        return 0.0
    packed = int.from_bytes(header[18:26], "big")
    sample_rate, n_samples = packed >> 44, packed & (2**36 - 1)
    return n_samples / sample_rate if sample_rate else 0.0


def mended_header(file: BinaryIO, start: int, end: int) -> bytes:
    """First bytes that count all samples, where those of the file count fewer; empty where they are right.

    Args:
        file: The file; its position is changed.
        start: Where the FLAC begins.
        end: Where it ends.
    """
    file.seek(start)
    header = bytearray(file.read(_HEADER_BYTES))
    if len(header) < _HEADER_BYTES:
        return b""
    packed = int.from_bytes(header[18:26], "big")
    declared = packed & (2**36 - 1)
    block_size, true, tail_end = int.from_bytes(header[8:10], "big"), 0, end
    while not true and tail_end > start and tail_end > end - _MAX_BEHIND_BYTES:
        true = _samples_by_last_frame(file, max(start, tail_end - _TAIL_BYTES), tail_end, block_size)
        tail_end -= _TAIL_BYTES // 2
    if true <= declared:
        return b""
    header[18:26] = (packed & ~(2**36 - 1) | true).to_bytes(8, "big")
    return bytes(header)


def _samples_by_last_frame(file: BinaryIO, start: int, end: int, block_size: int) -> int:
    """Samples up to the end of the last frame that follows another; 0 if there are no two."""
    file.seek(start)
    tail = file.read(end - start)
    previous_end, last_end = -1, 0
    for sync in (b"\xff\xf8", b"\xff\xf9"):
        at = tail.find(sync)
        while at >= 0:
            first, n_samples = _frame(tail[at : at + 18], block_size)
            if n_samples:
                if first == previous_end:
                    last_end = max(last_end, first + n_samples)
                previous_end = first + n_samples
            at = tail.find(sync, at + 1)
    return last_end


def _frame(head: bytes, block_size: int) -> tuple[int, int]:
    """First sample and number of samples of a frame; 0, 0 if it is none."""
    if len(head) < 18 or head[3] & 1 or head[2] >> 4 == 0 or head[2] & 15 == 15:
        return 0, 0
    number, at = _coded_number(head)
    if at == 0:
        return 0, 0
    code = head[2] >> 4
    n_extra = {6: 1, 7: 2}.get(code, 0)
    n_samples = int.from_bytes(head[at : at + n_extra], "big") + 1 if n_extra else _BLOCK_SIZES[code]
    at += n_extra + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if _crc8(head[:at]) != head[at]:
        return 0, 0
    return (number if head[1] & 1 else number * block_size), n_samples


def _coded_number(head: bytes) -> tuple[int, int]:
    """The number coded like UTF-8 from the fifth byte on, and where it ends; 0, 0 if it is none."""
    first = head[4]
    if first < 0x80:
        return first, 5
    n_more = next((n for n in range(1, 7) if first >> (6 - n) & 1 == 0), 0) if first >= 0xC0 else 0
    more = head[5 : 5 + n_more]
    if not n_more or any(byte >> 6 != 2 for byte in more):
        return 0, 0
    number = first & (0x3F >> n_more)
    for byte in more:
        number = number << 6 | byte & 0x3F
    return number, 5 + n_more


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07 if crc & 0x80 else crc << 1) & 0xFF
    return crc
