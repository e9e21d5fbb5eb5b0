"""The queue of trainings: in the order in which they came, whoever of them dies."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from training_runs import order_for

from crnn.errors import TrainingBusyError
from crnn.jobs import queue, runs
from crnn.locks import FileLock
from crnn.owner import person

ANN = person("https://id.example", "ann")


pytestmark = pytest.mark.usefixtures("home")


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def waiter(run: Path, log: list[str], leave: threading.Event, go: threading.Event) -> threading.Thread:
    def wait() -> None:
        with queue.turn(run, queue.folder(), leave.is_set) as is_ours:
            log.append(f"{run.name} {'trains' if is_ours else 'left'}")
            if is_ours:
                go.wait(120)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.slow
def test_turns_come_in_order_and_those_who_leave_are_passed_over(tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("first", "second", "third")]
    log: list[str] = []
    leave = [threading.Event() for _ in names]
    go = [threading.Event() for _ in names]
    threads = []
    for number, name in enumerate(names):
        threads.append(waiter(name, log, leave[number], go[number]))
        wait_for(lambda name=name: queue.holder() == queue.ticket(name) or queue.place(name) is not None)
    assert (queue.holder(), queue.place(names[0])) == (queue.ticket(names[0]), None)
    assert (queue.place(names[1]), queue.place(names[2])) == (1, 2)
    leave[1].set()
    wait_for(lambda: queue.place(names[2]) == 1)
    go[0].set()
    wait_for(lambda: queue.holder() == queue.ticket(names[2]))
    go[2].set()
    for thread in threads:
        thread.join(120)
    assert log == ["first trains", "second left", "third trains"]
    assert queue.holder() is None
    assert queue.waiting() == []


def test_a_ticket_that_nobody_holds_counts_nothing(home: Path) -> None:
    queue.folder().mkdir(parents=True)
    (queue.folder() / "ticket-00000000000000000001").write_text("/dead")
    assert queue.waiting() == []


@pytest.mark.slow
def test_a_full_queue_and_a_second_training_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    papers = [FileLock(queue.folder() / f"ticket-{n:020d}") for n in range(1, ANN.limits.waiting + 1)]
    for paper in papers:
        assert paper.acquire()
        paper.write(f"/others/{paper.path.name}")
    with pytest.raises(TrainingBusyError, match="8 trainings wait already"):
        runs.start_run(order_for(Path("demo")), owner=ANN)
    run = runs.runs_dir(ANN) / "20261126-101500"
    run.mkdir(parents=True)
    (run / "order.json").write_text("{}")
    papers[0].write(queue.ticket(run))
    assert runs.Run(run).state() == "waiting"
    with pytest.raises(TrainingBusyError, match="A training of yours is under way or waits"):
        runs.start_run(order_for(Path("demo")), owner=ANN)
    for paper in papers:
        paper.release()


def test_whoever_came_before_and_still_waits_is_first(home: Path) -> None:
    papers = [FileLock(queue.folder() / f"ticket-{number:020d}") for number in range(4)]
    with papers[0], papers[1], papers[3]:
        for paper in (papers[0], papers[1], papers[3]):
            assert paper.acquire()
        papers[0].release()
        # The first is of a process that died, the last came after.
        assert queue._held_before(queue.folder(), papers[2]) == [papers[1].path]
