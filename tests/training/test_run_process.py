"""How long is left, by a clock that is set by hand."""

import dataclasses
import json
from types import SimpleNamespace

import pytest
from training_runs import order_for

from crnn.config import TrainConfig
from crnn.errors import CrnnError
from crnn.jobs import runs
from crnn.jobs.runs import Run
from crnn.training import run_process
from crnn.training.materials import Outcome


class Account:
    """What is told of a run, the last of it."""

    def __init__(self):
        self.facts = {}

    def tell(self, **facts):
        self.facts |= facts

    def record(self, event):
        pass


@pytest.fixture
def clock(monkeypatch):
    """A clock that only sleeping moves on."""
    now = SimpleNamespace(seconds=1000.0)

    def sleep(seconds):
        now.seconds += seconds

    monkeypatch.setattr(run_process, "time", SimpleNamespace(monotonic=lambda: now.seconds, sleep=sleep))
    return now


def test_a_pause_does_not_count_as_work(clock):
    """Two seconds a step and fifty of pause among them: seven steps are left, so fourteen seconds."""
    account = Account()
    ends = clock.seconds + 54.0
    run = SimpleNamespace(is_asked=lambda what: what == "pause" and 1002.0 <= clock.seconds < ends - 2.0)
    watch = run_process.Watch(run, account)
    for step in range(1, 11):
        watch.on_event(
            {"event": "step", "epoch": 1, "epochs": 1, "step": step, "steps": 10, "loss": 1.0, "learning_rate": 0.1}
        )
        if step == 3:
            break
        clock.seconds += 2.0
        if step == 1:
            watch.should_stop()
    assert clock.seconds == pytest.approx(1054.0, abs=0.2)
    assert account.facts["done"] == 3
    assert account.facts["seconds_left"] == pytest.approx(14.0, abs=1e-6)


def test_the_first_step_says_nothing_of_the_others(clock):
    account = Account()
    watch = run_process.Watch(SimpleNamespace(is_asked=lambda what: False), account)
    for step, seconds in ((1, 30.0), (2, 1.0), (3, 1.0)):
        clock.seconds += seconds
        watch.on_event(
            {"event": "step", "epoch": 1, "epochs": 2, "step": step, "steps": 4, "loss": 1.0, "learning_rate": 0.1}
        )
    assert account.facts["seconds_left"] == pytest.approx(5.0)


def test_the_last_epochs_are_reckoned_that_move_the_body_of_a_start(clock):
    """A second a step, ten epochs of two; five times that in the last of them, where the body moves."""
    account = Account()
    watch = run_process.Watch(SimpleNamespace(is_asked=lambda what: False), account)
    watch.train = TrainConfig(epochs=10, freeze_epochs=9)
    for step in range(1, 5):
        clock.seconds += 1.0
        at = {"epoch": (step + 1) // 2, "step": 2 - step % 2}
        watch.on_event({"event": "step", "epochs": 10, "steps": 2, "loss": 1.0, "learning_rate": 0.1} | at)
    assert account.facts["seconds_left"] == pytest.approx(14.0 + 2 * 5.0)


def test_the_time_left_is_right_after_a_pause_among_features(clock):
    """Two seconds a track, a pause of a hundred after the third: seven are left, so fourteen seconds."""
    account = Account()
    asked_at = clock.seconds + 6.0
    run = SimpleNamespace(is_asked=lambda what: what == "pause" and asked_at <= clock.seconds < asked_at + 100.0)
    watch = run_process.Watch(run, account)
    watch.on_event({"event": "stage", "stage": "features"})
    for done in range(1, 4):
        clock.seconds += 2.0
        watch.on_progress(done, 10)
        watch.should_stop()
    assert clock.seconds == pytest.approx(asked_at + 100.0, abs=0.2)
    assert account.facts["seconds_left"] == pytest.approx(14.0, abs=0.1)
    clock.seconds += 2.0
    watch.on_progress(4, 10)
    assert account.facts["seconds_left"] == pytest.approx(12.0, abs=0.2)


def test_tracks_out_of_the_cache_do_not_hasten_the_others(clock):
    """Ninety come in no time, then one every three seconds: eight are left, so twenty-four seconds."""
    account = Account()
    watch = run_process.Watch(SimpleNamespace(is_asked=lambda what: False), account)
    watch.on_event({"event": "stage", "stage": "features"})
    for done in range(1, 91):
        clock.seconds += 0.001
        watch.on_progress(done, 100)
    for done in (91, 92):
        clock.seconds += 3.0
        watch.on_progress(done, 100)
    assert account.facts["seconds_left"] == pytest.approx(24.0, rel=0.05)


def test_a_stage_tells_how_long_the_one_before_it_took_without_pauses(clock):
    account = Account()
    account.events = []
    account.record = account.events.append
    began = clock.seconds
    run = SimpleNamespace(is_asked=lambda what: what == "pause" and began + 3.0 <= clock.seconds < began + 53.0)
    watch = run_process.Watch(run, account)
    watch.on_event({"event": "stage", "stage": "embedding"})
    clock.seconds += 3.0
    watch.should_stop()
    clock.seconds += 4.0
    watch.on_event({"event": "stage", "stage": "head"})
    assert account.events[0] == {"event": "stage", "stage": "embedding"}
    assert account.events[1]["after"] == "embedding"
    assert account.events[1]["seconds"] == pytest.approx(7.0, abs=0.2)


def test_a_pause_holds_the_queue_up_no_longer_than_a_training_may(clock):
    """Ten minutes are granted; he pauses after one of them and never comes back."""
    began = clock.seconds
    watch = run_process.Watch(SimpleNamespace(is_asked=lambda what: what == "pause"), Account(), 600.0)
    clock.seconds += 60.0
    assert watch.should_stop()
    assert clock.seconds == pytest.approx(began + 600.0, abs=1.0)


def test_a_run_that_is_taken_up_and_fails_keeps_the_report_on_what_it_made(tmp_path):
    """A folder that was emptied meanwhile."""
    (tmp_path / "empty").mkdir()
    order = dataclasses.replace(order_for(tmp_path / "empty"), out=tmp_path / "model", run_dir=tmp_path, resume=True)
    (tmp_path / "order.json").write_text(json.dumps(order.to_dict()))
    (tmp_path / "report.json").write_text('{"kept_epoch": 2}')
    run = Run(tmp_path)
    with pytest.raises(CrnnError, match="holds no genres"):
        run_process._carry_out(run, run_process.Watch(run, Account()))
    assert run.report() == {"kept_epoch": 2}


def test_a_report_that_finds_no_room_leaves_none_on_another_model(tmp_path):
    """What was there spoke of the model that was just replaced."""
    resource = pytest.importorskip("resource")
    run = Run(tmp_path)
    account = runs.Account(run)
    (tmp_path / "report.json").write_text('{"kept_epoch": 2}')
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        run_process._conclude(account, Outcome(None, ("Kept: epoch 3.",), stopped=False, report={"words": "x" * 5000}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert run.report() is None
    assert run.status()["message"] == "The report could not be written: File too large. Kept: epoch 3."
