"""Write a genre into a file's tags so that nothing is lost: the sound, the other tags, and the way back.

By mutagen, which is under the GPL and so an optional extra (`tags`), imported late. A copy is
changed and checked: the coded sound is the same bit for bit, all other tags say what they said,
and the original can be made again from it. Only then does it take the original's place.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crnn import atomic
from crnn.audio import file_delta
from crnn.audio.tags import split_genres
from crnn.errors import CrnnError

# What mutagen raises on damaged files besides its own errors.
_MISTAKES = (ValueError, LookupError, ArithmeticError, TypeError, struct.error)
# The field in which each kind of tag keeps the genre.
_ID3, _MP4, _VORBIS, _APE, _ASF = "TCON", "\xa9gen", "genre", "Genre", "WM/Genre"


class TagError(CrnnError):
    """The genre cannot be written into this file, which is left as it is."""


@dataclass(frozen=True)
class Written:
    """What is kept of a change: enough to undo it byte for byte.

    path: the file; before, after: its SHA-256; modified_ns: its time of change before; delta: see `file_delta`.
    """

    path: Path
    old_genres: tuple[str, ...]
    new_genre: str
    before: str
    after: str
    modified_ns: int
    delta: str


def check_mutagen() -> None:
    """Refuse early where the extra is not installed.

    Raises:
        CrnnError: It is not.
    """
    try:
        import mutagen  # noqa: F401
    except ImportError as err:
        raise CrnnError("Writing tags needs mutagen. Add it with: pip install mutagen") from err


def genres_in(path: Path) -> tuple[str, ...]:
    """The genres in the tag that would be written.

    Raises:
        TagError: The file's format has no tag that can be written, or it is damaged.
    """
    return _genres(_opened(path), path)


def check_replaceable(path: Path) -> None:
    """Refuse a file that must not be replaced by a changed copy.

    Args:
        path: The file; not a link.

    Raises:
        TagError: It is protected, empty, or has several names.
    """
    facts = path.stat()
    if facts.st_nlink > 1:
        raise TagError("It has several names (hard links), which would be parted.")
    # root may write anything, but somebody protected this file on purpose.
    if not facts.st_mode & 0o222 or not os.access(path, os.W_OK):
        raise TagError("It is protected against changes.")
    if not facts.st_size:
        raise TagError("It is empty.")


@contextlib.contextmanager
def prepared(path: Path, genre: str) -> Iterator[tuple[Written, Path]]:
    """A changed copy beside the file, checked, and what is kept of the change; the copy goes unless it is put in place.

    Args:
        path: The file; not a link.
        genre: What shall be its genre.

    Raises:
        TagError: It cannot be written, or something else than the genre would change.
    """
    draft = _draft_beside(path)
    try:
        check_replaceable(path)
        shutil.copy2(path, draft)
        opened = _opened(draft)
        old, others = _genres(opened, draft), _other_tags(opened)
        _written(opened, genre)
        if _other_tags(_opened(draft)) != others:
            raise TagError("Its other tags would change too.")
        if _sound_digest(draft) != _sound_digest(path):
            raise TagError("Its sound would change.")
        kept = _kept(path, draft, old, genre)
        yield kept, draft
    except OSError as err:
        raise TagError(f"It cannot be written: {err.strerror or err}.") from err
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def put_in_place(draft: Path, kept: Written) -> None:
    """Let the changed copy take the file's place; its time is that of the change, its rights are the file's.

    Args:
        draft: The changed copy, on the disk of the file.
        kept: The file, and the SHA-256 that it had when the copy was made.

    Raises:
        TagError: The disk refuses, or the file was changed by another program meanwhile.
    """
    try:
        if atomic.sha256_of(kept.path) != kept.before:
            raise TagError("Another program changed it meanwhile.")
        _same_owner(kept.path, draft)
        os.utime(draft)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(kept.path)
    except OSError as err:
        raise TagError(f"It cannot be written: {err.strerror or err}.") from err


def undo(kept: Written) -> bool:
    """Make the file again as it was, its time of change too; False where it is that already.

    Raises:
        TagError: It was changed since, is gone, or the disk refuses: it is left as it is.
    """
    try:
        now = atomic.sha256_of(kept.path)
        if now == kept.before:
            return False
        if now != kept.after:
            old = " and ".join(kept.old_genres) or "none"
            raise TagError(f"It was changed since, and is left as it is. Its genre before was: {old}.")
        _make_again(kept)
    except ValueError as err:
        raise TagError(f"What was kept of it cannot be read: {err}.") from err
    except OSError as err:
        raise TagError(f"It cannot be restored: {err.strerror or err}.") from err
    return True


def _make_again(kept: Written) -> None:
    draft = _draft_beside(kept.path)
    try:
        shutil.copy2(kept.path, draft)
        with draft.open("r+b") as out:
            out.truncate(0)
            is_whole = file_delta.restore(kept.delta, kept.path, out) == kept.before
            out.flush()
            os.fsync(out.fileno())
        if not is_whole:
            raise TagError("What was kept of it is damaged; it is left as it is.")
        _same_owner(kept.path, draft)
        os.utime(draft, ns=(draft.stat().st_atime_ns, kept.modified_ns))
        draft.replace(kept.path)
    finally:
        draft.unlink(missing_ok=True)


def _draft_beside(path: Path) -> Path:
    """A hidden name in the same folder, with the ending by which mutagen knows the format."""
    return path.with_name(f".{path.stem[:40]}-{secrets.token_hex(4)}{path.suffix}")


def _same_owner(original: Path, draft: Path) -> None:
    facts = original.stat()
    if hasattr(os, "chown"):
        with contextlib.suppress(PermissionError):  # only root gives files away
            os.chown(draft, facts.st_uid, facts.st_gid)
    draft.chmod(facts.st_mode & 0o7777)


def _kept(path: Path, draft: Path, old: tuple[str, ...], genre: str) -> Written:
    before, after = atomic.sha256_of(path), atomic.sha256_of(draft)
    delta = file_delta.make_delta(path, draft)
    with open(os.devnull, "wb") as nowhere:
        if file_delta.restore(delta, draft, nowhere) != before:
            raise TagError("It could not be made again as it is.")
    return Written(path, old, genre, before, after, path.stat().st_mtime_ns, delta)


def _opened(path: Path) -> Any:
    """What mutagen makes of a file.

    Raises:
        TagError: It knows no tag for it, or finds it damaged.
    """
    import mutagen

    try:
        found = mutagen.File(path)
    except (mutagen.MutagenError, *_MISTAKES) as err:
        if isinstance(err.__cause__ or err, OSError):
            raise TagError(f"It cannot be read: {err}.") from err
        if _is_of_another_kind(path):
            raise TagError("Its format has no tag that can be written.") from err
        raise TagError(f"Its tags are damaged ({str(err) or type(err).__name__}).") from err
    if found is None or _field_of(found) is None:
        raise TagError("Its format has no tag that can be written.")
    return found


def _is_of_another_kind(path: Path) -> bool:
    """Whether it only begins like a wav: an AVI, say."""
    with path.open("rb") as file:
        head = file.read(12)
    return head[:4] == b"RIFF" and head[8:] != b"WAVE"


def _field_of(found: Any) -> str | None:
    from mutagen.aiff import AIFF
    from mutagen.apev2 import APEv2File
    from mutagen.asf import ASF
    from mutagen.flac import FLAC
    from mutagen.id3 import ID3FileType
    from mutagen.mp4 import MP4
    from mutagen.ogg import OggFileType
    from mutagen.wave import WAVE

    kinds = {
        (ID3FileType, AIFF, WAVE): _ID3,
        (MP4,): _MP4,
        (FLAC, OggFileType): _VORBIS,
        (APEv2File,): _APE,
        (ASF,): _ASF,
    }
    return next((field for kind, field in kinds.items() if isinstance(found, kind)), None)


def _genres(found: Any, path: Path) -> tuple[str, ...]:
    from mutagen import MutagenError
    from mutagen.apev2 import APEv2

    texts: list[str] = []
    field = _field_of(found)
    if found.tags is not None and field in found.tags:
        value = found.tags[field]
        texts = list(value.genres) if field == _ID3 else [str(text) for text in value]
    if field == _ID3:
        # Some programs put an APEv2 tag behind an mp3.
        with contextlib.suppress(MutagenError, ValueError):
            behind: Any = APEv2(path)  # type: ignore[no-untyped-call]
            texts += [str(text) for text in behind.get(_APE, [])]
    return split_genres(texts)


def _written(found: Any, genre: str) -> None:
    from mutagen import MutagenError

    try:
        _set_genre(found, genre)
    except (MutagenError, *_MISTAKES) as err:
        # A header that counts what cannot be counted on from: 0xFFFFFFFF bytes, say.
        raise TagError(f"Its tags cannot be written ({str(err) or type(err).__name__}).") from err


def _set_genre(found: Any, genre: str) -> None:
    if found.tags is None:
        found.add_tags()
    field = _field_of(found)
    if field != _ID3:
        found.tags[field] = genre if field == _APE else [genre]
        found.save()
        return
    from mutagen.id3 import TCON

    found.tags.setall(field, [TCON(encoding=3, text=[genre])])  # type: ignore[no-untyped-call]
    # A tag of version 2.3 stays one: older players read no other.
    if found.tags.version[:2] == (2, 3):
        found.tags.update_to_v23()
        found.save(v2_version=3)
    else:
        found.save()


def _other_tags(found: Any) -> dict[str, str]:
    """All tags but the genre, and what programs write of themselves, as text to compare."""
    field = _field_of(found)
    tags = {} if found.tags is None else dict(found.tags)
    texts = {str(name): _compared(value) for name, value in tags.items() if str(name).lower() != str(field).lower()}
    # Pictures and the like lie outside the tag there.
    return texts | {f"picture {i}": _compared(p) for i, p in enumerate(getattr(found, "pictures", None) or [])}


def _compared(value: Any) -> str:
    content = value.pprint() + repr(getattr(value, "data", "")) if hasattr(value, "pprint") else repr(value)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def _sound_digest(path: Path) -> str:
    """SHA-256 of all packets of coded sound."""
    import av

    digest = hashlib.sha256()
    try:
        # No playlist or image sequence may lead to other files.
        safe: dict[str, Any] = {"options": {"protocol_whitelist": "none"}, "metadata_errors": "replace"}
        with path.open("rb") as file, av.open(file, **safe) as container:
            for packet in container.demux(list(container.streams.audio)):
                digest.update(bytes(packet))
    except av.FFmpegError as err:
        raise TagError(f"Its sound cannot be compared before and after ({err.strerror}).") from err
    return digest.hexdigest()
