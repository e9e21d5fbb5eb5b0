"""The body of `ten-genres` learns from its teachers, and what it shall keep it keeps."""

import numpy as np

from crnn import paths
from crnn.bundles.bundle import load_bundle
from crnn.networks.tagger_crnn import GENRE_CLASSES
from recipes import ear_body, ear_inputs
from recipes.hearing import Leg


def write_inputs(work, rng):
    work.mkdir()
    for name in dict.fromkeys(name for name, *_ in ear_body.HEARD):
        segments = [rng.normal(0, 0.5, (1, 320, 128)).astype(np.float16) for _ in range(2)]
        cells = [rng.integers(0, 255, (240, 128)).astype(np.uint8) for _ in range(2)]
        tracks = ear_inputs._Tracks(np.array(["a", "b"]), np.array(["rock", "pop"]), np.array(["train", "valid"]))
        ear_inputs._write_facts(work / f"{name}.npz", tracks, segments, cells)
        for kind in (kind for of, kind, _ in ear_body.HEARD if of == name):
            ear_inputs._write_segments(work, f"{name}.{kind}.npy", segments)


def test_two_steps_change_what_learns_and_nothing_below(tmp_path, rng, monkeypatch, request):
    import tensorflow as tf

    from crnn.networks.crnn import build_crnn

    # Two small steps are done before their graph would be traced.
    tf.config.run_functions_eagerly(True)
    request.addfinalizer(lambda: tf.config.run_functions_eagerly(False))
    monkeypatch.setattr(ear_body, "BATCH", 2)
    write_inputs(tmp_path / "work", rng)
    body = build_crnn(ear_body.NETWORK, 128, 10)
    before = {layer.name: layer.get_weights() for layer in body.layers}
    losses = []
    ear_body.distil_body(
        body,
        tmp_path / "work",
        load_bundle(paths.models_dir() / "gtzan-crnn"),
        Leg(2, 2, warmup_steps=1),
        lambda step, parts: losses.append((step, *parts)),
    )
    assert [step for step, *_ in losses] == [0, 1]
    assert np.isfinite(losses).all()
    for layer in body.layers:
        changed = any(map(np.any, map(np.not_equal, before[layer.name], layer.get_weights())))
        learns = layer.name.split("_")[0] not in {"stem", "block1", "block2", "block3"}
        # What the genres' logits rest on is fitted later.
        assert changed == (bool(layer.weights) and learns and layer.name != "logits"), layer.name
    words, tags = (body.get_layer(name).get_weights()[1] for name in ("tag_words", "tags"))
    np.testing.assert_array_equal(words, tags[list(GENRE_CLASSES)])


def test_a_body_goes_back_part_of_the_way_to_the_tagger(monkeypatch):
    """At a quarter of the way 8 and 4 become 7; what the tagger has not stays."""
    from crnn.networks.crnn import build_crnn
    from crnn.networks.tagger_crnn import is_taggers

    def filled(value):
        body = build_crnn(ear_body.NETWORK, 128, 10)
        body.set_weights([np.full_like(weights, value) for weights in body.get_weights()])
        return body

    monkeypatch.setattr(ear_body, "new_body", lambda tagger: filled(4.0))
    body = filled(8.0)
    ear_body.towards_tagger(body, None, 0.25)
    for layer in body.layers:
        for weights in layer.get_weights():
            assert (weights == (7.0 if is_taggers(layer) else 8.0)).all(), layer.name
