"""What a file is tagged with, its genre above all: what its owner, a shop or another program says it is.

Read by tinytag (MIT). The sound is never refused for its tags: what cannot be read is no tag.
"""

from __future__ import annotations

import io
import logging
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinytag import TinyTag

_BETWEEN = re.compile(r"[;/,|\0]")
_MAX_WORDS, _MAX_CHARACTERS = 8, 80
# Pictures that every browser shows, by how their bytes begin; what a file calls them is not asked.
_PICTURES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"GIF8": "image/gif"}
_MAX_PICTURE_BYTES = 4 * 2**20
# A picture of 64 kB can have 23 000 by 23 000 pixels: Chromium took 2 GB for it. Covers are scanned at 6000 at most.
_MAX_PIXELS = 40_000_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OwnWords:
    """What a file says of itself; empty where it says nothing."""

    title: str = ""
    artist: str = ""
    genres: tuple[str, ...] = ()

    def sentence(self) -> str:
        """Title, artist and genre in a line: “So What · Miles Davis · tagged Jazz”."""
        tagged = f"tagged {', '.join(self.genres)}" if self.genres else ""
        return " · ".join(filter(None, (self.title, self.artist, tagged)))


def read_genres(path: Path) -> tuple[str, ...]:
    """The genres in a file's tags, as they are written there; empty where there are none to be read."""
    return split_genres(_texts(_tags(path), "genre"))


def read_words(data: bytes) -> OwnWords:
    """What the bytes of a file say of themselves: of several titles or artists the first."""
    found = _tags(io.BytesIO(data))
    title, artist = (next(iter(_texts(found, name)), "") for name in ("title", "artist"))
    return OwnWords(_short(title), _short(artist), split_genres(_texts(found, "genre")))


@dataclass(frozen=True)
class Cover:
    """A picture in a file's tags: its bytes, which nothing here decodes, and their kind."""

    data: bytes
    mimetype: str


def read_cover(data: bytes) -> Cover | None:
    """The picture in the tags of a file's bytes, the front cover first; None where there is none to be shown."""
    found = _read(io.BytesIO(data), image=True)
    picture = found.images.any if found is not None else None
    if picture is None or not 0 < len(picture.data) <= _MAX_PICTURE_BYTES:
        return None
    kinds = (mimetype for beginning, mimetype in _PICTURES.items() if picture.data.startswith(beginning))
    mimetype = next(kinds, None)
    if mimetype is None or not 0 < _n_pixels(picture.data, mimetype) <= _MAX_PIXELS:
        return None
    return Cover(bytes(picture.data), mimetype)


def _n_pixels(data: bytes, mimetype: str) -> int:
    """How many pixels a picture has by its header; 0 where it does not say."""
    if mimetype == "image/png":
        return int.from_bytes(data[16:20], "big") * int.from_bytes(data[20:24], "big")
    if mimetype == "image/gif":
        return int.from_bytes(data[6:8], "little") * int.from_bytes(data[8:10], "little")
    at = 2
    while data[at : at + 1] == b"\xff" and at + 9 <= len(data):
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            return int.from_bytes(data[at + 5 : at + 7], "big") * int.from_bytes(data[at + 7 : at + 9], "big")
        # Bytes of 0xFF may fill the space before a segment, which tells its own length.
        at += 1 if marker == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0


def _tags(source: Path | io.BytesIO) -> dict[str, Any]:
    found = _read(source)
    return {} if found is None else found.as_dict()


def _read(source: Path | io.BytesIO, *, image: bool = False) -> TinyTag | None:
    from tinytag import TinyTag, TinyTagException

    where: dict[str, Any] = {"filename": source} if isinstance(source, Path) else {"file_obj": source}
    try:
        return TinyTag.get(**where, duration=False, image=image)
    except (TinyTagException, OSError, ValueError, LookupError, ArithmeticError, struct.error) as err:
        _log.info("The tags of %s cannot be read: %s", source if isinstance(source, Path) else "an upload", err)
        return None


def _texts(found: dict[str, Any], name: str) -> list[str]:
    texts = found.get(name) or []
    return [texts] if isinstance(texts, str) else [str(text) for text in texts]


def _short(text: str) -> str:
    return " ".join(text.replace("\0", " ").split())[:_MAX_CHARACTERS]


def split_genres(texts: list[str]) -> tuple[str, ...]:
    """The genres that a tag's texts name: `Rock; Blues` are two."""
    words = (word.strip()[:_MAX_CHARACTERS] for text in texts for word in _BETWEEN.split(str(text)))
    return tuple(dict.fromkeys(word for word in words if word))[:_MAX_WORDS]
