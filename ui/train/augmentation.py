"""What training hears: the beginning of a sound varied by the training code itself, seen and heard.

Segments are varied in the decibels that training keeps of them, and seen as the network that it starts from reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from crnn import text
from crnn.analysis import masking
from crnn.analysis.grids import Grid
from crnn.audio.clip import Clip, load_part
from crnn.config import AugmentConfig, FeatureConfig
from crnn.errors import CrnnError
from crnn.features import augment, log_mel
from crnn.features.archive import cells_of, to_db
from crnn.features.inverse import density_db, read_in_db
from crnn.synthesis.examples import example, example_names
from ui.components.player import Version, listening_view
from ui.components.player.panels import Panel, panel
from ui.explore.kept import kept
from ui.shared.media import serve, wav_bytes
from ui.shared.state import Sound, heard
from ui.shared.words import plain
from ui.train.start import SCRATCH

FloatArray = npt.NDArray[np.float32]
Vary = Callable[[FloatArray, FeatureConfig, np.random.Generator], FloatArray]

MIXED = "mixed with another"
EVERYTHING = "all of it, by chance"

_SEED = "train.hears.seed"
_AMOUNTS = AugmentConfig()
# Below this share of the first sound the other one is heard.
_LEAST_MIXED = 0.9
_GUESSED = "You hear a reconstruction: training varies the picture, which holds no phase, so the phase is guessed."


def _pitch(segment: FloatArray, config: FeatureConfig, rng: np.random.Generator) -> FloatArray:
    return augment.shift_pitch(segment, rng.uniform(-1, 1) * _AMOUNTS.pitch_semitones, config)


def _tempo(segment: FloatArray, config: FeatureConfig, rng: np.random.Generator) -> FloatArray:
    return augment.stretched_crop(segment, len(segment), _AMOUNTS.tempo, rng)


def _amount(name: str, seed: int) -> str:
    """By how much the dice vary pitch or tempo, as the beginning of a line; empty for the rest."""
    # Both are what the generator gives first.
    drawn = float(np.random.default_rng(seed).uniform(-1, 1))
    if name == "higher or lower":
        return f"{abs(drawn) * _AMOUNTS.pitch_semitones:.1f} semitones {'up' if drawn > 0 else 'down'}, "
    if name == "faster or slower":
        return f"at {np.exp(drawn * np.log1p(_AMOUNTS.tempo)):.2f} times the tempo, "
    return ""


def _equalise(segment: FloatArray, config: FeatureConfig, rng: np.random.Generator) -> FloatArray:
    return segment + augment.random_equaliser(_AMOUNTS.equaliser_db, config, rng)


# What only changes levels is heard through gains on the sound itself; the others have to be reconstructed.
VARIATIONS: dict[str, tuple[Vary, bool]] = {
    "higher or lower": (_pitch, False),
    "faster or slower": (_tempo, False),
    "other tone colour": (_equalise, True),
    "through a phone": (augment.limit_band, True),
    "in noise": (lambda segment, _, rng: augment.add_noise(segment, rng), False),
    "parts masked": (lambda segment, _, rng: augment.mask(segment, _AMOUNTS, rng), True),
}


def _mix(segments: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, float]:
    """The first of two segments mixed with the second, and its share, until the dice do not leave it alone."""
    targets = np.eye(2, dtype=np.float32)
    while True:
        mixed, shares = augment.mixup(segments, targets, _AMOUNTS.mixup_alpha, rng)
        share = float(shares[0, 0])
        # The batch is two here: half of the permutations mix a segment with itself.
        if share < _LEAST_MIXED:
            return mixed[0], share


@dataclass(frozen=True)
class _Variation:
    """What the network reads before and after, in dB; what is heard, and what is said of it."""

    before: FloatArray
    after: FloatArray
    heard: FloatArray
    words: str


def draw_variations(config: FeatureConfig, start: str) -> None:
    """The first segment of a sound of this visit, or of an example, as training would vary it, under what it is.

    Args:
        config: The features of what training starts from.
        start: What that is, in words.
    """
    # By content: two files may bear one name.
    given = {each.sound.digest: each.sound for each in heard()}
    called = [*(sound.name or "recording" for sound in given.values()), *example_names()]
    names = dict(zip([*given, *example_names()], text.distinct(called), strict=True))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = st.selectbox("Sound", list(names), format_func=names.__getitem__, key="train.hears.sound", width=260)
        kind = st.selectbox("Variation", [*VARIATIONS, EVERYTHING, MIXED], key="train.hears.kind", width=260)
        other = ""
        if kind == MIXED:
            others = [key for key in names if key != first]
            other = st.selectbox("with", others, format_func=names.__getitem__, key="train.hears.mixed_with", width=260)
        if st.button("Roll the dice again", key="train.hears.roll"):
            st.session_state[_SEED] = st.session_state.get(_SEED, 0) + 1
    try:
        _draw_one(given, names, (first, kind, other), config)
    except CrnnError as err:
        st.error(plain(str(err)))
        return
    reader = "a network that begins from scratch" if start == SCRATCH else f"the model {start}"
    st.caption(plain(f"The pictures are what {reader} reads: what training starts from, as it was chosen last."))


def _draw_one(
    given: dict[str, Sound], names: dict[str, str], chosen: tuple[str, str, str], config: FeatureConfig
) -> None:
    first, kind, other = chosen
    seed = st.session_state.get(_SEED, 0)
    samples = _beginning(given.get(first), first, config)

    def work() -> _Variation:
        if kind != MIXED:
            return _vary(samples, config, kind, seed)
        return _mixed(samples, _beginning(given.get(other), other, config), config, names[other], seed)

    with st.spinner("Making it heard"):
        found: _Variation = kept(("vary", chosen, seed, config), work)
    words = (kind.capitalize(), f"{_amount(kind, seed)}as training would show it.")
    _show(found, samples, config, title=names[first], names=words, key=f"train.hears.{first}")


def _beginning(sound: Sound | None, example_name: str, config: FeatureConfig) -> FloatArray:
    """As much of a sound, or of an example, as the model reads at once."""

    def work() -> FloatArray:
        if sound is None:
            return example(example_name, config.sample_rate).samples[
                : round(config.segment_seconds * config.sample_rate)
            ]
        return load_part(sound.data, config.sample_rate, (0.0, config.segment_seconds), name=sound.name).samples

    found: FloatArray = kept(("beginning", sound.digest if sound else example_name, config), work)
    return found


def _show(
    found: _Variation, samples: FloatArray, config: FeatureConfig, *, title: str, names: tuple[str, str], key: str
) -> None:
    """Both log-mels, and the sound before or after: at the same moment, to hear what has changed."""
    versions = [
        Version(name, serve(wav_bytes(Clip(heard, config.sample_rate)), f"{key}.{name}"))
        for name, heard in (("varied", found.heard), ("as it is", samples))
    ]
    listening_view(
        key=key,
        seconds=len(samples) / config.sample_rate,
        title=title,
        url=tuple(versions),
        pictures=(
            _panel(found.before, config, "As it is", "what the model reads of the first seconds."),
            _panel(found.after, config, *names),
        ),
    )
    st.caption(plain(found.words))


def draw_varied(
    samples: FloatArray, config: FeatureConfig, amounts: AugmentConfig, *, seed: int, title: str, key: str
) -> None:
    """A segment as it is and as training would show it with these amounts, heard too.

    Args:
        samples: As long as what the model reads at once.
        config: The model's features.
        amounts: How much is varied.
        seed: Of the dice.
        title: What the sound is called.
        key: Of the listening view.
    """
    with st.spinner("Making it heard"):
        decibels = _kept_of(samples, config)[: config.n_frames]
        after = augment.random_crop(decibels, config, amounts, np.random.default_rng(seed))
        found = _reconstructed(log_mel.input_from_db(decibels, config), after, samples, config, _GUESSED)
    _show(found, samples, config, title=title, names=("Varied", "as training would show it."), key=key)


def _vary(samples: FloatArray, config: FeatureConfig, name: str, seed: int) -> _Variation:
    decibels, rng = _kept_of(samples, config), np.random.default_rng(seed)
    before = log_mel.input_from_db(decibels, config)
    if name == EVERYTHING:
        after = augment.random_crop(decibels, config, _AMOUNTS, rng)
        return _reconstructed(before, after, samples, config, _GUESSED)
    vary, is_gain = VARIATIONS[name]
    varied = vary(decibels, config, rng).astype(np.float32)
    after = log_mel.input_from_db(varied, config)
    if not is_gain:
        return _reconstructed(before, after, samples, config, _GUESSED)
    heard = masking.masked(samples, masking.mel_gains(varied - decibels, len(samples), config))
    words = "You hear the sound itself, louder and softer where the picture is."
    return _Variation(*_in_db(before, after, config), masking.level_matched(heard, samples), words)


def _kept_of(samples: FloatArray, config: FeatureConfig) -> FloatArray:
    """What training keeps of a sound, in dB re its loudest cell."""
    decibels = to_db(cells_of(log_mel.mel_power(samples, config), config), config)
    return decibels - decibels.max()


def _in_db(before: FloatArray, after: FloatArray, config: FeatureConfig) -> tuple[FloatArray, FloatArray]:
    return read_in_db(before, config), read_in_db(after, config)


def _mixed(samples: FloatArray, others: FloatArray, config: FeatureConfig, other: str, seed: int) -> _Variation:
    # A shorter sound goes round, as it does in training.
    sounds = (samples, np.resize(others, len(samples)))
    pair = np.stack([log_mel.input_from_db(_kept_of(sound, config), config) for sound in sounds])
    mixed, share = _mix(pair, np.random.default_rng(seed))
    words = (
        f"{100 * share:.0f} % this sound, {100 * (1 - share):.0f} % {other}, and so is the answer "
        "that the model learns to give "
        f"(mixup, Zhang 2018). {_GUESSED}"
    )
    return _reconstructed(pair[0], mixed, samples, config, words)


def _reconstructed(
    before: FloatArray, after: FloatArray, samples: FloatArray, config: FeatureConfig, words: str
) -> _Variation:
    heard = masking.reconstructed(density_db(after, config), len(samples), config)
    return _Variation(*_in_db(before, after, config), masking.level_matched(heard, samples), words)


def _panel(decibels: FloatArray, config: FeatureConfig, title: str, about: str) -> Panel:
    n_rows = log_mel.n_heard_bands(config)
    rows, cells = log_mel.mel_frequencies(config)[:n_rows], decibels[:, :n_rows]
    grid = Grid(cells, rows, "Hz", "dB", config.db_floor, 0.0, 1 / config.frame_rate_hz)
    return panel(grid, title=title, about=about)
