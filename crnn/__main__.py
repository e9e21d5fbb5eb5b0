"""`python -m crnn COMMAND`: everything that the app does, without a browser.

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
from typing import TextIO

from crnn import __version__
from crnn.commands import answering, fetching, learning, shelf
from crnn.errors import CrnnError

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


# A full disk, and one whose owner has used up his share.
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m crnn", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"GenreScope {__version__}")
    parser.add_argument("--verbose", action="store_true", help="log what is done, on stderr")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for family in (answering, fetching, learning, shelf):
        family.add_commands(commands)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    for stream in (sys.stdout, sys.stderr):
        # File names need not be valid UTF-8, nor consoles able to show a minus sign.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    options = build_parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO if options.verbose else logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s"
    )
    try:
        status = int(options.run(options))
        sys.stdout.flush()
        return status
    except CrnnError as err:
        print(f"error: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (head, say) has seen enough.
        sys.stderr.close()
        return 0
    except OSError as err:
        if err.errno not in _FULL:
            raise
        print(f"error: the output could not be written to its end: {err.strerror}.", file=sys.stderr)
        with contextlib.suppress(OSError):  # what it still holds finds no room at the end either
            sys.stdout.close()
        return 1


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
    if "--verbose" not in sys.argv:
        _silence_decoders()
    sys.exit(main())
