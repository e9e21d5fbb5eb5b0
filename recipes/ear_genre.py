"""Genre heads of both networks of `ten-genres`, fitted and crossed, and the calibration of what they say together.

A head is a logistic regression on standardised embeddings. Crossed, GTZAN's parts are judged by heads that have not
learnt the part, and music from elsewhere by heads that have not learnt the fold of its artist or source.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from crnn.networks.tagger_crnn import GENRE_CLASSES, POOLED_SIZE
from recipes.ear_outputs import (
    ARCHIVE,
    CUTS,
    ELSEWHERE,
    ELSEWHERE_ARCHIVE,
    GENRES,
    GTZAN,
    N_FOLDS,
    Companions,
    FloatArray,
    Floats,
    Heard,
    Integers,
    Mask,
    folds_of,
    mean_by,
    numbers_within,
)

PARTS = ("train", "valid")
# The second network's outputs are of ten seconds, every five. The bundle hears ten of fifteen seconds, one of three
# of these: two thirds of the price, and by folds no worse than all.
EVERY = 3
# Of a track of the first genre, the share that is taught as the second: hard rock and grunge were called metal, and
# the borders of pop are no sharper. Chosen with the crossed answers in view.
SOFT_TARGETS = (
    ("metal", "rock", 0.12),
    ("pop", "hiphop", 0.05),
    ("hiphop", "pop", 0.05),
    ("disco", "pop", 0.1),
    ("pop", "disco", 0.05),
)


@dataclass(frozen=True)
class Weights:
    """Strength of the heads, and what a track weighs; all were chosen on the crossed answers.

    words_scale: How much more freely the head may use the tagger's words for genres than the embedding.
    bent: A GTZAN track as phones and bad sound give it, each of both.
    archive: A track of which no sound is at hand.
    balance: Power of a genre's rarity by which its tracks weigh more.
    heard_cut: A cut of a track that is heard whole, relative to other cuts.
    second: The second network's share in the mean of both logits.
    """

    c: float = 0.001
    words_scale: float = 20.0
    bent: float = 0.125
    archive: float = 0.6
    cut: float = 0.4
    heard_cut: float = 0.4
    elsewhere: float = 3.0
    elsewhere_archive: float = 0.6
    balance: float = 0.25
    second: float = 0.5
    second_c: float = 0.01
    second_elsewhere: float = 3.0


@dataclass(frozen=True)
class Head:
    """A linear head on an embedding: `kernel` `(size, n_genres)`, `bias` `(n_genres,)`."""

    kernel: Floats
    bias: Floats

    def __call__(self, embedding: FloatArray) -> Floats:
        """Logits, `(n, n_genres)`."""
        return np.asarray(embedding @ self.kernel + self.bias)


@dataclass(frozen=True)
class Learnt:
    """Segments a head learns from; `track` names each one's set and track."""

    embedding: FloatArray
    labels: Integers
    weights: Floats
    track: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Rows:
    """What heads of the first network learn from, without a part of GTZAN or a fold of elsewhere.

    draw: Of the folds of elsewhere.
    """

    heard: Mapping[str, Heard]
    weights: Weights = Weights()
    draw: int = 0

    @property
    def folds(self) -> Integers:
        """Fold of each clip from elsewhere."""
        return folds_of(self.heard[ELSEWHERE].groups, self.draw)

    def without(self, part: str | None = None, fold: int | None = None) -> Learnt:
        """All segments but those of a part and a fold.

        Args:
            part: Of GTZAN, one of `PARTS`; None leaves none out.
            fold: Of the clips from elsewhere, below `N_FOLDS`; None leaves none out.
        """
        return balanced(
            [
                (name, self.heard[name], weight, keep)
                for name, weight, keep in [*self._of_gtzan(part), *self._of_elsewhere(fold)]
            ],
            self.weights.balance,
        )

    def _of_gtzan(self, part: str | None) -> list[tuple[str, float, Mask]]:
        gtzan, archive, cuts = self.heard[GTZAN], self.heard[ARCHIVE], self.heard[CUTS]
        weights, kept = self.weights, gtzan.groups != part
        is_heard = np.isin([name.removeprefix("cut.") for name in cuts.ids], gtzan.ids)
        kept_cuts = cuts.groups != part
        return [
            (GTZAN, 1.0, kept),
            ("gtzan.phone1", weights.bent, kept),
            ("gtzan.degrade1", weights.bent, kept),
            (ARCHIVE, weights.archive, (archive.groups != part) & ~np.isin(archive.ids, gtzan.ids)),
            (CUTS, weights.cut, kept_cuts & ~is_heard),
            (CUTS, weights.cut * weights.heard_cut, kept_cuts & is_heard),
        ]

    def _of_elsewhere(self, fold: int | None) -> list[tuple[str, float, Mask]]:
        clips, archive = self.heard[ELSEWHERE], self.heard[ELSEWHERE_ARCHIVE]
        # Clips that only the 24-frame archive has are judged by nobody, so they have no fold.
        further = (archive.labels >= 0) & ~np.isin(archive.ids, clips.ids)
        return [
            (ELSEWHERE, self.weights.elsewhere, (clips.labels >= 0) & (self.folds != fold)),
            (ELSEWHERE_ARCHIVE, self.weights.elsewhere * self.weights.elsewhere_archive, further),
        ]


def balanced(sources: list[tuple[str, Heard, float, Mask]], power: float) -> Learnt:
    """Segments of the kept tracks, `softened`; a track weighs the same however long, and a rare genre somewhat more.

    Args:
        sources: Name of a set, its answers, what a track of it weighs, and which tracks are kept, `(n_tracks,)`;
            those must be of the ten genres.
        power: Of a genre's rarity, by which its tracks weigh more; 0 for no difference.
    """
    embeddings, labels, weights, tracks = [], [], [], []
    for name, heard, weight, keep in sources:
        kept = keep[heard.own]
        own = heard.own[kept]
        embeddings.append(heard.embedding[kept])
        labels.append(heard.labels[own])
        weights.append((weight / np.bincount(heard.own, minlength=heard.n_tracks)[heard.own])[kept])
        tracks.extend((name, int(track)) for track in own)
    label, weight_of = np.concatenate(labels), np.concatenate(weights)
    total = np.bincount(label, weight_of, minlength=10)
    rarity = (total.mean() / np.maximum(total, 1e-3)) ** power
    return softened(Learnt(np.concatenate(embeddings), label, weight_of * rarity[label], tuple(tracks)))


def softened(learnt: Learnt) -> Learnt:
    """The same segments with `SOFT_TARGETS`: a share of their weight stands under another genre."""
    parts, weights = [learnt], learnt.weights.copy()
    for genre, other, share in SOFT_TARGETS:
        rows = np.flatnonzero(learnt.labels == GENRES.index(genre))
        weights[rows] -= share * learnt.weights[rows]
        labels = np.full(len(rows), GENRES.index(other), dtype=np.int64)
        tracks = tuple(learnt.track[row] for row in rows)
        parts.append(Learnt(learnt.embedding[rows], labels, share * learnt.weights[rows], tracks))
    parts[0] = dataclasses.replace(learnt, weights=weights)
    return Learnt(
        np.concatenate([part.embedding for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.weights for part in parts]),
        tuple(track for part in parts for track in part.track),
    )


def scales(heard: Mapping[str, Heard], words_scale: float) -> tuple[FloatArray, FloatArray]:
    """Mean and scale of the embedding, `(size,)` each: no label is used, so heads may share them.

    Args:
        heard: Answers by set; GTZAN, its archive and elsewhere are read.
        words_scale: How much more freely a head may use the tagger's words for genres.
    """
    embeddings = np.concatenate([heard[name].embedding for name in (GTZAN, ELSEWHERE, ARCHIVE)])
    # The offset keeps features that hardly move from being blown up.
    mean, scale = embeddings.mean(axis=0), embeddings.std(axis=0) + np.float32(0.02)
    first_word = embeddings.shape[1] - len(GENRE_CLASSES)
    # The memory says little that the pooled map does not: half of its weight.
    scale[POOLED_SIZE:first_word] *= 2
    scale[first_word:] /= words_scale
    return mean, scale


def fit(learnt: Learnt, mean: FloatArray, scale: FloatArray, c: float) -> Head:
    """A head of either network; it takes embeddings as they are, for mean and scale are folded in.

    Args:
        learnt: What it learns from.
        mean: Of the embedding, `(size,)`.
        scale: What the embedding is divided by, `(size,)`.
        c: Inverse strength of the penalty.
    """
    from sklearn.linear_model import LogisticRegression

    # To the minimum: a fit that ends early depends on the order of the rows.
    regression = LogisticRegression(C=c, max_iter=1000, tol=1e-4)
    inputs = (learnt.embedding.astype(np.float64) - mean) / scale
    regression.fit(inputs, learnt.labels, sample_weight=learnt.weights)
    kernel = regression.coef_ / scale
    return Head(kernel.T, regression.intercept_ - kernel @ mean)


def crossed(rows: Rows, names: tuple[str, ...] = (GTZAN, CUTS, ARCHIVE)) -> dict[str, Floats]:
    """Logits of sets of GTZAN, `(n_segments, n_genres)`, by heads that have not learnt the part.

    Args:
        rows: What the heads learn from.
        names: Sets whose groups are `PARTS`.
    """
    heard, weights = rows.heard, rows.weights
    mean, scale = scales(heard, weights.words_scale)
    logits = {name: np.zeros((len(heard[name].own), 10)) for name in names}
    for part in PARTS:
        head = fit(rows.without(part=part), mean, scale, weights.c)
        for name in names:
            judged = (heard[name].groups == part)[heard[name].own]
            logits[name][judged] = head(heard[name].embedding)[judged]
    return logits


def crossed_elsewhere(rows: Rows) -> Floats:
    """Logits of the clips from elsewhere, `(n_segments, n_genres)`, by heads that have not learnt the fold.

    Args:
        rows: What the heads learn from.
    """
    clips, weights = rows.heard[ELSEWHERE], rows.weights
    mean, scale = scales(rows.heard, weights.words_scale)
    logits = np.zeros((len(clips.own), 10))
    for fold in range(N_FOLDS):
        head = fit(rows.without(fold=fold), mean, scale, weights.c)
        judged = (rows.folds == fold)[clips.own]
        logits[judged] = head(clips.embedding)[judged]
    return logits


@dataclass(frozen=True)
class SecondRows:
    """What heads of the second network learn from: archive tracks, cuts and clips from elsewhere.

    draw: Of the folds of elsewhere.
    """

    heard: Mapping[str, Heard]
    second: Mapping[str, Companions]
    weights: Weights = Weights()
    draw: int = 0

    def without(self, part: str | None = None, fold: int | None = None) -> Learnt:
        """All segments but those of a part and a fold.

        Args:
            part: Of GTZAN's archive, one of `PARTS`; None leaves none out.
            fold: Of the clips from elsewhere, below `N_FOLDS`; None leaves none out.
        """
        archive, cuts, clips = self.heard[ARCHIVE], self.heard[CUTS], self.heard[ELSEWHERE]
        kept_clips = clips.labels >= 0
        if fold is not None:
            kept_clips &= folds_of(clips.groups, self.draw) != fold
        # It hears whole, from the archive, what the cuts are of.
        of_cut = self.weights.cut * self.weights.heard_cut
        sources = [
            (name, self._as_heard(name), weight, keep)
            for name, weight, keep in (
                (ARCHIVE, 1.0, archive.groups != part),
                (CUTS, of_cut, cuts.groups != part),
                (ELSEWHERE, self.weights.second_elsewhere, kept_clips),
            )
        ]
        return balanced(sources, power=0.0)

    def _as_heard(self, name: str) -> Heard:
        first, second = self.heard[name], self.second[name]
        return Heard(second.embedding, first.tags, second.own, first.ids, first.genres, first.groups)

    def fit(self, part: str | None = None, fold: int | None = None) -> Head:
        """A head of the second network; its scales are those of what it learns.

        Args:
            part: Of GTZAN's archive, which it does not learn; None leaves none out.
            fold: Of the clips from elsewhere, likewise.
        """
        learnt = self.without(part, fold)
        mean, scale = learnt.embedding.mean(axis=0), learnt.embedding.std(axis=0) + np.float32(1e-3)
        return fit(learnt, mean, scale, self.weights.second_c)

    def crossed(self) -> dict[str, Floats]:
        """Mean logits of GTZAN's tracks by set, `(n_tracks, n_genres)`, by heads that have not learnt the part."""
        tracks = {name: np.zeros((self.heard[name].n_tracks, 10)) for name in (ARCHIVE, CUTS)}
        for part in PARTS:
            head = self.fit(part=part)
            for name, logits in tracks.items():
                judged = self.heard[name].groups == part
                logits[judged] = self._track_logits(head, name)[judged]
        return tracks

    def crossed_elsewhere(self) -> Floats:
        """Mean logits of the clips from elsewhere, `(n_tracks, n_genres)`, by heads that have not learnt the fold."""
        clips = self.heard[ELSEWHERE]
        logits, folds = np.zeros((clips.n_tracks, 10)), folds_of(clips.groups, self.draw)
        for fold in range(N_FOLDS):
            judged = folds == fold
            logits[judged] = self._track_logits(self.fit(fold=fold), ELSEWHERE)[judged]
        return logits

    def _track_logits(self, head: Head, name: str) -> Floats:
        second = self.second[name]
        is_heard = numbers_within(second.own) % EVERY == 0
        return mean_by(head(second.embedding[is_heard]), second.own[is_heard], self.heard[name].n_tracks)


def together(rows: Rows, first: Mapping[str, Floats], second: Mapping[str, Floats]) -> dict[str, Floats]:
    """Both networks' logits by segment of sets of GTZAN; tracks that the second has not heard keep the first's.

    Args:
        rows: Answers by set, and the second network's share in the mean.
        first: Logits by set, `(n_segments, n_genres)`.
        second: Mean logits of the tracks by set, `(n_tracks, n_genres)`.
    """
    heard, joined = rows.heard, dict(first)
    place = {name: number for number, name in enumerate(heard[ARCHIVE].ids)}
    # The second network hears GTZAN from the archive.
    of_gtzan = [second[ARCHIVE][place[name]] if name in place else np.full(10, np.nan) for name in heard[GTZAN].ids]
    for name, tracks in {**second, GTZAN: np.array(of_gtzan)}.items():
        joined[name] = mixed(rows, name, first[name], tracks)
    return joined


def mixed(rows: Rows, name: str, first: Floats, second: Floats) -> Floats:
    """Weighted mean of both networks' logits of a set by segment, `(n_segments, n_genres)`.

    Args:
        rows: Answers by set, and the second network's share in the mean.
        name: Of the set.
        first: Logits of the segments, `(n_segments, n_genres)`.
        second: Mean logits of the tracks, `(n_tracks, n_genres)`; NaN where it has not heard one.
    """
    share, of_segments, logits = rows.weights.second, second[rows.heard[name].own], first.copy()
    is_heard = ~np.isnan(of_segments[:, 0])
    logits[is_heard] = (1 - share) * logits[is_heard] + share * of_segments[is_heard]
    return logits
