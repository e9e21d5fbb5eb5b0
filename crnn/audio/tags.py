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
    return Cover(bytes(picture.data), mimetype) if mimetype else None


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
