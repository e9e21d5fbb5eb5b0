"""`classify`: files and folders in, a line of answer a file out."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import signal
import sys
from collections.abc import Callable, Container, Generator, Iterator
from pathlib import Path
from typing import IO, Any, NoReturn

from crnn.audio.tag_writing import check_mutagen
from crnn.bundles.library import find_bundle
from crnn.cli.answering import Answerer, answer_in_worker, answered
from crnn.cli.common import add_command, add_model_option, file_path, job_count, progress, result_file, say
from crnn.cli.playlists import make_folder, write_playlists
from crnn.cli.tagging import add_options as add_tag_options
from crnn.cli.tagging import new_undo_path, take_up, undo_tags, write_tags
from crnn.errors import CrnnError, WrongUseError
from crnn.inference.rows import Row, csv_header, csv_row, table_lines
from crnn.text import number_of
from crnn.untrusted import json_line, written_name

_DESCRIPTION = """\
Name the genre of sound files, and of all sound files in folders.

Formats: table for reading; json for one JSON object a line; csv.
A file that cannot be used gets an error row, and the exit status 1; the others
are answered all the same.

A log-mel archive (.npz, made by features) is answered track by track.

What a file is tagged with is told beside the answer. --write-tags writes the genre into
files that have none, and keeps how to undo that; --dry-run shows it first.

Many files: --jobs spreads them over the cores of this machine, --engine dask over
the workers of a dask cluster that see the same files and models. After Ctrl-C,
or a crash, the same command with --resume answers only what is left."""


def add_commands(commands: Any) -> None:
    """Add `classify`."""
    parser = add_command(commands, "classify", "name the genre of files and folders", _DESCRIPTION)
    parser.add_argument(
        "paths",
        nargs="*",
        type=file_path,
        metavar="PATH",
        help="sound files, folders, log-mel archives",
    )
    add_model_option(parser)
    parser.add_argument("--format", choices=("table", "json", "csv"), default="table", help="default: table")
    parser.add_argument(
        "--timeline", action="store_true", help="how the answer moves through each file (json always has it)"
    )
    parser.add_argument("--out", type=result_file(), metavar="FILE", help="write there instead of to stdout")
    parser.add_argument("--jobs", type=job_count, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument(
        "--resume", action="store_true", help="go on where --out ends (json): files that have a row there are left out"
    )
    parser.add_argument(
        "--engine",
        choices=("local", "dask"),
        default="local",
        help="dask: rows come as they are ready (default: local)",
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of the dask cluster, tcp://HOST:8786 say")
    parser.add_argument("--playlists", type=file_path, metavar="DIR", help="write a playlist (M3U8) for each genre")
    add_tag_options(parser)
    parser.set_defaults(run=functools.partial(classify, wrong_use=parser.error))


def classify(options: argparse.Namespace, wrong_use: Callable[[str], NoReturn]) -> int:
    """Run the command; 1 if a file failed.

    Args:
        options: As `classify --help` names them.
        wrong_use: Ends the program with a sentence and status 2, as argparse does.

    Raises:
        CrnnError: There is no sound file, the model does not load, or a result cannot be written.
    """
    from crnn.audio import workers
    from crnn.audio.folders import find_audio_files
    from crnn.inference.tag_words import Agreement, agreement_sentence, count

    if bool(options.paths) == bool(options.undo):
        wrong_use("PATH and --undo exclude each other" if options.paths else "name a PATH, or --undo FILE")
    if options.undo:
        return 1 if undo_tags(options.undo) else 0
    _check_use(options)
    if options.engine == "local" and options.jobs == 1:
        # It starts while the network is opened.
        workers.warm_up()
    bundle = find_bundle(options.model)
    _make_places(options)
    files, left_out = find_audio_files(options.paths)
    for note in left_out:
        say(note, to_stderr=True)
    if not files:
        raise CrnnError("No sound files there. Name files, or folders that hold wav, mp3, flac, m4a, …")
    answer = Answerer(bundle.path, options.timeline or options.format == "json")
    earlier = read_rows(options.out) if options.resume else []
    answered_before = {written_name(row["file"]) for row in earlier}
    left = [path for path in files if written_name(path) not in answered_before]
    if options.resume:
        assert options.out is not None  # _check_use saw to it
        say(_resumed_sentence(options.out, len(files) - len(left), len(left)), to_stderr=True)
    n_failed = sum("error" in row for row in earlier)
    agreement = functools.reduce(count, earlier, Agreement())
    keeps_rows = options.write_tags or options.playlists is not None
    with contextlib.ExitStack() as stack:
        rows = stack.enter_context(contextlib.closing(_rows(options, answer, left, answered_before)))
        write = stack.enter_context(_writer(options, bundle.genres))
        is_stopped = stack.enter_context(_ctrl_c_between_rows())
        for row in progress(rows, len(left), "files"):
            n_failed += "error" in row
            write(row)
            agreement = count(agreement, row)
            if keeps_rows:
                # Without their timelines: they wait until all is answered.
                earlier.append({name: row.get(name) for name in ("file", "genre", "confidence", "duration_seconds")})
            if is_stopped():
                raise KeyboardInterrupt
        if said := agreement_sentence(agreement):
            say(said, to_stderr=True)
        n_failed += _put_to_use(earlier, options, is_stopped)
    return 1 if n_failed else 0


def _resumed_sentence(out: Path, n_before: int, n_left: int) -> str:
    """What --resume found there, and what it makes of it."""
    if not n_before:
        return f"Nothing to go on with in {out}: none of these files has a row there. It starts from the first."
    if not n_left:
        return f"{number_of(n_before, 'file')} {'has' if n_before == 1 else 'have'} a row in {out}: nothing is left."
    return f"{number_of(n_before, 'file')} of {n_before + n_left} answered before, in {out}: {n_left} left."


def _put_to_use(rows: list[Row], options: argparse.Namespace, is_stopped: Callable[[], bool]) -> int:
    """Playlists and tags of all that was answered, where they are wanted; the number of failures."""
    if options.playlists is not None:
        written = write_playlists(options.playlists, rows, options.at_least or 0.0)
        say(f"Playlists in {options.playlists}: {len(written)}.", to_stderr=True)
    return write_tags(rows, options, is_stopped) if options.write_tags else 0


def _make_places(options: argparse.Namespace) -> None:
    """Where playlists go, and how to undo tags: what cannot be written is told before the work."""
    if options.playlists is not None:
        make_folder(options.playlists)
    if options.write_tags and not options.dry_run:
        options.undo_file = options.undo_file or new_undo_path()
        take_up(options.undo_file)


def _check_use(options: argparse.Namespace) -> None:
    if options.resume and (options.format != "json" or options.out is None):
        raise WrongUseError("--resume goes on with a file of JSON Lines: add --format json --out FILE.")
    if options.engine == "dask" and options.scheduler is None:
        raise WrongUseError("--engine dask needs the address of the cluster: add --scheduler tcp://HOST:8786.")
    if options.write_tags:
        check_mutagen()
    elif options.dry_run or options.overwrite_genre or options.undo_file:
        raise WrongUseError("--dry-run, --overwrite-genre and --undo-file belong to --write-tags.")
    elif options.at_least is not None and options.playlists is None:
        raise WrongUseError("--at-least chooses what is tagged or put into playlists: add --write-tags or --playlists.")
    if options.timeline and options.format == "csv":
        raise WrongUseError("A line of csv holds no timeline: take --format json or table.")
    if options.engine == "local" and options.scheduler is not None:
        raise WrongUseError("--scheduler is for a dask cluster: add --engine dask.")


def _rows(
    options: argparse.Namespace, answer: Answerer, files: list[Path], answered_before: Container[str]
) -> Generator[Row, None, None]:
    """Rows of the sounds, wherever they are worked out, then those of the archives, which need no decoder."""
    archives = [path for path in files if path.suffix.lower() == ".npz"]
    sounds = [path for path in files if path not in set(archives)]
    if options.engine == "local":
        yield from answered(answer, sounds, options.jobs)
    else:
        from crnn.cli.dask_engine import answered_by_dask

        folder = None if answer.folder is None else answer.folder.resolve()
        answer_one = functools.partial(answer_in_worker, folder, answer.with_timeline)
        yield from answered_by_dask(answer_one, sounds, options.scheduler)
    for path in archives:
        yield from answer.of_archive(path, answered_before)


@contextlib.contextmanager
def _ctrl_c_between_rows() -> Iterator[Callable[[], bool]]:
    """Says whether Ctrl-C was pressed; a second one ends it at once.

    Raised inside a decoder's callback, the exception would be swallowed there, and the file taken for cut short.
    """
    was_pressed = False

    def press(*_: object) -> None:
        nonlocal was_pressed
        was_pressed = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: was_pressed
    finally:
        signal.signal(signal.SIGINT, before)


def read_rows(path: Path) -> list[Row]:
    """The rows of an output that was broken off; a last line without its end is cut from the file.

    Raises:
        CrnnError: It cannot be read, or holds something else than rows.
    """
    if not path.exists():
        return []
    try:
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        rows = [json.loads(line) for line in whole.decode("utf-8", "surrogateescape").split("\n")[:-1]]
        if not all(isinstance(row, dict) and "file" in row for row in rows):
            raise ValueError("a line is no row")
        if len(whole) < len(content):
            os.truncate(path, len(whole))
    except OSError as err:
        raise CrnnError(f"{path} cannot be taken up: {err.strerror or err}.") from err
    except ValueError as err:
        raise CrnnError(f"{path} is no output of classify --format json ({err}). It was left as it is.") from err
    return rows


@contextlib.contextmanager
def _writer(options: argparse.Namespace, genres: tuple[str, ...]) -> Iterator[Callable[[Row], None]]:
    line_of = {"json": json_line, "csv": lambda row: csv_row(row, genres), "table": table_lines}[options.format]
    with contextlib.ExitStack() as stack:
        out = _open_out(options.out, "a" if options.resume else "w", stack)
        if options.format == "csv":
            out.write(csv_header(genres))

        def write(row: Row) -> None:
            out.write(line_of(row))
            out.flush()

        yield write


def _open_out(path: Path | None, mode: str, stack: contextlib.ExitStack) -> IO[str]:
    if path is None:
        return sys.stdout
    try:
        return stack.enter_context(path.open(mode, encoding="utf-8", newline=""))
    except OSError as err:
        raise CrnnError(f"{path} cannot be written: {err.strerror or err}.") from err
