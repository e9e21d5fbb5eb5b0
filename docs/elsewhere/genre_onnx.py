"""Name the genre of a sound: python genre_onnx.py MODEL.onnx SOUND. Needs librosa and onnxruntime."""

import json
import sys

import onnxruntime
from logits_to_genres import genres
from sound_to_input import segments


def answers(path, sound_path):
    """The card of a network, its logits for each segment, and where these begin and end in seconds."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    card = json.loads(session.get_modelmeta().custom_metadata_map["genrescope"])
    inputs, begin, end = segments(sound_path, card["features"])
    return card, session.run(["logits"], {"log_mel": inputs})[0], begin, end


if len(sys.argv) != 3:
    sys.exit(__doc__)
print(json.dumps(genres(answers, sys.argv[1], sys.argv[2])))
