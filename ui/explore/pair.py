"""A clip beside another one, and the difference of the two."""

from __future__ import annotations

import streamlit as st

from crnn import text
from crnn.analysis import masking
from crnn.audio.clip import Clip
from crnn.config import FeatureConfig
from crnn.synthesis.examples import example, example_names
from ui.components.player import Version, listening_view
from ui.components.player.panels import AGAINST_COLOR, FOR_COLOR, Panel, panel
from ui.explore import zoom
from ui.explore.kept import kept
from ui.explore.view_panels import mel_panel
from ui.explore.views import clip_of
from ui.shared.media import serve, wav_bytes
from ui.shared.state import Model, Sound, name_of, sounds
from ui.shared.words import file_stem_of

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
    called = [*(name_of(other) for other in others.values()), *example_names()]
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
    titles = (name_of(sound), names[chosen])
    matched = Clip(masking.level_matched(second.samples, first.samples), config.sample_rate)
    versions = tuple(
        Version(f"{letter}: {_short(title)}", serve(wav_bytes(clip), f"explore.pair.{letter}"))
        for letter, title, clip in zip("AB", titles, (first, matched), strict=True)
    )
    _draw_player(sound.digest, (sound.digest, chosen), (first, second), titles, config=config, versions=versions)
    st.caption("Both begin together; B is played as loud as A. The keys A and B switch between them.")


# A fragment of its own: what is zoomed to is drawn without the rest of the page.
@st.fragment
def _draw_player(
    digest: str,
    ids: tuple[str, str],
    clips: tuple[Clip, Clip],
    titles: tuple[str, str],
    *,
    config: FeatureConfig,
    versions: tuple[Version, ...],
) -> None:
    key = ("pair", ids, titles, config)
    pictures, peaks = kept(key, lambda: _pictures(clips, titles, config))
    shared = tuple(clip.samples[: min(len(each.samples) for each in clips)] for clip in clips)

    def detail(start: float, end: float) -> dict[int, Panel]:
        found = {
            number: zoom.mel_detail(ids[number], clips[number].samples, config, (start, end), pictures[number])
            for number in range(2)
        }
        found[2] = zoom.difference_detail(shared, peaks, config, (start, end))
        return {number: fine for number, fine in found.items() if fine is not None}

    listening_view(
        key=f"explore.pair.{digest}",
        seconds=max(clip.duration_seconds for clip in clips),
        url=versions,
        pictures=pictures,
        detail=detail,
        save_name=" and ".join(file_stem_of(title) for title in titles),
    )


def _short(name: str) -> str:
    return name if len(name) <= _SHORT_NAME else f"{name[: _SHORT_NAME - 1]}…"


def _pictures(
    clips: tuple[Clip, Clip], titles: tuple[str, str], config: FeatureConfig
) -> tuple[tuple[Panel, ...], tuple[float | None, ...]]:
    """Both mel spectrograms and their difference, as far as both reach; the peak of each of the two there."""
    about = "Mel spectrogram, in dB below its loudest cell."
    mels = (
        mel_panel(clip.samples, config, f"{letter}: {title}, {text.clock(clip.duration_seconds)}", about)
        for letter, title, clip in zip("AB", titles, clips, strict=True)
    )
    length = min(len(clip.samples) for clip in clips)
    levels = [zoom.levels(clip.samples[:length], config) for clip in clips]
    difference = panel(
        zoom.difference(*levels),
        title="Difference",
        about="Orange where A is louder, blue where B is, each below its own loudest cell.",
        stops=(AGAINST_COLOR, "#202020", FOR_COLOR),
    )
    return (*mels, difference | {"peaks": False}), tuple(grid.peak for grid in levels)
