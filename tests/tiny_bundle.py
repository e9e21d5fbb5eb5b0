"""A model so small that its answer can be worked out by hand, for tests that need a bundle but no training.

The mel bands are cut into as many groups as there are genres, low first. The
embedding is a segment's mean level in each group (dB), the logits are a
quarter of it: the genre whose group is loudest wins by a logit for each 4 dB.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from crnn.bundles.bundle import ONNX_NAME, Bundle, Calibration, Rejection, save_bundle
from crnn.bundles.companion import COMPANION_NAME, Companion
from crnn.bundles.tagging import Tagging
from crnn.config import FeatureConfig

GENRES = ("bass", "middle", "treble")
LOGITS_PER_DB = 0.25


def tiny_onnx(n_mels: int = 128, n_genres: int = 3, *, with_tags: bool = False) -> bytes:
    """ONNX of the model described above, any number of frames: `(n, frames, n_mels)` to logits and embedding.

    Its tags, if it has any, are its embedding: a group's level in dB is the logit of a class.
    """
    group_of_band = np.arange(n_mels) * n_genres // n_mels
    groups = (group_of_band[:, None] == np.arange(n_genres)).astype(np.float32)
    constants = {"groups": groups / groups.sum(axis=0), "gain": np.float32([LOGITS_PER_DB])}
    nodes = [
        helper.make_node("ReduceMean", ["log_mel"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "groups"], ["embedding"]),
        helper.make_node("Mul", ["embedding", "gain"], ["logits"]),
    ]
    if with_tags:
        nodes.append(helper.make_node("Identity", ["embedding"], ["tags"]))
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "tiny",
        [tensor("log_mel", TensorProto.FLOAT, ["n", "frames", n_mels])],
        [
            tensor("logits", TensorProto.FLOAT, ["n", n_genres]),
            tensor("embedding", TensorProto.FLOAT, ["n", n_genres]),
            *([tensor("tags", TensorProto.FLOAT, ["n", n_genres])] if with_tags else []),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def tiny_bundle(
    folder: Path,
    *,
    genres: tuple[str, ...] = GENRES,
    config: FeatureConfig | None = None,
    calibration: Calibration | None = None,
    rejection: Rejection | None = None,
    tagging: Tagging | None = None,
    companion: Companion | None = None,
) -> Bundle:
    """The model above as a bundle in `folder`, whose last part is its name.

    Args:
        folder: Where it shall lie; must not exist.
        genres: Names in logit order.
        config: Features; the default ones if None.
        calibration: Thresholds; never "unsure" if None.
        rejection: None takes every sound for music.
        tagging: What it makes of its tags; None has none.
        companion: A second network of the same kind, of its own features; None has none.
    """
    config = config or FeatureConfig()
    network = tiny_onnx(config.n_mels, len(genres), with_tags=tagging is not None)
    facts = Bundle(
        name=folder.name,
        feature_config=config,
        genres=genres,
        embedding_size=len(genres),
        calibration=calibration or Calibration(),
        rejection=rejection,
        tagging=tagging,
        companion=companion,
        data={"name": "hand-made", "fingerprint": "0" * 16},
        split={"name": "none", "seed": 0},
        scores={"level": "track"},
        created="2026-11-23T00:00:00+00:00",
    )

    def write_files(draft: Path) -> None:
        (draft / ONNX_NAME).write_bytes(network)
        if companion is not None:
            (draft / COMPANION_NAME).write_bytes(tiny_onnx(companion.feature_config.n_mels, len(genres)))
        (draft / "README.md").write_text("A hand-made model for tests.\n", encoding="utf-8")

    return save_bundle(facts, folder, write_files)


def trainable_bundle(folder: Path, *, other_weights: bool = False) -> Bundle:
    """An untrained CRNN as a bundle with its Keras file; with `other_weights` its ONNX file is of another one."""
    import keras

    from crnn.bundles.bundle import KERAS_NAME
    from crnn.config import ModelConfig
    from crnn.networks import onnx_export
    from crnn.networks.crnn import build_crnn

    config = FeatureConfig(n_fft=1024, n_mels=16, segment_seconds=2.0, segment_hop_seconds=1.0)
    sizes = ModelConfig(channels=(4, 6), pools=((1, 2), (2, 2)), gru_units=5, embedding_size=7)
    keras.utils.set_random_seed(1)
    model, other = build_crnn(sizes, 16, 3), build_crnn(sizes, 16, 3)
    facts = Bundle(
        name=folder.name,
        feature_config=config,
        genres=GENRES,
        embedding_size=7,
        calibration=Calibration(),
        data={"name": "hand-made", "fingerprint": "0" * 16},
        split={"name": "none", "seed": 0},
        scores={"level": "track"},
        created="2026-11-23T00:00:00+00:00",
        model=sizes.to_dict(),
    )

    def write_files(draft: Path) -> None:
        model.save(draft / KERAS_NAME)
        served = onnx_export.onnx_model(other if other_weights else model)
        (draft / ONNX_NAME).write_bytes(served.SerializeToString())
        (draft / "README.md").write_text("An untrained model for tests.\n", encoding="utf-8")

    return save_bundle(facts, folder, write_files)
