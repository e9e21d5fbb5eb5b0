"""Ten kills at random moments of a training: what is lost, and whether the end is the same.

    python -m bench.kill_resume --kills 10

Trains once without a disturbance, then again with SIGKILL at random moments, each time taken up again.
Prints JSON: for each kill the state that was found, and the finished epochs that had to be trained again
(one at most: the kill may come between an epoch's end and its checkpoint); the largest difference between
the weights in the end, and the scores of both. The exit status is 1 if more was lost, or the ends differ.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from training_runs import SETTINGS, epochs_of, order_for, small_data_set, wait_until

from crnn.jobs import runs
from crnn.jobs.order import TrainingOrder
from crnn.owner import MACHINE

MAX_DIFFERENCE = 1e-3
PATIENCE_SECONDS = 3600.0


def main() -> int:
    """Train twice, compare, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["GENRESCOPE_HOME"] = home
        train = dataclasses.replace(SETTINGS.train, epochs=options.epochs, crops_per_track=12)
        order = order_for(small_data_set(Path(home) / "sounds"))
        order = dataclasses.replace(order, settings=dataclasses.replace(SETTINGS, train=train))
        whole = runs.start_run(order, owner=MACHINE)
        wait_until(lambda: not whole.is_active(), PATIENCE_SECONDS)
        seconds = statistics.median(event["seconds"] for event in whole.events() if event["event"] == "epoch")
        broken, kills = _kill_again_and_again(order, options.kills, seconds, random.Random(options.seed))
        difference = max(float(np.abs(a - b).max()) for a, b in zip(weights_of(whole), weights_of(broken), strict=True))
        result: dict[str, Any] = {
            "kills": kills,
            "seconds_an_epoch": round(seconds, 2),
            "epochs": {"undisturbed": epochs_of(whole)[-1], "killed": epochs_of(broken)[-1]},
            "greatest_weight_difference": difference,
            "scores": {"undisturbed": scores_of(whole), "killed": scores_of(broken)},
        }
    print(json.dumps(result, indent=1))
    is_lost = len(kills) < options.kills or any(kill["epochs_again"] > 1 for kill in kills)
    is_other = difference > MAX_DIFFERENCE or len(set(result["epochs"].values())) > 1
    return 1 if is_lost or is_other else 0


def _kill_again_and_again(
    order: TrainingOrder, n_kills: int, epoch_seconds: float, rng: random.Random
) -> tuple[runs.Run, list[dict[str, Any]]]:
    """A run that was killed `n_kills` times, or fewer if it ended before, now at its end, and what each kill cost."""
    run = runs.start_run(order, owner=MACHINE)
    n_epochs = order.settings.train.epochs
    kills = []
    # Moments spread over the epochs, and at random within them.
    for kill in range(1, n_kills + 1):
        target = kill * n_epochs // (n_kills + 1)
        wait_until(lambda target=target: told(run)[-1:] >= [target] or not run.is_active(), PATIENCE_SECONDS)
        time.sleep(rng.uniform(0, 1.2 * epoch_seconds))
        if not run.is_active():
            break
        os.kill(run.status()["pid"], signal.SIGKILL)
        wait_until(lambda: not run.is_active())
        before, state = told(run), run.state()
        runs.resume_run(run, owner=MACHINE)
        wait_until(lambda before=before: len(told(run)) > len(before) or not run.is_active(), PATIENCE_SECONDS)
        first = told(run)[len(before)]
        kills.append({"after_epoch": before[-1], "state": state, "epochs_again": before[-1] - first + 1})
        print(json.dumps(kills[-1]), file=sys.stderr, flush=True)
    wait_until(lambda: not run.is_active(), PATIENCE_SECONDS)
    return run, kills


def told(run: runs.Run) -> list[int]:
    """Epochs as the run told of them, those twice that were trained twice."""
    path = run.folder / "events.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    events = []
    for line in lines:
        try:
            events.append(json.loads(line))
        except ValueError:  # cut short by a kill
            continue
    return [event["epoch"] for event in events if event["event"] == "epoch"]


def scores_of(run: runs.Run) -> dict[str, float]:
    """Accuracy and macro-F1 of the model that a run gave."""
    scores = (run.report() or {})["scores"]
    return {name: scores[name] for name in ("accuracy", "macro_f1")}


def weights_of(run: runs.Run) -> list[np.ndarray]:
    """Weights of the model that a run gave."""
    import keras

    weights: list[np.ndarray] = keras.saving.load_model(run.model_dir / "model.keras", compile=False).get_weights()
    return weights


if __name__ == "__main__":
    sys.exit(main())
