"""Make the bundled model `gtzan-crnn` again, from data to bundle.

    python -m recipes.gtzan_crnn --data DATA --music MUSIC --musicnn WHEEL --out models/gtzan-crnn

DATA holds gtzan-logmel.npz, gtzan-taggrams.npz, gtzan-audio, gtzan-reference, emotify-audio and
teachers/choi-crnn-msd.h5; MUSIC a folder for each source of further music, without labels; WHEEL is
`musicnn-0.1.0-py3-none-any.whl`. First the teachers' answers are computed (an hour for 30 hours of music on two
cores), then each half of the student is distilled, twice (an hour and a half with AVX-512), then its head is fitted
on the labelled tracks (five minutes). Each step's result is kept in `--work`, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from crnn import atomic, paths
from crnn.audio.folders import find_audio_files
from crnn.bundles.bundle import Bundle, Rejection
from crnn.config import AugmentConfig, FeatureConfig, ModelConfig
from crnn.data.labelled import NO_TRACKS, LabelledTracks, TrainingData
from crnn.data.scan import scan
from crnn.data.splits import fold_tracks
from crnn.data.tracks import Track
from crnn.evaluation import cross_fitting
from crnn.evaluation.calibration import calibrate
from crnn.features.archive import LogMelArchive, read_archive, to_db, to_uint8
from crnn.features.log_mel import log_mel
from crnn.jobs.order import TrainingSettings
from crnn.networks.onnx_export import OnnxNetwork
from crnn.training import publish
from crnn.training.rejection import fit_rejection
from crnn.training.trainer import TrainResult
from recipes import distil, ear_sounds, hearing, linear_head, sounds, targets
from recipes.bad_sound import degrade
from recipes.hearing import Leg, Source
from recipes.targets import StoredLogMel, Targets, Teachers
from recipes.teachers import choi, musicnn

WINDOWS = FeatureConfig(segment_seconds=3.0, segment_hop_seconds=3.0)
SEGMENTS = FeatureConfig(segment_seconds=6.0, segment_hop_seconds=6.0)
NETWORK = ModelConfig(front_end="timbral+stack", gru_units=48, embedding_size=520)
TIMBRAL, STACK = "timbral", "stack"
TIMBRAL_LEG = Leg(3000, 3000, whole_weight=0.3, bad_share=0.45, n_good=2, warmup_steps=100)
STACK_LEG = Leg(2500, 2500, learning_rate=8e-4, bad_share=0.45, n_good=2, warmup_steps=100)
# The last two hear codecs and the archive itself, too.
LEGS = (
    (TIMBRAL, TIMBRAL_LEG),
    (STACK, STACK_LEG),
    (TIMBRAL, Leg(1500, 1500, learning_rate=3e-4, whole_weight=0.3, bad_share=0.45, seed=2)),
    (STACK, Leg(1200, 1200, learning_rate=3e-4, bad_share=0.45, seed=2)),
)
# GTZAN's train tracks, Magnatune's, the rest: GTZAN's more often than their number, for they are what the head will
# read, but not so often that they are learnt by heart.
TIMBRAL_SHARES = (0.2, 0.15, 0.65)
STACK_SHARES = (0.15, 0.15, 0.70)
VARIATIONS = AugmentConfig(
    tempo=0.1,
    pitch_semitones=1.0,
    equaliser_db=5.0,
    floor_db=25.0,
    bandlimit_chance=0.2,
    noise_chance=0.25,
    time_masks=0,
    frequency_masks=0,
    mixup_alpha=0.0,
)
DISCRIMINANT_WEIGHT = 0.3
# Of 1, 0.1, 0.01 and 0.001: the strongest penalty but one told most kinds of noise that it had not been shown.
REJECTION_STRENGTH = 0.01
# One in a hundred of the pieces of music that it learnt lies below.
REJECTION_THRESHOLD = 0.4
N_CROPS = 8
N_MUSIC_PIECES = 1200
SEED = 0
_LABELLED = ("gtzan", "emotify")
_NOTES_BEFORE_REFIT = """The bundled model before its last refit: the same body, calibration and rejection under a \
head that has learnt the 442 train tracks alone."""
_NOTES = Path(__file__).with_name("gtzan_crnn.md").read_text(encoding="utf-8").removesuffix("\n")


def main() -> int:
    """Run the whole recipe."""
    options = parser(__doc__).parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(SEED)
    teachers = load_teachers(options)
    heard = answers(options, teachers)
    body = _distil(heard, options.data, teachers, options.work)
    music = np.concatenate([of_source.log_mel for of_source in heard.values()])
    bundle = fit_and_publish(body, music, options.data, options.out, options.work / "before-refit")
    for part, scores in bundle.scores.items():
        low, high = scores["accuracy_interval"]
        print(f"{part}: {scores['accuracy']:.3f} ({low:.3f} to {high:.3f}) of {scores['n_tracks']} tracks")
    return 0


def parser(description: str | None) -> argparse.ArgumentParser:
    """Where inputs and results are."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=paths.data_dir())
    parser.add_argument("--music", type=Path, required=True, help="a folder for each source of unlabelled music")
    parser.add_argument("--musicnn", type=Path, required=True, help="musicnn-0.1.0-py3-none-any.whl")
    parser.add_argument("--work", type=Path, default=paths.home_dir() / "recipe", help="intermediate results")
    parser.add_argument("--out", type=Path, default=paths.models_dir() / "gtzan-crnn")
    return parser


@dataclass(frozen=True)
class _Job:
    """A source of music whose targets a process computes."""

    name: str
    files: list[Path]
    n_windows: int
    options: argparse.Namespace

    @property
    def cache(self) -> Path:
        return Path(self.options.work) / f"targets-{self.name}.npz"

    def length(self) -> int:
        """About how long it takes; pieces beside their copies weigh more."""
        return sum(file.stat().st_size for file in self.files) * (5 if self.name in _LABELLED else 1)

    def run(self, teachers: Teachers | None = None) -> Targets:
        """The targets, read if they are there."""
        return targets.targets_of_files(
            self.files,
            teachers or load_teachers(self.options),
            WINDOWS,
            self.n_windows,
            self.cache,
            with_copies=self.name in _LABELLED,
            stored=_stored(self.options.data) if self.name == "gtzan" else None,
        )


def answers(options: argparse.Namespace, teachers: Teachers) -> dict[str, Targets]:
    """What the teachers hear in each source, by a process for each core where it is not kept in `--work` yet.

    Args:
        options: As `parser` gives them.
        teachers: Of this process; those of the others load their own.
    """
    jobs = [_Job(*source, options) for source in _sources(options.data, options.music)]
    # The longest first, lest the others wait for it in the end.
    missing = sorted((job for job in jobs if not job.cache.is_file()), key=_Job.length, reverse=True)
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(_compute, job) for job in missing]):
            print(f"heard {done.result()}", file=sys.stderr)
    return {job.name: job.run(teachers) for job in jobs}


def _stored(data: Path) -> dict[str, StoredLogMel]:
    """What the archive holds of the train tracks."""
    archive, column_seconds = _archive(data)
    of_tracks = zip(archive.track_ids, archive.log_mel, archive.splits, strict=True)
    return {name: StoredLogMel(log_mel, column_seconds) for name, log_mel, split in of_tracks if split == "train"}


def _archive(data: Path) -> tuple[LogMelArchive, npt.NDArray[np.float64]]:
    """GTZAN's archive, and the time of each of its columns in seconds."""
    path = data / "gtzan-logmel.npz"
    with np.load(path, allow_pickle=False) as stored:
        return read_archive(path), stored["frame_index"] * targets.ARCHIVE_HOP_LENGTH / WINDOWS.sample_rate


def _compute(job: _Job) -> str:
    job.run()
    return job.name


def load_teachers(options: argparse.Namespace) -> Teachers:
    """Both teachers, from the wheel and from the data."""
    return Teachers(
        musicnn.load_musicnn(options.musicnn), choi.load_choi(options.data / "teachers" / "choi-crnn-msd.h5")
    )


def _distil(heard: dict[str, Targets], data: Path, teachers: Teachers, work: Path) -> keras.Model:
    done = [number for number in range(1, len(LEGS) + 1) if body_after(number, work).is_file()]
    if done:
        student = keras.saving.load_model(body_after(done[-1], work), compile=False)
    else:
        student = distil.new_student(teachers, WINDOWS, NETWORK)
    for number, (half, leg) in enumerate(LEGS, start=1):
        if number > max(done, default=0):
            _half(half, student, heard, data, teachers).run(leg, _report)
            _save(student, body_after(number, work))
    return student


def _leg_facts(half: str, leg: Leg) -> dict[str, Any]:
    return {"what": f"{half} half distilled", "steps": leg.steps, "learning rate": leg.learning_rate, "seed": leg.seed}


def body_after(n_legs: int, work: Path) -> Path:
    """Where the student is kept after so many of `LEGS`.

    Args:
        n_legs: From 1 on.
        work: Folder of what is kept between steps.
    """
    return work / f"body-{n_legs}.keras"


def _half(
    half: str, student: keras.Model, heard: dict[str, Targets], data: Path, teachers: Teachers
) -> distil.TimbralDistillation | distil.StackDistillation:
    if half == STACK:
        return distil.StackDistillation(student, teachers.whole, sources(heard, *STACK_SHARES), SEGMENTS)
    windows = archive_windows(data, teachers)
    return distil.TimbralDistillation(student, teachers.windows, sources(heard, *TIMBRAL_SHARES), windows, WINDOWS)


def _save(model: keras.Model, path: Path) -> None:
    with atomic.draft_folder(path) as draft:
        model.save(draft / path.name)
        (draft / path.name).replace(path)


def sources(heard: dict[str, Targets], gtzan: float, emotify: float, rest: float) -> list[Source]:
    """The music with these shares.

    Args:
        heard: What the teachers hear in each source.
        gtzan: Share of GTZAN's train tracks in what is heard.
        emotify: Share of Magnatune's music.
        rest: Share of all others, divided among them by their numbers of windows.
    """
    n_windows = {name: len(of_source.piece) for name, of_source in heard.items()}
    n_of_rest = sum(n for name, n in n_windows.items() if name not in _LABELLED)
    shares = {"gtzan": gtzan, "emotify": emotify}
    return [Source(heard[name], shares.get(name, rest * n / max(1, n_of_rest))) for name, n in n_windows.items()]


def _report(step: int, losses: npt.NDArray[np.float32]) -> None:
    if step % 50 == 49:
        print(f"step {step + 1}: losses {np.round(losses, 3).tolist()}", file=sys.stderr, flush=True)


def _sources(data: Path, music: Path) -> list[tuple[str, list[Path], int]]:
    """Name, files and windows a piece of each source; GTZAN and the rest of the labelled music by their own splits."""
    gtzan = [ear_sounds.lossless(data, file) for file in _listed(data / "gtzan-audio", "train")]
    emotify = _listed(data / "emotify-audio", "unlabelled")
    folders = sorted(folder for folder in music.iterdir() if folder.is_dir())
    sources = [("gtzan", gtzan, 7), ("emotify", emotify, 7)]
    return [*sources, *((folder.name, find_audio_files([folder])[0], 5) for folder in folders)]


def _listed(folder: Path, split: str) -> list[Path]:
    with (folder / "tracks.csv").open(encoding="utf-8", newline="") as file:
        return [folder / row["file"] for row in csv.DictReader(file) if row["split"] == split]


def archive_windows(data: Path, teachers: Teachers) -> hearing.TaggedWindows:
    """Windows of the archive's train tracks that have published tags.

    Args:
        data: Folder of the archive and of the published tags.
        teachers: The second hears each track; the published tags are the first's.
    """
    archive, column_seconds = _archive(data)
    with np.load(data / "gtzan-taggrams.npz", allow_pickle=False) as stored:
        taggrams = dict(zip(stored["track_ids"].tolist(), stored["tag_posterior"], strict=True))
    learnt = [i for i, name in enumerate(archive.track_ids) if archive.splits[i] == "train" and name in taggrams]
    log_mels = [archive.log_mel[i] for i in learnt]
    pictures = [choi.from_archive(to_db(log_mel), column_seconds, WINDOWS) for log_mel in log_mels]
    answers = [teachers.whole.predict_on_batch(np.stack(pictures[i : i + 8])) for i in range(0, len(pictures), 8)]
    whole_posterior = targets.sigmoid(np.concatenate([np.asarray(answer["logits"]) for answer in answers]))
    return hearing.archive_windows(
        log_mels, column_seconds, [taggrams[archive.track_ids[i]] for i in learnt], whole_posterior, WINDOWS
    )


def fit_and_publish(
    body: keras.Model, heard: npt.NDArray[np.uint8], data: Path, out: Path, before_refit: Path
) -> Bundle:
    """Judge the genre head across the two parts, fit it on both, calibrate, save two bundles.

    Train and validation tracks have no artist in common. A head of each part is judged on the other;
    the head that is shipped has learnt both, and has no score of its own. The bundle before this refit
    has learnt the train tracks alone: what is measured on validation tracks is measured with it.

    Args:
        body: The distilled CRNN.
        heard: Pieces of further music, `(n, n_kinds_of_sound, n_frames, n_mels)`, to be called music.
        data: Folder of the labelled archive.
        out: Folder of the bundle that is shipped.
        before_refit: Folder of the bundle whose head has learnt the train tracks alone.
    """
    _round_to_half(body)
    dataset = scan(data / "gtzan-logmel.npz")
    archive = read_archive(data / "gtzan-logmel.npz")
    genres = dataset.genres
    labels = np.array([genres.index(genre) for genre in archive.genres])
    everything = LabelledTracks(archive.track_ids, tuple(archive.log_mel), labels)
    embedded = linear_head.embed_tracks(body, everything, SEGMENTS, VARIATIONS, n_crops=N_CROPS, seed=SEED)
    is_valid = np.array(archive.splits) == "valid"
    train, valid = np.flatnonzero(~is_valid), np.flatnonzero(is_valid)
    # Variations make the head no better on bad sound, which the body has learnt, and worse on good.
    plain = linear_head.Embedded(embedded.plain, [track[:0] for track in embedded.varied])
    parts = (NETWORK.timbral_embedding_size, NETWORK.embedding_size - NETWORK.timbral_embedding_size)
    form: dict[str, Any] = {"discriminant_weight": DISCRIMINANT_WEIGHT, "parts": parts}
    # Random folds share artists and would choose too weak a penalty.
    halves = is_valid.astype(np.int64)
    strength, loss_of = linear_head.choose_strength(plain, labels, halves, len(genres), **form)
    logits = linear_head.out_of_fold_logits(plain, labels, halves, len(genres), strength=strength, **form)
    folds = _folds(dataset.tracks, archive.track_ids)
    crossed = cross_fitting.cross_fit(logits, labels, folds, genres).to_dict() | {
        "part": "crossed",
        "strength": strength,
        "losses": {str(tried): loss for tried, loss in loss_of.items()},
    }
    on_valid = cross_fitting.cross_fit([logits[i] for i in valid], labels[valid], folds[valid], genres)
    calibration, rejection = calibrate(logits, labels), _rejection(body, embedded, train, heard)
    scores = {"valid": on_valid.to_dict() | {"part": "valid"}, "crossed": crossed}
    split = {"name": "fault-filtered", "n_train": len(train), "n_valid": len(valid)}

    def save(learnt: npt.NDArray[np.int64], folder: Path, notes: str) -> Bundle:
        of_learnt = linear_head.Embedded([plain.plain[i] for i in learnt], [plain.varied[i] for i in learnt])
        head = linear_head.fit_linear_head(of_learnt, labels[learnt], len(genres), strength=strength, **form)
        tracks = LabelledTracks(
            tuple(archive.track_ids[i] for i in learnt), tuple(archive.log_mel[i] for i in learnt), labels[learnt]
        )
        return publish.publish(
            TrainResult(linear_head.attach(body, head), [], 0, stopped=False),
            folder,
            TrainingData(genres, tracks, NO_TRACKS),
            TrainingSettings(features=SEGMENTS, model=NETWORK, augment=VARIATIONS),
            publish.Provenance(
                data={"name": "GTZAN, log-mel archive", "n_tracks": len(learnt), "fingerprint": dataset.fingerprint},
                split=split,
                notes=notes,
                legs=tuple(_leg_facts(half, leg) for half, leg in LEGS),
            ),
            calibration=calibration,
            rejection=rejection,
            further_scores=scores,
            replace=True,
        )

    save(train, before_refit, _NOTES_BEFORE_REFIT)
    return save(np.arange(len(labels)), out, _NOTES)


def _folds(tracks: Sequence[Track], track_ids: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Fold of each track, for figures of thresholds; replicas are in one."""
    dealt = fold_tracks(tracks, linear_head.N_FOLDS, seed=SEED)
    of_track = {track.track_id: fold for fold, members in enumerate(dealt) for track in members}
    return np.array([of_track[name] for name in track_ids])


def _round_to_half(body: keras.Model) -> None:
    """Round the kernels to what half precision holds, so that their ONNX file is half as large."""
    for layer in body.layers:
        rounded = [w.astype(np.float16).astype(np.float32) if w.ndim > 1 else w for w in layer.get_weights()]
        if rounded:
            layer.set_weights(rounded)


def _rejection(
    body: keras.Model, embedded: linear_head.Embedded, train: npt.NDArray[np.int64], heard: npt.NDArray[np.uint8]
) -> Rejection:
    """Music, plain, varied and through bad sound, against noise, tones and speech, through bad sound too."""
    rng = np.random.default_rng(SEED)
    music = [*(embedded.plain[i] for i in train), *(embedded.varied[i] for i in train)]
    pieces = heard[rng.permutation(len(heard))[:N_MUSIC_PIECES]]
    music += publish.embed(OnnxNetwork(body), [piece[rng.integers(len(piece))] for piece in pieces], SEGMENTS)
    music += _embed_sounds(body, sounds.music(SEGMENTS.sample_rate))
    others = sounds.not_music(SEGMENTS.sample_rate)
    others += [degrade(sound, SEGMENTS.sample_rate, rng) for sound in others]
    fitted = fit_rejection(music, _embed_sounds(body, others), seed=SEED, strength=REJECTION_STRENGTH)
    return dataclasses.replace(fitted, threshold=REJECTION_THRESHOLD)


def _embed_sounds(body: keras.Model, made: list[sounds.Sound]) -> list[npt.NDArray[np.float32]]:
    return publish.embed(OnnxNetwork(body), [to_uint8(log_mel(sound, SEGMENTS)) for sound in made], SEGMENTS)


if __name__ == "__main__":
    sys.exit(main())
