"""Where the sound may begin in a file that begins with something else: zeros, an HTTP header, a tag, junk.

Formats with a name at their start are found by it, streams of frames by some frames in a row: two bytes,
found alone, stand in any data.
"""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from crnn.audio import mpeg

_STEP = 1 << 20
_LOOKED_THROUGH = 2 * _STEP
# Zeros skipped before the search begins, such as a disk leaves where it was never written.
_MAX_ZEROS = 64 * _STEP
# Places tried at most: each means opening the file there.
_MAX_STARTS = 8
_IN_ROW = 4
# A bound on the work: a megabyte of one repeated byte may match a mark at every place.
_MAX_MARKS = 1 << 16
_FEW_BYTES = 2048
# Each is long enough not to turn up by chance.
_MAGICS = (
    *(b"fLaC\0\0\0\x22", b"OggS\0\x02", b"\x1a\x45\xdf\xa3", b"wvpk", b"TTA1", b"caff\0\x01", b"ADIF", b".snd\0\0"),
    *(b"riff\x2e\x91\xcf\x11", b"FLV\1", b"Creative Voice File\x1a", b"#!AMR", b"\x7f\xfe\x80\x01"),
    *(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"NIST_1A\n", b"PVF1\n", b"\x20paf\0\0\0", b"fap\x20", b"2BIT\0\0\0\0"),
    *(b"DSD \x1c\0\0\0", b"MPCKSH", b"tBaK\1", b"\0\0\1\xba", b".RMF\0\0\0", b"nut/multimedia container\0"),
    *(b".SoX", b"XoS."),
)
_CHUNKED = (
    *((b"RIFF", b"WAVE"), (b"RIFF", b"AVI "), (b"RF64", b"WAVE")),
    *((b"FORM", b"AIFF"), (b"FORM", b"AIFC"), (b"FORM", b"8SVX"), (b"FORM", b"16SV")),
)
_AC3_KBIT = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)


def find_starts(file: BinaryIO) -> list[int]:
    """Where sound may begin behind a tag, zeros, an HTTP header or other junk, the likeliest place first.

    Args:
        file: The file; its position is changed.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    tag = mpeg.id3_size(file.read(10))
    first = _first_byte(file, size)
    file.seek(first)
    head = file.read(_LOOKED_THROUGH)
    found = {first + at for at in (*_named(head, size - first), *_streams(head)) if at >= 0}
    # What stands behind a tag is what the tag belongs to, of whatever format.
    return [*([tag] if 0 < tag < size else []), *sorted(at for at in found - {tag} if 0 < at < size)][:_MAX_STARTS]


def is_all_zeros(file: BinaryIO) -> bool:
    """Whether a file holds zeros and nothing else, as far as it is looked at.

    Args:
        file: The file; its position is changed.
    """
    size = file.seek(0, io.SEEK_END)
    first = _first_byte(file, size)
    file.seek(first)
    return not file.read(_STEP).strip(b"\0")


def _first_byte(file: BinaryIO, size: int) -> int:
    """Some bytes before the first one that is not zero: formats begin with a few zeros themselves."""
    at = 0
    file.seek(0)
    while at < min(size, _MAX_ZEROS):
        data = file.read(_STEP)
        n_zeros = len(data) - len(data.lstrip(b"\0"))
        at += n_zeros
        if n_zeros < len(data) or not data:
            break
    return max(0, at - 8)


def _named(head: bytes, size: int) -> Iterator[int]:
    """Where the name of a format stands; -1 where it does not."""
    for magic in _MAGICS:
        yield head.find(magic)
    for outer, inner in _CHUNKED:
        yield _first(head, outer, functools.partial(_holds, head, size, inner))
    yield head.find(b"ftyp") - 4
    yield _first(head, b"ID3", lambda at: mpeg.id3_size(head[at : at + 10]) > 0)
    yield _first(head, b"MAC ", lambda at: 3900 <= int.from_bytes(head[at + 4 : at + 6], "little") < 4500)
    for mark in (b"\x64\xa3", b"\xa3\x64"):
        found = _first(head, mark, lambda at: _is_ircam(head, at))
        yield found - 2 if found >= 0 and mark == b"\xa3\x64" else found


def _first(head: bytes, mark: bytes, is_it: Callable[[int], bool]) -> int:
    at = -1
    for _ in range(_MAX_MARKS):
        at = head.find(mark, at + 1)
        if at < 0 or is_it(at):
            return at
    return -1


def _holds(head: bytes, size: int, inner: bytes, at: int) -> bool:
    """Whether chunks of a kind begin here, and there is room for what their header counts.

    TAK, OptimFROG and Shorten keep the header of the wav that they pack: what follows it is no wav, but noise.
    """
    declared = int.from_bytes(head[at + 4 : at + 8], "big" if head[at : at + 4] == b"FORM" else "little")
    has_room = declared in {0, 0xFFFFFFFF} or declared <= size - at + _FEW_BYTES
    return head[at + 8 : at + 12] == inner and has_room


def _is_ircam(head: bytes, at: int) -> bool:
    """Whether the mark of an IRCAM file is followed by a rate and a number of channels."""
    start = at if head[at : at + 1] == b"\x64" else at - 2
    if start < 0 or len(head) < start + 12:
        return False
    claims = [struct.unpack(order, head[start + 4 : start + 12]) for order in ("<fi", ">fi")]
    return any(1000 <= rate <= 768_000 and 1 <= n_channels <= 64 for rate, n_channels in claims)


def _streams(head: bytes) -> Iterator[int]:
    """Where some frames of one kind follow each other; -1 where none do."""
    yield _in_row(head, b"\xff", _mpeg_bytes)
    yield _in_row(head, b"\x0b\x77", _ac3_bytes)
    yield _in_row(head, b"\x56", _latm_bytes)
    # Packets of a transport stream; those of a camera have four bytes before each.
    yield _in_row(head, b"\x47", lambda head: 188)
    found = _in_row(head, b"\x47", lambda head: 192)
    yield found - 4 if found >= 4 else found
    # The great sync of TrueHD and MLP stands behind four bytes.
    for mark in (b"\xf8\x72\x6f\xba", b"\xf8\x72\x6f\xbb"):
        yield head.find(mark) - 4


def _in_row(data: bytes, mark: bytes, n_bytes: Callable[[bytes], int]) -> int:
    """Where so many frames that begin with a mark follow each other; -1 if nowhere.

    Args:
        data: The beginning of a file, or some of it.
        mark: First bytes of every frame.
        n_bytes: Length of the frame with these first bytes; 0 if they begin none.
    """
    return _first(data, mark, lambda at: _follow(data, at, mark, n_bytes))


def _follow(data: bytes, at: int, mark: bytes, n_bytes: Callable[[bytes], int]) -> bool:
    for _ in range(_IN_ROW):
        head = data[at : at + 8]
        length = n_bytes(head) if head.startswith(mark) else 0
        if length < 7:
            return False
        at += length
    return data[at : at + len(mark)] in {mark, b""}


def _mpeg_bytes(head: bytes) -> int:
    if len(head) >= 7 and head[1] & 0xF6 == 0xF0:
        return (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return mpeg.frame_bytes(head)


def _ac3_bytes(head: bytes) -> int:
    if len(head) < 6:
        return 0
    if head[5] >> 3 > 10:
        return 2 * (((head[2] & 7) << 8 | head[3]) + 1)
    rate, code = head[4] >> 6, head[4] & 63
    if rate == 3 or code >= 2 * len(_AC3_KBIT):
        return 0
    kbit = _AC3_KBIT[code >> 1]
    return 2 * (2 * kbit, kbit * 320 // 147 + (code & 1), 3 * kbit)[rate]


def _latm_bytes(head: bytes) -> int:
    if len(head) < 3 or head[1] & 0xE0 != 0xE0:
        return 0
    return ((head[1] & 0x1F) << 8 | head[2]) + 3
