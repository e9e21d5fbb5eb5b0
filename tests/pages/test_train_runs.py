"""The Train page with a run: interrupted, failed, alive, and at its end with a report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from page_words import read
from streamlit.testing.v1 import AppTest
from tiny_bundle import tiny_bundle
from train_page import open_page
from training_runs import SETTINGS

from crnn.errors import CrnnError
from crnn.jobs import queue, runs
from crnn.jobs.order import TrainingOrder
from crnn.jobs.runs import Account, Run
from crnn.owner import Owner


def made_up_run(home: Path, **status: object) -> Run:
    """A run as its process would have left it."""
    folder = home / "runs" / "20261123-101500"
    folder.mkdir(parents=True)
    order = TrainingOrder(("demo",), folder / "model", SETTINGS, run_dir=folder)
    (folder / "order.json").write_text(json.dumps(order.to_dict()))
    account = Account(Run(folder))
    account.record({"event": "data", "name": "demo", "genres": ["a", "b"], "parts": {"train": 8}, "protection": []})
    for epoch in (1, 2):
        facts = {"epoch": epoch, "epochs": 4, "loss": 1.0 / epoch, "seconds": 1.0}
        checked = {"valid_loss": 1.0, "valid_accuracy": 0.5, "confusion": [[3, 1], [2, 2]]}
        account.record({"event": "epoch", **facts, **checked})
    account.tell(**status)
    return Run(folder)


def test_an_interrupted_run_is_found_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made_up_run(home, stage="training")
    (run.folder / "checkpoint.npz").write_bytes(b"kept")
    app = open_page()
    assert not app.exception
    assert "The training was interrupted" in read(app)
    assert "Kept: 2 epochs, which need not be trained again." in read(app)
    assert "loss 0.500, 5 of 8 validation tracks right, 1.0 s" in app.code[0].value
    assert {"Resume", "Keep the best so far", "Train something else"} <= {button.label for button in app.button}
    asked: list[tuple[str, bool]] = []

    def resume_run(run: Run, *, only_keep: bool = False, owner: Owner) -> Run:
        asked.append((run.run_id, only_keep))
        raise CrnnError("Not today.")

    monkeypatch.setattr(runs, "resume_run", resume_run)
    for label in ("Resume", "Keep the best so far"):
        next(button for button in app.button if button.label == label).click().run()
        assert "Not today." in read(app)
    assert asked == [(run.run_id, False), (run.run_id, True)]
    next(button for button in app.button if button.label == "Train something else").click().run()
    assert "192 tracks" in read(app)
    # Closed, not lost.
    assert run.folder.is_dir()
    assert "23 November, 10:15: demo, interrupted" in read(app)


def test_a_failed_run_says_why(home: Path) -> None:
    made_up_run(home, state="failed", message="The data set _went_ away.")
    app = open_page()
    assert "The data set _went_ away." in read(app)


def test_a_live_run_is_shown_and_obeys(home: Path) -> None:
    run = made_up_run(home, stage="training", done=8, total=16, epoch=3, epochs=4, loss=0.4, learning_rate=1e-3)
    with queue.lock() as lock:
        assert lock.acquire()
        lock.write(queue.ticket(run.folder))
        app = open_page()
        assert not app.exception
        assert "loss 0.400, learning rate 0.001" in read(app)
        assert len(app.get("plotly_chart")) == 3
        app.button(key="train.pause").click().run()
        assert run.is_asked("pause")
        app.button(key="train.go_on").click().run()
        assert not run.is_asked("pause")
        app.button(key="train.stop").click().run()
        assert run.is_asked("stop")
        # In the bar's line, so that the curves below it stay where they are.
        assert app.get("progress")[0].proto.text.startswith("Stopping. The best so far is kept.")
        assert app.button(key="train.stop").disabled
        assert not any(button.key == "train.pause" for button in app.button)


def test_a_deleted_training_is_put_back(home: Path) -> None:
    run = made_up_run(home, state="stopped", message="")
    run.ask("closed")
    app = open_page()
    press(app, "Delete")
    assert not run.folder.exists()
    assert "Deleted; the last 5 can be put back." in read(app)
    assert "23 November, 10:15: demo, stopped" in read(app)
    # The way back is in sight.
    assert next(box.proto.expanded for box in app.expander if box.label == "Earlier trainings")
    press(app, "Undo")
    assert run.folder.is_dir()
    assert "can be put back" not in read(app)
    press(app, "Delete")
    press(app, "Delete for good")
    assert not app.exception
    assert not [box for box in app.expander if box.label == "Earlier trainings"]


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception


@pytest.mark.parametrize("epochs", [0, 2])
def test_a_report_begins_with_what_there_is_to_see(home: Path, epochs: int) -> None:
    """What was only fitted has no curves of epochs."""
    run = made_up_run(home, state="done", message="")
    tiny_bundle(run.model_dir)
    history = [{"epoch": number, "loss": 1.0} for number in range(1, epochs + 1)]
    Account(run).keep_report(_report() | {"history": history})
    app = open_page()
    assert not app.exception
    # It can be tried before it has a name.
    assert any(uploader.label == "A song to try it on" for uploader in app.file_uploader)
    names = [tab.label for tab in app.tabs]
    assert names == [*(["Curves"] if epochs else []), "Confusion", "By genre", "Reliability", "Log"]
    # What a tab is called is seen once it is pressed.
    assert all(expander.label != "Log" for expander in app.expander)


def test_a_report_without_mistakes_offers_none_to_choose(home: Path) -> None:
    run = made_up_run(home, state="done", message="")
    tiny_bundle(run.model_dir)
    report = _report()
    Account(run).keep_report(report | {"tracks": [t for t in report["tracks"] if t["genre"] == t["answer"]]})
    app = open_page()
    assert not app.exception
    assert "No mistakes on these tracks." in read(app)
    assert "train.report.cell" not in [box.key for box in app.selectbox]


def test_a_report_is_read_and_its_model_saved(home: Path, models: Path) -> None:
    run = made_up_run(home, state="done", message="")
    tiny_bundle(run.model_dir)
    Account(run).keep_report(_report())
    app = open_page()
    assert not app.exception
    text = read(app)
    assert "3 of 4 unheard tracks right: 75 %" in text
    assert "Learnt from demo, 12 tracks. In brackets" in text
    assert "Always saying a would score 50 %." in text
    assert "b1: is b, answered a (0.90)" in text
    assert "Macro F1 0.73" in text
    assert app.selectbox(key="train.report.cell").options[0] == "the one mistake"
    assert app.selectbox(key="train.report.cell").options[1] == "is b, answered a: 1 of 1 mistake"
    app.selectbox(key="train.report.cell").set_value(("b", "a")).run()
    app.toggle(key="train.report.by_ear").set_value(True).run()
    assert not app.exception
    assert "b1" not in read(app)
    next(group for group in app.button_group if group.key.startswith("train.ear.")).set_value("a").run()
    assert not app.exception
    assert "b1: filed as b, answered a." in read(app)
    assert "Of 1 track you agree with the label in 0, with the model in 1." in read(app)
    app.toggle(key="train.report.by_ear").set_value(False).run()
    app.selectbox(key="train.report.cell").set_value(("b", "b")).run()
    assert "b0: is b, answered b (0.90)" in read(app)
    assert "b1: is b, answered a" not in read(app)
    app.text_input(key="train.save.name").set_value("my-model")
    app.text_area(key="train.save.notes").set_value("For *me*.")
    next(button for button in app.button if button.label == "Save").click().run()
    assert not app.exception
    assert "Saved as my-model." in read(app)
    assert json.loads((models / "my-model" / "bundle.json").read_text())["notes"] == "For *me*."
    app.text_input(key="train.save.name").set_value("../evil")
    next(button for button in app.button if button.label == "Save").click().run()
    assert "cannot be a model's name" in read(app)


def _report() -> dict[str, object]:
    from crnn.evaluation.metrics import score

    labels = [0, 0, 1, 1]
    posteriors = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.9, 0.1]])
    names = ["a0", "a1", "b0", "b1"]
    tracks = [
        {
            "track_id": name,
            "genre": "ab"[label],
            "answer": "ab"[int(p.argmax())],
            "confidence": float(p.max()),
            "path": None,
            "demo_id": None,
        }
        for name, label, p in zip(names, labels, posteriors, strict=True)
    ]
    history = [{"epoch": 1, "loss": 1.0, "valid_loss": 1.0, "valid_accuracy": 0.75}]
    return {
        "created": "2026-11-23",
        "data": {"name": "demo", "n_tracks": 12},
        "genres": ["a", "b"],
        "scores": score(labels, posteriors, ("a", "b")).to_dict(),
        "lucky_guess": {"genre": "a", "accuracy": 0.5},
        "protection": ["No artist is in two parts."],
        "notes": [],
        "kept_epoch": 1,
        "history": history,
        "tracks": tracks,
    }
