"""Visitors for minutes beside a running training: mix-ups, what the training costs them, and the memory after them.

    python -m bench.visitors --visitors 10 --minutes 10

Serves the app to strangers with the models of this repository. Each visitor is a client of the page's socket that
uploads a piece of music of its own, reads the answer, waits as a person does, and gives the next one. First without a
training, then beside one of somebody who signed in, at the low priority that his has. Every answer must be the one
that the library gives for that piece, under its own name and with its own length. Prints JSON; the exit status is 1
if one was another's, or more than twice as slow, or the memory was not back within two minutes where the first
visitors had left it (what ONNX Runtime took for ten answers at once it keeps).
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sounds import wav_bytes

from bench import ROOT
from bench.clients import Client, texts
from bench.measuring import resident_bytes
from bench.serving import served
from crnn.bundles.bundle import load_bundle
from crnn.bundles.library import DEFAULT_MODEL
from crnn.data import demo
from crnn.inference import output
from crnn.inference.classifier import Classifier
from crnn.jobs import runs
from crnn.jobs.order import TrainingOrder, preset
from crnn.owner import person
from crnn.text import clock

RATE = 22_050
PIECES_EACH = 3
# As long as somebody looks at an answer.
PAUSE_SECONDS = (3.0, 9.0)
GONE_SECONDS = 120.0
OWNER = person("https://id.example", "ann")


@dataclass(frozen=True)
class Piece:
    """A sound and what the page must say of it: its name and length are nobody else's."""

    name: str
    data: bytes
    words: str
    length: str


@dataclass
class Account:
    """What the visitors of a phase met."""

    seconds: list[float] = field(default_factory=list)
    wrong: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The figures."""
        ordered = sorted(self.seconds) or [0.0]
        return {
            "answers": len(self.seconds),
            "wrong": self.wrong,
            "median_seconds": round(statistics.median(ordered), 2),
            "nine_in_ten_seconds": round(ordered[int(0.9 * (len(ordered) - 1))], 2),
            "slowest_seconds": round(ordered[-1], 2),
        }


def _pieces(n: int, classifier: Classifier) -> list[Piece]:
    """Synthesized music, each piece of a length of its own, with the library's answer."""
    made = []
    tracks = demo.tracks()
    for number in range(n):
        track = tracks[number * len(tracks) // n]
        samples = demo.render(track, RATE)
        seconds = 8.0 + 0.1 * number
        data = wav_bytes(samples[: int(seconds * RATE)], RATE, "PCM_16")
        name = f"piece-{number:03d}.wav"
        found = classifier.classify_file(data, name=name)
        made.append(Piece(name, data, output.verdict_sentence(found), clock(found.duration_seconds)))
    return made


def _visit(host: str, mine: list[Piece], until: float, account: Account, rng: random.Random) -> None:
    """Give piece after piece until a moment (`time.monotonic`), and check what the page says."""
    with Client(host) as client:
        for number, one in enumerate(itertools.cycle(mine)):
            if time.monotonic() > until:
                return
            # A sound of a new name is a new one: no answer is found again.
            piece = dataclasses.replace(one, name=f"{number:04d}-{one.name}")
            began = time.monotonic()
            try:
                messages = client.give(piece.name, piece.data)
            except (OSError, ValueError, TimeoutError) as err:
                account.wrong.append({"piece": piece.name, "fault": str(err)})
                return
            said = texts(messages)
            told_at = next(
                (at for at, m in zip(client.heard_at, messages, strict=True) if texts([m]) == [piece.words]), 0
            )
            is_own = any(line.startswith(f"{piece.name} · ") and line.endswith(" · change") for line in said) and any(
                piece.length in line for line in said
            )
            if told_at and is_own:
                account.seconds.append(told_at - began)
            else:
                account.wrong.append({"piece": piece.name, "expected": [piece.words, piece.length], "read": said})
            time.sleep(rng.uniform(*PAUSE_SECONDS))


def _phase(host: str, by_visitor: list[list[Piece]], seconds: float) -> Account:
    """All visitors at once, for so long; they leave at its end."""
    account, until = Account(), time.monotonic() + seconds
    threads = [
        threading.Thread(target=_visit, args=(host, mine, until, account, random.Random(number)))
        for number, mine in enumerate(by_visitor)
    ]
    for thread in threads:
        thread.start()
        time.sleep(0.2)
    for thread in threads:
        thread.join()
    return account


def begin_training(home: Path) -> runs.Run:
    """A training of the demo by somebody who signed in, longer than the visits; returned when it learns."""
    os.environ["GENRESCOPE_HOME"] = str(home)
    settings = preset("standard")
    settings = dataclasses.replace(settings, train=dataclasses.replace(settings.train, epochs=200))
    run = runs.start_run(TrainingOrder(datasets=("demo",), out=Path("model"), settings=settings), owner=OWNER)
    while run.is_active() and not _epochs(run):
        time.sleep(1.0)
    return run


def _epochs(run: runs.Run) -> int:
    return sum(event["event"] == "epoch" for event in run.events())


def _seconds_until_back(pid: int, before: float, aim_bytes: float) -> tuple[float, float]:
    """Seconds until the memory is back near what it was, and the memory then; patience ends after two minutes."""
    left = time.monotonic()
    while resident_bytes(pid) > before + aim_bytes and time.monotonic() - left < GONE_SECONDS + 1:
        time.sleep(1.0)
    return time.monotonic() - left, resident_bytes(pid) / 2**20


def _first_visit(host: str, piece: Piece, began: float) -> dict[str, float]:
    """Seconds from a server's begin to its first page and its first answer."""
    with Client(host) as first:
        first.open_page()
        page = time.monotonic() - began
        first.give(piece.name, piece.data)
        return {"first_page": round(page, 1), "first_answer": round(time.monotonic() - began, 1)}


def _measured(host: str, pid: int, by_visitor: list[list[Piece]], minutes: float, home: Path) -> dict[str, Any]:
    """Both phases, and the memory before, between and after them."""
    before = resident_bytes(pid)
    alone = _phase(host, by_visitor, 30 * minutes)
    _, at_rest = _seconds_until_back(pid, before, 30 * 2**20)
    run = begin_training(home)
    at_begin, load = _epochs(run), os.getloadavg()[0]
    beside = _phase(host, by_visitor, 60 * minutes)
    at_end, at_most, was_active = _epochs(run), resident_bytes(pid), run.is_active()
    run.ask("stop")
    gone, after = _seconds_until_back(pid, at_rest * 2**20, 20 * 2**20)
    while run.is_active():
        time.sleep(1.0)
    slower = statistics.median(beside.seconds or [0.0]) / max(1e-9, statistics.median(alone.seconds or [0.0]))
    return {
        "without_training": alone.to_dict(),
        "beside_training": beside.to_dict(),
        "times_slower": round(slower, 2),
        "epochs_meanwhile": at_end - at_begin,
        "training_lasted": was_active,
        "load_at_its_begin": round(load, 1),
        "memory_mb": {
            "before": before >> 20,
            "after_the_first": round(at_rest),
            "with_all": at_most >> 20,
            "after": round(after),
        },
        "seconds_until_memory_was_back": round(gone),
    }


def main() -> int:
    """Run it and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=10.0, help="beside the training; half of it without one")
    options = parser.parse_args()
    classifier = Classifier(load_bundle(ROOT / "models" / DEFAULT_MODEL), n_threads=1)
    made = _pieces(options.visitors * PIECES_EACH + 1, classifier)
    by_visitor = [made[i : i + PIECES_EACH] for i in range(0, options.visitors * PIECES_EACH, PIECES_EACH)]
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        with served(Path(folder), GENRESCOPE_MODELS=str(ROOT / "models")) as (host, pid):
            up = {"up": round(time.monotonic() - began, 1)}
            cold = up | _first_visit(host, made[-1], began)
            found = _measured(host, pid, by_visitor, options.minutes, Path(folder) / "home")
        faults = (Path(folder) / "log.txt").read_text(errors="replace").count("Traceback")
    print(json.dumps({"cold_start_seconds": cold} | found | {"server_faults": faults}, indent=1))
    n_wrong = len(found["without_training"]["wrong"]) + len(found["beside_training"]["wrong"]) + faults
    is_quick = found["times_slower"] <= 2.0 and found["seconds_until_memory_was_back"] <= GONE_SECONDS
    return 0 if not n_wrong and found["training_lasted"] and is_quick else 1


if __name__ == "__main__":
    sys.exit(main())
