"""GenreScope's library: sound in, log-mel, CRNN, honest genre out.

Knows nothing of Streamlit. This file imports nothing, so that a page can draw
before anything heavy loads.
"""

__version__ = "0.2.0"
