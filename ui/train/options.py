"""How to train: a preset, a start, and everything else behind one fold."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from crnn.config import AugmentConfig, FeatureConfig, ModelConfig
from crnn.data.collection import Collection, check_usable, with_genres
from crnn.data.overview import Check, head_protection, protection
from crnn.data.splits import DEALT, check_trainable
from crnn.errors import CrnnError, TooFewTracksError
from crnn.jobs import runs
from crnn.jobs.estimates import head_seconds, measured_pace, training_seconds
from crnn.jobs.order import INSTANT, PRESETS, SIZES, TrainingOrder, TrainingSettings, preset, with_frozen_body
from ui.shared import visitor
from ui.shared.state import Model
from ui.shared.words import duration, plain
from ui.train import run
from ui.train.start import DEFAULT_MODEL, SCRATCH, Starts, choose_start_of_head, choose_start_of_network
from ui.train.variation import draw_variation

# Which preset is offered first, where the way here says it.
WISH = "train.wish"
_START = "train.start.last"
# Of fewer in a genre a head knows as much as a trained network.
_FEW_TRACKS = 100
_SPLIT_WORDS = {
    "column": "as the data set's own column says",
    "fault-filtered": "GTZAN without its faulty tracks (Kereliuk, Sturm and Larsen 2015)",
    "artist": "by artist: nobody is heard both in learning and in checking",
    "random": "by track, at random",
}
_STRENGTHS = {"off": 0.0, "gentle": 0.5, "usual": 1.0, "strong": 1.5}
# More genres than that are named in a table, which does not draw all of its rows.
_MOST_FIELDS = 40
_FIELDS_IN_A_ROW = 3


def start_of_choice(starts: Starts) -> str:
    """The name of what training starts from, as it was chosen last, or `SCRATCH`; the first choice before.

    Args:
        starts: What training may start from.
    """
    chosen = st.session_state.get("train.preset")
    # The widgets forget when they are not drawn.
    key = _START if chosen is None else "train.head.init" if chosen == INSTANT else "train.init"
    named = str(st.session_state.get(key) or DEFAULT_MODEL)
    return named if named in starts.names else starts.names[0]


def features_of_choice(starts: Starts) -> FeatureConfig:
    """The features of what training starts from, as it was chosen last; those of the first choice before.

    Args:
        starts: What training may start from.
    """
    return _features_of(start_of_choice(starts), starts.models)


def _features_of(start: str, models: list[Model]) -> FeatureConfig:
    found = next((model.bundle for model in models if model.bundle.name == start), None)
    return FeatureConfig() if found is None else found.feature_config


@st.fragment
def draw_options(found: Check, sources: tuple[str, ...], starts: Starts, config: FeatureConfig) -> None:
    """Draw the options and what they will come to, and start the training; a fragment, as each change tells anew.

    Args:
        found: What is to be learnt from.
        sources: The data sets, as orders name them.
        starts: What training may start from.
        config: The features that the page above this was drawn for.
    """
    if features_of_choice(starts) != config:
        # Another start was chosen here: what was listened to, and what is drawn of tracks, is for the one before.
        st.rerun()
    name = _choose_preset(found, starts)
    with st.container(border=True):
        chosen = _choose_head(starts, found) if name == INSTANT else _choose_network(name, starts, found)
        st.session_state[_START] = chosen.init or SCRATCH
        # A genre that is left out or merged is in nobody's way.
        renamed, sentences, obstacle = _as_renamed(found.collection, chosen)
        if obstacle:
            st.error(plain(obstacle))
        else:
            _draw_plan(len(renamed.tracks), sentences, chosen)
        is_pressed = st.button(
            "Start training",
            type="primary",
            icon=":material/play_arrow:",
            disabled=bool(obstacle),
            key="train.start",
        )
    if is_pressed:
        order = dataclasses.replace(chosen, datasets=sources, n_jobs=os.cpu_count() or 1)
        run.start_and_show(lambda: runs.start_run(order, owner=visitor.owner()))


def _choose_preset(found: Check, starts: Starts) -> str:
    has_network = bool(starts.bodies) or starts.is_scratch
    names = [name for name in PRESETS if (starts.models if name == INSTANT else has_network)]
    wish = st.session_state.get(WISH) or (INSTANT if _is_small(found) else "quick")
    default = wish if wish in names else names[0]
    if st.session_state.get("train.preset") not in names:
        st.session_state.pop("train.preset", None)
    name = st.segmented_control("Preset", names, default=default, format_func=str.capitalize, key="train.preset")
    words = PRESETS[name or default].words
    st.caption(f"{words[0].upper()}{words[1:]}.")
    return name or default


def _is_small(found: Check) -> bool:
    return min((facts.n_tracks for facts in found.genres), default=0) < _FEW_TRACKS


def _choose_head(starts: Starts, found: Check) -> TrainingOrder:
    """An order for a fitted head."""
    init = choose_start_of_head(starts)
    with st.expander("More options", key="train.more"):
        split = _choose_split_way([split for split in found.splits if split in DEALT])
        genres = _choose_genres(found)
    return TrainingOrder((), Path("model"), preset("quick"), init=init, split=split, method="head", genres=genres)


def _choose_network(name: str, starts: Starts, found: Check) -> TrainingOrder:
    """An order for a network that is trained."""
    init = choose_start_of_network(starts)
    # Its values are what the fields show: what is chosen there is what is used.
    base = preset(name, is_transfer=init is not None)
    epochs = st.number_input(
        "Epochs",
        1,
        visitor.owner().limits.epochs,
        base.train.epochs,
        key=f"train.epochs.{name}",
        help="How often every track is heard. More helps until the validation curve turns up.",
    )
    with st.expander("More options", key="train.more"):
        split, n_folds = _choose_split(found)
        settings = _more_options(base, name, int(epochs), is_scratch=init is None, is_watched=not n_folds)
        draw_variation(found.collection, settings.augment, _features_of(init or SCRATCH, starts.models))
        genres = _choose_genres(found)
    if init is None:
        size = _size_of(settings.model)
        st.caption(f"It trains a {size} network, which knows nothing yet: on few tracks far worse than a model’s.")
    else:
        settings = with_frozen_body(settings)
        st.caption(
            f"It goes on from {plain(init)}. What “Instant” would make of it answers the same unheard tracks, and the "
            "trained network is kept only if it has more of them right than chance would give it."
        )
    return TrainingOrder((), Path("model"), settings, init=init, split=split, folds=n_folds, genres=genres)


def _more_options(
    base: TrainingSettings, name: str, epochs: int, *, is_scratch: bool, is_watched: bool
) -> TrainingSettings:
    """Settings as chosen; keys carry the preset's name, so that another preset brings its own values.

    What would change nothing is not shown: the network's size where a model brings its own, and early stopping
    where no tracks are watched.
    """
    train, left, right = base.train, *st.columns(2, gap="medium")
    size = _choose_size(left, name) if is_scratch else PRESETS[name].size
    batch = left.number_input(
        "Tracks in a step", 1, 1024, train.batch_size, key=f"train.batch.{name}", help="Fewer takes less memory."
    )
    rate = right.number_input(
        "Learning rate",
        0.000_01,
        1.0,
        train.learning_rate,
        format="%.5f",
        key=f"train.rate.{name}.{'scratch' if is_scratch else 'start'}",
        help="Lower it if the loss jumps about or becomes infinite.",
    )
    patience = train.patience
    if is_watched:
        patience = left.number_input(
            "Stop after epochs without progress",
            0,
            1000,
            train.patience,
            key=f"train.patience.{name}",
            help="0 trains to the end. Kept is always the epoch with the lowest loss on the validation tracks.",
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
    return dataclasses.replace(base, model=SIZES[size], train=chosen, augment=augment)


def _size_of(network: ModelConfig) -> str:
    """The word for a network that is trained from scratch."""
    return next(size for size, known in SIZES.items() if known == network)


def _choose_size(place: DeltaGenerator, name: str) -> str:
    return str(
        place.select_slider(
            "Size of the network",
            list(SIZES),
            PRESETS[name].size,
            key=f"train.size.{name}",
            help="A larger one learns finer differences, from more tracks and in more time.",
        )
    )


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
    n_folds = right.selectbox(
        "Check with",
        [n for n in (0, 3, 5, 10) if n <= visitor.owner().limits.folds],
        format_func=lambda n: f"all tracks, in {n} folds" if n else "a part of the tracks",
        key="train.folds",
        help="Folds: as many networks are trained, each without a part of the tracks, which it then answers. The score "
        "is of all tracks, and the model learns all of them; it takes as many times longer. At random or by artist.",
    )
    with left:
        # A split with parts of its own has no folds to deal.
        split = _choose_split_way([way for way in found.splits if not n_folds or way in DEALT])
    return split, int(n_folds)


def _choose_split_way(splits: Sequence[str]) -> str:
    return str(
        st.selectbox(
            "Keep tracks apart to check with",
            splits,
            format_func=lambda split: _SPLIT_WORDS[split],
            key=f"train.split.{'.'.join(splits)}",
            help="Copies of one recording always stay together.",
        )
    )


def _choose_genres(found: Check) -> dict[str, str | None]:
    """New names of genres; only those that change."""
    st.caption(
        "Names of the genres. The same name twice merges two, an empty one leaves its genre out, and ten tracks or "
        "more of “other” teach what is none of them."
    )
    apart = (*found.collection.others, *found.collection.waiting)
    genres = [facts.genre for facts in found.genres] + sorted({track.genre for track in apart})
    if len(genres) > _MOST_FIELDS:
        return _choose_genres_in_table(genres)
    names: dict[str, str | None] = {}
    # Row by row, so that they keep their order where columns stand one below the other.
    for start in range(0, len(genres), _FIELDS_IN_A_ROW):
        row = genres[start : start + _FIELDS_IN_A_ROW]
        for column, genre in zip(st.columns(_FIELDS_IN_A_ROW), row, strict=False):
            key = f"train.name.{genre}"
            name = column.text_input(
                plain(genre), genre, key=key, placeholder=f"{genre} is left out", label_visibility="collapsed"
            ).strip()  # fmt: skip
            if name != genre:
                names[genre] = name or None
    return names


def _choose_genres_in_table(genres: list[str]) -> dict[str, str | None]:
    key = "train.names"
    # It comes from the browser: an edit where there is no cell would end the page.
    edits = (st.session_state.get(key) or {}).get("edited_rows", {})
    if any(row >= len(genres) or set(cells) - {"Learnt as"} for row, cells in edits.items()):
        del st.session_state[key]
    edited = st.data_editor(
        {"Genre": genres, "Learnt as": genres}, disabled=["Genre"], hide_index=True, width="stretch", key=key
    )
    chosen = [str(name or "").strip() for name in edited["Learnt as"]]
    return {genre: name or None for genre, name in zip(genres, chosen, strict=True) if name != genre}


def _as_renamed(collection: Collection, order: TrainingOrder) -> tuple[Collection, tuple[str, ...], str]:
    """The collection under the order's names of genres, what its split guards against, and why nothing can be learnt.

    That is empty where something can; a split that the tracks do not allow must not fail only once it has begun.
    """
    seed = order.settings.train.seed
    try:
        renamed = with_genres(collection, order.genres) if order.genres else collection
        check_trainable(renamed.tracks)
        check_usable(renamed)
        renamed = dataclasses.replace(renamed, tracks=renamed.usable_tracks)
        if order.method == "head":
            return renamed, head_protection(renamed, order.split, seed), ""
        return renamed, protection(renamed, order.split, seed, order.folds), ""
    except TooFewTracksError as err:
        ways = " Or keep tracks apart at random, under More options." if order.split == "artist" else ""
        return collection, (), f"{err}{ways}"
    except CrnnError as err:
        return collection, (), str(err)


def _draw_plan(n_tracks: int, sentences: tuple[str, ...], order: TrainingOrder) -> None:
    """What the split guards against and how long it will take, before the start."""
    earlier = runs.list_runs(visitor.owner())
    if order.method == "head":
        seconds, basis = head_seconds(n_tracks, earlier), ""
    else:
        pace = measured_pace(order.settings, earlier, order.init)
        seconds = training_seconds(n_tracks, order.settings, pace, init=order.init, folds=order.folds, runs=earlier)
        basis = ", by the pace of an earlier one" if pace else ", roughly: the first one here will tell better"
    st.caption(plain(" ".join(sentences)))
    st.caption(f"It will take about {duration(seconds)}{basis}. It can be stopped at any time.")
