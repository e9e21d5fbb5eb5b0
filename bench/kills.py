"""Kills of the server at random moments of two people's work: does each find his own, whole?

    python -m bench.kills --kills 10

Two people sign in (Chromium, a real OpenID provider on the loopback), upload songs and keep corrections, while a
training of one of them runs. At random moments the server is killed (SIGKILL) and begun again. After each kill every
clip that was said to be kept must be there, byte for byte, in its owner's folder and on his page, and nothing of the
other's. Prints JSON; the exit status is 1 if something was lost, broken or another's.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import random
import re
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sounds import noise, sine, wav_bytes

from bench.serving import chromium
from bench.signing_in import House, correct, give, sign_in
from crnn.data import user_clips
from crnn.jobs import runs
from crnn.jobs.order import TrainingOrder, preset
from crnn.owner import Owner, person

# Of a kill after the begin of the work: an upload and its correction take some seconds, ten on a busy machine.
MOMENTS_SECONDS = (0.2, 20.0)


@dataclass
class Person:
    """Somebody at work: his page, and the clips that he was told are kept, by the digest that names their files."""

    name: str
    owner: Owner
    page: Any
    kept: dict[str, bytes] = field(default_factory=dict)
    n_given: int = 0

    def work(self) -> None:
        """Give a song and keep it under another genre."""
        self.n_given += 1
        seed = int.from_bytes(self.name.encode()) % 1000 + self.n_given
        song = wav_bytes((sine(60.0, 6.0) + noise(6.0, level=0.02, seed=seed)).astype(np.float32), subtype="PCM_16")
        if self.page.get_by_text(re.compile(r"^song\.wav · .*change$")).count():
            self.page.goto(self.page.url)
        give(self.page, song)
        correct(self.page, f"{self.name} hums")
        self.kept[hashlib.sha256(song).hexdigest()[:16]] = song

    def faults(self) -> list[str]:
        """What is not as it should be on the disk and on his page."""
        found = []
        folder = user_clips.corrections_dir(self.owner)
        files = {path.stem.split()[-1]: path for path in folder.glob("*/*.wav")}
        for digest in self.kept:
            if digest not in files:
                found.append(f"{self.name}: {digest} is lost")
        for digest, path in files.items():
            if hashlib.sha256(path.read_bytes()).hexdigest()[:16] != digest:
                found.append(f"{self.name}: {digest} is broken")
            if path.parent.name != f"{self.name} hums":
                found.append(f"{self.name}: {path.parent.name} is not his")
        self.page.goto(re.sub(r"/$", "", self.page.url.partition("?")[0].rpartition("/")[0]) + "/Train")
        if files and not self.page.get_by_text(re.compile("Train something else|Clip by clip|Pause|It waits")).count():
            self.page.get_by_text(re.compile("Clip by clip|Pause|Learning|waits")).first.wait_for(timeout=120_000)
        return found


def _work_until_killed(house: House, people: list[Person], rng: random.Random) -> float:
    """Both work, one after the other, until a kill comes; when it came, in seconds."""
    moment, is_killed = rng.uniform(*MOMENTS_SECONDS), threading.Event()

    def kill() -> None:
        is_killed.set()
        house.kill()

    killer = threading.Timer(moment, kill)
    killer.start()
    try:
        while killer.is_alive():
            for each in rng.sample(people, len(people)):
                each.page.goto(house.address)
                each.work()
    except Exception:
        # Broad: the page of a server that is gone fails in many ways. What fails before is a fault.
        if not is_killed.is_set():
            raise
    finally:
        killer.join()
    return moment


def begin_training(owner: Owner) -> runs.Run:
    """A training that outlasts the kills."""
    settings = preset("quick")
    settings = dataclasses.replace(settings, train=dataclasses.replace(settings.train, epochs=200))
    return runs.start_run(TrainingOrder(datasets=("demo",), out=Path("model"), settings=settings), owner=owner)


def _killed_again_and_again(house: House, n_kills: int, rng: random.Random) -> dict[str, Any]:
    """What two people find after each kill, and what became of the training of one of them."""
    with chromium() as browser:
        people = [Person(name, person(house.issuer, name), sign_in(browser, house, name)) for name in ("ann", "ben")]
        for each in people:
            each.page.set_default_timeout(60_000)
            each.work()
        run = begin_training(people[0].owner)
        moments, faults = [], []
        for number in range(n_kills):
            moments.append(round(_work_until_killed(house, people, rng), 1))
            house.open()
            faults += [fault for each in people for fault in each.faults()]
            print(f"{number + 1} of {n_kills}: {len(faults)} faults", file=sys.stderr, flush=True)
        for each in people:
            each.page.goto(house.address)
            each.work()
        state = run.state()
    return {
        "kills_after_seconds": moments,
        "kept": {each.name: len(each.kept) for each in people},
        "faults": faults,
        "training": state,
        "people": len(list(house.home.joinpath("people").iterdir())),
    }


def main() -> int:
    """Kill it again and again, and print what was found."""
    import oidc_provider_mock

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, oidc_provider_mock.run_server_in_thread() as provider:
        house = House(Path(folder), provider.server_port)
        os.environ["GENRESCOPE_HOME"] = str(house.home)
        house.open()
        try:
            result = _killed_again_and_again(house, options.kills, random.Random(options.seed))
        finally:
            # Neither server nor training may outlive a bench that failed.
            house.kill()
            runs_left = [runs.Run(path) for path in house.home.glob("people/*/runs/2*")]
            for run in runs_left:
                run.ask("stop")
            while any(run.is_active() for run in runs_left):
                time.sleep(0.5)
    print(json.dumps(result, indent=1))
    is_whole = not result["faults"] and result["training"] in {"working", "waiting", "done"} and result["people"] == 2
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
