"""The timeline in few words: stretches of one genre, and each genre's share of the time.

The answer of single cells flickers. A stretch goes on unless the evidence for another genre
(log posterior times seconds, summed) outweighs what a change costs: the most probable path of
a hidden Markov model whose states last (Rabiner 1989), so a set of hours has stretches and no
confetti. Cost and floor were chosen by `bench.stretches` on joined clips of known genre.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from crnn.inference.classifier import Cell, Prediction

# What a change of genre costs, in nats times seconds.
CHANGE_COST = 18.0
# No cell speaks more strongly against a genre than this: one wrong cell must not outvote its neighbours.
POSTERIOR_FLOOR = 0.1
# A shorter pause belongs to the music around it.
PAUSE_SECONDS = 2.0


@dataclass(frozen=True)
class Stretch:
    """A part of a sound that is of one genre.

    genre: None where it is silent.
    confidence: the genre's mean posterior over what sounds there, weighted by time; None where it is silent.
    """

    start_seconds: float
    end_seconds: float
    genre: str | None
    confidence: float | None


def of_prediction(prediction: Prediction) -> tuple[Stretch, ...]:
    """The stretches of a prediction; none where it is not the music of some genre that is heard."""
    if not prediction.verdict.traits.has_stretches:
        return ()
    return stretches(prediction.timeline, prediction.genres)


def stretches(
    timeline: Sequence[Cell],
    genres: tuple[str, ...],
    *,
    change_cost: float = CHANGE_COST,
    posterior_floor: float = POSTERIOR_FLOOR,
) -> tuple[Stretch, ...]:
    """Stretches of one genre or of silence that follow each other without gap.

    Args:
        timeline: Cells of a prediction, in order.
        genres: Names in the order of the posteriors.
        change_cost: Evidence that a change of genre has to outweigh, in nats times seconds.
        posterior_floor: Posteriors below it count as this.
    """
    found: list[Stretch] = []
    for is_pause, cells in _parts(timeline):
        if is_pause:
            found.append(Stretch(cells[0].start_seconds, cells[-1].end_seconds, None, None))
            continue
        path = _best_path(cells, change_cost, posterior_floor)
        for label, group in itertools.groupby(zip(path, cells, strict=True), key=lambda pair: pair[0]):
            found.append(_stretch([cell for _, cell in group], genres[label], label))
    return tuple(found)


def shares(found: Iterable[Stretch]) -> dict[str, float]:
    """Each genre's share of the time that is not silent, greatest first; empty where all is silent."""
    seconds: dict[str, float] = {}
    for stretch in found:
        if stretch.genre is not None:
            length = stretch.end_seconds - stretch.start_seconds
            seconds[stretch.genre] = seconds.get(stretch.genre, 0.0) + length
    total = sum(seconds.values())
    if total <= 0:
        return {}
    return {genre: length / total for genre, length in sorted(seconds.items(), key=lambda item: (-item[1], item[0]))}


def _parts(timeline: Sequence[Cell]) -> list[tuple[bool, list[Cell]]]:
    """The timeline cut at pauses that are long, or all there is; each part says whether it is one."""
    parts: list[tuple[bool, list[Cell]]] = []
    for is_silent, group in itertools.groupby(timeline, key=lambda cell: cell.is_silent):
        cells = list(group)
        is_all = len(cells) == len(timeline)
        is_pause = is_silent and (is_all or cells[-1].end_seconds - cells[0].start_seconds >= PAUSE_SECONDS)
        if not is_pause and parts and not parts[-1][0]:
            parts[-1][1].extend(cells)
        else:
            parts.append((is_pause, cells))
    return parts


def _best_path(cells: Sequence[Cell], change_cost: float, posterior_floor: float) -> list[int]:
    """The label of each cell on the path with the greatest evidence less what its changes cost (Viterbi)."""
    evidence = _evidence(cells, posterior_floor)
    best = evidence[0]
    came_from = np.zeros(evidence.shape, dtype=np.int64)
    stay = np.arange(evidence.shape[1])
    for i in range(1, len(evidence)):
        leader = int(best.argmax())
        changes = best[leader] - change_cost > best
        came_from[i] = np.where(changes, leader, stay)
        best = np.where(changes, best[leader] - change_cost, best) + evidence[i]
    path = [int(best.argmax())]
    for i in range(len(evidence) - 1, 0, -1):
        path.append(int(came_from[i, path[-1]]))
    return path[::-1]


def _evidence(cells: Sequence[Cell], posterior_floor: float) -> npt.NDArray[np.float64]:
    posteriors = np.maximum(np.stack([cell.posterior for cell in cells]).astype(np.float64), posterior_floor)
    seconds = np.array([cell.end_seconds - cell.start_seconds for cell in cells])
    # Silent cells are uniform: they speak for no genre.
    return np.log(posteriors) * seconds[:, None]


def _stretch(cells: list[Cell], genre: str, label: int) -> Stretch:
    heard = [cell for cell in cells if not cell.is_silent] or cells
    seconds = np.array([cell.end_seconds - cell.start_seconds for cell in heard])
    posteriors = np.array([float(cell.posterior[label]) for cell in heard])
    mean = float(seconds @ posteriors / seconds.sum()) if seconds.sum() > 0 else float(posteriors.mean())
    return Stretch(cells[0].start_seconds, cells[-1].end_seconds, genre, mean)
