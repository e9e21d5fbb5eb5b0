"""What the commands share: options, models by name, progress, results on stdout."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from crnn import paths
from crnn.bundle import Bundle, load_bundle
from crnn.errors import BundleError

if TYPE_CHECKING:
    from crnn.collection import Collection
    from crnn.dataset import Dataset, Track

DEFAULT_MODEL = "gtzan-crnn"
MAX_FOLDS = 20

_Item = TypeVar("_Item")


def add_command(commands: Any, name: str, help_text: str, description: str) -> argparse.ArgumentParser:
    """A sub-parser whose description keeps its lines."""
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


def positive_int(text: str) -> int:
    """A whole number from 1 on, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 on")
    return number


def fold_count(text: str) -> int:
    """A number of folds, 2 to 20, for argparse."""
    number = int(text)
    if not 2 <= number <= MAX_FOLDS:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 2 to {MAX_FOLDS}")
    return number


def find_bundle(name: str) -> Bundle:
    """The bundle in the folder `name`, or of that name on the shelf.

    Raises:
        BundleError: There is none, or it is damaged.
    """
    shelf = paths.models_dir()
    looks_like_path = any(mark in name for mark in "/\\") or name.startswith(".")
    folder = Path(name) if looks_like_path else shelf / name
    if not folder.is_dir():
        known = sorted(p.name for p in shelf.iterdir() if (p / "bundle.json").is_file()) if shelf.is_dir() else []
        raise BundleError(f"There is no model “{name}”. On the shelf: {', '.join(known) or 'none'}.")
    return load_bundle(folder)


def progress(items: Iterable[_Item], total: int, unit: str) -> Iterator[_Item]:
    """`items`, with a progress bar on stderr if that is a terminal."""
    from tqdm import tqdm

    yield from tqdm(items, total=total, unit=f" {unit}", file=sys.stderr, disable=not sys.stderr.isatty())


def select_tracks(dataset: Dataset | Collection, split: str | None, seed: int) -> dict[str, tuple[Track, ...]]:
    """The parts of a data set under the option `--split`.

    `column`, `fault-filtered`, `artist` and `random` name a way to split. Without one: the
    data set's own column if it has one, else by artist where all are known, else at random.
    """
    from crnn.dataset import split_tracks

    if split is None:
        if all(track.split for track in dataset.tracks):
            split = "column"
        else:
            split = "artist" if all(track.artist for track in dataset.tracks) else "random"
    return split_tracks(dataset.tracks, name=split, seed=seed)
