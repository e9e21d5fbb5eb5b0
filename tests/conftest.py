"""Fixtures that all tests share, the order of the tests, and how many run at once."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from needed import lacks
from sounds import RATE, SOUNDS, FloatArray, wav_bytes
from threadpoolctl import threadpool_limits
from tiny_bundle import tiny_bundle

from crnn.bundles.bundle import Bundle
from crnn.onnx_runtime import TELEMETRY_SWITCH

ROOT = Path(__file__).resolve().parents[1]
# Some tests import ONNX Runtime themselves, as oracle.
os.environ[TELEMETRY_SWITCH] = "1"
if "PYTEST_XDIST_WORKER" in os.environ:
    # A core for each: TensorFlow would start as many threads as there are cores, in every process, and so would what
    # computes matrices, whose threads wait for each other at full speed: one decomposition took fifty times as long.
    one_thread = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    os.environ |= dict.fromkeys(one_thread, "1")
    # NumPy's own was loaded above.
    threadpool_limits(1)

_ENCODED: dict[tuple[bytes, str, tuple[str, ...]], bytes] = {}
# Folders whose tests import Keras or TensorFlow, which takes longer than all that is quick.
_OF_KERAS = ("networks", "training", "recipes")
# What trains takes up to 2 GB.
_MAX_PROCESSES = 4


# What numba compiles of librosa when that is first imported, and what it leaves when it has.
_COMPILES = "import librosa.beat, librosa.core.pitch, librosa.core.audio, librosa.util.utils"
_COMPILED = ("beat.__trim_beats", "audio._zc_wrapper", "pitch._pi_wrapper", "utils._localmax", "utils._localmin")


def pytest_configure() -> None:
    """Have numba compile for librosa before there are processes.

    Two that import it for the first time at once write a cache between them by which every later call is a
    segmentation fault (numba's generalized functions): so it went in a fresh environment, for good.
    """
    spec = importlib.util.find_spec("librosa")
    if "PYTEST_XDIST_WORKER" in os.environ or spec is None or spec.origin is None:
        return
    there = {path.name.split("-")[1] for path in Path(spec.origin).parent.rglob("__pycache__/guf-*.nbi")}
    if not there.issuperset(_COMPILED):
        subprocess.run([sys.executable, "-c", _COMPILES], check=False)


def _cost(item: pytest.Item) -> int:
    if item.get_closest_marker("browser"):
        return 3
    if item.get_closest_marker("slow"):
        return 2
    return int(bool({"pages", *_OF_KERAS} & set(item.path.parts)))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Folders of which nothing is quick are not even imported where `-m quick` asks for no more: Keras takes 7 s."""
    is_dear = bool({"pages", "browser", *_OF_KERAS} & set(collection_path.relative_to(ROOT).parts))
    return True if is_dear and config.option.markexpr == "quick" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Quick tests first, then pages, slow ones, browsers: a plain mistake shows at once. The first are marked so.

    Of several processes one drives the browsers, and begins after the quick tests, or all would wait for it at the end.
    """
    turns = (0, 2, 3, 1) if hasattr(config, "workerinput") else (0, 1, 2, 3)
    items.sort(key=lambda item: turns[_cost(item)])
    for item in items:
        if _cost(item) == 0:
            item.add_marker("quick")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """A folder or all of it takes a process for each core; a file begins sooner in this one. `-n 0` has all in it."""
    is_worker = hasattr(config, "workerinput")
    if is_worker or not config.pluginmanager.hasplugin("xdist") or config.option.numprocesses is not None:
        return
    is_named = config.option.keyword or not any(Path(argument).is_dir() for argument in config.args)
    n_processes = min(os.cpu_count() or 1, _MAX_PROCESSES)
    if not is_named and not config.option.usepdb and n_processes > 1:
        config.option.numprocesses = n_processes


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Whoever is free takes the next tests of a file, in the order above."""
    from scheduling import InOrder

    return InOrder(config, log)


@pytest.fixture(autouse=True)
def _own_main_module() -> Iterator[None]:
    """AppTest leaves its page as the main module, which a process spawned by a later test would then run."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is written without a place being named is not found again by the tests beside this one, or the next run."""
    base = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENRESCOPE_HOME", str(tmp_path_factory.mktemp("home")))
        # What every training makes alike is made once for all of them, in whatever process.
        patch.setenv("GENRESCOPE_MADE", str((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made"))
        yield


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own for all that is written; it is not there yet."""
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The labelled music, where it is (`GENRESCOPE_DATA`)."""
    folder = Path(os.environ.get("GENRESCOPE_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "gtzan-logmel.npz").is_file():
        pytest.skip(f"no data in {folder}: set GENRESCOPE_DATA to the folder that holds gtzan-logmel.npz")
    return folder


@pytest.fixture(scope="session")
def ffmpeg() -> str:
    """The ffmpeg program."""
    found = shutil.which("ffmpeg")
    if found is None:
        lacks("ffmpeg is not installed: it makes the compressed files for this test")
    return found


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20_261_123)


@pytest.fixture(params=SOUNDS)
def sound(request: pytest.FixtureRequest) -> FloatArray:
    """Each of the synthesized sounds in turn."""
    return SOUNDS[request.param]()


@pytest.fixture
def encode(ffmpeg: str, tmp_path: Path) -> Callable[..., Path]:
    """Encodes samples with ffmpeg into a file of any kind."""

    def make(samples: FloatArray, name: str, *options: str, rate: int = RATE) -> Path:
        source, path = tmp_path / "source.wav", tmp_path / name
        wav = wav_bytes(samples, rate, "PCM_16")
        # Many tests begin with the same file.
        key = (hashlib.sha256(wav).digest(), name, options)
        if key in _ENCODED:
            path.write_bytes(_ENCODED[key])
            return path
        source.write_bytes(wav)
        command = [ffmpeg, "-nostdin", "-v", "error", "-y", "-i", str(source), *options, str(path)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        _ENCODED[key] = path.read_bytes()
        return path

    return make


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A hand-made model: bass, middle or treble, by where the energy is."""
    return tiny_bundle(tmp_path / "models" / "tiny")
