"""How to train: a preset, a start, and everything else behind one fold."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from crnn import runs
from crnn.checking import Check, protection
from crnn.collection import Collection, with_genres
from crnn.config import AugmentConfig, TrainConfig
from crnn.errors import CrnnError
from crnn.estimates import measured_pace, training_seconds
from crnn.orders import PRESETS, TrainingOrder, TrainingSettings, for_transfer, preset
from ui import training_run
from ui.state import Model
from ui.training_variation import draw_variation
from ui.words import duration, plain

SCRATCH = "scratch"
_PRESET_WORDS = {
    "quick": "Quick: a small network and few epochs, to see whether the data hold what you hope.",
    "standard": "Standard: a good model from some hundred tracks.",
    "best": "Best: the largest network, for an evening.",
}
_SPLIT_WORDS = {
    "column": "as the data set's own column says",
    "fault-filtered": "GTZAN without its faulty tracks (Kereliuk, Sturm and Larsen 2015)",
    "artist": "by artist: nobody is heard both in learning and in checking",
    "random": "by track, at random",
}
_STRENGTHS = {"off": 0.0, "gentle": 0.5, "usual": 1.0, "strong": 1.5}
# Networks as the presets of these names have them.
_SIZES = {"small": "quick", "middle": "standard", "large": "best"}
# More genres than that are named in a table, which does not draw all of its rows.
_MOST_FIELDS = 40


@st.fragment
def draw_options(found: Check, sources: tuple[str, ...], models: list[Model]) -> None:
    """Draw the options and what they will come to, and start the training; a fragment, as each change tells anew.

    Args:
        found: What is to be learnt from.
        sources: The data sets, as orders name them.
        models: What training may start from.
    """
    name = st.segmented_control("Preset", PRESETS, default="quick", format_func=str.capitalize, key="train.preset")
    base = preset(name or "quick")
    st.caption(_PRESET_WORDS[name or "quick"])
    bodies = [model.bundle.name for model in models if model.bundle.is_trainable]
    with st.container(border=True):
        init = _choose_start(bodies, found)
        epochs = st.number_input(
            "Epochs",
            1,
            10_000,
            base.train.epochs,
            key=f"train.epochs.{name}",
            help="How often every track is heard. More helps until the validation curve turns up.",
        )
        with st.expander("More options"):
            settings = _more_options(base, name or "quick", int(epochs), is_scratch=init is None)
            draw_variation(found.collection, settings.augment)
            split, n_folds = _choose_split(found)
            names = _choose_genres(found)
        if init is not None:
            settings = for_transfer(settings)
        if not found.obstacle:
            _draw_plan(found.collection, names, settings, init, split=split, n_folds=n_folds)
        is_pressed = st.button(
            "Start training",
            type="primary",
            icon=":material/play_arrow:",
            disabled=bool(found.obstacle),
            key="train.start",
        )
    if is_pressed:
        order = TrainingOrder(
            datasets=sources,
            out=Path("model"),
            settings=settings,
            init=init,
            split=split,
            folds=n_folds,
            genres=names,
            n_jobs=os.cpu_count() or 1,
        )
        training_run.attempt(lambda: runs.start_run(order))


def _choose_start(bodies: list[str], found: Check) -> str | None:
    """Name of the model to start from; None for scratch."""
    is_small = min((facts.n_tracks for facts in found.genres), default=0) < 100
    chosen = str(
        st.radio(
            "Start from",
            [*bodies, SCRATCH],
            index=0 if is_small or not bodies else len(bodies),
            format_func=lambda name: "scratch: knows nothing yet" if name == SCRATCH else f"the model {name}",
            key="train.init",
            help="A trained model already knows how music sounds: better for small data sets. "
            "Its features and network are taken over from it, whatever the preset.",
        )
    )
    return None if chosen == SCRATCH else chosen


def _more_options(base: TrainingSettings, name: str, epochs: int, *, is_scratch: bool) -> TrainingSettings:
    """Settings as chosen; keys carry the preset's name, so that another preset brings its own values."""
    train, left, right = base.train, *st.columns(2, gap="medium")
    size = left.select_slider(
        "Size of the network",
        list(_SIZES),
        next(size for size, known in _SIZES.items() if known == name),
        disabled=not is_scratch,
        key=f"train.size.{name}",
        help="A larger one learns finer differences, from more tracks and in more time. "
        "Training that starts from a model keeps that model's network.",
    )
    batch = left.number_input(
        "Tracks in a step", 1, 1024, train.batch_size, key=f"train.batch.{name}", help="Fewer takes less memory."
    )
    rate = right.number_input(
        "Learning rate",
        0.000_01,
        1.0,
        train.learning_rate,
        format="%.5f",
        key=f"train.rate.{name}",
        help="Lower it if the loss jumps about or becomes infinite.",
    )
    patience = left.number_input(
        "Stop after epochs without progress",
        0,
        1000,
        train.patience,
        key=f"train.patience.{name}",
        help="0 trains to the end and keeps the last epoch; otherwise the best one is kept.",
    )
    seed = right.number_input(
        "Seed", 0, 2**31, 0, key="train.seed", help="The same seed on the same data gives the same model."
    )
    augment = _choose_augmentation(left, right)
    balance = right.toggle(
        "Every genre equally often", value=True, key="train.balance", help="Also where one has fewer tracks."
    )
    chosen = dataclasses.replace(
        train,
        epochs=epochs,
        batch_size=int(batch),
        learning_rate=float(rate),
        patience=int(patience),
        seed=int(seed),
        balance_genres=balance,
    )
    return dataclasses.replace(base, model=preset(_SIZES[size]).model, train=chosen, augment=augment)


def _choose_augmentation(left: DeltaGenerator, right: DeltaGenerator) -> AugmentConfig:
    strength = left.select_slider(
        "Variation of the sound",
        list(_STRENGTHS),
        "usual",
        key="train.augment",
        help="Tempo, pitch, equalisation, noise and masks change at random, so that the model learns music, "
        "not recordings.",
    )
    mixup = right.toggle(
        "Mix two tracks now and then", value=True, key="train.mixup", help="Makes confidence more honest."
    )
    return _augmentation(_STRENGTHS[strength], mixup=mixup)


def _augmentation(strength: float, *, mixup: bool) -> AugmentConfig:
    usual = AugmentConfig()
    return AugmentConfig(
        tempo=usual.tempo * strength,
        pitch_semitones=usual.pitch_semitones * strength,
        equaliser_db=usual.equaliser_db * strength,
        floor_db=usual.floor_db * strength,
        bandlimit_chance=usual.bandlimit_chance * strength,
        noise_chance=usual.noise_chance * strength,
        time_masks=round(usual.time_masks * strength),
        frequency_masks=round(usual.frequency_masks * strength),
        mixup_alpha=usual.mixup_alpha if mixup else 0.0,
    )


def _choose_split(found: Check) -> tuple[str | None, int]:
    """How tracks are kept apart, and the number of folds (0 for one split)."""
    left, right = st.columns(2, gap="medium")
    split = left.selectbox(
        "Keep tracks apart to check with",
        found.splits,
        format_func=lambda split: _SPLIT_WORDS[split],
        key=f"train.split.{'.'.join(found.splits)}",
        help="Copies of one recording always stay together.",
    )
    n_folds = right.selectbox(
        "Check with",
        (0, 3, 5, 10),
        format_func=lambda n: f"all tracks, in {n} folds" if n else "a part of the tracks",
        key="train.folds",
        help="Folds: as many networks are trained, each without a part of the tracks, which it then answers. The score "
        "is of all tracks, and the model learns all of them; it takes as many times longer. At random or by artist.",
    )
    return split, int(n_folds)


def _choose_genres(found: Check) -> dict[str, str | None]:
    """New names of genres; only those that change."""
    st.caption("Names of the genres: the same name twice merges two, an empty one leaves the genre out.")
    if len(found.genres) > _MOST_FIELDS:
        return _choose_genres_in_table([facts.genre for facts in found.genres])
    columns = st.columns(3)
    names: dict[str, str | None] = {}
    for number, facts in enumerate(found.genres):
        key = f"train.name.{facts.genre}"
        name = columns[number % 3].text_input(
            facts.genre, facts.genre, key=key, placeholder=f"{facts.genre} is left out", label_visibility="collapsed"
        ).strip()  # fmt: skip
        if name != facts.genre:
            names[facts.genre] = name or None
    return names


def _choose_genres_in_table(genres: list[str]) -> dict[str, str | None]:
    edited = st.data_editor(
        {"Genre": genres, "Learnt as": genres},
        disabled=["Genre"],
        hide_index=True,
        width="stretch",
        key="train.names",
    )
    chosen = [str(name or "").strip() for name in edited["Learnt as"]]
    return {genre: name or None for genre, name in zip(genres, chosen, strict=True) if name != genre}


def _draw_plan(
    collection: Collection,
    names: dict[str, str | None],
    settings: TrainingSettings,
    init: str | None,
    *,
    split: str | None,
    n_folds: int,
) -> None:
    """What the split guards against and how long it will take, before the start."""
    config: TrainConfig = settings.train
    try:
        renamed = with_genres(collection, names)
    except CrnnError as err:
        st.caption(plain(str(err)))
        return
    sentences = protection(renamed, split, config.seed, n_folds)
    pace = measured_pace(settings, runs.list_runs(), init)
    seconds = training_seconds(len(renamed.tracks), settings, pace) * (n_folds + 1)
    basis = "by the pace of an earlier one" if pace else "roughly: the first one here will tell better"
    st.caption(plain(" ".join(sentences)))
    st.caption(f"It will take about {duration(seconds)}, {basis}. It can be stopped at any time.")
