"""What a file is by its first bytes, and whether it ends too early.

Names lie: a text is called .wav, an mp3 .ogg. And decoders survive a missing
end without a word, so the few headers that declare a length are read here.
Everything is bounded: a header's word is compared, never allocated.
"""

from __future__ import annotations

import codecs
import io
import struct
from typing import BinaryIO

from crnn.audio import flac, mpeg

# A header may count up to this many bytes too many by mistake; no sound is missing then.
_FEW_BYTES = 1024
_MAX_CHUNKS = 10_000

# First bytes of archives: sound inside them belongs to the files they hold.
_ARCHIVES = (
    (b"PK\x03\x04", "a zip archive (or an office document)"),
    (b"\x1f\x8b\x08", "a gzip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
)
# First bytes of other files that people upload as sound, and what to call them.
_NOT_SOUND = (
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"MThd", "a MIDI file, which holds notes and no sound"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x89HDF", "an HDF5 data file"),
    (b"SQLite format 3", "a database"),
)


def describe_archive(head: bytes) -> str | None:
    """A plain name for an archive of files, or None if it is none.

    Args:
        head: The first bytes of the file.
    """
    return next((description for magic, description in _ARCHIVES if head.startswith(magic)), None)


def describe_non_audio(head: bytes) -> str | None:
    """A plain name for content that no decoder reads, or None if it has none.

    Sound may stand behind zeros, a web server's header or any junk: only what could not be decoded is called this.

    Args:
        head: The first bytes of the file (some hundred are enough).
    """
    for magic, description in (*_ARCHIVES, *_NOT_SOUND):
        if head.startswith(magic):
            return description
    start = head.lstrip()[:64].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    return "a text file" if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    for name in (encoding, "cp1252"):
        try:
            # Incremental: the last character may be cut in two.
            text = codecs.getincrementaldecoder(name)().decode(head)
        except UnicodeDecodeError:
            continue
        # Bytes of sound pass for letters of cp1252, but are seldom as plain as a text in any European language.
        is_plain = name != "cp1252" or sum(byte < 0x80 for byte in head) > 0.7 * len(head)
        return is_plain and all(char.isprintable() or char.isspace() or char == "\x1b" for char in text)
    return False


def is_cut_short(source: BinaryIO, decoded_seconds: float) -> bool:
    """Whether a container declares more sound than was there.

    Knows wav (RF64 and W64 too), avi, aiff, au, caf, sox, flac, ogg and mp3 with a Xing header; says False
    where nothing is declared.

    Args:
        source: The file, seekable; its position is changed.
        decoded_seconds: How much the decoder gave.
    """
    size = source.seek(0, io.SEEK_END)
    source.seek(0)
    head = source.read(4096).ljust(64, b"\0")
    if head[:4] == b"fLaC":
        return flac.declared_seconds(head) > decoded_seconds * 1.01 + 0.1
    if head[:4] == b"OggS":
        return not _ends_with_last_ogg_page(source, size)
    declared = _declared_bytes(source, head)
    if declared is None:
        return size < 0.99 * _xing_bytes(source, head)
    return size < declared - _FEW_BYTES


def _declared_bytes(source: BinaryIO, head: bytes) -> int | None:
    """Size in bytes that an uncompressed file's header declares: 0 if none, None if it is no such file."""
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        declared = int.from_bytes(head[4:8], "little")
        return declared + 8 if declared < 0x7F000000 else 0
    if head[:4] in (b"RIFF", b"FORM"):
        return _chunked_bytes(source, head)
    if head[:4] == b".SoX":
        n_header, n_samples = struct.unpack("<IQ", head[4:16])
        return int(4 + n_header + 4 * n_samples)
    if head[:4] == b"RF64":
        return int.from_bytes(head[20:28], "little") + 8
    if head[:4] == b"riff":
        return int.from_bytes(head[16:24], "little")
    if head[:4] == b".snd":
        start, length = struct.unpack(">II", head[4:12])
        return 0 if length == 0xFFFFFFFF else start + length
    return _caf_bytes(head) if head[:4] == b"caff" else None


def _chunked_bytes(source: BinaryIO, head: bytes) -> int:
    """Where the chunk that holds the sound ends. The size of the whole is often wrong by some bytes, and harmless."""
    endian, data_kind = ("<", b"data") if head[:4] == b"RIFF" else (">", b"SSND")
    at = 12
    for _ in range(_MAX_CHUNKS):
        source.seek(at)
        chunk = source.read(8)
        if len(chunk) < 8:
            break
        kind, n_bytes = struct.unpack(f"{endian}4sI", chunk)
        # A program that writes to a pipe cannot fill in the size: it leaves 0, 0xFFFFFFFF, or about 2 GiB.
        is_open_end = n_bytes >= 0xFFFFFF00 or 0x7F000000 <= n_bytes <= 0x80000000
        if kind == data_kind:
            return 0 if is_open_end else at + 8 + n_bytes
        at += 8 + n_bytes + n_bytes % 2
    return 0


def _caf_bytes(head: bytes) -> int:
    at = 8
    while at + 12 <= len(head):
        kind, size = struct.unpack(">4sq", head[at : at + 12])
        if kind == b"data" or size < 0:
            return max(0, at + 12 + size)
        at += 12 + size
    return 0


def _ends_with_last_ogg_page(source: BinaryIO, size: int) -> bool:
    # The last page of a whole stream carries the end-of-stream flag (RFC 3533), and all its bytes.
    source.seek(max(0, size - 65_536 - 512))
    tail = source.read()
    start = tail.rfind(b"OggS")
    if start < 0 or len(tail) < start + 27:
        return False
    n_lacing = tail[start + 26]
    body = sum(tail[start + 27 : start + 27 + n_lacing])
    return bool(tail[start + 5] & 4) and len(tail) >= start + 27 + n_lacing + body


def _xing_bytes(source: BinaryIO, head: bytes) -> int:
    """Size in bytes that the Xing or Info header of an mp3 declares, 0 without one."""
    start = mpeg.id3_size(head)
    if start:
        source.seek(start)
        head = source.read(4096)
    for magic in (b"Xing", b"Info"):
        at = head.find(magic, 0, 256)
        if at >= 0 and len(head) >= at + 16:
            flags = int.from_bytes(head[at + 4 : at + 8], "big")
            offset = at + 8 + (4 if flags & 1 else 0)
            return start + int.from_bytes(head[offset : offset + 4], "big") if flags & 2 else 0
    return 0
