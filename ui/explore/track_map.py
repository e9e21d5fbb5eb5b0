"""Where a clip lies among the tracks that the model learnt from."""

from __future__ import annotations

import streamlit as st

from crnn import text
from crnn.analysis import figures
from crnn.bundles.track_map import TrackMap, load_map
from crnn.inference.classifier import Prediction
from ui.shared.state import Model, Sound
from ui.shared.words import plain, table

_N_NEAREST = 6


@st.cache_resource(max_entries=4, show_spinner=False)
def _map(_model: Model, fingerprint: str) -> TrackMap | None:
    return load_map(_model.bundle)


def draw_map(sound: Sound, model: Model, prediction: Prediction) -> None:
    """The map of the training tracks, the clip's path over it, and its nearest tracks by name.

    Args:
        sound: What was given.
        model: Whose training tracks lie on the map.
        prediction: Its answer.

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
        f"{text.clock(start)} to {text.clock(end)}: nearest {track_id}"
        for (start, end), track_id in zip(prediction.segments, closest, strict=True)
    ]
    names = [f"{name}, {genre}" for name, genre in zip(found.track_ids, track_genres, strict=True)]
    figure = figures.track_map(
        found.place(found.embeddings), names, track_genres, found.place(prediction.embeddings), words
    )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        # Without hovering, as on a touch screen, its toolbar would always lie over the legend.
        st.plotly_chart(figure, key="explore.map", config={"displayModeBar": False})
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
