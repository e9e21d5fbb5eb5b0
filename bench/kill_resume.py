"""Ten kills at random moments of a training: what is lost, and whether the end is the same.

    python bench/kill_resume.py --kills 10

Trains once without a disturbance, then again with SIGKILL at random moments, each time taken up again.
Prints the epochs that had to be repeated at each kill, and the largest difference between the weights.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from training_runs import SETTINGS, epochs_of, order_for, small_data_set, wait_until  # noqa: E402

from crnn import runs  # noqa: E402


def main() -> None:
    """Print a line a kill, and the difference in the end."""
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
        whole = runs.start_run(order)
        wait_until(lambda: not whole.is_active(), 3600)
        broken = kill_again_and_again(order, options.kills, random.Random(options.seed))
        differences = [np.abs(a - b).max() for a, b in zip(weights_of(whole), weights_of(broken), strict=True)]
        print(f"epochs: {len(epochs_of(whole))} undisturbed, {len(epochs_of(broken))} with {options.kills} kills")
        print(f"largest difference between the weights: {max(differences):.1e}")


def kill_again_and_again(order: runs.TrainingOrder, n_kills: int, rng: random.Random) -> runs.Run:
    """A run that was killed `n_kills` times, now at its end."""
    run = runs.start_run(order)
    n_epochs = order.settings.train.epochs
    # Moments spread over the epochs, and at random within them.
    for kill in range(1, n_kills + 1):
        target = kill * n_epochs // (n_kills + 1)
        wait_until(lambda target=target: len(epochs_of(run)) >= target or not run.is_active(), 3600)
        time.sleep(rng.uniform(0, 0.4))
        if not run.is_active():
            break
        os.kill(run.status()["pid"], signal.SIGKILL)
        wait_until(lambda: not run.is_active())
        told, kept = len(epochs_of(run)), run.epochs_kept()
        runs.resume_run(run)
        wait_until(lambda told=told: len(epochs_of(run)) > told or not run.is_active(), 3600)
        print(f"kill {kill}: after epoch {told}, {run.state()}; checkpoint said {kept}", flush=True)
    wait_until(lambda: not run.is_active(), 3600)
    return run


def weights_of(run: runs.Run) -> list[np.ndarray]:
    """Weights of the model that a run gave."""
    import keras

    weights: list[np.ndarray] = keras.saving.load_model(run.model_dir / "model.keras", compile=False).get_weights()
    return weights


if __name__ == "__main__":
    main()
