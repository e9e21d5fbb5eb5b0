"""Name the genre of a sound: python genre_tflite.py MODEL.tflite SOUND. Needs librosa and ai-edge-litert.

A file for TensorFlow Lite reads segments of one length: a shorter sound only if its model repeats it.
"""

import json
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from sound_to_input import genres, segments

with open(sys.argv[1] + ".json", encoding="utf-8") as file:
    card = json.load(file)
interpreter = Interpreter(sys.argv[1])
interpreter.allocate_tensors()
into, out = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
logits = []
for segment in segments(sys.argv[2], card["features"])[0]:
    interpreter.set_tensor(into, segment[None])
    interpreter.invoke()
    logits.append(interpreter.get_tensor(out)[0])
print(json.dumps(genres(card, np.stack(logits))))
