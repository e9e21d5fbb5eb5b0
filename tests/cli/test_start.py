"""Which model `train` starts from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crnn.__main__ import build_parser
from crnn.bundles.library import DEFAULT_MODEL
from crnn.config import FeatureConfig, tagger_features
from crnn.features.archive import make_archive, write_archive
from crnn.jobs.order import TrainingOrder
from crnn.training import pipeline


def ordered(said: list[str], monkeypatch: pytest.MonkeyPatch) -> TrainingOrder:
    """What `train` would carry out."""
    orders: list[TrainingOrder] = []

    class Stopped(Exception):  # noqa: N818
        """Nothing is trained here."""

    def carry_out(order, **_):
        orders.append(order)
        raise Stopped

    monkeypatch.setattr(pipeline, "carry_out", carry_out)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    options = build_parser().parse_args(["train", "--out", "m", *said])
    with pytest.raises(Stopped):
        options.run(options)
    (order,) = orders
    return order


@pytest.mark.parametrize(
    ("said", "init", "method"),
    [
        ("", DEFAULT_MODEL, "head"),
        (f"--init {DEFAULT_MODEL}", DEFAULT_MODEL, "head"),
        ("--epochs 3", DEFAULT_MODEL, "network"),
        (f"--epochs 3 --init {DEFAULT_MODEL}", DEFAULT_MODEL, "network"),
        ("--preset quick", DEFAULT_MODEL, "network"),
        ("--preset best --epochs 3", DEFAULT_MODEL, "network"),
        ("--preset instant", DEFAULT_MODEL, "head"),
        ("--init gtzan-crnn", "gtzan-crnn", "head"),
        ("--init scratch", None, "network"),
        ("--preset quick --init scratch", None, "network"),
    ],
)
def test_scratch_is_by_choice(said, init, method, monkeypatch):
    order = ordered(["demo", *said.split()], monkeypatch)
    assert (order.init, order.method) == (init, method)
    # A body that is given is frozen at first.
    assert bool(order.settings.train.freeze_epochs) == (init is not None)


def archive_of(config: FeatureConfig, path: Path) -> str:
    cells = [np.zeros((400, config.n_mels), np.uint8)] * 4
    write_archive(path, make_archive(list("abcd"), ["low", "low", "high", "high"], cells, feature_config=config))
    return str(path)


@pytest.mark.parametrize(
    ("config", "init", "words"),
    [
        (FeatureConfig(), "gtzan-crnn", "It starts from gtzan-crnn, not from ten-genres: “x.npz” holds log-mel of 128"),
        (tagger_features(), DEFAULT_MODEL, ""),
        # Nothing reads it: it is refused as it always was.
        (FeatureConfig(n_mels=64), DEFAULT_MODEL, ""),
    ],
    ids=["24 frames a second", "the tagger's", "nobody's"],
)
def test_an_archive_is_learnt_from_a_model_that_reads_it(config, init, words, tmp_path, monkeypatch, capsys) -> None:
    """Such a one was refused, as the default start reads another front end: --init had to be said."""
    archive = archive_of(config, tmp_path / "x.npz")
    assert ordered(["demo", archive], monkeypatch).init == init
    said = capsys.readouterr().err
    assert said.startswith(words)
    assert said.count("\n") == (1 if words else 0)
    # What is said is done.
    assert ordered([archive, "--init", "scratch"], monkeypatch).init is None
    assert capsys.readouterr().err == ""


def test_where_no_bundled_model_reads_an_archive_it_is_learnt_from_scratch(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("crnn.cli.train.BUNDLED_MODELS", (DEFAULT_MODEL,))
    assert ordered([archive_of(FeatureConfig(), tmp_path / "x.npz")], monkeypatch).init is None
    assert "It starts from scratch, not from ten-genres: “x.npz” holds log-mel of 128" in capsys.readouterr().err
