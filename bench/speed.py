"""How fast it is, against what people use: each part a row of docs/performance.md.

    python -m bench.speed --only cold,warm,jobs

Prints a line of JSON a part: the medians in seconds of wall and of CPU time, their ratio to
the baseline that was measured in the same run, and the aim. Sounds are synthesized.
On a machine that others use, the CPU ratio says more than the wall ratio.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from bench import on_screen
from bench.measuring import SOURCE_RATE, Figures, alternate, child, children, compared, music, write_mp3, write_wav
from crnn.audio import isolation
from crnn.audio.clip import Clip, load_clip
from crnn.bundles.library import DEFAULT_MODEL, find_bundle
from crnn.config import TAGGER_MEL
from crnn.features import log_mel
from crnn.inference.classifier import Classifier
from crnn.inference.decision import softmax
from crnn.inference.listening import Listening
from crnn.onnx_runtime import onnx_runtime

Options = argparse.Namespace


def _cold(options: Options, folder: Path) -> Figures:
    """One 30-s wav, whole process, against the import of TensorFlow."""
    wav = write_wav(folder / "clip.wav", music(30))
    commands: dict[str, Sequence[str | Path]] = {
        "ours": ["-m", "crnn", "classify", wav, "--model", options.model],
        "tensorflow": ["-c", "import tensorflow"],
    }
    costs = children(commands, options.repeats)
    return compared(costs["ours"], costs["tensorflow"], "at least 4 times faster")


def _warm(options: Options, folder: Path) -> Figures:
    """A 30-s mp3 to posterior and timeline, against librosa and one batched Keras `predict` of the same network."""
    import keras
    import librosa

    _limit_tensorflow(options.threads)
    bundle = find_bundle(options.model)
    config, mp3 = bundle.feature_config, write_mp3(folder / "clip.mp3", music(30))
    import crnn.networks.crnn  # noqa: F401 - registers the layers

    network = keras.saving.load_model(bundle.file("model.keras"), compile=False)
    classifier = Classifier(bundle, n_threads=options.threads)

    def answer_of(inputs: Any) -> Any:
        logits = network.predict(inputs, batch_size=len(inputs), verbose=0)
        logits = logits["logits"] if isinstance(logits, dict) else logits
        return softmax(logits.mean(axis=0), bundle.calibration.temperature)

    def with_librosa() -> Any:
        samples, _ = librosa.load(mp3, sr=config.sample_rate)
        if config.front_end == TAGGER_MEL:
            # librosa has no such mel: what it decodes and resamples goes through ours.
            return answer_of(log_mel.segment(samples, config))
        power = librosa.feature.melspectrogram(
            y=samples, sr=config.sample_rate, n_fft=config.n_fft, hop_length=config.hop_length, n_mels=config.n_mels
        ).T
        segments = log_mel.stack_segments(power, config)
        decibels = [librosa.power_to_db(segment, ref=np.max, top_db=-config.db_floor) for segment in segments]
        return answer_of(np.stack(decibels))

    costs = alternate({"ours": lambda: classifier.classify_file(mp3), "keras": with_librosa}, options.repeats)
    difference = float(np.abs(classifier.classify_file(mp3).posterior - with_librosa()).max())
    return compared(costs["ours"], costs["keras"], "at least 4 times faster", posteriors_differ_by=difference)


def _musicnn(options: Options, folder: Path) -> Figures:
    """The same mp3, against MSD_musicnn over windows without overlap, from the file and from decoded samples."""
    from recipes.teachers import musicnn as teacher

    if options.musicnn is None:
        return {"skipped": "Name the wheel musicnn-0.1.0-py3-none-any.whl with --musicnn to measure this."}
    _limit_tensorflow(options.threads)
    run, runtime = _musicnn_network(options.musicnn, folder, options.threads)
    mp3 = write_mp3(folder / "clip.mp3", music(30))
    classifier = Classifier(find_bundle(options.model), n_threads=options.threads)
    rate = classifier.config.sample_rate

    def tag(clip: Clip) -> Any:
        frames = teacher.log_mel(clip.samples, clip.sample_rate)
        return run(np.ascontiguousarray(teacher.segment(frames, teacher.SEGMENT_FRAMES)))

    ours, theirs = load_clip(mp3, rate), load_clip(mp3, teacher.SAMPLE_RATE)
    costs = alternate(
        {
            "ours": lambda: classifier.classify_file(mp3),
            "musicnn": lambda: tag(load_clip(mp3, teacher.SAMPLE_RATE)),
            "ours_decoded": lambda: classifier.classify(ours),
            "musicnn_decoded": lambda: tag(theirs),
        },
        options.repeats,
    )
    return {
        "runtime": runtime,
        "from_file": compared(costs["ours"], costs["musicnn"], "at least 5 times faster"),
        "decoded": compared(costs["ours_decoded"], costs["musicnn_decoded"], "at least 15 times faster"),
    }


def _musicnn_network(wheel: Path, folder: Path, n_threads: int) -> tuple[Callable[[Any], Any], str]:
    from recipes.teachers.musicnn import N_MELS, SEGMENT_FRAMES, load_musicnn

    network = load_musicnn(wheel)
    network(np.zeros((1, SEGMENT_FRAMES, N_MELS), np.float32))  # Keras exports what has been called
    try:
        # `crnn.networks.onnx_export` knows the layers of the CRNN alone.
        network.export(folder / "musicnn.onnx", format="onnx", verbose=False)
    except ImportError:
        import tensorflow as tf

        traced = tf.function(lambda segments: network(segments, training=False), reduce_retracing=True)
        return lambda segments: traced(segments)["logits"].numpy(), "tf.function (tf2onnx is not installed)"
    onnxruntime = onnx_runtime()
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = n_threads
    session = onnxruntime.InferenceSession(folder / "musicnn.onnx", settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda segments: session.run(None, {name: segments}), "ONNX Runtime"


def _limit_tensorflow(n_threads: int) -> None:
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # a part before this one has set it
        tf.config.threading.set_intra_op_parallelism_threads(n_threads)
        tf.config.threading.set_inter_op_parallelism_threads(n_threads)


def _long(options: Options, folder: Path) -> Figures:
    """mp3s of 1, 10, 60 and 180 minutes, each in a process of its own."""
    minute, rows = music(60), []
    for minutes in options.minutes:
        mp3 = write_mp3(folder / f"{minutes}.mp3", minute, repeats=minutes)
        cost = child("-m", "crnn", "classify", mp3, "--format", "json", "--model", options.model)
        mp3.unlink()
        realtime = {"times_real_time": 60 * minutes / cost.seconds, "per_cpu": 60 * minutes / cost.cpu_seconds}
        rows.append({"minutes": minutes, **asdict(cost), **realtime})
    return {"rows": rows, "aim": "at least 300 times real time, at most 350 MB, memory flat"}


def _ahead(options: Options, folder: Path) -> Figures:
    """An hour of mp3 decoded ahead in a worker while the network runs, against the two in turns in one process.

    CPU is this process's own, without the worker's.
    """
    minutes = min(60, max(options.minutes))
    mp3 = write_mp3(folder / "hour.mp3", music(60), repeats=minutes)
    classifier = Classifier(find_bundle(options.model), n_threads=options.threads)

    def in_turns() -> None:
        # Where no process can be started a file is read in this one.
        with mock.patch.object(isolation, "RemoteReading", side_effect=OSError("in turns")):
            classifier.classify_file(mp3)

    contestants: dict[str, Callable[[], object]] = {
        "ours": lambda: classifier.classify_file(mp3),
        "in turns": in_turns,
    }
    costs = alternate(contestants, min(options.repeats, 3))
    return compared(costs["ours"], costs["in turns"], "at least 1.5 times faster", minutes=minutes)


def _write_clips(folder: Path, n_clips: int) -> Path:
    """A folder of different 30-s wavs under two genres."""
    medley = music(240)
    for number in range(n_clips):
        path = folder / "set" / f"genre{number % 2}" / f"{number:04d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, np.roll(medley, number * SOURCE_RATE)[: 30 * SOURCE_RATE])
    return folder / "set"


def _jobs(options: Options, folder: Path) -> Figures:
    """A folder of 30-s wavs with two processes, against one."""
    clips = _write_clips(folder, options.clips)
    costs, answers = {}, {}
    for n_jobs in (1, 2):
        out = folder / f"jobs{n_jobs}.jsonl"
        arguments = ["--format", "json", "--jobs", str(n_jobs), "--out", out, "--model", options.model]
        costs[n_jobs] = child("-m", "crnn", "classify", clips, *arguments)
        answers[n_jobs] = [json.loads(line) for line in out.read_text().splitlines()]
    in_order = [row["file"] for row in answers[1]] == [row["file"] for row in answers[2]]
    differences = [
        abs(a["genres"][genre] - b["genres"][genre])
        for a, b in zip(answers[1], answers[2], strict=True)
        for genre in a["genres"]
    ]
    facts = {"clips": options.clips, "same_order": in_order, "posteriors_differ_by": max(differences)}
    return compared(costs[2], costs[1], "at least 1.7 times faster", **facts)


def _dask(options: Options, folder: Path) -> Figures:
    """The same folder over a local dask cluster of two processes, against `--jobs 2`; CPU is the command's own."""
    try:
        from distributed import LocalCluster
    except ImportError:
        return {"skipped": "dask is not installed: pip install '.[dask]'"}
    clips = _write_clips(folder, options.clips)
    classify: list[str | Path] = ["-m", "crnn", "classify", clips, "--format", "json", "--model", options.model]
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        spread = child(*classify, "--engine", "dask", "--scheduler", cluster.scheduler_address)
    return compared(spread, child(*classify, "--jobs", "2"), "no worse", clips=options.clips)


def _cache(options: Options, folder: Path) -> Figures:
    """The features of a folder from the cache, against computing them."""
    from crnn.data.feature_cache import FeatureCache
    from crnn.data.scan import scan

    tracks, config = scan(_write_clips(folder, options.clips)).tracks, find_bundle(options.model).feature_config
    store = FeatureCache(folder / "cache", config)
    first = alternate({"first": lambda: FeatureCache(folder / os.urandom(4).hex(), config).load(tracks)}, 1)["first"]
    store.load(tracks)
    second = alternate({"second": lambda: store.load(tracks)}, options.repeats)["second"]
    size = sum(path.stat().st_size for path in (folder / "cache").iterdir())
    facts = {"tracks": len(tracks), "bytes_per_track": size / len(tracks)}
    return compared(second, first, "at least 50 times faster", **facts)


def _preparing(options: Options, folder: Path) -> Figures:
    """An epoch's input from the features kept, against librosa each epoch; and how long a step waits for it."""
    import librosa

    from crnn.data.feature_cache import FeatureCache
    from crnn.data.scan import scan
    from crnn.features.archive import to_db
    from crnn.features.augment import random_crop
    from crnn.jobs.order import TrainingSettings

    n_tracks = min(options.clips, 32)
    tracks, settings = scan(_write_clips(folder, n_tracks)).tracks, TrainingSettings()
    config = settings.features
    cells, _ = FeatureCache(folder / "cache", config).load(tracks, n_jobs=1)
    kept = [found for found in cells if found is not None]
    rng = np.random.default_rng(0)

    def from_kept() -> None:
        for found in kept:
            random_crop(to_db(found), config, settings.augment, rng)

    def with_librosa() -> None:
        for track in tracks:
            samples, rate = librosa.load(track.path, sr=config.sample_rate)
            power = librosa.feature.melspectrogram(
                y=samples, sr=rate, n_fft=config.n_fft, hop_length=config.hop_length, n_mels=config.n_mels
            )
            random_crop(librosa.power_to_db(power, ref=np.max).T, config, settings.augment, rng)

    costs = alternate({"ours": from_kept, "librosa": with_librosa}, min(options.repeats, 3))
    labels = np.array([int(track.genre[-1]) for track in tracks], dtype=np.int64)
    waited = _share_waited(tuple(kept), labels, settings)
    aim = "at least 20 times faster; waiting at most 0.05 of a step"
    return compared(costs["ours"], costs["librosa"], aim, tracks=len(kept), share_of_step_waited=waited)


def _share_waited(kept: tuple[Any, ...], labels: Any, settings: Any) -> float:
    """Share of training time in which the network waits for its next batch."""
    import time

    from crnn.data import labelled
    from crnn.networks.crnn import build_crnn
    from crnn.training import trainer

    names = tuple(str(i) for i in range(len(kept)))
    data = labelled.TrainingData(("a", "b"), labelled.LabelledTracks(names, kept, labels), labelled.NO_TRACKS)
    model = build_crnn(settings.model, settings.features.n_mels, 2)
    # The loop of training itself, opened up: where it waits cannot be seen from outside.
    run = trainer._Run(model, data, settings)
    waited = worked = 0.0
    for epoch in range(4):
        began = time.perf_counter()
        for segments, targets in run.crops.batches(epoch):
            given = time.perf_counter()
            run.model.train_on_batch(segments, targets)
            if epoch:  # the first builds the graph
                waited += given - began
                worked += time.perf_counter() - given
            began = time.perf_counter()
    return waited / (waited + worked)


def _shares(options: Options, folder: Path) -> Figures:
    """Where the time of one 30-s mp3 goes, stage by stage, in milliseconds of CPU."""
    import soundfile
    import soxr

    mp3 = write_mp3(folder / "clip.mp3", music(30))
    classifier = Classifier(find_bundle(options.model), n_threads=options.threads)
    config = classifier.config
    stereo, _ = soundfile.read(mp3, dtype="float32")
    clip = load_clip(mp3, config.sample_rate)
    mono = np.ascontiguousarray(stereo.mean(axis=1))
    segments = log_mel.segment(clip.samples, config)
    contestants: dict[str, Callable[[], object]] = {
        "decode": lambda: soundfile.read(mp3, dtype="float32"),
        "resample": lambda: soxr.resample(mono, SOURCE_RATE, config.sample_rate, quality="HQ"),
        "log_mel": lambda: log_mel.segment(clip.samples, config),
        "network": lambda: classifier.run_all(segments),
        "all": lambda: classifier.classify_file(mp3),
    }
    second = classifier.bundle.companion
    if second is not None:

        def hear_second() -> None:
            heard = Listening(second.feature_config, classifier.begin_companion, stride=second.stride)
            heard.push(clip.samples)
            heard.outputs()

        contestants["second_log_mel_and_network"] = hear_second
    costs = alternate(contestants, options.repeats)
    milliseconds = {name: 1000 * cost.cpu_seconds for name, cost in costs.items()}
    milliseconds["rest"] = 2 * milliseconds["all"] - sum(milliseconds.values())
    return {"cpu_milliseconds": milliseconds, "threads": options.threads}


PARTS: dict[str, Callable[[Options, Path], Figures]] = {
    part.__name__.removeprefix("_"): part
    for part in (_cold, _warm, _musicnn, _long, _ahead, _jobs, _dask, _cache, _preparing, _shares)
} | on_screen.PARTS


def main() -> int:
    """Measure the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--musicnn", type=Path, metavar="WHEEL", help="musicnn-0.1.0-py3-none-any.whl")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1, help="of both contestants, where both run in here")
    parser.add_argument("--clips", type=int, default=500, help="in a folder")
    parser.add_argument("--minutes", type=lambda text: [int(n) for n in text.split(",")], default=[1, 10, 60, 180])
    options = parser.parse_args()
    names = options.only.split(",")
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        parser.error(f"no part {', '.join(unknown)}: there are {', '.join(PARTS)}")
    for name in names:
        print(f"{name}: {PARTS[name].__doc__}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
            facts = {"part": name, "cores": os.cpu_count(), "load_at_start": load}
            print(json.dumps(facts | PARTS[name](options, Path(folder))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
