"""What a model that is trained takes over from the one it starts from: tags, what is music, how to tell other genres.

The layers that the tags rest on stay as they are while it learns (`crnn.networks.crnn.learns_head_only`), so their
calibration and the rule for music hold for the new model as they did for the old.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crnn.bundles.bundle import Bundle, Rejection
from crnn.bundles.library import DEFAULT_MODEL
from crnn.bundles.tagging import OtherRule, Tagging
from crnn.data.labelled import LabelledTracks
from crnn.features.archive import to_db
from crnn.inference.classifier import Classifier
from crnn.inference.listening import Answers
from crnn.inference.tagging import other_inputs, sigmoid
from crnn.inference.verdict import Verdict
from crnn.intervals import Interval, share_interval
from crnn.text import number_of

Folds = npt.NDArray[np.int64]
Units = Sequence[str] | None

# Share of one's own tracks that may be called another genre, judged by folds.
MOST_LOST = 0.03
# Fewer say nothing about other music at large.
LEAST_OTHERS = 10
_OTHER_STRENGTH = 0.01
_N_FOLDS = 5
# The share of one's own tracks that an inherited rejection may refuse.
_MOST_REFUSED = 0.005


def inherited_tagging(start: Bundle | None, other: OtherRule | None = None) -> Tagging | None:
    """Tags and the rule for music of the start, with a rule for other genres of the model's own; None without tags.

    The start's own rule for other genres is not taken over: it tells what is beyond the start's genres.

    Args:
        start: What training started from; None for scratch.
        other: What tells music of other genres from the model's own.
    """
    if start is None or start.tagging is None:
        return None
    return dataclasses.replace(start.tagging, other=other)


def inherited_rejection(start: Bundle | None, embeddings: Sequence[npt.NDArray[np.float32]]) -> Rejection | None:
    """The rejection of a start without tags, its threshold low enough for the tracks; None if it has none.

    A rejection fitted on a few tracks anew takes much of the music beyond them for noise.

    Args:
        start: What training started from.
        embeddings: Per track those of its segments, `(n_segments, embedding_size)`, by the new model.
    """
    if start is None or start.rejection is None or start.embedding_size != embeddings[0].shape[1]:
        return None
    weights = np.array(start.rejection.weights)
    of_tracks = [float(sigmoid(track @ weights + start.rejection.bias).mean()) for track in embeddings]
    threshold = min(start.rejection.threshold, float(np.quantile(of_tracks, _MOST_REFUSED)))
    return dataclasses.replace(start.rejection, threshold=threshold)


@dataclass(frozen=True)
class FittedOther:
    """A rule for other genres, and what regressions and thresholds that did not learn a track said of it.

    n_told: of `n_others` tracks of other genres those that were told as such.
    n_lost: of `n_own` tracks of the model's own those that were taken for another genre.
    told_interval, lost_interval: 95 % intervals of both shares; they count artists where they are known.
    """

    rule: OtherRule
    n_told: int
    n_others: int
    told_interval: Interval
    n_lost: int
    n_own: int
    lost_interval: Interval

    @property
    def tells(self) -> bool:
        """Whether other music is told more often than the model's own is lost, beyond chance (Newcombe 1998)."""
        told, lost = self.n_told / self.n_others, self.n_lost / self.n_own
        return told - lost > math.hypot(told - self.told_interval[0], self.lost_interval[1] - lost)

    def sentence(self) -> str:
        """How well it tells, for the report; where it does not, it is not kept."""
        told, lost = _chance(self.told_interval), _chance(self.lost_interval)
        of_others = f"{self.n_told} of {self.n_others} tracks of other music"
        if not self.tells:
            return (
                f"Other music taught nothing: it sounds too much like the model's own. Judged by folds, {of_others} "
                f"would be told to be none of the genres ({told}), and {self.n_lost} of {self.n_own} of the model's "
                f"own ({lost})."
            )
        return (
            f"Judged by folds, {of_others} are told to be none of the genres ({told}), and {self.n_lost} of "
            f"{self.n_own} of the model's own ({lost})."
        )


def _chance(interval: Interval) -> str:
    low, high = interval
    return f"{100 * low:.0f} to {100 * high:.0f} %"


def refused(bundle: Bundle, tracks: LabelledTracks, said: Sequence[Answers]) -> dict[str, int]:
    """How many of the tracks a model would refuse, by verdict.

    Args:
        bundle: The model.
        tracks: What it is asked for.
        said: What its network says of their segments, by track.
    """
    classifier = Classifier(bundle)
    verdicts = Counter(
        classifier.decide(answers, len(cells), classifier.ending_of(to_db(cells, classifier.config))).verdict
        for answers, cells in zip(said, tracks.log_mels, strict=True)
    )
    return {verdict.value: verdicts[verdict] for verdict in Verdict if verdict.traits.refusal}


def refused_sentence(counts: dict[str, int], n_tracks: int) -> str:
    """What `refused` found, for the report.

    Args:
        counts: From `refused`.
        n_tracks: Of how many.
    """
    if not any(counts.values()):
        return f"The model takes all of its {n_tracks} own tracks for music of its genres."
    said = " and ".join(f"{n} {Verdict(name).traits.refusal}" for name, n in counts.items() if n)
    return f"Of its {n_tracks} own tracks the model would refuse {said}."


def fit_other(
    own: Sequence[Answers],
    others: Sequence[Answers],
    tagging: Tagging,
    temperature: float,
    *,
    folds: tuple[Folds | None, Folds | None] = (None, None),
    units: tuple[Units, Units] = (None, None),
    seed: int = 0,
) -> FittedOther | None:
    """The rule that tells music of other genres from a model's own; None where there is too little to learn it from.

    Args:
        own: What the network says of each of the model's own tracks, by segment.
        others: The same of music of other genres: a folder `other`, say.
        tagging: The model's tags.
        temperature: Of its posteriors.
        folds: Of the own and of the other tracks, so that artists and copies stay together; None deals them at random.
        units: Whose the own and the other tracks are (`crnn.data.units`), where that is known.
        seed: Of the solver and the folds.

    Returns:
        A logistic regression on embedding and tags, with the threshold that loses at most `MOST_LOST` of the
        model's own tracks when each is judged by a regression that did not learn it. What is told of it is judged by
        thresholds of the other folds.
    """
    if len(others) < LEAST_OTHERS or len(own) < LEAST_OTHERS:
        return None
    inputs, classes = ("embedding", "tags"), tuple(sorted({i for tag in tagging.tags for i in tag.classes}))
    read = np.stack([other_inputs(heard, temperature, inputs, classes) for heard in (*own, *others)])
    is_other = np.repeat([0, 1], [len(own), len(others)])
    # Folds hold some of both.
    at_random = [np.random.default_rng(seed).permutation(n) % _N_FOLDS for n in (len(own), len(others))]
    fold_of = np.concatenate([at_random[i] if dealt is None else dealt for i, dealt in enumerate(folds)])
    judged = np.zeros(len(read))
    for fold in np.unique(fold_of):
        weights, bias = _regress(read[fold_of != fold], is_other[fold_of != fold], seed)
        judged[fold_of == fold] = sigmoid(read[fold_of == fold] @ weights + bias)
    told = np.zeros(len(read), dtype=bool)
    for fold in np.unique(fold_of):
        # By the threshold of the other folds: by its own it would always lose exactly what it was set to.
        told[fold_of == fold] = judged[fold_of == fold] >= _threshold(judged[(fold_of != fold) & (is_other == 0)])
    weights, bias = _regress(read, is_other, seed)
    rule = OtherRule(inputs, classes, tuple(weights.tolist()), bias, _threshold(judged[is_other == 0]))
    of_others, of_own = told[is_other == 1], told[is_other == 0]
    return FittedOther(
        rule,
        n_told=int(of_others.sum()),
        n_others=len(others),
        told_interval=share_interval(of_others, units[1]),
        n_lost=int(of_own.sum()),
        n_own=len(own),
        lost_interval=share_interval(of_own, units[0]),
    )


def _threshold(of_own: npt.NDArray[np.float64]) -> float:
    """The first posterior beyond those of own tracks that may be kept."""
    in_order = np.sort(of_own)
    kept = in_order[min(len(in_order) - 1, int(np.ceil((1 - MOST_LOST) * len(in_order))) - 1)]
    return max(0.5, float(np.nextafter(kept, 1.0)))


def taught_other(
    start: Bundle | None,
    own: Sequence[Answers],
    others: Sequence[Answers],
    temperature: float,
    *,
    folds: tuple[Folds | None, Folds | None] = (None, None),
    units: tuple[Units, Units] = (None, None),
    seed: int,
) -> tuple[OtherRule | None, tuple[str, ...]]:
    """The rule for other genres that a data set's `other` tracks teach, and what to say of it; none that tells nothing.

    Args:
        start: What training starts from.
        own: What the network says of each of the model's own tracks.
        others: The same of the tracks that are none of its genres.
        temperature: Of its posteriors.
        folds: As in `fit_other`.
        units: As in `fit_other`.
        seed: As in `fit_other`.
    """
    if not others:
        return None, ()
    if start is None or start.tagging is None:
        return None, (
            f"{number_of(len(others), 'track')} of other music taught nothing: only a model with tags, such as "
            f"{DEFAULT_MODEL}, is a start from which other music can be told.",
        )
    fitted = fit_other(own, others, start.tagging, temperature, folds=folds, units=units, seed=seed)
    if fitted is None:
        return None, (
            f"{number_of(len(others), 'track')} of other music taught nothing: {LEAST_OTHERS} are needed, and as many "
            "of the model's own.",
        )
    return fitted.rule if fitted.tells else None, (fitted.sentence(),)


def _regress(
    read: npt.NDArray[np.float64], is_other: npt.NDArray[np.int64], seed: int
) -> tuple[npt.NDArray[np.float64], float]:
    from sklearn.linear_model import LogisticRegression

    mean, deviation = read.mean(axis=0), read.std(axis=0) + 1e-3
    fitted = LogisticRegression(C=_OTHER_STRENGTH, class_weight="balanced", max_iter=1000, random_state=seed)
    fitted.fit((read - mean) / deviation, is_other)
    weights = fitted.coef_[0] / deviation
    return weights, float(fitted.intercept_[0] - mean @ weights)
