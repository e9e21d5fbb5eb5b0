"""What an exported network reads of a sound: needs librosa and the card beside the network."""

import librosa
import numpy as np


def segments(sound_path, f):
    """Inputs `(n_segments, n_frames, n_mels)` by the card's features, and where they begin and end in seconds."""
    sound, _ = librosa.load(sound_path, sr=f["sample_rate"])
    padded = np.pad(sound, f["window_length"] // 2, mode=f["padding"])
    starts = np.floor(np.arange(len(sound) / f["hop_samples"] + 1) * f["hop_samples"] + 0.5).astype(int)
    starts = starts[starts + f["window_length"] <= len(padded)]
    window = librosa.filters.get_window("hann", f["window_length"], fftbins=f["window_is_periodic"])
    spectrum = np.fft.rfft(padded[starts[:, None] + np.arange(f["window_length"])] * window, f["n_fft"])
    bins, bands, weights = zip(*f["mel_weights"], strict=True)
    filters = np.zeros((f["n_fft"] // 2 + 1, f["n_mels"]))
    filters[bins, bands] = weights
    power = np.abs(spectrum) ** 2 @ filters
    n, last = f["segment_frames"], max(0, len(power) - f["segment_frames"])
    begins = list(range(0, last + 1, f["segment_hop_frames"]))
    # The last segment ends with the sound, unless too little is left for one.
    begins += [last] if last - begins[-1] >= f["least_tail_frames"] else []
    ends = np.minimum(np.array(begins) + n, len(power))
    if len(power) < n and f["is_tiled"]:
        power = np.resize(power, (n, f["n_mels"]))
    cut = np.stack([power[begin : begin + n] for begin in begins])
    if f["front_end"] == "log_mel":
        decibels = 10 * np.log10(np.maximum(cut, 1e-20))
        inputs = np.maximum(decibels - decibels.max(axis=(1, 2), keepdims=True), f["db_floor"])
    else:
        loudness = cut.sum(axis=2).mean(axis=1)[:, None, None]
        inputs = (np.log(cut * f["level"] / np.maximum(loudness, 1e-30) + 1e-5) + 4.5) / 5
    return inputs.astype(np.float32), np.array(begins) / f["frame_rate_hz"], ends / f["frame_rate_hz"]
