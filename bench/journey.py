"""The way from a folder of music to a bundle through the library: rooms entered, and climbs back.

    python -m bench.journey

A room is a module of `crnn`, a wing one of its packages. A step is a call from the training's own modules to a function
of another room, or to a class that does work when it is made, counted once for each place in the code that calls, in
the order of their first times; what a value tells of itself is no step. A climb is a step into a wing further left, in
the order of `tests/test_architecture.py`, than the step before: what was left is entered again. Prints JSON; `--steps`
prints the way as well.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
from training_runs import SETTINGS, order_for, small_data_set  # noqa: E402

WINGS = "audio features synthesis data bundles inference analysis evaluation networks jobs training cli".split()


def wing_of(room: str) -> str:
    """The wing of a room; "" for those of `crnn/` itself."""
    first = room.split(".")[1] if room.count(".") > 1 else ""
    return first if first in WINGS else ""


def room_of(frame: FrameType) -> str:
    """The module of a frame, "" where it is not of the library."""
    name = str(frame.f_globals.get("__name__", ""))
    return name if name.startswith("crnn.") else ""


def journey(work: Callable[[], object]) -> tuple[list[str], set[str]]:
    """Rooms that `work` steps into, in their order, and all rooms that it enters."""
    seen: set[tuple[str, int, str]] = set()
    steps: list[str] = []
    entered: set[str] = set()

    def watch(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if (
            event != "call"
            or not (room := room_of(frame))
            or code.co_name == "<module>"
            or code.co_filename == "<string>"
        ):
            return
        if "." in code.co_qualname and code.co_name != "__init__":
            return
        entered.add(room)
        caller = frame.f_back
        if caller is None or wing_of(room_of(caller)) != "training" or wing_of(room) in {"", "training"}:
            return
        place = (caller.f_code.co_filename, caller.f_lineno, room)
        if place not in seen:
            seen.add(place)
            steps.append(room)

    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
    return steps, entered


def climbs(steps: list[str]) -> int:
    """Steps into a wing further left than the one before."""
    at = [WINGS.index(wing_of(room)) for room in steps]
    return sum(after < before for before, after in itertools.pairwise(at))


def main() -> int:
    """Train on three genres of synthesized sound, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", action="store_true", help="print the way")
    options = parser.parse_args()
    from crnn.training.pipeline import carry_out

    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"GENRESCOPE_HOME": f"{folder}/home", "GENRESCOPE_MODELS": f"{folder}/models"}
        settings = dataclasses.replace(SETTINGS, train=dataclasses.replace(SETTINGS.train, epochs=1))
        order = dataclasses.replace(
            order_for(small_data_set(Path(folder) / "music")), settings=settings, out=Path(folder) / "models" / "new"
        )
        steps, entered = journey(lambda: carry_out(order))
    if options.steps:
        print("\n".join(steps), file=sys.stderr)
    print(json.dumps({"rooms": len(entered), "steps": len(steps), "climbs": climbs(steps)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
