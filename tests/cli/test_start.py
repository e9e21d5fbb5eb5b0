"""Which model `train` starts from."""

from __future__ import annotations

import pytest

from crnn.__main__ import build_parser
from crnn.bundles.library import DEFAULT_MODEL
from crnn.jobs.order import TrainingOrder
from crnn.training import pipeline


@pytest.mark.parametrize(
    ("said", "init", "method"),
    [
        ("", DEFAULT_MODEL, "network"),
        ("--preset quick", DEFAULT_MODEL, "network"),
        ("--preset best --epochs 3", DEFAULT_MODEL, "network"),
        ("--preset instant", DEFAULT_MODEL, "head"),
        ("--init gtzan-crnn", "gtzan-crnn", "head"),
        ("--init scratch", None, "network"),
        ("--preset quick --init scratch", None, "network"),
    ],
)
def test_scratch_is_by_choice(said, init, method, monkeypatch):
    orders: list[TrainingOrder] = []

    class Stopped(Exception):  # noqa: N818
        """Nothing is trained here."""

    def carry_out(order, **_):
        orders.append(order)
        raise Stopped

    monkeypatch.setattr(pipeline, "carry_out", carry_out)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    options = build_parser().parse_args(["train", "demo", "--out", "m", *said.split()])
    with pytest.raises(Stopped):
        options.run(options)
    (order,) = orders
    assert (order.init, order.method) == (init, method)
    # A body that is given is frozen at first.
    assert bool(order.settings.train.freeze_epochs) == (init is not None)
