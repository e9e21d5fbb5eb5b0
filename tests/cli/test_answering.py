"""Rows of files: what one says, and a crew of workers made up here, so that each of them dies when it should."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crnn.cli.answering import _READY, Answerer, _Crew, _Task, _Worker, answered
from crnn.errors import BundleError, CrnnError, UndecodableAudioError
from crnn.features.archive import make_archive, write_archive
from crnn.inference.rows import Row

# What a worker answers, or the exit status with which it dies.
Says = Callable[[Path], Row | BundleError | int]


class _Process:
    """In place of a process a thread; what it does to its pipe is what the crew sees of it."""

    def __init__(self, pipe: Any, says: Says, false_start: int | None, is_early: bool) -> None:
        self.exitcode: int | None = None
        self.is_terminated = False
        self._pipe, self._says, self._false_start, self._is_early = pipe, says, false_start, is_early
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        if is_early and false_start is not None:
            self.join()

    def _live(self) -> None:
        # The other side may be gone at any time.
        with self._pipe, contextlib.suppress(EOFError, OSError):
            if self._false_start is not None:
                # Before it is given a file, or with that in its hand.
                assert self._is_early or self._pipe.poll(30)
                self.exitcode = self._false_start
                return
            self._pipe.send(_READY)
            while True:
                said = self._says(self._pipe.recv())
                if isinstance(said, int):
                    self.exitcode = said
                    return
                self._pipe.send(said)

    def terminate(self) -> None:
        self.is_terminated = True

    def join(self) -> None:
        self._thread.join(30)


class _MadeUp(_Crew):
    """A crew whose next workers end before they are ready with the statuses of `false_starts`; None begins well."""

    def __init__(
        self, n_workers: int, says: Says, false_starts: Iterable[int | None] = (), *, is_early: bool = False
    ) -> None:
        super().__init__(None, False, n_workers)
        self.says, self.false_starts, self.is_early = says, iter(false_starts), is_early
        self.hired: list[_Worker] = []

    def _hire(self) -> _Worker:
        ours, theirs = Pipe()
        process = _Process(theirs, self.says, next(self.false_starts, None), self.is_early)
        worker = _Worker(process, ours)  # type: ignore[arg-type]
        self.hired.append(worker)
        return worker


def row_of(path: Path) -> Row:
    return {"file": str(path)}


def test_rows_are_in_order_and_no_more_is_read_ahead_than_four_a_worker() -> None:
    taken: list[int] = []
    held_back, taken_by_then = threading.Event(), list[int]()

    def files() -> Iterator[Path]:
        for number in range(20):
            taken.append(number)
            yield Path(f"{number}.wav")

    def says(path: Path) -> Row:
        assert path.name != "0.wav" or held_back.wait(30)
        return row_of(path)

    class Watched(_MadeUp):
        def _taken_in(self) -> Iterator[tuple[_Task, Row | None]]:
            if [worker.task.position for worker in self._busy if worker.task] == [0]:
                # All that may be taken meanwhile is answered, and nothing of it was given.
                taken_by_then.append(len(taken))
                held_back.set()
            return super()._taken_in()

    crew = Watched(2, says)
    assert [row["file"] for row in crew.rows(files())] == [f"{number}.wav" for number in range(20)]
    assert taken_by_then[0] == 8
    assert len(crew.hired) == 2
    crew.dismiss()
    assert all(worker.process.is_terminated and worker.pipe.closed for worker in crew.hired)


@pytest.mark.parametrize(
    ("status", "how"), [(-9, "was killed by SIGKILL"), (-200, "was killed (200)"), (3, "ended with status 3")]
)
def test_a_file_that_kills_two_workers_is_told_and_costs_no_other(
    caplog: pytest.LogCaptureFixture, status: int, how: str
) -> None:
    tried: list[str] = []

    def says(path: Path) -> Row | int:
        tried.append(path.name)
        dies = path.name == "bad.wav" or (path.name == "once.wav" and tried.count("once.wav") == 1)
        return status if dies else row_of(path)

    crew = _MadeUp(1, says)
    first, bad, once, last = crew.rows([Path("a.wav"), Path("bad.wav"), Path("once.wav"), Path("b.wav")])
    assert (first, once, last) == ({"file": "a.wav"}, {"file": "once.wav"}, {"file": "b.wav"})
    assert bad["error"] == {
        "type": "WorkerDiedError",
        "message": f"The 2 processes that read this file ended before they answered; the last one {how}. "
        "Its own command may tell why.",
    }
    assert sorted(tried) == ["a.wav", "b.wav", "bad.wav", "bad.wav", "once.wav", "once.wav"]
    assert caplog.messages.count(f"A worker process {how} while it read bad.wav") == 2


@pytest.mark.parametrize("is_early", [True, False])
def test_three_workers_in_turn_that_never_begin_are_enough(is_early: bool) -> None:
    said = r"The worker processes end as soon as they are started \(ended with status 7\)\. Try without --jobs\."
    crew = _MadeUp(1, row_of, [7, 7, 7], is_early=is_early)
    with pytest.raises(CrnnError, match=said):
        list(crew.rows([Path("a.wav")]))
    # A file is not at fault for them, and one that began well ends the count.
    n_tried = 0

    def says(path: Path) -> Row | int:
        nonlocal n_tried
        n_tried += 1
        return 3 if n_tried == 1 else row_of(path)

    crew = _MadeUp(1, says, [7, 7, None, 7, 7, None], is_early=is_early)
    assert list(crew.rows([Path("a.wav")])) == [{"file": "a.wav"}]
    assert len(crew.hired) == 6


def test_a_model_that_a_worker_cannot_open_ends_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    crew = _MadeUp(2, lambda path: BundleError("The model is damaged."))

    def hired(folder: Path | None, with_timeline: bool, n_workers: int) -> _Crew:
        assert (folder, with_timeline, n_workers) == (Path("model"), True, 2)
        return crew

    monkeypatch.setattr("crnn.cli.answering._Crew", hired)
    with pytest.raises(BundleError, match=r"The model is damaged\."):
        list(answered(Answerer(Path("model"), with_timeline=True), [Path("a.wav"), Path("b.wav")], 2))
    assert [(worker.process.is_terminated, worker.pipe.closed) for worker in crew.hired] == [(True, True)] * 2


def test_a_worker_that_died_at_rest_is_replaced_unnoticed() -> None:
    crew = _MadeUp(1, row_of)
    rows = crew.rows([Path("a.wav"), Path("b.wav")])
    assert next(rows) == {"file": "a.wav"}
    (idle,) = crew._idle
    idle.pipe.close()
    assert list(rows) == [{"file": "b.wav"}]
    assert len(crew.hired) == 2


class _Ear:
    """Hears what the test says."""

    def __init__(self, err: Exception) -> None:
        self.err = err

    def classify_file(self, path: Path) -> None:
        raise self.err


@pytest.mark.parametrize(
    ("err", "message", "is_logged"),
    [
        (UndecodableAudioError("No\x1bsound."), "No\\x1bsound.", False),
        (IndexError("out of range"), "A fault of the program: out of range.", True),
        (IndexError(), "A fault of the program: IndexError.", True),
    ],
)
def test_what_is_wrong_with_a_file_is_its_row(
    caplog: pytest.LogCaptureFixture, err: Exception, message: str, is_logged: bool
) -> None:
    answer = Answerer(None, with_timeline=False)
    answer._classifier = _Ear(err)
    with caplog.at_level(logging.ERROR):
        assert answer(Path("a.wav")) == {"file": "a.wav", "error": {"type": type(err).__name__, "message": message}}
    assert caplog.messages == (["a.wav could not be answered"] if is_logged else [])


def test_of_an_archive_short_tracks_are_refused_as_sounds_are(bundle: Any, tmp_path: Path) -> None:
    path, rate = tmp_path / "a.npz", bundle.feature_config.frame_rate_hz
    log_mels = [np.full((n_frames, 128), 9, np.uint8) for n_frames in (round(12 * rate), int(rate) - 1)]
    write_archive(path, make_archive(["t", "short"], ["bass"] * 2, log_mels, feature_config=bundle.feature_config))
    for with_timeline in (True, False):
        whole, short = Answerer(bundle.path, with_timeline).of_archive(path)
        assert (whole["file"], short["file"]) == (f"{path}:t", f"{path}:short")
        assert ("timeline" in whole) is with_timeline
        assert short["error"]["type"] == "ClipTooShortError"
        assert short["error"]["message"].startswith("“short” is 0.9")
