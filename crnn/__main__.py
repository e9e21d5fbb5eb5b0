"""`genrescope COMMAND`, or `python -m crnn COMMAND`: everything that the app does, without a browser.

Results go to stdout, progress and log to stderr. Exit status: 0 done, 1 some input
failed, 2 wrong use.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import logging
import os
import sys
from pathlib import Path
from typing import TextIO

from crnn import __version__
from crnn.errors import CrnnError, WrongUseError
from crnn.untrusted import VisibleFormatter

DESCRIPTION = """\
Hear a sound, name its genre, teach it your own.

  python -m crnn classify song.mp3              what genre is it?
  python -m crnn classify Music --format csv    a whole folder
  python -m crnn scan Music                     what a data set holds, and its faults
  python -m crnn train Music --out models/mine  teach it your own genres
  python -m crnn evaluate Music --model mine    how good is it?

A DATASET is a folder of genre/track files, a folder with tracks.csv
(file,genre[,artist][,title][,split]), a zip of either, a log-mel archive (.npz),
or the word demo (synthesized on the spot).
"""


# What a plain installation lacks, and the extra that brings it.
_EXTRAS = {
    "keras": "train",
    "tensorflow": "train",
    "onnx": "train",
    "sklearn": "train",
    "librosa": "app",
    "plotly": "app",
    "streamlit": "app",
    "mutagen": "tags",
}

# A full disk, and one whose owner has used up his share.
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    # The commands bring numpy along, half a second of import: Ctrl-C in it must find `main` at work.
    from crnn.cli import app, classify, evaluate, fetch, models, train
    from crnn.cli.common import Parser

    parser = Parser(prog=_name(), description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"GenreScope {__version__}")
    parser.add_argument("--verbose", action="store_true", help="log what is done, on stderr")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for family in (classify, fetch, train, evaluate, models, app):
        family.add_commands(commands)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    for stream in (sys.stdout, sys.stderr):
        # File names need not be valid UTF-8, nor consoles able to show a minus sign.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        return _carried_out(arguments)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _carried_out(arguments: list[str] | None) -> int:
    """Run one command, and say in a sentence what kept it from its end; the exit status."""
    from crnn.cli.common import say

    options = build_parser().parse_args(arguments)
    _log_to_stderr(logging.INFO if options.verbose else logging.WARNING)
    try:
        status = int(options.run(options))
        sys.stdout.flush()
        return status
    except CrnnError as err:
        say(f"error: {err}", to_stderr=True)
        return 2 if isinstance(err, WrongUseError) else 1
    except ModuleNotFoundError as err:
        extra = _EXTRAS.get((err.name or "").split(".")[0])
        if extra is None:
            raise
        say(
            f"error: This needs {err.name}, which is not installed. Install the extra: pip install '.[{extra}]'",
            to_stderr=True,
        )
        return 1
    except BrokenPipeError:
        # The reader (head, say) has seen enough.
        sys.stderr.close()
        return 0
    except OSError as err:
        if err.errno not in _FULL:
            # The machine refuses something that no command foresaw: a path too long, a disk that fails.
            logging.getLogger(__name__).info("What failed:", exc_info=True)
            where = f"{err.filename}: " if isinstance(err.filename, str) else ""
            say(f"error: {where[:200]}{err.strerror or err}.", to_stderr=True)
            return 1
        say(f"error: the output could not be written to its end: {err.strerror}.", to_stderr=True)
        with contextlib.suppress(OSError):  # what it still holds finds no room at the end either
            sys.stdout.close()
        return 1


def _log_to_stderr(level: int) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(VisibleFormatter("%(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


def _name() -> str:
    """What this was started as: the installed command, or the package."""
    return "genrescope" if Path(sys.argv[0]).stem == "genrescope" else "python -m crnn"


def run() -> None:
    """The command `genrescope`, and `python -m crnn`: one command, then the end of the process."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # Whoever started it closed the stream, as some schedulers do: what is said goes nowhere.
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - until the end
    if "--verbose" not in sys.argv:
        _silence_decoders()
    sys.exit(main())


def _silence_decoders() -> None:
    """Move our own output to descriptors of its own, and let what C code prints run dry.

    libsndfile and mpg123 say what they think of a damaged file on stdout and stderr, in the midst of a line of JSON.
    """
    sys.stdout, sys.stderr = _moved(sys.stdout), _moved(sys.stderr)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _moved(stream: TextIO) -> TextIO:
    stream.flush()
    return open(
        os.dup(stream.fileno()),
        "w",
        encoding=stream.encoding,
        errors=stream.errors,
        buffering=1 if stream.isatty() or stream is sys.stderr else -1,
    )


if __name__ == "__main__":
    run()
