"""Kills while a model is saved over another: is one of the two always there, whole?

    python -m bench.kill_save --kills 10

A process saves a model over the one at its place again and again. It is killed (SIGKILL) once between the two renames
of the swap, then at random moments. After each kill whoever looks next must find one model there that loads, old or
new, and nothing else; after the next start of a server no draft is left. Prints JSON; the exit status is 1 otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import ROOT
from crnn.bundles import swap
from crnn.bundles.bundle import bundle_folders, load_bundle, save_bundle
from crnn.errors import BundleError
from crnn.jobs import kept
from crnn.limits import DRAFT_SECONDS

NAME = "mine"
# A save takes some tens of milliseconds.
MOMENTS_SECONDS = (0.0, 0.5)


def _save_for_ever(shelf: Path, *, dies_between: bool) -> None:
    """Save a model over itself until somebody kills this process, or it itself does between the renames."""
    source = load_bundle(shelf.parent / "source" / NAME)

    def write_files(draft: Path) -> None:
        for name in source.files:
            shutil.copy(source.file(name), draft)

    if dies_between:
        rename = Path.rename

        def rename_and_die(path: Path, target: Path) -> Path:
            rename(path, target)
            if swap._OLD in Path(target).name:
                os.kill(os.getpid(), signal.SIGKILL)
            return Path(target)

        Path.rename = rename_and_die  # type: ignore[method-assign, assignment]
    print("begun", flush=True)
    while True:
        save_bundle(source, shelf / NAME, write_files, replace=True)


def _killed(shelf: Path, *, dies_between: bool, rng: random.Random) -> dict[str, Any]:
    """What a kill left, before and after somebody looked."""
    command = [sys.executable, "-m", "bench.kill_save", "--saves-in", str(shelf)]
    command += ["--dies-between"] if dies_between else []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        if not dies_between:
            time.sleep(rng.uniform(*MOMENTS_SECONDS))
            process.kill()
        process.wait()
    left = sorted(path.name for path in shelf.iterdir())
    try:
        found = [folder.name for folder in bundle_folders(shelf)]
        is_whole = found == [NAME] and load_bundle(shelf / NAME).genres != ()
    except BundleError as err:
        found, is_whole = [str(err)], False
    return {"between_renames": dies_between, "lay_there": left, "found": found, "is_whole": is_whole}


def main() -> int:
    """Kill it again and again, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--saves-in", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--dies-between", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.saves_in:
        _save_for_ever(options.saves_in, dies_between=options.dies_between)
    from tiny_bundle import tiny_bundle

    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        shelf = Path(folder) / "models"
        os.environ |= {"GENRESCOPE_HOME": str(Path(folder) / "home"), "GENRESCOPE_MODELS": str(shelf)}
        for place in (shelf, shelf.parent / "source"):
            tiny_bundle(place / NAME)
        kills = [_killed(shelf, dies_between=number == 0, rng=rng) for number in range(options.kills + 1)]
        long_ago = time.time() - 2 * DRAFT_SECONDS
        for path in shelf.rglob("*"):
            # An hour later.
            os.utime(path, (long_ago, long_ago))
        kept.sweep("local")
        left = sorted(path.name for path in shelf.iterdir())
    print(json.dumps({"kills": kills, "left_after_a_start": left}, indent=1))
    was_between = len(kills[0]["lay_there"]) > 0 and NAME not in kills[0]["lay_there"]
    return 0 if was_between and all(kill["is_whole"] for kill in kills) and left == [NAME] else 1


if __name__ == "__main__":
    sys.exit(main())
