"""Files to rows, here or in worker processes that may die without taking the others along."""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Container, Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from crnn.errors import BundleError, CrnnError
from crnn.inference.rows import Row, error_row
from crnn.untrusted import written_name

# For each worker this many rows may be ready and wait for a file that takes long.
_ROWS_AHEAD = 4
# One worker may be killed by chance, for another program's memory; a file that kills two is at fault.
_TRIES = 2
_MAX_FALSE_STARTS = 3
_READY = "ready"
_log = logging.getLogger(__name__)


class Answerer:
    """Answers a file as a JSON-ready row; opens its model on first use.

    Args:
        folder: Of the model; None where it lies nowhere that can be read.
        with_timeline: Whether rows have the timeline.
        n_threads: As of `Classifier`.
    """

    def __init__(self, folder: Path | None, with_timeline: bool, n_threads: int = 0) -> None:
        self.folder, self.with_timeline, self.n_threads = folder, with_timeline, n_threads
        self._classifier: Any = None

    def __call__(self, path: Path) -> Row:
        """The row of one file: its answer, or its error.

        Raises:
            BundleError: The model cannot be opened, which is no fault of the file.
        """
        from crnn.audio.tags import read_genres
        from crnn.inference import output
        from crnn.inference.tag_words import tagged_json

        name, classifier = written_name(path), self.classifier()
        try:
            prediction = classifier.classify_file(path)
        except CrnnError as err:
            return error_row(name, type(err).__name__, str(err))
        except Exception as err:  # noqa: BLE001 - a fault of ours costs its file, not the batch; the log has it whole
            _log.exception("%s could not be answered", name)
            return error_row(name, type(err).__name__, f"A fault of the program: {str(err) or type(err).__name__}.")
        row = output.to_json(prediction, name, with_timeline=self.with_timeline)
        return row | {"tagged": tagged_json(read_genres(path), row, prediction.genres)}

    def of_archive(self, path: Path, answered_before: Container[str] = ()) -> Iterator[Row]:
        """A row for each track of a log-mel archive, `ARCHIVE.npz:TRACK_ID`, or one for the fault of the whole.

        The level of the sound is not known there, so no track is ever silent.

        Args:
            path: The archive.
            answered_before: Rows' names that are left out.

        Raises:
            BundleError: The model cannot be opened.
        """
        from crnn.audio.clip import check_duration
        from crnn.features.archive import read_archive, to_db
        from crnn.features.front_ends import check_front_end
        from crnn.inference import output

        classifier = self.classifier()
        try:
            archive, config = read_archive(path), classifier.config
            check_front_end(archive.made_with, config, path.name)
        except CrnnError as err:
            yield error_row(written_name(path), type(err).__name__, str(err))
            return
        for track_id, cells in zip(archive.track_ids, archive.log_mel, strict=True):
            name = f"{written_name(path)}:{track_id}"
            if name in answered_before:
                continue
            try:
                check_duration(len(cells) / config.frame_rate_hz, track_id)
                prediction = classifier.classify_log_mel(to_db(cells, config))
            except CrnnError as err:
                yield error_row(name, type(err).__name__, str(err))
            else:
                yield output.to_json(prediction, name, with_timeline=self.with_timeline) | {"tagged": None}

    def classifier(self) -> Any:
        """The model, opened.

        Raises:
            BundleError: It cannot be.
        """
        if self._classifier is None:
            from crnn.bundles.bundle import load_bundle
            from crnn.inference.classifier import Classifier

            if self.folder is None:
                raise ValueError("the bundle is not on disk")
            self._classifier = Classifier(load_bundle(self.folder), n_threads=self.n_threads)
        return self._classifier


@functools.lru_cache(maxsize=1)
def _worker_answerer(folder: Path | None, with_timeline: bool) -> Answerer:
    return Answerer(folder, with_timeline, n_threads=1)


def answer_in_worker(folder: Path | None, with_timeline: bool, path: Path) -> Row:
    """The row of one file, by the model that this process opened for its first file.

    Args:
        folder: Of the model, which must lie on disk.
        with_timeline: Whether rows hold the timeline.
        path: The file.

    Raises:
        BundleError: The model cannot be opened.
    """
    return _worker_answerer(folder, with_timeline)(path)


def answered(answer: Answerer, files: Iterable[Path], n_jobs: int) -> Generator[Row, None, None]:
    """A row per file, in order, over `n_jobs` processes of one thread each.

    A worker that dies costs at most the file in its hand: that is given to another one, and gets an error row
    if it kills that one too.

    Args:
        answer: What gives the row of a file.
        files: In the order of the rows.
        n_jobs: Processes; with 1 this one does all of it.

    Raises:
        CrnnError: The model cannot be opened, or the workers end as soon as they are started.
    """
    if n_jobs == 1:
        yield from map(answer, files)
        return
    # One thread for each worker, as more would wait for each other; set before NumPy is loaded there.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    crew = _Crew(answer.folder, answer.with_timeline, n_jobs)
    try:
        yield from crew.rows(files)
    finally:
        crew.dismiss()


@dataclass
class _Task:
    """A file, its place in the output, and how many workers have died over it."""

    position: int
    path: Path
    n_deaths: int = 0


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    task: _Task | None = None
    is_ready: bool = False


class _Crew:
    """Worker processes that each hold one file at a time, so that it is known which one a death costs."""

    def __init__(self, folder: Path | None, with_timeline: bool, n_workers: int) -> None:
        self._facts = (folder, with_timeline)
        self._n_workers = n_workers
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []
        self._n_false_starts = 0

    def rows(self, files: Iterable[Path]) -> Generator[Row, None, None]:
        """A row per file, in the order of the files."""
        coming = map(_Task, itertools.count(), files)
        again: deque[_Task] = deque()
        ready: dict[int, Row] = {}
        n_taken = n_given = 0
        while True:
            while len(self._busy) < self._n_workers:
                may_take = n_taken < n_given + self._n_workers * _ROWS_AHEAD
                task = again.popleft() if again else next(coming, None) if may_take else None
                if task is None:
                    break
                n_taken = max(n_taken, task.position + 1)
                self._hand_out(task)
            if not self._busy:
                return
            for task, row in self._taken_in():
                if row is None:
                    again.append(task)
                else:
                    ready[task.position] = row
            while n_given in ready:
                yield ready.pop(n_given)
                n_given += 1

    def _hand_out(self, task: _Task) -> None:
        while True:
            worker = self._idle.pop() if self._idle else self._hire()
            try:
                worker.pipe.send(task.path)
            except OSError:  # it died while it had nothing to do
                how = self._bury(worker)
                if not worker.is_ready:
                    self._count_false_start(how)
                continue
            worker.task = task
            self._busy.append(worker)
            return

    def _taken_in(self) -> Iterator[tuple[_Task, Row | None]]:
        """Tasks that are answered, and, with None, those to be given to another worker."""
        speaking = set(wait([worker.pipe for worker in self._busy]))
        for worker in [worker for worker in self._busy if worker.pipe in speaking]:
            task = worker.task
            assert task is not None
            try:
                said = worker.pipe.recv()
            except (EOFError, OSError):
                self._busy.remove(worker)
                yield task, self._after_death(worker, task)
                continue
            if isinstance(said, BundleError):
                raise said
            if said == _READY:
                worker.is_ready = True
                self._n_false_starts = 0
            else:
                self._busy.remove(worker)
                self._idle.append(worker)
                yield task, said

    def _after_death(self, worker: _Worker, task: _Task) -> Row | None:
        """The error row of a file that killed too many workers, or None: it may have another one."""
        how = self._bury(worker)
        if not worker.is_ready:
            self._count_false_start(how)
            return None
        task.n_deaths += 1
        _log.warning("A worker process %s while it read %s", how, task.path)
        if task.n_deaths < _TRIES:
            return None
        message = f"The {_TRIES} processes that read this file ended before they answered; the last one {how}."
        return error_row(written_name(task.path), "WorkerDiedError", f"{message} Its own command may tell why.")

    def _count_false_start(self, how: str) -> None:
        self._n_false_starts += 1
        if self._n_false_starts >= _MAX_FALSE_STARTS:
            raise CrnnError(f"The worker processes end as soon as they are started ({how}). Try without --jobs.")

    def _hire(self) -> _Worker:
        # Spawned, not forked: ONNX Runtime's threads do not survive a fork.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, *self._facts))
        process.start()
        # Held by the worker alone, so that its end is heard.
        theirs.close()
        return _Worker(process, ours)

    def _bury(self, worker: _Worker) -> str:
        worker.pipe.close()
        worker.process.join()
        code = worker.process.exitcode or 0
        if code >= 0:
            return f"ended with status {code}"
        return (
            f"was killed by {signal.Signals(-code).name}" if -code in set(signal.Signals) else f"was killed ({-code})"
        )

    def dismiss(self) -> None:
        """End all workers, at once: they only read."""
        for worker in (*self._idle, *self._busy):
            worker.process.terminate()
        for worker in (*self._idle, *self._busy):
            self._bury(worker)


def _work(pipe: Connection, folder: Path | None, with_timeline: bool) -> None:
    """The life of a worker: a path in, a row out, until the pipe is closed."""
    # Ctrl-C reaches it too; it is ended from the other side.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):  # the other side is gone
        pipe.send(_READY)
        while True:
            path = pipe.recv()
            try:
                said: Row | BundleError = answer_in_worker(folder, with_timeline, path)
            except BundleError as err:
                said = err
            pipe.send(said)
