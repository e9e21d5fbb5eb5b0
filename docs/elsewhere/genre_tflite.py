"""Name the genre of a sound: python genre_tflite.py MODEL.tflite SOUND. Needs librosa and ai-edge-litert.

A file for TensorFlow Lite reads segments of one length: a shorter sound only if its model repeats it.
"""

import json
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from logits_to_genres import genres
from sound_to_input import segments


def answers(path, sound_path):
    """The card of a network, its logits for each segment, and where these begin and end in seconds."""
    with open(path + ".json", encoding="utf-8") as file:
        card = json.load(file)
    interpreter = Interpreter(path)
    interpreter.allocate_tensors()
    into, out = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    inputs, begin, end = segments(sound_path, card["features"])
    if inputs.shape[1] < card["features"]["segment_frames"]:
        sys.exit(f"{path} reads {card['features']['segment_seconds']:g} s at once, and the sound is shorter. Use ONNX.")
    logits = []
    for segment in inputs:
        interpreter.set_tensor(into, segment[None])
        interpreter.invoke()
        logits.append(interpreter.get_tensor(out)[0])
    return card, np.stack(logits), begin, end


if len(sys.argv) != 3:
    sys.exit(__doc__)
print(json.dumps(genres(answers, sys.argv[1], sys.argv[2])))
