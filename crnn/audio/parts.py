"""What a file's data hold, whatever its headers say: joined pieces, more sound than declared, changes on the way.

soundfile believes the header: of joined files it reads the first, of a wav no more than the header counts.
So the bytes are walked here, before it decodes: Ogg by pages, mp3 by frames, FLAC by its last frame, the
formats of chunks by their chunks. Nothing is allocated for what a header says.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from crnn.audio import extents, flac, mpeg

_STEP = 1 << 20
# Less than this beyond the declared end is a tag or padding, not sound that was left out.
_FEW_BYTES = 2048
_CHUNKED = frozenset({b"RIFF", b"RF64", b"FORM"})
_KINDS = frozenset({b"WAVE", b"AIFF", b"AIFC"})
# First bytes of another file that was appended after the chunks.
_OTHERS = (b"fLaC\0\0\0\x22", b"OggS\0\x02", b"\x1a\x45\xdf\xa3", b"caff\0\x01", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11")
_TAGS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICS")


@dataclass(frozen=True)
class Part:
    """A stretch of a file that a decoder reads as if it were all of it.

    header: stands in for its first bytes.
    prefers_av: soundfile would not hear all of it.
    known_seconds: of sound that frames were counted for, where nobody else's word is good; 0 elsewhere.
    """

    start: int
    end: int
    header: bytes = b""
    prefers_av: bool = False
    known_seconds: float = 0.0


@dataclass(frozen=True)
class Contents:
    """What was found.

    parts: pieces that follow each other, at least one.
    declared_seconds: what the header says; None where the decoder's word is good for that.
    declared_share: share of the first part that the header counts.
    """

    parts: tuple[Part, ...]
    declared_seconds: float | None = None
    declared_share: float = 1.0


def examine(file: BinaryIO) -> Contents:
    """Walk a file; its position is changed."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(4096)
    whole = Contents((Part(0, size),))
    start = mpeg.id3_size(head)
    if start:
        file.seek(start)
        head = file.read(4096)
    if head[:4] == b"OggS":
        return _ogg(file, start, size)
    if head[:4] == b"fLaC":
        return _flac(file, start, size)
    if head[:4] in _CHUNKED:
        return _chunks(file, size) if not start else whole
    if mpeg.is_frame(head):
        return _mpeg(file, start, size)
    joined = extents.joined(file, size)
    if len(joined) > 1:
        return Contents(tuple(Part(*span) for span in joined))
    if head[:4] == b".snd":
        return _au(head, size)
    return _caf(file, head, size) if head[:4] == b"caff" else whole


# Ogg


def _ogg(file: BinaryIO, start: int, size: int) -> Contents:
    """Links of a chained Ogg, each a part; several streams side by side are PyAV's."""
    starts: list[int] = []
    was_first, is_multiplexed = False, False
    for at, is_first in _ogg_pages(file, start, size):
        if is_first and not was_first:
            starts.append(at)
        is_multiplexed |= is_first and was_first
        was_first = is_first
    ends = [*starts[1:], size]
    if is_multiplexed or not starts:
        return Contents((Part(0, size, prefers_av=is_multiplexed),))
    return Contents(tuple(Part(at, end) for at, end in zip(starts, ends, strict=True)))


def _ogg_pages(file: BinaryIO, start: int, size: int) -> Iterator[tuple[int, bool]]:
    """Positions of pages, and whether each begins a stream; over junk between them."""
    at = start
    while at + 27 <= size:
        file.seek(at)
        head = file.read(27 + 255)
        if head[:4] != b"OggS":
            skipped = file.read(_STEP)
            found = (head + skipped).find(b"OggS", 1)
            at += found if found > 0 else len(head) + len(skipped) - 3 if skipped else size
            continue
        yield at, bool(head[5] & 2)
        n_lacing = head[26]
        at += 27 + n_lacing + sum(head[27 : 27 + n_lacing])


# FLAC


def _flac(file: BinaryIO, start: int, size: int) -> Contents:
    starts = [start, *(at for at in _occurrences(file, b"fLaC\0\0\0\x22", start + 4, size))]
    ends = [*starts[1:], size]
    parts = []
    for at, end in zip(starts, ends, strict=True):
        parts.append(Part(at, end, flac.mended_header(file, at, end)))
    file.seek(start)
    declared = flac.declared_seconds(file.read(42))
    return Contents(tuple(parts), declared_seconds=declared)


def _occurrences(file: BinaryIO, pattern: bytes, start: int, size: int) -> Iterator[int]:
    at, kept = start, b""
    while at < size:
        file.seek(at)
        data = kept + file.read(_STEP)
        if len(data) <= len(kept):
            return
        found = data.find(pattern)
        while found >= 0:
            yield at - len(kept) + found
            found = data.find(pattern, found + 1)
        at += len(data) - len(kept)
        kept = data[-(len(pattern) - 1) :]


# MPEG audio


def _mpeg(file: BinaryIO, start: int, size: int) -> Contents:
    walks = mpeg.walk(file, start, size)
    if not walks:
        return Contents((Part(0, size),))
    starts = [0, *(walk.start for walk in walks[1:])]
    ends = [*starts[1:], size]
    parts = tuple(_mpeg_part(*each) for each in zip(walks, starts, ends, strict=True))
    return Contents(parts, walks[0].declared_seconds)


def _mpeg_part(walk: mpeg.Walk, start: int, end: int) -> Part:
    declared = walk.declared_seconds
    # Five frames: padding that encoders may add without saying so.
    is_told_wrong = declared > 0 and abs(walk.seconds - declared) > max(0.1, 5 * walk.frame_seconds)
    is_unsteady = not declared and walk.has_many_bit_rates
    prefers_av = walk.changes or is_told_wrong or is_unsteady
    return Part(start, end, b"", prefers_av, walk.seconds if prefers_av or not declared else 0.0)


# Chunks


def _chunks(file: BinaryIO, size: int) -> Contents:
    """wav and AIFF: joined ones, and ones whose header counts less than is there."""
    parts: list[Part] = []
    at, declared_share = 0, 1.0
    while size - at > 64:
        part, share = _chunked_part(file, at, size)
        if part is None:
            if parts:
                parts.append(Part(at, size))
            break
        declared_share = declared_share if parts else share
        parts.append(part)
        at = part.end
    file.seek(0)
    head = file.read(4096)
    coding = head.find(b"fmt ") + 8
    # soundfile guesses the length of an mp3 inside a wav by its first frames, and reads no further than that.
    prefers_av = head[:4] != b"FORM" and coding >= 8 and head[coding : coding + 2] in {b"\x50\0", b"\x55\0"}
    if prefers_av:
        parts = [replace(part, prefers_av=True) for part in parts]
    return Contents(tuple(parts) or (Part(0, size, prefers_av=prefers_av),), declared_share=declared_share)


def _chunked_part(file: BinaryIO, start: int, size: int) -> tuple[Part | None, float]:
    file.seek(start)
    head = file.read(12)
    endian, data_kind = (">", b"SSND") if head[:4] == b"FORM" else ("<", b"data")
    if head[:4] not in _CHUNKED or head[8:12] not in _KINDS:
        return None, 1.0
    at, long_sizes = start + 12, 0
    while at + 8 <= size:
        file.seek(at)
        kind, n_bytes = struct.unpack(f"{endian}4sI", file.read(8))
        if kind == b"ds64":
            long_sizes = at + 8
        if kind == data_kind:
            break
        at += 8 + n_bytes + n_bytes % 2
    else:
        return (Part(start, size), 1.0)
    is_long = head[:4] == b"RF64" and long_sizes and n_bytes == 0xFFFFFFFF
    if is_long:
        file.seek(long_sizes + 8)
        n_bytes = int.from_bytes(file.read(8), "little")
    begin, end = at + 8, at + 8 + n_bytes
    is_open_end = is_long and not 0 < n_bytes < 2**62
    if is_open_end:
        end = begin
    next_part = _after_chunks(file, end, size)
    if next_part is not None or end >= size:
        return Part(start, next_part or size), 1.0
    if is_long:
        mended = _mended_rf64(file, start, begin, size, long_sizes)
        return Part(start, size, mended), 1.0 if is_open_end else n_bytes / max(1, size - begin)
    if endian == ">" or n_bytes >= 0xFFFFFF00:
        return Part(start, size, _mended_aiff(file, start, begin, size)), n_bytes / max(1, size - begin)
    file.seek(start)
    header = bytearray(file.read(begin - start))
    true = min(size - begin, 0xFFFFFFFE)
    header[4:8] = struct.pack("<I", min(0xFFFFFFFE, begin - start - 8 + true))
    header[-4:] = struct.pack("<I", true)
    return Part(start, size, bytes(header)), n_bytes / max(1, true) if n_bytes else 1.0


def _after_chunks(file: BinaryIO, end: int, size: int) -> int | None:
    """Where another file is joined on behind further chunks, or the size if they end the file; None if it is sound."""
    for first in (end + end % 2, end):
        at = first
        while size - at > _FEW_BYTES:
            file.seek(at)
            head = file.read(12)
            kind, n_bytes = head[:4], int.from_bytes(head[4:8], "little")
            if (head[:4] in _CHUNKED and head[8:12] in _KINDS) or head.startswith(_OTHERS) or head[4:8] == b"ftyp":
                return at
            if head.startswith(_TAGS):
                return size
            if not all(32 <= byte < 127 for byte in kind):
                break
            big = int.from_bytes(head[4:8], "big")
            n_bytes = min(n_bytes, big)
            if at + 8 + n_bytes > size:
                break
            at += 8 + n_bytes + n_bytes % 2
        else:
            return size
        if _is_all_zeros(file, at, size):
            return size
    return None


def _is_all_zeros(file: BinaryIO, start: int, size: int) -> bool:
    file.seek(start)
    return not file.read(min(_STEP, size - start)).strip(b"\0")


def _mended_aiff(file: BinaryIO, start: int, begin: int, size: int) -> bytes:
    """The header of an AIFF with the number of frames that are there; empty where it cannot be told."""
    file.seek(start)
    header = bytearray(file.read(begin + 8 - start))
    at = header.find(b"COMM")
    if header[:4] != b"FORM" or at < 0:
        return b""
    n_channels, _, n_bits = struct.unpack(">HIH", header[at + 8 : at + 16])
    frame_bytes = n_channels * ((n_bits + 7) // 8)
    if not frame_bytes:
        return b""
    true = size - begin - 8
    header[at + 10 : at + 14] = struct.pack(">I", min(0xFFFFFFFF, true // frame_bytes))
    header[4:8] = struct.pack(">I", min(0xFFFFFFFE, size - start - 8))
    header[begin - 4 - start : begin - start] = struct.pack(">I", min(0xFFFFFFFE, true + 8))
    return bytes(header)


def _mended_rf64(file: BinaryIO, start: int, begin: int, size: int, long_sizes: int) -> bytes:
    """The header of an RF64 with the sizes that are there."""
    file.seek(start)
    header = bytearray(file.read(begin - start))
    at = long_sizes - start
    header[at : at + 16] = struct.pack("<QQ", size - start - 8, size - begin)
    return bytes(header)


def _au(head: bytes, size: int) -> Contents:
    begin, declared = struct.unpack(">II", head[4:12])
    true = size - begin
    # From 2 GiB on libsndfile takes the length for a negative one.
    is_right = true - declared <= _FEW_BYTES and declared < 2**31
    if len(head) < 24 or declared == 0xFFFFFFFF or is_right or begin > len(head) or true <= 0:
        return Contents((Part(0, size),))
    header = head[:8] + struct.pack(">I", min(true, 0xFFFFFFFE)) + head[12:begin]
    # Zero is left by a program that could not seek back to fill it in.
    return Contents((Part(0, size, header),), declared_share=min(1.0, declared / true) if declared else 1.0)


def _caf(file: BinaryIO, head: bytes, size: int) -> Contents:
    """A CAF of plain samples whose header counts less than is there; what it packs has a table of its own."""
    at = 8
    while at + 12 <= len(head) and head[at : at + 4] != b"data":
        at += 12 + max(0, int.from_bytes(head[at + 4 : at + 12], "big", signed=True))
    declared = int.from_bytes(head[at + 4 : at + 12], "big", signed=True)
    begin, end = at + 12, at + 12 + declared
    is_plain = head[8:12] == b"desc" and head[28:32] in {b"lpcm", b"ulaw", b"alaw"}
    if begin > len(head) or not is_plain or declared < 4 or size - end <= _FEW_BYTES:
        return Contents((Part(0, size),))
    file.seek(end)
    behind = file.read(12)
    if all(32 <= byte < 127 for byte in behind[:4]) and end + 12 + int.from_bytes(behind[4:], "big") <= size:
        return Contents((Part(0, size),))
    header = head[: at + 4] + struct.pack(">q", size - begin) + head[begin : begin + 4]
    return Contents((Part(0, size, header),), declared_share=declared / (size - begin))
