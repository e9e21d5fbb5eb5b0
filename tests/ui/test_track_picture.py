"""The picture of a track is what the model that is trained on is fed, in its unit."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest


@pytest.mark.parametrize(("name", "unit"), [("ten-genres", "as fed"), ("gtzan-crnn", "dB")])
def test_a_picture_has_the_unit_of_its_front_end(name: str, unit: str) -> None:
    def script(name: str) -> None:
        import numpy as np

        from crnn.bundles.library import find_bundle
        from ui.train.charts import draw_log_mel

        config = find_bundle(name).feature_config
        draw_log_mel(np.full((50, config.n_mels), -0.44, np.float32), config, "mel")

    app = AppTest.from_function(script, args=(name,), default_timeout=240).run()
    assert not app.exception
    (chart,) = app.get("plotly_chart")
    (trace,) = json.loads(chart.proto.spec)["data"]
    assert trace["colorbar"]["title"]["text"] == unit
    # The tagger's input is a few units wide: whole numbers would show nothing.
    assert trace["z"]["dtype"] == ("f4" if unit == "as fed" else "i1")
