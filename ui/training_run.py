"""A training under way: how far it is, its curves, and the ways to stop, pause and take it up again."""

from __future__ import annotations

import datetime
from typing import Any

import streamlit as st

from crnn import runs
from crnn.errors import CrnnError
from crnn.runs import Run
from ui.training_charts import draw_confusion, draw_curves
from ui.words import duration, plain

_STAGES = {
    "starting": "Starting: the training framework takes some seconds to load",
    "scanning": "Looking through the data sets",
    "features": "Computing the features",
    "training": "Learning",
    "saving": "Calibrating, checking the export, saving",
}
# Each look sends the charts anew; on a machine that trains, the browser has little left to draw with.
_REDRAW_SECONDS = 2.0


@st.fragment(run_every=_REDRAW_SECONDS)
def draw_active(run: Run) -> None:
    """The live view; the whole page runs anew when the run has ended."""
    state = run.state()
    if state not in {"working", "paused"}:
        st.rerun()
    status, events = run.status(), run.events()
    _draw_progress(status, paused=state == "paused")
    if status.get("stage") != "saving":
        _draw_controls(run, paused=run.is_asked("pause"))
    history = [event for event in events if event["event"] == "epoch"]
    if history:
        draw_curves(history, "train.live")
        confusion = next((e["confusion"] for e in reversed(history) if "confusion" in e), None)
        genres = next((e["genres"] for e in events if e["event"] == "data"), [])
        if confusion:
            with st.expander("Confusion so far"):
                draw_confusion(genres, confusion, "train.live.confusion")
    draw_log(events)


def _draw_progress(status: dict[str, Any], *, paused: bool) -> None:
    stage, done, total = status.get("stage", "starting"), status.get("done", 0), status.get("total", 0)
    words = _STAGES.get(stage, stage)
    if paused:
        words = "Paused. Nothing is lost, and nothing happens until you go on"
    elif stage == "features" and total:
        words = f"{words}: {done} of {total} tracks"
    elif stage == "training" and total:
        words = f"{words}: epoch {status['epoch']} of {status['epochs']}"
        if status.get("seconds_left") is not None:
            words += f", about {duration(status['seconds_left'])} left"
    st.progress(min(1.0, done / total) if total else 0.0, words)
    if stage == "training" and "loss" in status:
        st.caption(f"loss {status['loss']:.3f}, learning rate {status['learning_rate']:.2g}")


def _draw_controls(run: Run, *, paused: bool) -> None:
    with st.container(horizontal=True):
        st.button(
            "Stop",
            icon=":material/stop:",
            key="train.stop",
            help="Ends it and keeps the best so far.",
            on_click=run.ask,
            args=("stop",),
        )
        if paused:
            st.button("Go on", icon=":material/play_arrow:", key="train.go_on", on_click=run.withdraw, args=("pause",))
        else:
            st.button("Pause", icon=":material/pause:", key="train.pause", on_click=run.ask, args=("pause",))
    if run.is_asked("stop"):
        st.caption("Stopping. The best so far is kept.")


def draw_log(events: list[dict[str, Any]]) -> None:
    """What happened, newest first."""
    with st.expander("Log"):
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
        return f"{len(event['messages'])} tracks are left out. {' '.join(event['messages'])}"
    if kind == "epoch":
        valid = f", {100 * event['valid_accuracy']:.0f} % of validation right" if "valid_accuracy" in event else ""
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
    st.caption(f"{kept} epochs are kept, and need not be trained again." if kept else "No epoch was finished yet.")
    with st.container(horizontal=True):
        label = "Resume" if kept else "Begin again"
        if st.button(label, icon=":material/play_arrow:", type="primary", key="train.resume"):
            attempt(lambda: runs.resume_run(run))
        if kept and state != "stopped" and st.button("Keep the best so far", key="train.keep"):
            attempt(lambda: runs.resume_run(run, only_keep=True))
        draw_close(run)
    if run.report() is None:
        draw_log(run.events())


def draw_close(run: Run) -> None:
    """The way to something new; what was trained stays under “Earlier trainings”."""
    if st.button("Train something else", key="train.close"):
        run.ask("closed")
        st.session_state.pop("train.shown", None)
        st.rerun()


def attempt(action: Any) -> None:
    """Start or resume a run and show it, or say why not.

    Args:
        action: Takes nothing and gives the run.
    """
    try:
        with st.spinner("Starting the training"):
            run: Run = action()
    except CrnnError as err:
        st.error(plain(str(err)))
        return
    st.session_state["train.shown"] = run.run_id
    st.rerun()


def run_on_show() -> Run | None:
    """The active run; else the one that was chosen here; else the newest, unless it was closed."""
    active = runs.active_run()
    if active is not None:
        return active
    shown = st.session_state.get("train.shown")
    chosen = next((run for run in runs.list_runs() if run.run_id == shown), None)
    return chosen or runs.current_run()


def draw_earlier() -> None:
    """Trainings of before, to look at, take up again or throw away."""
    earlier = runs.list_runs()
    if not earlier:
        return
    with st.expander("Earlier trainings"):
        for run in earlier[:20]:
            left, middle, right = st.columns([6, 1, 1], vertical_alignment="center")
            left.markdown(plain(_line(run)))
            if middle.button("Show", key=f"train.show.{run.run_id}", width="stretch"):
                st.session_state["train.shown"] = run.run_id
                run.withdraw("closed")
                st.rerun()
            if right.button("Delete", key=f"train.delete.{run.run_id}", width="stretch"):
                attempt_delete(run)


def attempt_delete(run: Run) -> None:
    """Throw a run away, or say why not."""
    try:
        runs.delete_run(run)
    except CrnnError as err:
        st.error(plain(str(err)))
        return
    st.rerun()


def _line(run: Run) -> str:
    started = datetime.datetime.strptime(run.run_id[:15], "%Y%m%d-%H%M%S").strftime("%d %B, %H:%M")
    data = next((f"{event['name']}, " for event in run.events() if event["event"] == "data"), "")
    return f"{started}: {data}{run.state()}"
