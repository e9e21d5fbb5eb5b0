"""`classify`: files and folders in, a line of answer a file out."""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import csv
import io
import itertools
import json
import multiprocessing
import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from crnn.commands.common import add_command, add_model_option, find_bundle, positive_int, progress
from crnn.errors import CrnnError

Row = dict[str, Any]

# Files handed to each worker ahead of the one whose answer is awaited.
_FILES_AHEAD = 4

_DESCRIPTION = """\
Name the genre of sound files, and of all sound files in folders.

Formats: table for reading; json for one JSON object a line; csv.
A file that cannot be used gets an error row, and the exit status 1; the others
are answered all the same."""


def add_commands(commands: Any) -> None:
    """Add `classify`."""
    parser = add_command(commands, "classify", "name the genre of files and folders", _DESCRIPTION)
    parser.add_argument("paths", nargs="+", metavar="PATH", help="sound files, and folders to search for them")
    add_model_option(parser)
    parser.add_argument("--format", choices=("table", "json", "csv"), default="table", help="default: table")
    parser.add_argument(
        "--timeline", action="store_true", help="how the answer moves through each file (json always has it)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write there instead of to stdout")
    parser.add_argument("--jobs", type=positive_int, default=1, metavar="N", help="processes (default: 1)")
    parser.set_defaults(run=classify)


def classify(options: argparse.Namespace) -> int:
    """Run the command; 1 if a file failed."""
    from crnn.audio import find_audio_files

    bundle = find_bundle(options.model)
    files = find_audio_files(Path(path) for path in options.paths)
    if not files:
        raise CrnnError("No sound files there. Name files, or folders that hold wav, mp3, flac, m4a, …")
    answer = Answerer(bundle.path, options.timeline or options.format == "json")
    n_failed = 0
    with contextlib.ExitStack() as stack:
        rows = stack.enter_context(contextlib.closing(answered(answer, files, options.jobs)))
        write = stack.enter_context(_writer(options, bundle.genres))
        for row in progress(rows, len(files), "files"):
            n_failed += "error" in row
            write(row)
    return 1 if n_failed else 0


class Answerer:
    """Answers a file as a JSON-ready row; opens its model on first use, so that it travels to workers."""

    def __init__(self, folder: Path | None, with_timeline: bool, n_threads: int = 0) -> None:
        self.folder, self.with_timeline, self.n_threads = folder, with_timeline, n_threads
        self._classifier: Any = None

    def __call__(self, path: Path) -> Row:
        """The row of one file: its answer, or its error."""
        from crnn import reporting

        try:
            prediction = self._opened().classify_file(path)
        except CrnnError as err:
            return {"file": str(path), "error": {"type": type(err).__name__, "message": str(err)}}
        return reporting.to_json(prediction, str(path), with_timeline=self.with_timeline)

    def _opened(self) -> Any:
        if self._classifier is None:
            from crnn.bundle import load_bundle
            from crnn.inference import Classifier

            if self.folder is None:
                raise ValueError("the bundle is not on disk")
            self._classifier = Classifier(load_bundle(self.folder), n_threads=self.n_threads)
        return self._classifier

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_classifier": None}


_worker_answerer: Answerer | None = None


def _start_worker(answerer: Answerer) -> None:
    global _worker_answerer  # noqa: PLW0603 - a process's own model, opened once
    _worker_answerer = answerer


def _answer_in_worker(path: Path) -> Row:
    if _worker_answerer is None:
        raise RuntimeError("the worker was not started")
    return _worker_answerer(path)


def answered(answer: Answerer, files: Iterable[Path], n_jobs: int) -> Generator[Row, None, None]:
    """A row per file, in order, over `n_jobs` processes of one thread each."""
    if n_jobs == 1:
        yield from map(answer, files)
        return
    alone = Answerer(answer.folder, answer.with_timeline, n_threads=1)
    # Spawned, not forked: ONNX Runtime's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    executor = concurrent.futures.ProcessPoolExecutor(n_jobs, context, _start_worker, (alone,))
    try:
        remaining = iter(files)
        waiting = deque(
            executor.submit(_answer_in_worker, path) for path in itertools.islice(remaining, n_jobs * _FILES_AHEAD)
        )
        while waiting:
            row = waiting.popleft().result()
            for path in itertools.islice(remaining, 1):
                waiting.append(executor.submit(_answer_in_worker, path))
            yield row
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


@contextlib.contextmanager
def _writer(options: argparse.Namespace, genres: tuple[str, ...]) -> Iterator[Callable[[Row], None]]:
    with contextlib.ExitStack() as stack:
        out = _open_out(options.out, stack)
        if options.format == "csv":
            _write_csv(out, ["file", "duration_seconds", "verdict", "genre", "confidence", *genres, "notes", "error"])

        def write(row: Row) -> None:
            if options.format == "json":
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
            elif options.format == "csv":
                _write_csv(out, _csv_cells(row, genres))
            else:
                out.write(_table_lines(row))
            out.flush()

        yield write


def _open_out(path: Path | None, stack: contextlib.ExitStack) -> IO[str]:
    if path is None:
        return sys.stdout
    try:
        return stack.enter_context(path.open("w", encoding="utf-8", errors="surrogateescape", newline=""))
    except OSError as err:
        raise CrnnError(f"{path} cannot be written: {err.strerror or err}.") from err


def _write_csv(out: IO[str], cells: list[Any]) -> None:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    out.write(line.getvalue())


def _csv_cells(row: Row, genres: tuple[str, ...]) -> list[Any]:
    if "error" in row:
        return [row["file"], "", "", "", "", *[""] * len(genres), "", row["error"]["message"]]
    posteriors = [f"{row['genres'][genre]:.6f}" for genre in genres]
    facts = [row["file"], row["duration_seconds"], row["verdict"], row["genre"] or "", f"{row['confidence']:.6f}"]
    return [*facts, *posteriors, " ".join(row["notes"]), ""]


def _table_lines(row: Row) -> str:
    from crnn.reporting import clock

    name = os.path.basename(row["file"])
    if "error" in row:
        return f"{'error':<10} {'':>5}  {name}: {row['error']['message']}\n"
    ranked = sorted(row["genres"].items(), key=lambda item: -item[1])[:3]
    best = ", ".join(f"{genre} {posterior:.2f}" for genre, posterior in ranked)
    verdict = row["genre"] or row["verdict"].replace("_", " ")
    lines = [f"{verdict:<10} {row['confidence']:>5.2f}  {name}  ({best})"]
    for cell in row.get("timeline", []):
        genre, posterior = max(cell["genres"].items(), key=lambda item: item[1])
        lines.append(
            f"    {clock(cell['start_seconds']):>9} to {clock(cell['end_seconds']):>9}  {genre} {posterior:.2f}"
        )
    return "\n".join(lines) + "\n"
