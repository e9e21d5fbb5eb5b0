"""Frozen settings of features, network and training, checked when made.

Derived values are properties, so that no number is typed twice. All of them
round-trip through plain dicts (`to_dict`, `from_dict`) and travel in bundles.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Self


class _DictConfig:
    """Round trip of a frozen dataclass through a plain dict."""

    def to_dict(self) -> dict[str, Any]:
        """Settings as JSON-ready values."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Settings from `to_dict`'s output.

        Raises:
            ValueError: A field is missing, unknown or out of range.
        """
        names = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        if set(values) != names:
            missing, unknown = sorted(names - set(values)), sorted(set(values) - names)
            raise ValueError(f"{cls.__name__}: missing fields {missing}, unknown fields {unknown}")
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


LOG_MEL, TAGGER_MEL = "log_mel", "tagger_mel"
# The tagger's mel has exactly so many frames a second, and windows of so many seconds.
_TAGGER_FRAMES_PER_SECOND = 100
_TAGGER_WINDOW_SECONDS = 0.025


@dataclass(frozen=True)
class FeatureConfig(_DictConfig):
    """How sound becomes the model's input: one front end for training and inference.

    Units are in the names; `fmin` and `fmax` are Hz, as in librosa. The default
    hop of 914 samples gives the 24.1 frames a second of the labelled archive.

    front_end: `log_mel`, dB re a segment's loudest cell (`crnn.features.log_mel`), or `tagger_mel`,
        what an AudioSet tagger hears (`crnn.features.tagger_mel`), where the hop is 10 ms and
        `hop_length` says so in whole samples.
    level: tagger_mel: what the power of a segment's frames is brought to, on average; 0 leaves it.
    tail_seconds: A remainder after the last whole segment that is shorter gets none of its own.
    is_tiled: Whether a sound shorter than a segment is repeated to its length.
    """

    sample_rate: int = 22_050
    n_fft: int = 2048
    hop_length: int = 914
    n_mels: int = 128
    fmin: float = 0.0
    fmax: float = 11_025.0
    segment_seconds: float = 10.0
    segment_hop_seconds: float = 2.5
    db_floor: float = -80.0
    front_end: str = LOG_MEL
    level: float = 0.0
    tail_seconds: float = 0.0
    is_tiled: bool = False

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Settings from `to_dict`'s output, that of before there were two front ends included.

        Raises:
            ValueError: A field is missing, unknown or out of range.
        """
        added = {"front_end": LOG_MEL, "level": 0.0, "tail_seconds": 0.0, "is_tiled": False}
        return super().from_dict(added | values)

    def __post_init__(self) -> None:
        known = (LOG_MEL, TAGGER_MEL)
        _require(self.front_end in known, f"front_end {self.front_end!r}: one of {', '.join(known)} is accepted")
        _require(8000 <= self.sample_rate <= 96_000, f"sample_rate {self.sample_rate} Hz: 8000 to 96000 is accepted")
        _require(64 <= self.n_fft <= 16_384, f"n_fft {self.n_fft}: 64 to 16384 is accepted")
        _require(0 < self.hop_length <= self.n_fft, f"hop_length {self.hop_length}: 1 to n_fft is accepted")
        _require(8 <= self.n_mels <= 512, f"n_mels {self.n_mels}: 8 to 512 is accepted")
        # The tagger's bands reach beyond what a low sample rate holds: those stay empty.
        highest = self.sample_rate / 2 if self.front_end == LOG_MEL else 24_000
        _require(
            0 <= self.fmin < self.fmax <= highest,
            f"fmin {self.fmin}, fmax {self.fmax}: need 0 <= fmin < fmax <= {highest:g}",
        )
        _require(1 <= self.segment_seconds <= 60, f"segment_seconds {self.segment_seconds}: 1 to 60 is accepted")
        _require(
            0 < self.segment_hop_seconds <= self.segment_seconds,
            f"segment_hop_seconds {self.segment_hop_seconds}: need more than 0, at most segment_seconds",
        )
        _require(-200 <= self.db_floor < 0, f"db_floor {self.db_floor} dB: -200 to below 0 is accepted")
        _require(
            0 <= self.tail_seconds <= self.segment_hop_seconds,
            f"tail_seconds {self.tail_seconds}: 0 to segment_hop_seconds is accepted",
        )
        _require(0 <= self.level <= 1e9, f"level {self.level}: 0 to 1e9 is accepted")
        if self.front_end == TAGGER_MEL:
            self._check_tagger_mel()

    def _check_tagger_mel(self) -> None:
        hop = round(self.sample_rate / _TAGGER_FRAMES_PER_SECOND)
        _require(self.hop_length == hop, f"hop_length {self.hop_length}: {hop}, 10 ms, is accepted")
        _require(self.window_length <= self.n_fft, f"n_fft {self.n_fft}: at least {self.window_length} is needed")

    @property
    def frame_rate_hz(self) -> float:
        """Log-mel frames per second."""
        if self.front_end == TAGGER_MEL:
            return float(_TAGGER_FRAMES_PER_SECOND)
        return self.sample_rate / self.hop_length

    @property
    def window_length(self) -> int:
        """Samples under the window of a frame."""
        return round(_TAGGER_WINDOW_SECONDS * self.sample_rate) if self.front_end == TAGGER_MEL else self.n_fft

    @property
    def n_frames(self) -> int:
        """Frames of one segment."""
        return round(self.segment_seconds * self.frame_rate_hz)

    @property
    def n_hop_frames(self) -> int:
        """Frames between the starts of neighbouring segments."""
        return max(1, round(self.segment_hop_seconds * self.frame_rate_hz))

    @property
    def n_tail_frames(self) -> int:
        """Frames that must be left after the last whole segment to get a segment of their own."""
        return max(1, round(self.tail_seconds * self.frame_rate_hz))


def tagger_features(level: float = 0.0) -> FeatureConfig:
    """The front end of the AudioSet tagger `mn04_as`, from the clips that the other front end reads.

    704 bins at 22 050 Hz lie 31.3 Hz apart, as the tagger's do: its lowest bands are narrower
    than two bins, so which of them falls into which band is part of what it learnt.
    """
    return FeatureConfig(
        n_fft=704,
        hop_length=220,
        fmax=15_000.0,
        segment_seconds=10.0,
        segment_hop_seconds=10.0,
        front_end=TAGGER_MEL,
        level=level,
        tail_seconds=3.0,
    )


@dataclass(frozen=True)
class ModelConfig(_DictConfig):
    """Sizes of the CRNN.

    front_end: `square`, a stack of 3×3 convolution blocks, or `timbral`, filters as tall as
        timbres and as long as rhythms (Pons & Serra 2017), which can start from a teacher's,
        or `timbral+stack`, these beside the stack of convolutions and GRUs of Choi et al. (2017),
        which can start from a teacher's as well, or `tagger`, the convolutions of an AudioSet tagger with
        its own head beside ours (`crnn.networks.tagger_crnn`); its sizes are the tagger's but for
        `gru_units` and `embedding_size`.
    gru_units: units of the GRU per direction.
    embedding_size: width of the penultimate layer.
    channels: square: filters of each block, first to last.
    pools: square: `(time, frequency)` pooling after each block; the first block's frequency
        part is a stride of its convolution, which halves the cost of what follows.
    n_used_mels: timbral: bands that are looked at, from the lowest.
    vertical_spans: timbral: heights in bands of the two sets of tall filters.
    vertical_filters, horizontal_filters, middle_filters: timbral: how many of each.
    horizontal_spans: timbral: lengths in frames of the three sets of long filters.
    stack_bands: timbral+stack: bands that the stack reads, mixed from the input's.
    stack_channels, stack_pools: timbral+stack: filters of each block, and its pooling in time and frequency.
    stack_ranks: timbral+stack: rank of each block's convolution; 0 is a full one.
    stack_gru_units: timbral+stack: units of both its GRUs.
    """

    front_end: str = "square"
    channels: tuple[int, ...] = (32, 64, 96, 128)
    pools: tuple[tuple[int, int], ...] = ((1, 2), (2, 2), (2, 2), (2, 4))
    gru_units: int = 64
    embedding_size: int = 128
    dropout: float = 0.3
    n_used_mels: int = 117
    vertical_spans: tuple[int, ...] = (47, 82)
    vertical_filters: int = 204
    horizontal_spans: tuple[int, ...] = (49, 25, 13)
    horizontal_filters: int = 51
    middle_filters: int = 64
    stack_bands: int = 96
    stack_channels: tuple[int, ...] = (64, 128, 128, 128)
    stack_pools: tuple[int, ...] = (2, 3, 4, 4)
    stack_ranks: tuple[int, ...] = (0, 40, 64, 0)
    stack_gru_units: int = 32

    def __post_init__(self) -> None:
        # JSON knows no tuples.
        object.__setattr__(self, "pools", tuple((int(t), int(f)) for t, f in self.pools))
        known = ("square", "timbral", "timbral+stack", "tagger")
        _require(self.front_end in known, f"front_end {self.front_end!r}: one of {', '.join(known)} is accepted")
        _require(1 <= len(self.channels) <= 8, f"channels {self.channels}: 1 to 8 blocks are accepted")
        _require(len(self.pools) == len(self.channels), "pools: as many as channels are needed")
        _require(all(1 <= c <= 1024 for c in self.channels), f"channels {self.channels}: 1 to 1024 each")
        _require(all(1 <= p <= 16 for pool in self.pools for p in pool), f"pools {self.pools}: 1 to 16 each")
        _require(1 <= self.gru_units <= 1024, f"gru_units {self.gru_units}: 1 to 1024 is accepted")
        _require(1 <= self.embedding_size <= 2048, f"embedding_size {self.embedding_size}: 1 to 2048 is accepted")
        if self.front_end == "timbral+stack":
            self._check_stack()
        if self.front_end == "tagger":
            _require(self.embedding_size > 394, f"embedding_size {self.embedding_size}: more than 394 is needed")
        _require(0 <= self.dropout < 1, f"dropout {self.dropout}: 0 to below 1 is accepted")
        spans = (*self.vertical_spans, self.n_used_mels)
        _require(all(1 <= s <= self.n_used_mels <= 512 for s in spans), f"vertical_spans {self.vertical_spans}")
        _require(all(1 <= s <= 512 for s in self.horizontal_spans), f"horizontal_spans {self.horizontal_spans}")
        filters = (self.vertical_filters, self.horizontal_filters, self.middle_filters)
        _require(all(1 <= n <= 1024 for n in filters), f"filters {filters}: 1 to 1024 each")

    @property
    def timbral_embedding_size(self) -> int:
        """How much of a `timbral+stack` network's embedding is the timbral half's."""
        return self.embedding_size - 2 * (self.stack_gru_units + self.stack_channels[-1])

    def _check_stack(self) -> None:
        sizes = (self.stack_bands, self.stack_gru_units, *self.stack_channels)
        _require(all(1 <= size <= 1024 for size in sizes), f"sizes of the stack {sizes}: 1 to 1024 each")
        blocks = (self.stack_channels, self.stack_pools, self.stack_ranks)
        _require(len({len(part) for part in blocks}) == 1, "stack_pools, stack_ranks: as many as channels are needed")
        _require(all(1 <= pool <= 16 for pool in self.stack_pools), f"stack_pools {self.stack_pools}: 1 to 16 each")
        _require(all(0 <= rank <= 1024 for rank in self.stack_ranks), f"stack_ranks {self.stack_ranks}: 0 to 1024 each")
        _require(
            math.prod(self.stack_pools) >= self.stack_bands,
            f"stack_pools {self.stack_pools}: together they must leave one of the {self.stack_bands} bands",
        )
        least = self.embedding_size - self.timbral_embedding_size
        _require(self.timbral_embedding_size > 0, f"embedding_size {self.embedding_size}: more than {least} is needed")


@dataclass(frozen=True)
class AugmentConfig(_DictConfig):
    """How much training varies what it shows; 0 switches a part off.

    Each part is described where it is done, in `crnn.features.augment`.
    """

    tempo: float = 0.15
    pitch_semitones: float = 1.5
    equaliser_db: float = 6.0
    floor_db: float = 30.0
    bandlimit_chance: float = 0.2
    noise_chance: float = 0.2
    time_masks: int = 2
    frequency_masks: int = 2
    mixup_alpha: float = 0.3

    def __post_init__(self) -> None:
        _require(0 <= self.tempo <= 0.5, f"tempo {self.tempo}: 0 to 0.5 is accepted")
        _require(0 <= self.pitch_semitones <= 12, f"pitch_semitones {self.pitch_semitones}: 0 to 12 is accepted")
        _require(0 <= self.equaliser_db <= 24, f"equaliser_db {self.equaliser_db}: 0 to 24 is accepted")
        _require(0 <= self.floor_db <= 60, f"floor_db {self.floor_db}: 0 to 60 is accepted")
        chances = (self.bandlimit_chance, self.noise_chance)
        _require(all(0 <= c <= 1 for c in chances), f"chances {chances}: 0 to 1 is accepted")
        masks = (self.time_masks, self.frequency_masks)
        _require(all(0 <= m <= 8 for m in masks), f"masks {masks}: 0 to 8 is accepted")
        _require(0 <= self.mixup_alpha <= 4, f"mixup_alpha {self.mixup_alpha}: 0 to 4 is accepted")


@dataclass(frozen=True)
class TrainConfig(_DictConfig):
    """How a training run goes.

    An epoch shows every track `crops_per_track` random crops. The learning rate rises
    over `warmup_epochs`, then falls along half a cosine. `average_decay` is that of
    the moving average of the weights, which is what is kept, of the epoch with the lowest
    validation loss. `patience` epochs without a lower one end the run; 0 lets it run to its end.
    `freeze_epochs` train the new head alone, when training starts from a model.
    """

    epochs: int = 60
    batch_size: int = 32
    crops_per_track: int = 1
    learning_rate: float = 1e-3
    warmup_epochs: float = 2.0
    weight_decay: float = 1e-4
    label_smoothing: float = 0.1
    average_decay: float = 0.995
    balance_genres: bool = True
    patience: int = 0
    freeze_epochs: int = 0
    evaluate_every: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        _require(1 <= self.epochs <= 10_000, f"epochs {self.epochs}: 1 to 10000 is accepted")
        _require(1 <= self.batch_size <= 1024, f"batch_size {self.batch_size}: 1 to 1024 is accepted")
        _require(1 <= self.crops_per_track <= 64, f"crops_per_track {self.crops_per_track}: 1 to 64 is accepted")
        _require(0 < self.learning_rate <= 1, f"learning_rate {self.learning_rate}: above 0, at most 1")
        _require(self.warmup_epochs >= 0, f"warmup_epochs {self.warmup_epochs}: 0 or more is accepted")
        _require(0 <= self.weight_decay < 1, f"weight_decay {self.weight_decay}: 0 to below 1 is accepted")
        _require(0 <= self.label_smoothing < 1, f"label_smoothing {self.label_smoothing}: 0 to below 1")
        _require(0 <= self.average_decay < 1, f"average_decay {self.average_decay}: 0 to below 1 is accepted")
        counts = (self.patience, self.freeze_epochs)
        _require(all(c >= 0 for c in counts), f"patience, freeze_epochs {counts}: 0 or more is accepted")
        _require(self.evaluate_every >= 1, f"evaluate_every {self.evaluate_every}: 1 or more is accepted")
        _require(0 <= self.seed < 2**32, f"seed {self.seed}: 0 to 2^32 - 1 is accepted")
