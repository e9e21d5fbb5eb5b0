"""`classify`: files and folders in, a line of answer a file out."""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import csv
import functools
import io
import itertools
import json
import multiprocessing
import os
import signal
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
are answered all the same.

Many files: --jobs spreads them over the cores of this machine, --engine dask over
the workers of a dask cluster that see the same files and models. After Ctrl-C,
or a crash, the same command with --resume answers only what is left."""


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
    parser.set_defaults(run=classify)


def classify(options: argparse.Namespace) -> int:
    """Run the command; 1 if a file failed."""
    from crnn.audio import find_audio_files

    _check_use(options)
    bundle = find_bundle(options.model)
    files = find_audio_files(Path(path) for path in options.paths)
    if not files:
        raise CrnnError("No sound files there. Name files, or folders that hold wav, mp3, flac, m4a, …")
    answer = Answerer(bundle.path, options.timeline or options.format == "json")
    earlier = read_rows(options.out) if options.resume else []
    answered_before = {row["file"] for row in earlier}
    left = [path for path in files if str(path) not in answered_before]
    n_failed = sum("error" in row for row in earlier)
    with contextlib.ExitStack() as stack:
        rows = stack.enter_context(contextlib.closing(_rows(options, answer, left)))
        write = stack.enter_context(_writer(options, bundle.genres))
        is_stopped = stack.enter_context(_ctrl_c_between_rows())
        for row in progress(rows, len(left), "files"):
            n_failed += "error" in row
            write(row)
            if is_stopped():
                raise KeyboardInterrupt
    return 1 if n_failed else 0


def _check_use(options: argparse.Namespace) -> None:
    if options.resume and (options.format != "json" or options.out is None):
        raise CrnnError("--resume goes on with a file of JSON Lines: add --format json --out FILE.")
    if options.engine == "dask" and options.scheduler is None:
        raise CrnnError("--engine dask needs the address of the cluster: add --scheduler tcp://HOST:8786.")
    if options.engine == "local" and options.scheduler is not None:
        raise CrnnError("--scheduler is for a dask cluster: add --engine dask.")


def _rows(options: argparse.Namespace, answer: Answerer, files: list[Path]) -> Generator[Row, None, None]:
    if options.engine == "local":
        return answered(answer, files, options.jobs)
    from crnn.commands.spreading import answered_by_dask

    folder = None if answer.folder is None else answer.folder.resolve()
    answer_one = functools.partial(answer_in_worker, folder, answer.with_timeline)
    return answered_by_dask(answer_one, files, options.scheduler)


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
        rows = [json.loads(line) for line in whole.decode("utf-8", "surrogateescape").splitlines()]
        if not all(isinstance(row, dict) and "file" in row for row in rows):
            raise ValueError("a line is no row")
        if len(whole) < len(content):
            os.truncate(path, len(whole))
    except OSError as err:
        raise CrnnError(f"{path} cannot be taken up: {err.strerror or err}.") from err
    except ValueError as err:
        raise CrnnError(f"{path} is no output of classify --format json ({err}). It was left as it is.") from err
    return rows


class Answerer:
    """Answers a file as a JSON-ready row; opens its model on first use."""

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


@functools.lru_cache(maxsize=1)
def _worker_answerer(folder: Path | None, with_timeline: bool) -> Answerer:
    return Answerer(folder, with_timeline, n_threads=1)


def answer_in_worker(folder: Path | None, with_timeline: bool, path: Path) -> Row:
    """The row of one file, by the model that this process opened for its first file."""
    return _worker_answerer(folder, with_timeline)(path)


def answered(answer: Answerer, files: Iterable[Path], n_jobs: int) -> Generator[Row, None, None]:
    """A row per file, in order, over `n_jobs` processes of one thread each."""
    if n_jobs == 1:
        yield from map(answer, files)
        return
    # A thread for each worker: more would wait for each other. It must be said before NumPy loads there.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Spawned, not forked: ONNX Runtime's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    # Ctrl-C reaches the workers too: they finish their file and are ended from here.
    executor = concurrent.futures.ProcessPoolExecutor(n_jobs, context, signal.signal, (signal.SIGINT, signal.SIG_IGN))
    answer_one = functools.partial(answer_in_worker, answer.folder, answer.with_timeline)
    try:
        remaining = iter(files)
        waiting = deque(
            executor.submit(answer_one, path) for path in itertools.islice(remaining, n_jobs * _FILES_AHEAD)
        )
        while waiting:
            row = waiting.popleft().result()
            for path in itertools.islice(remaining, 1):
                waiting.append(executor.submit(answer_one, path))
            yield row
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


@contextlib.contextmanager
def _writer(options: argparse.Namespace, genres: tuple[str, ...]) -> Iterator[Callable[[Row], None]]:
    with contextlib.ExitStack() as stack:
        out = _open_out(options.out, "a" if options.resume else "w", stack)
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


def _open_out(path: Path | None, mode: str, stack: contextlib.ExitStack) -> IO[str]:
    if path is None:
        return sys.stdout
    try:
        return stack.enter_context(path.open(mode, encoding="utf-8", errors="surrogateescape", newline=""))
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
