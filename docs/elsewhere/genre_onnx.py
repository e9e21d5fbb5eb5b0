"""Name the genre of a sound: python genre_onnx.py MODEL.onnx SOUND. Needs librosa and onnxruntime."""

import json
import sys

import numpy as np
import onnxruntime
from sound_to_input import genres, segments


def answers(path, sound_path):
    """The card of a network, its logits for each segment, and where these begin and end in seconds."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    card = json.loads(session.get_modelmeta().custom_metadata_map["genrescope"])
    inputs, begin, end = segments(sound_path, card["features"])
    return card, session.run(["logits"], {"log_mel": inputs})[0], begin, end


card, logits, begin, end = answers(sys.argv[1], sys.argv[2])
if card["companion"]:
    # A second network has a say: of each segment what it says of the same seconds.
    companion = sys.argv[1].replace(".onnx", ".companion.onnx")
    _, others, other_begin, other_end = answers(companion, sys.argv[2])
    common = np.maximum(np.minimum(end[:, None], other_end) - np.maximum(begin[:, None], other_begin), 0)
    total = common.sum(axis=1, keepdims=True)
    share = np.where(total > 0, common / np.maximum(total, 1e-9) @ others, logits)
    weight = card["companion"]["weight"]
    logits = (1 - weight) * logits + weight * share
print(json.dumps(genres(card, logits)))
