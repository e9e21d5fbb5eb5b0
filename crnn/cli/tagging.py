"""`classify --write-tags` and `--undo`: the answer into the files, and out again."""

from __future__ import annotations

import argparse
import base64
import binascii
import datetime
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from crnn import paths
from crnn.audio import tag_writing
from crnn.audio.tag_writing import TagError, Written
from crnn.audio.tags import read_genres
from crnn.cli.common import file_path, progress, say
from crnn.errors import CrnnError
from crnn.inference.rows import Row
from crnn.inference.tag_words import written
from crnn.text import confidence, number_of
from crnn.untrusted import json_line, path_of, visible

AT_LEAST = 0.8


@dataclass(frozen=True)
class _Change:
    """A file and the genre that it is to get; `reason` where it is left as it is."""

    path: Path
    confidence: float
    new: str
    old: tuple[str, ...] = ()
    reason: str = ""


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--write-tags` and what belongs to it."""
    group = parser.add_argument_group("tags in files", "never written unless --write-tags is given; needs mutagen")
    group.add_argument("--write-tags", action="store_true", help="write the genre into the files that have none")
    group.add_argument(
        "--at-least",
        type=_share,
        metavar="C",
        help=f"only answers of this confidence, 0 to 1 (tags: {AT_LEAST}; playlists: every answer that is a genre)",
    )
    group.add_argument("--overwrite-genre", action="store_true", help="also where the tags name a genre already")
    group.add_argument("--dry-run", action="store_true", help="print what --write-tags would change, change nothing")
    group.add_argument("--undo-file", type=file_path, metavar="FILE", help="keep how to undo it (default: a new file)")
    group.add_argument("--undo", type=file_path, metavar="FILE", help="make files again as they were, byte for byte")


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text[:40]} is not a number from 0 to 1")
    return share


def write_tags(rows: Iterable[Row], options: argparse.Namespace, should_stop: Callable[[], bool]) -> int:
    """Write the genres of rows into their files, or with `--dry-run` say what would be; the number of failures.

    Args:
        rows: JSON rows of `classify`.
        options: As `classify --help` names them.
        should_stop: Asked after each file.

    Raises:
        CrnnError: The undo file is another file, or cannot be written.
    """
    at_least = AT_LEAST if options.at_least is None else options.at_least
    chosen = [row for row in rows if row.get("genre") and row["confidence"] >= at_least]
    # Rows alone go to stdout where a program reads them.
    out = sys.stdout if options.format == "table" or options.out else sys.stderr
    # A file may be named twice, by a link.
    by_path = {path_of(row["file"]).resolve(): row for row in chosen if path_of(row["file"]).is_file()}
    changes = [_planned(path, row, overwrite=options.overwrite_genre) for path, row in by_path.items()]
    counts = {"written": 0, "left": 0, "failed": 0}
    undo_path = options.undo_file or new_undo_path()
    if not options.dry_run:
        take_up(undo_path)
    for change in progress(changes, len(changes), "tags"):
        outcome = "left" if change.reason else "would be written"
        if not change.reason and not options.dry_run:
            change, outcome = _carried_out(change, undo_path)  # noqa: PLW2901 - with the reason of a failure
        counts["written" if outcome == "would be written" else outcome] += 1
        out.write(_line(change, outcome))
        if should_stop():
            break
    _sum_up(counts, undo_path, is_dry=options.dry_run)
    return counts["failed"]


def _planned(path: Path, row: Row, *, overwrite: bool) -> _Change:
    # A link stays a link: what it leads to is changed.
    change = _Change(path, row["confidence"], written(row["genre"]))
    try:
        # Also where another tag of the file names one: the INFO of a wav, say.
        old = tag_writing.genres_in(path) or read_genres(path)
        tag_writing.check_replaceable(path)
    except TagError as err:
        return replace(change, reason=str(err))
    reason = ""
    if old == (change.new,):
        reason = "It says so already."
    elif old and not overwrite:
        reason = f"It is tagged {' and '.join(old)}."
    return replace(change, old=old, reason=reason)


def _carried_out(change: _Change, undo_path: Path) -> tuple[_Change, str]:
    try:
        with tag_writing.prepared(change.path, change.new) as (kept, draft):
            # Kept before it is done: whatever is interrupted, there is a way back.
            _keep(kept, undo_path)
            tag_writing.put_in_place(draft, kept)
    except TagError as err:
        return replace(change, reason=str(err)), "failed"
    return change, "written"


def _line(change: _Change, outcome: str) -> str:
    name = visible(change.path.name)
    if change.reason:
        return f"{outcome:<16} {name}: {visible(change.reason)}\n"
    old = visible(" and ".join(change.old)) or "no genre"
    return f"{outcome:<16} {name}: {old} → {visible(change.new)} ({confidence(change.confidence)})\n"


def _sum_up(counts: dict[str, int], undo_path: Path, *, is_dry: bool) -> None:
    would = "would be " if is_dry else ""
    failed = f", {counts['failed']} failed" if counts["failed"] else ""
    files = number_of(counts["written"], "file")
    say(
        f"Genres {would}written into {files}, {counts['left']} left as they are{failed}.",
        to_stderr=True,
    )
    if counts["written"] and not is_dry:
        # Where data are kept for a user the path may have spaces, on a Mac it does.
        place = f'"{undo_path}"' if " " in str(undo_path) else undo_path
        say(f"To undo it: python -m crnn classify --undo {place}", to_stderr=True)


def new_undo_path() -> Path:
    """Where how to undo it is kept unless somebody says where."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return paths.home_dir() / "undo" / f"tags-{stamp}-{os.getpid()}.jsonl"


def _keep(kept: Written, undo_path: Path) -> None:
    values = asdict(kept) | {"path": base64.b64encode(os.fsencode(kept.path)).decode(), "file": str(kept.path)}
    try:
        undo_path.parent.mkdir(parents=True, exist_ok=True)
        with undo_path.open("a", encoding="utf-8") as file:
            file.write(json_line(values))
            file.flush()
            os.fsync(file.fileno())
    except OSError as err:
        raise CrnnError(f"{undo_path} cannot be written, so no tag is: {err.strerror or err}.") from err


def undo_tags(undo_path: Path) -> int:
    """Make the files again as they were before `--write-tags`; the number of failures.

    Raises:
        CrnnError: The undo file cannot be read.
    """
    kept, _ = _read(undo_path)
    n_failed, restored = 0, set()
    # Backwards: a file may have been written twice.
    for change in progress(reversed(kept), len(kept), "files"):
        try:
            if tag_writing.undo(change):
                restored.add(change.path)
        except TagError as err:
            n_failed += 1
            say(f"{change.path}: {err}", to_stderr=True)
    say(f"As they were: {number_of(len(restored), 'file')}.", to_stderr=True)
    return n_failed


def take_up(undo_path: Path) -> None:
    """Have an undo file that is written on end with a whole line, or the next one would be part of one that was cut.

    Args:
        undo_path: Need not be there.

    Raises:
        CrnnError: It is another file, or cannot be written.
    """
    try:
        if not undo_path.exists() or not undo_path.stat().st_size:
            undo_path.parent.mkdir(parents=True, exist_ok=True)
            return
        _, n_bytes = _read(undo_path)
        if n_bytes < undo_path.stat().st_size:
            os.truncate(undo_path, n_bytes)
    except OSError as err:
        raise CrnnError(f"{undo_path} cannot be written, so no tag is: {err.strerror or err}.") from err


def _read(undo_path: Path) -> tuple[list[Written], int]:
    """The changes of an undo file, and the bytes that they take.

    A last line that was cut short, in whatever letter, belongs to a change that was not made.
    """
    try:
        content = undo_path.read_bytes()
        lines = content.split(b"\n")[:-1]
        if not lines:
            raise ValueError("it holds no whole line")
        return list(map(_change_of, lines)), content.rfind(b"\n") + 1
    except OSError as err:
        raise CrnnError(f"{undo_path} cannot be read: {err.strerror or err}.") from err
    except (ValueError, KeyError, TypeError) as err:
        raise CrnnError(f"{undo_path} is no undo file of classify --write-tags.") from err


def _change_of(line: bytes) -> Written:
    values: Any = json.loads(line)
    if not isinstance(values, dict):
        raise ValueError("a line is no change")
    del values["file"]
    try:
        path = Path(os.fsdecode(base64.b64decode(values.pop("path"))))
    except binascii.Error as err:
        raise ValueError("a path is damaged") from err
    old, modified_ns = tuple(map(str, values.pop("old_genres"))), int(values.pop("modified_ns"))
    return Written(path=path, old_genres=old, modified_ns=modified_ns, **values)
