"""Damaged files of every format, each in a child process: an answer or an error with a name, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench import fuzz, fuzz_files
from crnn.bundles.bundle import Bundle
from crnn.inference.classifier import Classifier

pytestmark = pytest.mark.slow

FAULTY = """
import sys
sys.path.remove({folder!r})
del sys.modules["soxr"]
import soxr
original, n_seen = soxr.ResampleStream, 0
def faulty(*arguments, **options):
    global n_seen
    n_seen += 1
    if n_seen > 1:
        {code}
    return original(*arguments, **options)
soxr.ResampleStream = faulty
"""


@pytest.fixture(scope="module")
def corpus() -> fuzz_files.Corpus:
    return fuzz_files.make_corpus(seconds=1.5)


def test_good_files_of_every_format_get_an_answer(corpus: fuzz_files.Corpus, bundle: Bundle, tmp_path: Path) -> None:
    classifier = Classifier(bundle)
    assert {"wav", "flac", "mp3", "ogg", "opus", "aiff", "m4a", "webm", "wma"} <= set(corpus)
    for kind, files in corpus.items():
        for data in files:
            assert fuzz.try_case(data, 0, classifier, tmp_path) == "answer", kind


def test_cases_come_again(corpus: fuzz_files.Corpus) -> None:
    cases = [fuzz_files.make_case(corpus, 1, number) for number in range(50)]
    assert [fuzz_files.make_case(corpus, 1, number) for number in range(50)] == cases
    assert {kind for kind, _ in cases} == set(corpus)
    good = {data for files in corpus.values() for data in files}
    assert sum(data in good for _, data in cases) < 5


def test_damaged_files_neither_crash_nor_hang(corpus: fuzz_files.Corpus, bundle: Bundle) -> None:
    assert bundle.path is not None
    n_jobs = min(4, os.cpu_count() or 1)
    # A test machine may be busy with other things: what hangs, hangs longer than a minute.
    results = list(fuzz.run(corpus, list(range(200)), seed=2, model=bundle.path, n_jobs=n_jobs, limit_seconds=60))
    summary = fuzz.summarise(results)
    assert summary["faults"] == []
    assert sorted(result.number for result in results) == list(range(200))
    assert {"answer", "UndecodableAudioError"} <= {result.outcome for result in results}


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("import os; os.abort()", "DecoderFailedError"),
        ("import time; time.sleep(600)", "hang"),
        ("raise ZeroDivisionError('x')", "ZeroDivisionError: x"),
        ("x = b'x' * (700 * 2**20)", "answer"),
    ],
)
def test_the_fuzzer_sees_what_it_looks_for(
    corpus: fuzz_files.Corpus, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, outcome: str
) -> None:
    """In a child whose resampler has each of these faults, from its second file on."""
    opus = {"opus": corpus["opus"]}
    classifier = Classifier(bundle)
    decodes = (
        fuzz.try_case(fuzz_files.make_case(opus, 1, n)[1], n, classifier, tmp_path) == "answer" for n in range(50)
    )
    number = list(decodes).index(True)
    folder = tmp_path / "faulty"
    folder.mkdir()
    (folder / "soxr.py").write_text(FAULTY.format(folder=str(folder), code=code), encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    assert bundle.path is not None
    (result,) = fuzz.run(
        opus, [number], seed=1, model=bundle.path, n_jobs=1, limit_seconds=5 if outcome == "hang" else 120
    )
    assert result.number == number
    assert outcome in result.outcome
    assert result.fault
