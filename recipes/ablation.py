"""What each part of the recipe brings, measured: the tables of docs/model.md.

    python -m recipes.ablation heads --music MUSIC --musicnn WHEEL --work WORK
    python -m recipes.ablation legs --music MUSIC --musicnn WHEEL --work WORK [--steps 150] [--seeds 3]

`heads` fits heads of several forms on four bodies: as it starts, with its timbral half distilled, with both halves
distilled but not heard codecs, and done.
`legs` distils the timbral half anew for a few steps, several seeds each, with one thing of the recipe left out.
Both judge as the recipe does: a head of the train tracks on the validation tracks (valid), and every one of the
639 tracks by a head of the other part (crossed); temperature is fitted on what is judged. Needs WORK as
`python -m recipes.gtzan_crnn` left it.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from scipy import optimize

from crnn.data.labelled import plain_segments
from crnn.evaluation.calibration import fit_temperature
from crnn.evaluation.metrics import track_posteriors
from crnn.features.archive import LogMelArchive, read_archive
from crnn.inference.decision import softmax
from crnn.networks.onnx_export import OnnxNetwork
from recipes import distil, linear_head
from recipes import gtzan_crnn as recipe
from recipes.hearing import Leg
from recipes.targets import N_GOOD, Targets, Teachers

FloatArray = npt.NDArray[np.float32]

N_RESAMPLED = 10_000
PARTS = (recipe.NETWORK.timbral_embedding_size, recipe.NETWORK.embedding_size - recipe.NETWORK.timbral_embedding_size)


@dataclass(frozen=True)
class Judged:
    """What heads of one form answer: per track whether it is right, and its loss."""

    right: npt.NDArray[np.bool_]
    loss: FloatArray
    is_valid: npt.NDArray[np.bool_]

    def row(self, than: Judged | None) -> str:
        """Valid, crossed, NLL, and crossed and NLL less those of another, with 95 % paired bootstrap intervals."""
        cells = [f"{self.right[self.is_valid].mean():.3f}", f"{self.right.mean():.3f}", f"{self.loss.mean():.3f}"]
        if than is not None:
            points = 100 * (self.right.astype(np.float64) - than.right)
            cells += [_with_interval(points, "+.1f"), _with_interval(self.loss - than.loss, "+.3f")]
        return " | ".join(cells)


def _with_interval(of_tracks: npt.NDArray[np.floating], form: str) -> str:
    rng = np.random.default_rng(0)
    means = of_tracks[rng.integers(0, len(of_tracks), (N_RESAMPLED, len(of_tracks)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{of_tracks.mean():{form}} ({low:{form}} to {high:{form}})"


def judge(
    embeddings: list[FloatArray],
    archive: LogMelArchive,
    *,
    strength: float,
    discriminant_weight: float,
    parts: tuple[int, ...],
    is_geometric: bool = True,
) -> Judged:
    """Crossed answers of heads of this form; a track is the geometric or the arithmetic mean of its segments.

    Args:
        embeddings: Per track `(n_segments, size)`.
        archive: The tracks, with their genres and parts.
        strength: C of the logistic regression.
        discriminant_weight: What the logits of a discriminant analysis weigh beside its own.
        parts: Sizes of the stretches of the embedding that have a head each; empty for one head.
        is_geometric: Which of both means a track is.
    """
    genres = sorted(set(archive.genres))
    labels = np.array([genres.index(genre) for genre in archive.genres])
    is_valid = np.array(archive.splits) == "valid"
    logits = linear_head.out_of_fold_logits(
        linear_head.Embedded(embeddings, [track[:0] for track in embeddings]),
        labels,
        is_valid.astype(np.int64),
        len(genres),
        strength=strength,
        discriminant_weight=discriminant_weight,
        parts=parts,
    )
    if is_geometric:
        posteriors = track_posteriors(logits, fit_temperature(logits, labels))
    else:
        posteriors = _arithmetic_means(logits, labels)
    return Judged(posteriors.argmax(axis=1) == labels, _losses(posteriors, labels), is_valid)


def _losses(posteriors: npt.NDArray[np.floating], labels: npt.NDArray[np.int64]) -> FloatArray:
    return np.asarray(-np.log(np.maximum(posteriors[np.arange(len(labels)), labels], 1e-9)))


def _arithmetic_means(logits: list[FloatArray], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Means of the segments' posteriors, at the best temperature."""

    def posteriors(log_temperature: float) -> npt.NDArray[np.float64]:
        return np.stack([softmax(track, np.exp(log_temperature)).mean(axis=0, dtype=np.float64) for track in logits])

    best = optimize.minimize_scalar(
        lambda log_temperature: _losses(posteriors(log_temperature), labels).mean(), bounds=(-2, 2), method="bounded"
    )
    return posteriors(best.x)


def _embed(body: keras.Model, archive: LogMelArchive) -> list[FloatArray]:
    """Embeddings of the segments of each track."""
    network = OnnxNetwork(body)
    return [network.run(plain_segments(log_mel, recipe.SEGMENTS)).embeddings for log_mel in archive.log_mel]


def _heads(archive: LogMelArchive, teachers: Teachers, work: Path) -> None:
    """Print a row for each body and form of head."""
    start = distil.new_student(teachers, recipe.WINDOWS, recipe.NETWORK)
    bodies = {
        "as it starts": start,
        "timbral half distilled": _load(recipe.body_after(1, work)),
        "both halves distilled, no codecs": _load(recipe.body_after(2, work)),
        "done": _load(recipe.body_after(len(recipe.LEGS), work)),
    }
    two = {"strength": 0.005, "discriminant_weight": recipe.DISCRIMINANT_WEIGHT, "parts": PARTS}
    one = two | {"parts": ()}
    found = {name: _embed(body, archive) for name, body in bodies.items()}
    done = found["done"]
    rows = [(f"{name}, a head for each half", found[name], two) for name in bodies]
    rows += [
        ("its timbral half alone", [track[:, : PARTS[0]] for track in done], one),
        ("its stack alone", [track[:, PARTS[0] :] for track in done], one),
        ("one head for all", done, one),
        *((f"discriminant analysis weighing {w}", done, two | {"discriminant_weight": w}) for w in (0.0, 0.6, 1.0)),
        ("arithmetic mean of the segments", done, two | {"is_geometric": False}),
        *((f"C {c}", done, two | {"strength": c}) for c in (0.001, 0.002, 0.01, 0.02)),
    ]
    shipped = judge(done, archive, **two)  # type: ignore[arg-type]
    print("| | valid | crossed | NLL | crossed, points less | NLL less |")
    for name, embeddings, form in rows:
        judged = judge(embeddings, archive, **form)  # type: ignore[arg-type]
        print(f"| {name} | {judged.row(shipped)} |", flush=True)


def _load(path: Path) -> keras.Model:
    return keras.saving.load_model(path, compile=False)


def _legs(
    archive: LogMelArchive, teachers: Teachers, heard: dict[str, Targets], data: Path, *, steps: int, n_seeds: int
) -> None:
    """Print a row for each thing left out: mean and deviation over seeds, of the timbral half alone."""
    windows = recipe.archive_windows(data, teachers)
    leg = dataclasses.replace(recipe.TIMBRAL_LEG, steps=steps, of_steps=steps, warmup_steps=max(1, steps // 10))
    variants: dict[str, tuple[Leg, Callable[[Targets], Targets], bool]] = {
        "the recipe": (leg, _as_it_is, True),
        "without bad sound": (dataclasses.replace(leg, bad_share=0.0), _as_it_is, True),
        "without frames as the archive's": (leg, _without_archive_frames, True),
        "without the teacher's kernels": (leg, _as_it_is, False),
    }
    print("| | valid | crossed | NLL |")
    for name, (variant, change, has_kernels) in variants.items():
        sources = recipe.sources({key: change(of) for key, of in heard.items()}, *recipe.TIMBRAL_SHARES)
        figures = []
        for seed in range(n_seeds):
            keras.utils.set_random_seed(seed)
            student = distil.new_student(teachers, recipe.WINDOWS, recipe.NETWORK, with_kernels=has_kernels)
            half = distil.TimbralDistillation(student, teachers.windows, sources, windows, recipe.WINDOWS)
            half.run(dataclasses.replace(variant, seed=seed + 1))
            embeddings = [track[:, : PARTS[0]] for track in _embed(student, archive)]
            judged = judge(embeddings, archive, strength=0.01, discriminant_weight=recipe.DISCRIMINANT_WEIGHT, parts=())
            figures.append((judged.right[judged.is_valid].mean(), judged.right.mean(), judged.loss.mean()))
        mean, deviation = np.mean(figures, axis=0), np.std(figures, axis=0, ddof=min(1, n_seeds - 1))
        cells = " | ".join(f"{m:.3f} ± {d:.3f}" for m, d in zip(mean, deviation, strict=True))
        print(f"| {name} | {cells} |", flush=True)


def _as_it_is(heard: Targets) -> Targets:
    return heard


def _without_archive_frames(heard: Targets) -> Targets:
    log_mel = heard.log_mel.copy()
    log_mel[:, 1:N_GOOD] = log_mel[:, :1]
    return dataclasses.replace(heard, log_mel=log_mel)


def main() -> int:
    """Run the chosen table."""
    parser = recipe.parser(__doc__)
    parser.add_argument("table", choices=("heads", "legs"))
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    teachers = recipe.load_teachers(options)
    archive = read_archive(options.data / "gtzan-logmel.npz")
    if options.table == "heads":
        _heads(archive, teachers, options.work)
    else:
        heard = recipe.answers(options, teachers)
        _legs(archive, teachers, heard, options.data, steps=options.steps, n_seeds=options.seeds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
