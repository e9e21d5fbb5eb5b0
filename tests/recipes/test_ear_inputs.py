"""What the networks of `ten-genres` read: exact cases of how sounds, archives and batches are made."""

import numpy as np
import pytest
from scipy import signal

from crnn.features import log_mel, tagger_mel
from recipes import ear_inputs, ear_sounds
from recipes.ear_inputs import FIRST, SECOND, Inputs

RATE = ear_sounds.SAMPLE_RATE


@pytest.mark.parametrize(
    ("name", "artist"),
    [
        ("mac-demarco-my-kind-of-woman", "mac"),
        ("lv-nirvana-smells-like-teen-spirit", "nirvana"),
        ("nirvana-come-as-you-are", "nirvana"),
        ("country2", "country"),
        ("1979", "1979"),
    ],
)
def test_the_artist_begins_the_name(name, artist):
    assert ear_inputs.artist_of(name) == artist


def test_what_the_archive_gives_is_what_the_sound_gives(rng):
    # Steady noise of two colours: what lies between the columns and bands is what is interpolated.
    white = rng.normal(0, 0.1, 10 * RATE).astype(np.float32)
    for pole in (0.0, 0.9):
        sound = signal.lfilter([1.0], [1.0, -pole], white).astype(np.float32)
        decibels = log_mel.log_mel(sound, SECOND)
        seconds = np.arange(len(decibels)) * SECOND.hop_length / RATE
        found = ear_inputs.segments_of(ear_inputs.power_of_archive(decibels, seconds))
        meant = ear_inputs.segments_of(log_mel.mel_power(sound, FIRST))
        heard = tagger_mel.heard_shares(FIRST) > 0.99
        apart = (found[0].astype(float) - meant[0])[:, heard].mean(axis=0)
        assert np.abs(apart).max() < 0.12  # in units of 5 nepers of power: 2.6 dB; 0.5 where levels were not the same


def test_a_cut_is_repeated_and_a_long_sound_is_cut():
    power = np.ones((230, 128), np.float32)
    assert ear_inputs.segments_of(power).shape == (1, 1000, 128)
    assert ear_inputs.segments_of(np.ones((3000, 128), np.float32)).shape == (3, 1000, 128)


def test_a_sound_that_is_repeated_is_found_and_can_end_instead(rng):
    power = rng.exponential(size=(230, 128)).astype(np.float32)
    (segment,) = ear_inputs.segments_of(power)
    assert ear_inputs.repeated_after(segment) == 230
    # Two frames that are the same by chance repeat nothing.
    power[100] = power[0]
    (segment,) = ear_inputs.segments_of(power)
    assert ear_inputs.repeated_after(segment) == 230
    (whole,) = ear_inputs.segments_of(rng.exponential(size=(1000, 128)).astype(np.float32))
    assert ear_inputs.repeated_after(whole) == 1000
    ended = ear_inputs.with_silence_after(segment)
    meant = log_mel.with_silence_after(log_mel.network_input(power, FIRST), FIRST)
    np.testing.assert_allclose(ended, meant, atol=5e-3)
    np.testing.assert_array_equal(ear_inputs.with_silence_after(whole), whole.astype(np.float32))


def test_a_piece_is_a_short_sound_at_its_own_level(rng):
    power = rng.exponential(size=(1000, 128)).astype(np.float32) * np.linspace(1, 50, 1000, dtype=np.float32)[:, None]
    (segment,) = ear_inputs.segments_of(power)
    for _ in range(20):
        piece = ear_inputs.piece_of(segment, rng)
        n_frames = ear_inputs.repeated_after(piece)
        assert 60 <= n_frames <= 500
        heard = tagger_mel.power_of_input(piece.astype(np.float32))
        assert heard.sum(axis=1).mean() == pytest.approx(ear_inputs.LEVEL, rel=0.01)


def test_a_phone_hears_its_band(rng):
    white = rng.normal(0, 0.1, 4 * RATE).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(ear_inputs.phone(white, rng))) ** 2
    hz = np.fft.rfftfreq(4 * RATE, 1 / RATE)

    def level(low, high):
        return 10 * np.log10(spectrum[(hz >= low) & (hz < high)].mean())

    assert level(500, 4000) - level(60, 120) > 10
    assert level(500, 4000) - level(9000, 11_000) > 10


def test_bent_sound_is_the_same_each_time():
    sound = np.sin(np.arange(RATE) * 0.05).astype(np.float32)
    again = [ear_inputs.bent(sound, "degrade1", "blues.00001") for _ in range(2)]
    np.testing.assert_array_equal(*again)
    assert ear_inputs.bent(sound, "clean", "blues.00001") is sound


@pytest.mark.parametrize(("number", "written"), [(0, "00"), (127, "7f"), (128, "8100"), (16_383, "ff7f")])
def test_times_of_midi_are_written_as_the_standard_shows(number, written):
    assert ear_sounds._variable_length(number).hex() == written


def test_a_midi_file_holds_its_program_and_notes():
    file = ear_sounds._midi(40, [(0.0, 0.5, 60)])
    # Header, format 0, one track, 480 ticks a quarter; program 40, note on at 0, off 480 ticks later, end.
    assert file.hex() == "4d546864000000060000000101e04d54726b0000001000c028009060608360803c0000ff2f00".replace(
        "9060608360803c00", "903c608360803c00"
    )


def test_no_validation_track_is_heard_by_the_body(tmp_path):
    from recipes.ear_body import HEARD, PARTS, Leg, Taught, _Batches

    # Segments that say whose they are: 1 of a validation track.
    segments = np.stack([np.full((320, 4), group == "valid", np.float16) for group in ("train", "valid")])
    inputs = Inputs(segments, np.array([0, 1]), *map(np.array, (["a", "b"], ["blues"] * 2, ["train", "valid"])))
    taught = Taught(*(np.arange(2, dtype=np.float32)[:, None] for _ in PARTS))
    batches = _Batches({(name, kind): inputs for name, kind, _ in HEARD}, {name: taught for name, *_ in HEARD})
    for step in range(3):
        heard, *targets = batches(Leg(1, 1), step)
        assert len(heard) == 20
        for target in targets:
            np.testing.assert_array_equal(target, 0)
