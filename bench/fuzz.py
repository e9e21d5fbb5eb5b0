"""Damaged and forged sound files, thousands of them: each must give an answer or an error with a name.

    python -m bench.fuzz --cases 5000 --seed 1

Takes a good file of every format that the decoder reads, made on the spot, and mutates it: headers,
lengths, ends, single bits, whole stretches, two formats spliced. Each case goes the way of an upload
(decode, features, and for some the network) in a child process with a limit of time and of memory.
Prints JSON: counts by format and outcome. A case that crashes, hangs, grows or ends in an error
that is not of `crnn.errors` is written to `--keep` and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import multiprocessing
import multiprocessing.connection
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.fuzz_files import Corpus, make_case, make_corpus
from crnn.audio import workers
from crnn.audio.clip import load_clip
from crnn.bundles.bundle import load_bundle
from crnn.bundles.library import find_bundle
from crnn.errors import CrnnError, DecoderFailedError
from crnn.features import log_mel
from crnn.inference.classifier import Classifier

LIMIT_SECONDS = 10.0
LIMIT_MB = 600.0
_ALL_OF_IT_MB = 4096
_CLASSIFY_EVERY, _AS_A_FILE_EVERY = 5, 4
_START_SECONDS = 120.0


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of a case. `fault` is empty where it is as it should be."""

    number: int
    kind: str
    outcome: str
    seconds: float = 0.0
    grown_mb: float = 0.0
    fault: str = ""


def try_case(data: bytes, number: int, classifier: Classifier, folder: Path) -> str:
    """Take a case the way of an upload; “answer”, the name of the error, or “no words” if its message is empty.

    Args:
        data: Content of the file.
        number: Of the case; each fifth is classified and no other, each fourth is read from a file.
        classifier: Model that hears it.
        folder: Takes that file.

    Raises:
        Exception: What is not of `crnn.errors` is a fault of ours, and comes through.
    """
    source: bytes | Path = data
    if number % _AS_A_FILE_EVERY == 0:
        source = folder / "case.bin"
        source.write_bytes(data)
    config = classifier.config
    try:
        if number % _CLASSIFY_EVERY == 0:
            posterior = classifier.classify_file(source, name="case").posterior
            assert np.isfinite(posterior).all()
            assert abs(float(posterior.sum()) - 1) < 1e-4
        else:
            clip = load_clip(source, config.sample_rate, name="case")
            assert np.isfinite(log_mel.mel_power(clip.samples, config)).all()
    except CrnnError as err:
        return type(err).__name__ if str(err) else "no words"
    return "answer"


def _work(pipe: multiprocessing.connection.Connection, corpus: Corpus, seed: int, model: Path) -> None:
    # Decoders write what they think of a file to stderr.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    classifier = Classifier(load_bundle(model), n_threads=1)
    with tempfile.TemporaryDirectory() as folder:
        for number, good in enumerate(next(iter(files)) for files in corpus.values()):
            try_case(good, number, classifier, Path(folder))
        _limit_memory()
        pipe.send("ready")
        while (number := pipe.recv()) is not None:
            kind, data = make_case(corpus, seed, number)
            before = {pid: _memory_mb("VmRSS", pid) for pid in _pids()}
            for pid in before:
                _forget_peak(pid)
            began = time.monotonic()
            fault = ""
            try:
                outcome = try_case(data, number, classifier, Path(folder))
            except BaseException as err:  # noqa: BLE001 - whatever it is, it is what we look for
                outcome = fault = f"{type(err).__name__}: {err}"
            if outcome == DecoderFailedError.__name__:
                fault = "a decoder crashed, hung or took 1 GB; the file got its error"
            seconds = time.monotonic() - began
            grown = max((_memory_mb("VmHWM", pid) - before[pid] for pid in before if pid in _pids()), default=0.0)
            if grown > LIMIT_MB:
                fault = f"grew by {grown:.0f} MB"
            pipe.send(Result(number, kind, outcome, seconds, grown, fault))


def _pids() -> list[int]:
    """This process, and those that decode for it."""
    return [os.getpid(), *workers.worker_pids()]


def _memory_mb(name: str, pid: int) -> float:
    """A line of Linux's own account of a process; 0 elsewhere."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:")), 0.0)


def _forget_peak(pid: int) -> None:
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _limit_memory() -> None:
    """Keep a case from taking the machine along; far above what counts as a fault."""
    if sys.platform == "linux":
        import resource

        most = int(_memory_mb("VmSize", os.getpid()) + _ALL_OF_IT_MB) * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


class _Child:
    """One child process, begun again when a case has ended it; the case that it is at, and since when."""

    def __init__(self, corpus: Corpus, seed: int, model: Path) -> None:
        self._work = (corpus, seed, model)
        self.begin()

    def begin(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, *self._work), daemon=True)
        self.process.start()
        theirs.close()
        if not self.pipe.poll(_START_SECONDS) or self.pipe.recv() != "ready":
            raise RuntimeError("a child process did not begin")
        self.number, self.since = -1, 0.0

    def give(self, number: int | None) -> None:
        self.pipe.send(number)
        self.number, self.since = -1 if number is None else number, time.monotonic()

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def run(
    corpus: Corpus, numbers: list[int], *, seed: int, model: Path, n_jobs: int, limit_seconds: float = LIMIT_SECONDS
) -> Iterator[Result]:
    """Results of the cases, in the order in which they end.

    Args:
        corpus: Good files by format.
        numbers: Which cases.
        seed: Of the mutations.
        model: Folder of a bundle.
        n_jobs: Child processes.
        limit_seconds: A case that takes longer is killed.
    """
    waiting = collections.deque(numbers)
    children = [_Child(corpus, seed, model) for _ in range(min(n_jobs, len(numbers)))]
    for child in children:
        child.give(waiting.popleft())
    try:
        while busy := [child for child in children if child.number >= 0]:
            multiprocessing.connection.wait([child.pipe for child in busy], timeout=0.5)
            for child in busy:
                result = _look(child, corpus, seed, limit_seconds)
                if result is None:
                    continue
                yield result
                if result.outcome in {"crash", "hang"}:
                    child.end()
                    child.begin()
                child.give(waiting.popleft() if waiting else None)
    finally:
        for child in children:
            child.end()


def _look(child: _Child, corpus: Corpus, seed: int, limit_seconds: float) -> Result | None:
    """What a child has to say, or None while it is at work."""
    seconds = time.monotonic() - child.since
    if child.pipe.poll():
        try:
            result: Result = child.pipe.recv()
        except EOFError:
            child.process.join()
            fault = f"the process ended with {child.process.exitcode}"
            return Result(child.number, make_case(corpus, seed, child.number)[0], "crash", seconds, fault=fault)
        return result
    if seconds > limit_seconds:
        return Result(
            child.number, make_case(corpus, seed, child.number)[0], "hang", seconds, fault=f"over {limit_seconds:.0f} s"
        )
    return None


def summarise(results: list[Result]) -> dict[str, object]:
    """Counts by format and outcome, the slowest and the greediest case, and every fault."""
    by_kind: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for result in results:
        by_kind[result.kind]["fault" if result.fault else result.outcome] += 1
    total = sum(by_kind.values(), collections.Counter[str]())
    return {
        "cases": len(results),
        "outcomes": dict(total.most_common()),
        "formats": {kind: dict(counts.most_common()) for kind, counts in sorted(by_kind.items())},
        "slowest_seconds": round(max((r.seconds for r in results), default=0.0), 2),
        "greatest_growth_mb": round(max((r.grown_mb for r in results), default=0.0), 1),
        "faults": [dataclasses.asdict(result) for result in results if result.fault],
    }


def main() -> int:
    """Run the cases and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the cases to run, instead of all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--limit", type=float, default=LIMIT_SECONDS, help="seconds that a case may take")
    parser.add_argument("--model", default="gtzan-crnn")
    parser.add_argument("--keep", type=Path, default=Path("var/fuzz"), help="where failing cases are written")
    options = parser.parse_args()
    corpus = make_corpus()
    model = find_bundle(options.model).path
    assert model is not None
    results = []
    numbers = options.only or list(range(options.cases))
    for result in run(
        corpus, numbers, seed=options.seed, model=model, n_jobs=options.jobs, limit_seconds=options.limit
    ):
        results.append(result)
        if result.fault:
            options.keep.mkdir(parents=True, exist_ok=True)
            kind, data = make_case(corpus, options.seed, result.number)
            (options.keep / f"{options.seed}-{result.number}.{kind}").write_bytes(data)
        if len(results) % 500 == 0:
            print(f"{len(results)} of {len(numbers)}", file=sys.stderr, flush=True)
    summary = {"seed": options.seed, **summarise(results)}
    print(json.dumps(summary, indent=1))
    return 1 if summary["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
