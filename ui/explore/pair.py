"""A clip beside another one, and the difference of the two."""

from __future__ import annotations

import numpy as np
import streamlit as st

from crnn import text
from crnn.analysis import masking, spectral, views
from crnn.analysis.grids import Grid
from crnn.audio.clip import Clip
from crnn.errors import AudioError
from crnn.synthesis.examples import example, example_names
from ui.components.player import Version, listening_view
from ui.components.player.panels import AGAINST_COLOR, FOR_COLOR, Panel, panel
from ui.explore.views import clip_of, mel_panel
from ui.shared.media import serve, wav_bytes
from ui.shared.state import Model, Sound, sounds
from ui.shared.words import file_stem_of

_DIFFERENCE_DB = 30.0
_SHORT_NAME = 24


def draw_pair(sound: Sound, model: Model) -> None:
    """Two sounds side by side on the same scales, and the difference of their mel spectrograms.

    Args:
        sound: The first of the two.
        model: Whose features set the scales.

    Raises:
        AudioError: The other sound cannot be used.
    """
    config = model.bundle.feature_config
    # By content: two files may bear one name, and an example may be compared with itself.
    others = {other.digest: other for other in sounds() if other.digest != sound.digest}
    called = [*(other.name or "recording" for other in others.values()), *example_names()]
    names = dict(zip([*others, *example_names()], text.distinct(called), strict=True))
    unlike = [key for key in names if key != sound.name]
    chosen = st.selectbox(
        "Compare with",
        list(names),
        index=list(names).index(unlike[0]),
        format_func=names.__getitem__,
        key="explore.other",
        help="Files that were uploaded together stand first.",
    )
    first = clip_of(sound, config.sample_rate)
    second = clip_of(others[chosen], config.sample_rate) if chosen in others else example(chosen, config.sample_rate)
    titles = (sound.name or "recording", names[chosen])
    matched = Clip(masking.level_matched(second.samples, first.samples), config.sample_rate)
    about = "Mel spectrogram, in dB below its loudest cell."
    listening_view(
        key=f"explore.pair.{sound.digest}",
        seconds=max(first.duration_seconds, second.duration_seconds),
        url=tuple(
            Version(f"{letter}: {_short(title)}", serve(wav_bytes(clip), f"explore.pair.{letter}"))
            for letter, title, clip in zip("AB", titles, (first, matched), strict=True)
        ),
        pictures=(
            *(
                mel_panel(clip.samples, config, f"{letter}: {title}, {text.clock(clip.duration_seconds)}", about)
                for letter, title, clip in zip("AB", titles, (first, second), strict=True)
            ),
            _difference(first, second, titles, model),
        ),
        save_name=" and ".join(file_stem_of(title) for title in titles),
    )
    st.caption("Both begin together; B is played as loud as A. The keys A and B switch between them.")


def _short(name: str) -> str:
    return name if len(name) <= _SHORT_NAME else f"{name[: _SHORT_NAME - 1]}…"


def _difference(first: Clip, second: Clip, names: tuple[str, str], model: Model) -> Panel:
    """First less second, cell by cell from the start of both, as far as both reach."""
    config = model.bundle.feature_config
    settings = views.ViewSettings(config.n_fft, config.hop_length, config.n_mels, config.fmin, config.fmax)
    length = min(len(first.samples), len(second.samples))
    if not length:
        raise AudioError("One of the two sounds is empty.")
    grids = [spectral.mel(clip.samples[:length], config.sample_rate, settings) for clip in (first, second)]
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
