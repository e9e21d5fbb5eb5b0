"""Where a file ends by its own structure, so that another one joined on behind it is found.

Decoders of these containers read what the first header speaks of, and nothing after it, without a word.
Only the headers of blocks are read; a size that leads out of the file ends the search.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import BinaryIO

_MAX_BLOCKS = 1_000_000
_MAX_FILES = 1000
_FARTHEST = 1 << 62
_ASF_HEADER = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"
_EBML_HEADER, _EBML_SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_WV_FIRST_BLOCK = 1 << 11


def joined(file: BinaryIO, size: int) -> list[tuple[int, int]]:
    """Start and end of each of the files of one container that follow each other; the last one ends with the file.

    Args:
        file: The file; its position is changed.
        size: Bytes of it.

    Returns:
        One pair where nothing is joined, or the container is none of those that are known here.
    """
    end_of = _kind(_read(file, 0, 16))
    starts = [0]
    while end_of is not None and len(starts) < _MAX_FILES:
        end = _behind_tags(file, end_of(file, starts[-1], size))
        if not starts[-1] < end < size or _kind(_read(file, end, 16)) is not end_of:
            break
        starts.append(end)
    return list(zip(starts, [*starts[1:], size], strict=True))


def _kind(head: bytes) -> Callable[[BinaryIO, int, int], int] | None:
    """What finds the end of a file that begins so."""
    kinds = {
        b".snd": _au_end,
        b".SoX": _sox_end,
        b"caff": _caf_end,
        b"Crea": _voc_end,
        b"FLV\1": _flv_end,
        b"TTA1": _tta_end,
        b"wvpk": _wavpack_end,
        _EBML_HEADER: _matroska_end,
    }
    if head[4:8] == b"ftyp":
        return _mp4_end
    if head.startswith(_ASF_HEADER):
        return _asf_end
    if head == _W64_RIFF:
        return _w64_end
    return kinds.get(head[:4])


def _read(file: BinaryIO, at: int, n_bytes: int) -> bytes:
    """Nothing from where no file can reach: sizes of 64 bits are whatever somebody wrote there."""
    if at > _FARTHEST:
        return b""
    file.seek(at)
    return file.read(n_bytes)


def _behind_tags(file: BinaryIO, at: int) -> int:
    """Past an APEv2 tag and an ID3v1 tag, if they begin here."""
    head = _read(file, at, 32)
    if head[:8] == b"APETAGEX" and len(head) == 32:
        n_bytes, _, flags = struct.unpack("<III", head[12:24])
        at += n_bytes + (32 if flags & 1 << 31 else 0)
    return at + 128 if _read(file, at, 3) == b"TAG" else at


def _au_end(file: BinaryIO, start: int, size: int) -> int:
    begin, n_bytes = struct.unpack(">II", _read(file, start + 4, 8).ljust(8, b"\xff"))
    return start + begin + n_bytes


def _w64_end(file: BinaryIO, start: int, size: int) -> int:
    return start + int.from_bytes(_read(file, start + 16, 8), "little")


def _behind_boxes(
    file: BinaryIO, at: int, n_head: int, length: Callable[[bytes], int], is_another: Callable[[bytes], bool]
) -> int:
    """Behind boxes that follow each other, where they end or another file begins.

    Args:
        file: The file.
        at: Where the first one begins.
        n_head: Bytes of a box that tell how long it is.
        length: Bytes of the box with this head, head and all; 0 where it goes on to the end of the file.
        is_another: Whether this is no box of the same file.
    """
    for number in range(_MAX_BLOCKS):
        head = _read(file, at, n_head)
        if len(head) < n_head or (number and is_another(head)):
            break
        n_bytes = length(head)
        if not n_bytes:
            return file.seek(0, io.SEEK_END)
        at += n_bytes
    return at


def _sox_end(file: BinaryIO, start: int, size: int) -> int:
    n_header, n_samples = struct.unpack("<IQ", _read(file, start + 4, 12).ljust(12, b"\xff"))
    return start + 4 + n_header + 4 * n_samples


def _flv_end(file: BinaryIO, start: int, size: int) -> int:
    def length(head: bytes) -> int:
        return 11 + int.from_bytes(head[1:4], "big") + 4

    return _behind_boxes(file, start + 13, 11, length, lambda head: head[:4] == b"FLV\1")


def _voc_end(file: BinaryIO, start: int, size: int) -> int:
    def length(head: bytes) -> int:
        # The last block has no length.
        return 4 + int.from_bytes(head[1:], "little") if head[0] else 1

    n_header = int.from_bytes(_read(file, start + 20, 2), "little")
    return _behind_boxes(file, start + n_header, 4, length, lambda head: head == b"Crea")


def _caf_end(file: BinaryIO, start: int, size: int) -> int:
    def length(head: bytes) -> int:
        n_bytes = int.from_bytes(head[4:], "big", signed=True)
        return 12 + n_bytes if n_bytes >= 0 else 0

    return _behind_boxes(file, start + 8, 12, length, lambda head: head[:4] == b"caff")


def _mp4_end(file: BinaryIO, start: int, size: int) -> int:
    def length(head: bytes) -> int:
        n_bytes = int.from_bytes(head[:4], "big")
        if n_bytes == 1:
            n_bytes = int.from_bytes(head[8:], "big")
        return n_bytes if n_bytes >= 8 else 0

    return _behind_boxes(file, start, 16, length, lambda head: head[4:8] == b"ftyp")


def _asf_end(file: BinaryIO, start: int, size: int) -> int:
    def length(head: bytes) -> int:
        n_bytes = int.from_bytes(head[16:], "little")
        return n_bytes if n_bytes >= 24 else 0

    return _behind_boxes(file, start, 24, length, lambda head: head.startswith(_ASF_HEADER))


def _wavpack_end(file: BinaryIO, start: int, size: int) -> int:
    def is_another(head: bytes) -> bool:
        place, flags = struct.unpack("<I4xI", head[16:28])
        return head[:4] != b"wvpk" or bool(place == 0 and flags & _WV_FIRST_BLOCK)

    return _behind_boxes(file, start, 32, lambda head: 8 + int.from_bytes(head[4:8], "little"), is_another)


def _matroska_end(file: BinaryIO, start: int, size: int) -> int:
    at = start
    for name in (_EBML_HEADER, _EBML_SEGMENT):
        head = _read(file, at, 12)
        n_more = 8 - head[4].bit_length() if len(head) == 12 and head[:4] == name else 8
        if n_more > 7:
            return size
        n_bytes = int.from_bytes(head[4 : 5 + n_more], "big") & (1 << 7 * (n_more + 1)) - 1
        if n_bytes == (1 << 7 * (n_more + 1)) - 1:
            # Of unknown length: a live recording.
            return size
        at += 5 + n_more + n_bytes
    return at


def _tta_end(file: BinaryIO, start: int, size: int) -> int:
    head = _read(file, start, 22)
    rate, n_samples = struct.unpack("<II", head[10:18].ljust(8, b"\0"))
    n_frames = -(-n_samples // (256 * rate // 245)) if rate else 0
    table = _read(file, start + 22, 4 * min(n_frames, _MAX_BLOCKS))
    lengths = struct.unpack(f"<{len(table) // 4}I", table[: len(table) // 4 * 4])
    return start + 22 + 4 * n_frames + 4 + sum(lengths)
