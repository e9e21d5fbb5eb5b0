"""Where a clip lies among the tracks that the model learnt from, and beside another clip."""

from __future__ import annotations

import numpy as np
import streamlit as st

from crnn import figures, reporting, spectra, views
from crnn.audio import Clip
from crnn.errors import AudioError
from crnn.examples import example, example_names
from crnn.grids import Grid
from crnn.inference import Prediction
from crnn.neighbours import TrackMap, load_map
from ui.exploring import clip_of, mel_panel
from ui.media import serve, wav_bytes
from ui.player import listening_view
from ui.player.panels import AGAINST_COLOR, FOR_COLOR, Panel, panel
from ui.state import Model, Sound, sounds
from ui.words import plain, table

_N_NEAREST = 6
_DIFFERENCE_DB = 30.0


@st.cache_resource(max_entries=4, show_spinner=False)
def _map(_model: Model, fingerprint: str) -> TrackMap | None:
    return load_map(_model.bundle)


def draw_map(sound: Sound, model: Model, prediction: Prediction) -> None:
    """The map of the training tracks, the clip's path over it, and its nearest tracks by name.

    Raises:
        BundleError: The map is damaged.
    """
    found = _map(model, model.fingerprint)
    if found is None:
        st.info("This model was stored without a map of its training tracks.")
        return
    genres = model.bundle.genres
    track_genres = [genres[label] for label in found.labels]
    closest = [found.track_ids[found.nearest(embedding, 1)[0][0]] for embedding in prediction.embeddings]
    words = [
        f"{reporting.clock(start)} to {reporting.clock(end)}: nearest {track_id}"
        for (start, end), track_id in zip(prediction.segments, closest, strict=True)
    ]
    names = [f"{name}, {genre}" for name, genre in zip(found.track_ids, track_genres, strict=True)]
    figure = figures.track_map(
        found.place(found.embeddings), names, track_genres, found.place(prediction.embeddings), words
    )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.plotly_chart(figure, key="explore.map")
    with right:
        st.markdown("**Nearest training tracks**")
        nearest = found.nearest(prediction.embeddings.mean(axis=0), _N_NEAREST)
        rows = [(found.track_ids[i], track_genres[i], f"{cosine:.2f}") for i, cosine in nearest]
        st.markdown(table(("track", "genre", "likeness"), rows))
        st.caption(
            f"Each point is one of the {len(found.track_ids)} tracks that {plain(model.bundle.name)} learnt from; the "
            f"line is this clip, {model.bundle.feature_config.segment_seconds:.0f} s at a time. Likeness is the cosine "
            "of what the model makes of them, 1 at most. "
            "The map shows the two directions in which the tracks differ most, so near on it is not always near."
        )


def draw_pair(sound: Sound, model: Model) -> None:
    """Two sounds side by side on the same scales, and the difference of their mel spectrograms.

    Raises:
        AudioError: The other sound cannot be used.
    """
    others = {other.name or "recording": other for other in sounds() if other.digest != sound.digest}
    name = st.selectbox(
        "Compare with",
        [*others, *example_names()],
        key="explore.other",
        help="Files that were uploaded together stand first.",
    )
    config = model.bundle.feature_config
    first = clip_of(sound, config.sample_rate)
    second = clip_of(others[name], config.sample_rate) if name in others else example(name, config.sample_rate)
    longest = max(first.duration_seconds, second.duration_seconds)
    for place, clip, title in zip(st.columns(2, gap="medium"), (first, second), (sound.name, name), strict=True):
        with place:
            _draw_one(clip, title or "recording", longest, model)
    listening_view(
        key=f"explore.pair.difference.{sound.digest}",
        seconds=min(first.duration_seconds, second.duration_seconds),
        title="as far as both reach",
        panels=(_difference(first, second, (sound.name or "recording", name), model),),
        save_name="difference",
        is_docked=False,
    )


def _draw_one(clip: Clip, title: str, longest: float, model: Model) -> None:
    config = model.bundle.feature_config
    padding = round(longest * config.sample_rate) - len(clip.samples)
    samples = np.pad(clip.samples, (0, max(0, padding)))
    listening_view(
        key=f"explore.pair.{title}",
        seconds=longest,
        title=title,
        url=serve(wav_bytes(Clip(samples, config.sample_rate)), f"explore.pair.{title}"),
        panels=(mel_panel(samples, config, title, "Mel spectrogram, in dB below its loudest cell."),),
        save_name=title,
        is_docked=False,
    )


def _difference(first: Clip, second: Clip, names: tuple[str, str], model: Model) -> Panel:
    """First less second, cell by cell from the start of both, as far as both reach."""
    config = model.bundle.feature_config
    settings = views.ViewSettings(config.n_fft, config.hop_length, config.n_mels, config.fmin, config.fmax)
    length = min(len(first.samples), len(second.samples))
    if not length:
        raise AudioError("One of the two sounds is empty.")
    grids = [spectra.mel(clip.samples[:length], config.sample_rate, settings) for clip in (first, second)]
    levels = [np.maximum(grid.values, config.db_floor) for grid in grids]
    step = config.hop_length / config.sample_rate
    difference = Grid(levels[0] - levels[1], grids[0].rows, "Hz", "dB", -_DIFFERENCE_DB, _DIFFERENCE_DB, step)
    found = panel(
        difference,
        title="Difference",
        about=f"Orange where {names[0]} is louder, blue where {names[1]} is, each below its own loudest cell.",
        stops=(AGAINST_COLOR, "#202020", FOR_COLOR),
    )
    return found | {"peaks": False}
