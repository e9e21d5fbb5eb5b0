"""What is computed of a person's tracks before a training lies with him, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from sounds import sine, wav_bytes
from streamlit.testing.v1 import AppTest

from crnn.bundles.library import DEFAULT_MODEL, find_bundle
from crnn.data import feature_cache
from crnn.data.feature_cache import FeatureCache
from crnn.data.scan import scan
from crnn.owner import person

ANN = person("https://id.example", "ann")


def test_listening_to_all_tracks_leaves_nothing_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path / "home"))
    for genre, hz in (("low", 60.0), ("high", 5000.0)):
        folder = ANN.home / "collections" / "own clips" / genre
        folder.mkdir(parents=True)
        (folder / "a.wav").write_bytes(wav_bytes(sine(hz, 3.0)))

    def script(folder: str) -> None:
        from crnn.owner import person
        from ui.shared import state, visitor
        from ui.train import audio_check, check, options
        from ui.train.start import Starts

        # Signed in, without a provider.
        visitor.owner = lambda: person("https://id.example", "ann")
        found = check.look_over((folder,))
        models, _ = state.find_models()
        audio_check.draw_listening(found, options.features_of_choice(Starts(models)))

    from ui.shared import visitor

    monkeypatch.setattr(visitor, "owner", visitor.owner)
    app = AppTest.from_function(script, args=(str(ANN.home / "collections" / "own clips"),), default_timeout=240).run()
    app.button(key="train.listen").click().run()
    assert not app.exception
    assert (ANN.home / "features" / "features.sqlite").is_file()
    # Training by the model that is the first choice finds it there.
    cache = FeatureCache(ANN.home / "features", find_bundle(DEFAULT_MODEL).feature_config)
    tracks = scan(ANN.home / "collections" / "own clips").tracks
    # Nothing is left to compute.
    monkeypatch.setattr(feature_cache, "_compute", None)
    found, faults = cache.load(tracks, n_jobs=1)
    assert not faults
    assert all(cells is not None for cells in found)
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["people"]
