"""A training under way: how far it is, its curves, and the ways to stop, pause and take it up again."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from crnn.errors import CrnnError
from crnn.jobs import deletion, queue, runs
from crnn.jobs.deletion import DeletedRun
from crnn.jobs.runs import Run
from crnn.owner import Owner
from crnn.text import number_of, right_of
from ui.shared import visitor
from ui.shared.words import duration, plain
from ui.train.charts import draw_confusion, draw_curves

_STAGES = {
    "starting": "Starting",
    "scanning": "Looking through the data sets",
    "features": "Computing the features",
    "copies": "Looking for copies of one recording",
    "embedding": "Listening with the model that it starts from",
    "head": "Fitting the head, and judging it by folds",
    "loading": "Loading the training framework, which takes some seconds",
    "training": "Learning",
    "saving": "Calibrating, checking the export, saving",
    "checking": "Counting what the model would refuse",
    "ended": "Done",
}
# What a stage counts, where it is not tracks; and the last stages, which a pause would only hold up.
_COUNTED = {"head": "fits"}
_LAST = {"saving", "checking", "ended"}
# Each look sends the charts anew; on a machine that trains, the browser has little left to draw with.
_REDRAW_SECONDS = 2.0
_IS_OPEN, _FAULT = "train.earlier.is_open", "train.earlier.fault"


@st.fragment(run_every=_REDRAW_SECONDS)
def draw_active(run: Run) -> None:
    """The live view; the whole page runs anew when the run has ended."""
    state = run.state()
    if state not in {"waiting", "working", "paused"}:
        st.rerun()
    if state == "waiting":
        _draw_place(run)
        return
    status, events = run.status(), run.events()
    asked = "stop" if run.is_asked("stop") else "pause" if run.is_asked("pause") else ""
    _draw_progress(status, paused=state == "paused", asked=asked)
    if status.get("stage") not in _LAST:
        _draw_controls(run, asked)
    history = [event for event in events if event["event"] == "epoch"]
    if history:
        draw_curves(history, "train.live")
        confusion = next((e["confusion"] for e in reversed(history) if "confusion" in e), None)
        genres: list[str] = next((e["genres"] for e in events if e["event"] == "data"), [])
        if confusion:
            with st.expander("Confusion so far", key="train.live.box"):
                draw_confusion(genres, confusion, "train.live.confusion")
    _draw_folded_log(events)


def _draw_place(run: Run) -> None:
    """Where it stands in the queue."""
    before = queue.place(run.folder)
    if before is not None:
        others = "one training is" if before == 1 else f"{before} trainings are"
        st.info(f"It waits for its turn: {others} before it. It begins by itself; you need not stay.")
    st.button("Take it out of the queue", key="train.stop", on_click=run.ask, args=("stop",))


def _draw_progress(status: dict[str, Any], *, paused: bool, asked: str) -> None:
    stage, done, total = status.get("stage", "starting"), status.get("done", 0), status.get("total", 0)
    words = _STAGES.get(stage, stage)
    if stage == "training" and total:
        words += f": epoch {status['epoch']} of {status['epochs']}"
    elif total:
        words += f": {done} of {total} {_COUNTED.get(stage, 'tracks')}"
    # In the bar's own line: whatever came and went below it would move the curves.
    if asked == "stop" and stage not in _LAST:
        words = f"Stopping. The best so far is kept. {words}"
    elif paused:
        words = f"Paused. Nothing is lost, and nothing happens until you go on. {words}"
    elif asked == "pause" and stage not in _LAST:
        words = f"Pausing, as soon as what is in hand is done. {words}"
    elif status.get("seconds_left") is not None:
        words += f", about {duration(status['seconds_left'])} left"
    st.progress(min(1.0, done / total) if total else 0.0, words)
    if stage == "training" and "loss" in status:
        st.caption(f"loss {status['loss']:.3f}, learning rate {status['learning_rate']:.2g}")


def _draw_controls(run: Run, asked: str) -> None:
    with st.container(horizontal=True):
        st.button(
            "Stop",
            icon=":material/stop:",
            key="train.stop",
            help="Ends it and keeps the best so far.",
            disabled=asked == "stop",
            on_click=run.ask,
            args=("stop",),
        )
        if asked == "stop":
            return
        if asked == "pause":
            st.button("Go on", icon=":material/play_arrow:", key="train.go_on", on_click=run.withdraw, args=("pause",))
        else:
            st.button("Pause", icon=":material/pause:", key="train.pause", on_click=run.ask, args=("pause",))


def _draw_folded_log(events: list[dict[str, Any]]) -> None:
    with st.expander("Log", key="train.log"):
        draw_log(events)


def draw_log(events: list[dict[str, Any]]) -> None:
    """What happened, newest first."""
    lines = [f"{_time(event)}  {_words(event)}" for event in events]
    st.code("\n".join(reversed(lines)) or "Nothing yet.", language=None, height=220 if len(lines) > 8 else None)


def _time(event: dict[str, Any]) -> str:
    return datetime.datetime.fromtimestamp(event.get("at", 0)).strftime("%H:%M:%S")


def _words(event: dict[str, Any]) -> str:
    kind = event["event"]
    if kind == "stage":
        return _STAGES.get(event["stage"], event["stage"])
    if kind == "data":
        parts = ", ".join(f"{n} {name}" for name, n in event["parts"].items())
        return f"{event['name']}: {parts}. {' '.join(event['protection'])}"
    if kind == "faults":
        return f"Left out: {number_of(len(event['messages']), 'track')}. {' '.join(event['messages'])}"
    if kind == "epoch":
        valid = f", {right_of(event['confusion'])} validation tracks right" if "confusion" in event else ""
        return f"epoch {event['epoch']} of {event['epochs']}: loss {event['loss']:.3f}{valid}, {event['seconds']:.1f} s"
    return str(event.get("message", kind))


def draw_unfinished(run: Run) -> None:
    """A run that did not come to its end, and what can be done with it."""
    state, message = run.state(), run.status().get("message", "")
    kept = run.epochs_kept()
    if state == "failed":
        st.error(plain(message))
    elif state == "interrupted":
        st.warning("The training was interrupted: its process ended without a word, as when a machine is switched off.")
    elif run.report() is None:
        st.info(plain(message) or "The training was stopped.")
    else:
        st.info("The training was stopped. The best so far is kept.")
    said = [f"Kept: {number_of(kept, 'epoch')}, which need not be trained again." if kept else ""]
    if state != "stopped" and run.report() is not None:
        said.append("What it made before is kept, with its report.")
    st.caption(" ".join(filter(None, said)) or "No epoch was finished yet.")
    with st.container(horizontal=True):
        label = "Resume" if kept else "Begin again"
        if st.button(label, icon=":material/play_arrow:", type="primary", key="train.resume"):
            start_and_show(lambda: runs.resume_run(run, owner=visitor.owner()))
        if kept and state != "stopped" and st.button("Keep the best so far", key="train.keep"):
            start_and_show(lambda: runs.resume_run(run, only_keep=True, owner=visitor.owner()))
        draw_close(run)
    if run.report() is None:
        _draw_folded_log(run.events())


def draw_close(run: Run) -> None:
    """The way to something new; what was trained stays under “Earlier trainings”."""
    if st.button("Train something else", key="train.close"):
        run.ask("closed")
        st.session_state.pop("train.shown", None)
        st.rerun()


def start_and_show(begin: Callable[[], Run]) -> None:
    """Start or resume a run and show it, or say why not.

    Args:
        begin: Starts or resumes it.
    """
    try:
        with st.spinner("Starting the training"):
            run = begin()
    except CrnnError as err:
        st.error(plain(str(err)))
        return
    st.session_state["train.shown"] = run.run_id
    st.rerun()


def run_on_show() -> Run | None:
    """The active run; else the one that was chosen here; else the newest, unless it was closed."""
    owner = visitor.owner()
    active = runs.active_run(owner)
    if active is not None:
        return active
    shown = st.session_state.get("train.shown")
    chosen = next((run for run in runs.list_runs(owner) if run.run_id == shown), None)
    return chosen or runs.current_run(owner)


def draw_earlier() -> None:
    """Trainings of before, to look at, take up again or delete; and those that were deleted, to put back."""
    owner = visitor.owner()
    earlier, gone = runs.list_runs(owner), deletion.deleted_runs(owner)
    if not earlier and not gone:
        return
    # Open once something was deleted: the way back stands in it.
    with st.expander("Earlier trainings", expanded=st.session_state.get(_IS_OPEN, False), key="train.earlier"):
        fault = st.session_state.pop(_FAULT, "")
        if fault:
            st.error(plain(fault))
        for run in earlier[:20]:
            left, middle, right = st.columns([6, 1, 1], vertical_alignment="center")
            left.markdown(plain(_line(run, run.run_id)))
            if middle.button("Show", key=f"train.show.{run.run_id}", width="stretch"):
                st.session_state["train.shown"] = run.run_id
                run.withdraw("closed")
                st.rerun()
            right.button(
                "Delete",
                key=f"train.delete.{run.run_id}",
                width="stretch",
                on_click=_delete_or_put_back,
                args=(partial(deletion.delete_run, run, owner=owner),),
            )
        if gone:
            _draw_deleted(gone, owner)


def _draw_deleted(gone: list[DeletedRun], owner: Owner) -> None:
    st.caption(f"Deleted; the last {deletion.MOST_KEPT} can be put back.")
    for deleted in gone:
        key = deleted.run.folder.name
        left, middle, right = st.columns([5, 1, 2], vertical_alignment="center")
        left.markdown(plain(_line(deleted.run, deleted.run_id)))
        middle.button(
            "Undo",
            key=f"train.undo.{key}",
            width="stretch",
            on_click=_delete_or_put_back,
            args=(partial(deletion.put_back, deleted, owner=owner),),
        )
        right.button(
            "Delete for good",
            key=f"train.gone.{key}",
            width="stretch",
            on_click=_delete_or_put_back,
            args=(partial(deletion.throw_away, deleted, owner=owner),),
        )


def _delete_or_put_back(action: Callable[[], object]) -> None:
    """Before the page is drawn; why not is said there."""
    st.session_state[_IS_OPEN] = True
    try:
        action()
    except CrnnError as err:
        st.session_state[_FAULT] = str(err)


def _line(run: Run, run_id: str) -> str:
    started = datetime.datetime.strptime(run_id[:15], "%Y%m%d-%H%M%S").strftime("%d %B, %H:%M")
    data = next((f"{event['name']}, " for event in run.events() if event["event"] == "data"), "")
    return f"{started}: {data}{run.state()}"
