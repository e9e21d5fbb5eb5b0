"""What the commands share: options, models by name, progress, results on stdout."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from crnn.bundles.library import DEFAULT_MODEL
from crnn.errors import CrnnError
from crnn.paths import user_path
from crnn.untrusted import path_of, visible

MAX_FOLDS = 20

_Item = TypeVar("_Item")


def add_command(commands: Any, name: str, help_text: str, description: str) -> argparse.ArgumentParser:
    """A sub-parser whose description keeps its lines.

    Args:
        commands: What `add_subparsers` gave.
        name: The word on the command line.
        help_text: A line for the list of commands.
        description: For its own `--help`, line breaks kept.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help_text, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    return parser


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """`--model NAME|DIR`."""
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        metavar="NAME|DIR",
        help=f"a model of the shelf, or the folder of one (default: {DEFAULT_MODEL})",
    )


class Parser(argparse.ArgumentParser):
    """A parser whose messages are as inert as all that is written of names."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong, and end with status 2."""
        super().error(visible(message))


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """What reads a whole number of a range, for argparse.

    Args:
        least: The smallest that will do.
        most: The greatest that will do.
    """

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text[:40]} is not a whole number from {least} to {most}")
        return number

    return read


positive_int = whole_number(1, 1_000_000)
fold_count = whole_number(2, MAX_FOLDS)
# More processes than that help nobody.
job_count = whole_number(1, 1024)
# NumPy and TensorFlow take no others.
seed = whole_number(0, 2**32 - 1)


def file_path(text: str) -> Path:
    """A path that may begin with `~` or be a `file:` address, for argparse."""
    try:
        return user_path(path_of(text))
    except CrnnError as err:
        raise argparse.ArgumentTypeError(str(err)) from err


def result_file(*own_suffixes: str, makes_folder: bool = False) -> Callable[[str], Path]:
    """What reads the path of a file to write, for argparse: what cannot be written is refused before the work.

    Music is never written over, nor what data sets are kept in: a pattern of the shell may put a song behind --out.

    Args:
        own_suffixes: Endings of what the command writes itself, and replaces.
        makes_folder: Whether the command makes the folder that the file is to lie in.
    """

    def read(text: str) -> Path:
        from crnn.audio.folders import is_audio_name

        path = file_path(text)
        is_music = is_audio_name(path.name) or path.suffix.lower() in {".zip", ".npz"} - {*own_suffixes}
        try:
            if path.is_dir():
                raise argparse.ArgumentTypeError(f"{path} is a folder; name a file in it")
            if not makes_folder and not path.parent.is_dir():
                raise argparse.ArgumentTypeError(f"there is no folder {path.parent}")
            is_there = path.is_file() and path.stat().st_size > 0
        except OSError as err:
            raise argparse.ArgumentTypeError(f"{path} cannot be written: {err.strerror or err}") from err
        if is_music and is_there:
            raise argparse.ArgumentTypeError(f"{path} is music or a data set by its name, and is not written over")
        return path

    return read


def say(text: str, *, to_stderr: bool = False) -> None:
    """Print one line in which names of files, genres and models can do no harm.

    Args:
        text: One line; control characters are made visible.
        to_stderr: Whether it is no result.
    """
    print(visible(text), file=sys.stderr if to_stderr else sys.stdout)


def progress(items: Iterable[_Item], total: int, unit: str) -> Iterator[_Item]:
    """`items`, with a progress bar on stderr if that is a terminal.

    Args:
        items: What is gone through.
        total: How many there are.
        unit: What one of them is, in the plural.
    """
    from tqdm import tqdm

    yield from tqdm(items, total=total, unit=f" {unit}", file=sys.stderr, disable=not sys.stderr.isatty())


@contextlib.contextmanager
def counting(unit: str, *, is_scaled: bool = False) -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar on stderr, if that is a terminal, driven by calls with what is done and with the whole.

    Args:
        unit: What is counted.
        is_scaled: Whether thousands and millions of it are written with a letter.
    """
    from tqdm import tqdm

    is_shown = sys.stderr.isatty()
    with tqdm(unit=unit, unit_scale=is_scaled, file=sys.stderr, disable=not is_shown, leave=False) as bar:

        def on_progress(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield on_progress
