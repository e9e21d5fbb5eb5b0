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
import functools
import io
import json
import multiprocessing
import multiprocessing.connection
import os
import random
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn import features
from crnn.audio import load_clip
from crnn.bundle import load_bundle
from crnn.commands.common import find_bundle
from crnn.errors import CrnnError
from crnn.inference import Classifier

RATE = 22_050
LIMIT_SECONDS = 10.0
LIMIT_MB = 600.0
_ALL_OF_IT_MB = 4096
_CLASSIFY_EVERY, _AS_A_FILE_EVERY = 5, 4
_START_SECONDS = 120.0

Corpus = dict[str, list[bytes]]
Mutation = Callable[[bytearray, random.Random, Corpus], bytearray]


# Good files


def make_corpus(seconds: float = 2.5) -> Corpus:
    """Good files by format, one or two each; formats whose encoder this machine lacks are left out."""
    rng = np.random.default_rng(3)
    t = np.arange(round(seconds * RATE)) / RATE
    tone = 0.4 * np.sin(2 * np.pi * (220 + 300 * t) * t) + 0.05 * rng.standard_normal(len(t))
    stereo = np.stack([tone, tone[::-1]], axis=1).astype(np.float32)
    corpus: Corpus = collections.defaultdict(list)
    for name, kind, subtype in (
        ("wav", "WAV", "PCM_16"),
        ("wav", "WAV", "FLOAT"),
        ("wav", "WAV", "IMA_ADPCM"),
        ("wav", "WAVEX", "PCM_24"),
        ("rf64", "RF64", "PCM_16"),
        ("w64", "W64", "PCM_16"),
        ("flac", "FLAC", "PCM_16"),
        ("mp3", "MP3", "MPEG_LAYER_III"),
        ("ogg", "OGG", "VORBIS"),
        ("opus", "OGG", "OPUS"),
        ("aiff", "AIFF", "PCM_16"),
        ("au", "AU", "ULAW"),
        ("caf", "CAF", "ALAC_16"),
    ):
        corpus[name].append(_with_soundfile(stereo, kind, subtype))
    for name, container, codec in (
        ("m4a", "ipod", "aac"),
        ("m4a", "ipod", "alac"),
        ("mov", "mov", "pcm_s16le"),
        ("aac", "adts", "aac"),
        ("webm", "webm", "libopus"),
        ("mkv", "matroska", "flac"),
        ("wma", "asf", "wmav2"),
        ("avi", "avi", "libmp3lame"),
        ("flv", "flv", "aac"),
        ("ts", "mpegts", "mp2"),
        ("mpg", "mpeg", "mp2"),
        ("ac3", "ac3", "ac3"),
        ("tta", "tta", "tta"),
        ("wv", "wv", "wavpack"),
    ):
        made = _with_av(stereo, container, codec)
        if made:
            corpus[name].append(made)
    return dict(corpus)


def _with_soundfile(samples: npt.NDArray[np.float32], kind: str, subtype: str) -> bytes:
    import soundfile

    out = io.BytesIO()
    # Opus has few rates to choose from.
    soundfile.write(out, samples, 24_000 if subtype == "OPUS" else RATE, format=kind, subtype=subtype)
    return out.getvalue()


def _with_av(samples: npt.NDArray[np.float32], container: str, codec: str) -> bytes | None:
    import av

    out = io.BytesIO()
    rate = 48_000
    try:
        with av.open(out, "w", format=container) as file:
            stream = file.add_stream(codec, rate=rate, layout="stereo")
            assert isinstance(stream, av.AudioStream)
            stream.bit_rate = 128_000
            stream.codec_context.open()
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = RATE, 0
            to_codec = av.AudioResampler(stream.format, "stereo", rate, frame_size=stream.frame_size or 4096)
            for each in [*to_codec.resample(frame), *to_codec.resample(None)]:
                file.mux(stream.encode(each))
            file.mux(stream.encode(None))
    except (av.FFmpegError, ValueError):
        return None
    return out.getvalue()


# Mutations


_NUMBERS = (0, 1, 2, 3, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1)


def _cut(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    return data[: rng.randrange(len(data))]


def _flip_bits(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    for _ in range(2 ** rng.randrange(8)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def _overwrite(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    start, length = _stretch(data, rng)
    fill = rng.choice([rng.randbytes(length), bytes(length), b"\xff" * length])
    data[start : start + length] = fill
    return data


def _damage_header(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    for _ in range(rng.randint(1, 4)):
        _write_number(data, rng.randrange(min(len(data), 256)), rng)
    return data


def _lie_about_length(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    # Chunks of RIFF, AIFF, CAF and MP4 have four letters beside the number of their bytes.
    tags = [i for i in range(len(data) - 4) if data[i : i + 4].isalpha() and data[i : i + 4].isascii()]
    for at in rng.sample(tags, min(len(tags), rng.randint(1, 3))):
        _write_number(data, max(0, at + rng.choice([4, -4, 8, 12])), rng)
    return data


def _write_number(data: bytearray, at: int, rng: random.Random) -> None:
    value = rng.choice([*_NUMBERS, rng.getrandbits(32), rng.getrandbits(16), len(data)])
    n_bytes = rng.choice([1, 2, 4, 8])
    data[at : at + n_bytes] = (value % 256**n_bytes).to_bytes(n_bytes, rng.choice(["little", "big"]))


def _remove(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    start, length = _stretch(data, rng)
    del data[start : start + length]
    return data


def _repeat(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    start, length = _stretch(data, rng)
    data[start:start] = data[start : start + length] * rng.randint(1, 8)
    return data


def _insert(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    at = rng.randrange(len(data))
    data[at:at] = rng.randbytes(2 ** rng.randrange(14))
    return data


def _splice(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    other = rng.choice(corpus[rng.choice(sorted(corpus))])
    return data[: rng.randrange(1, len(data))] + other[rng.randrange(len(other)) :]


def _put_other_header(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    other = rng.choice(corpus[rng.choice(sorted(corpus))])
    n_bytes = 2 ** rng.randrange(2, 12)
    return bytearray(other[:n_bytes]) + data[n_bytes:]


def _tag(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    """An ID3 tag before it, whose size is right or not."""
    size = rng.choice([10, 4096, 2**20, rng.getrandbits(28)])
    spread = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return bytearray(b"ID3" + struct.pack("BBB", rng.choice([2, 3, 4, 255]), 0, 0) + spread + rng.randbytes(10)) + data


def _only_its_magic(data: bytearray, rng: random.Random, corpus: Corpus) -> bytearray:
    return data[: rng.choice([4, 12, 36, 64])] + rng.randbytes(2 ** rng.randrange(17))


MUTATIONS: tuple[Mutation, ...] = (
    _cut,
    _flip_bits,
    _overwrite,
    _damage_header,
    _damage_header,
    _lie_about_length,
    _lie_about_length,
    _remove,
    _repeat,
    _insert,
    _splice,
    _put_other_header,
    _tag,
    _only_its_magic,
)


def _stretch(data: bytearray, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data) - start, 2 ** rng.randrange(16))


def make_case(corpus: Corpus, seed: int, number: int) -> tuple[str, bytes]:
    """Format and content of a case; the same seed, number and corpus give the same case."""
    rng = random.Random(f"{seed} {number}")
    kind = sorted(corpus)[number % len(corpus)]
    data = bytearray(rng.choice(corpus[kind]))
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        data = rng.choice(MUTATIONS)(data, rng, corpus) or bytearray(b"\0")
    return kind, bytes(data)


# The child


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
    """Take a case the way of an upload; “answer” or the name of the error.

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
            assert np.isfinite(features.mel_power(clip.samples, config)).all()
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
            before = _memory_mb("VmRSS")
            _forget_peak()
            began = time.monotonic()
            fault = ""
            try:
                outcome = try_case(data, number, classifier, Path(folder))
            except BaseException as err:  # noqa: BLE001 - whatever it is, it is what we look for
                outcome = fault = f"{type(err).__name__}: {err}"
            seconds, grown = time.monotonic() - began, _memory_mb("VmHWM") - before
            if grown > LIMIT_MB:
                fault = f"grew by {grown:.0f} MB"
            pipe.send(Result(number, kind, outcome, seconds, grown, fault))


def _memory_mb(name: str) -> float:
    """A line of Linux's own account of this process; 0 elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:")), 0.0)


def _forget_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _limit_memory() -> None:
    """Keep a case from taking the machine along; far above what counts as a fault."""
    if sys.platform == "linux":
        import resource

        most = int(_memory_mb("VmSize") + _ALL_OF_IT_MB) * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


# The parent


class _Child:
    """One child process, the case that it is at, and since when."""

    def __init__(self, corpus: Corpus, seed: int, model: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, corpus, seed, model), daemon=True)
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
    start = functools.partial(_Child, corpus, seed, model)
    children = [start() for _ in range(min(n_jobs, len(numbers)))]
    for child in children:
        child.give(waiting.popleft())
    try:
        while any(child.number >= 0 for child in children):
            busy = [child for child in children if child.number >= 0]
            multiprocessing.connection.wait([child.pipe for child in busy], timeout=0.5)
            for child in busy:
                result = _look(child, corpus, seed, limit_seconds)
                if result is None:
                    continue
                yield result
                if result.outcome in {"crash", "hang"}:
                    child.end()
                    child.__init__(corpus, seed, model)  # type: ignore[misc]
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
