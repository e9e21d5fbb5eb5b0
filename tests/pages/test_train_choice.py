"""What the Train page learns from: found chosen again, the demo only where there is nothing else; boxes stay open."""

from __future__ import annotations

from pathlib import Path

from page_words import read
from sounds import RATE, sine, wav_bytes, write_sound
from streamlit.testing.v1 import AppTest
from train_page import APP, open_page, zipped

from crnn.data import user_clips
from crnn.data.last_choice import keep_choice, last_choice
from crnn.data.scan import DEMO_NAME
from crnn.owner import MACHINE, Owner


def add_clips(*genres: str) -> None:
    for number, genre in enumerate(genres):
        for hz in (200.0, 300.0):
            clip = wav_bytes(sine(hz + 50 * number, 2.0), RATE, "PCM_16")
            user_clips.add_clip(user_clips.own_dir(MACHINE), genre, "", clip, owner=MACHINE)


def chosen(app: AppTest) -> list[str]:
    assert not app.exception
    return list(app.multiselect(key="train.sources").value)


def test_ones_own_clips_come_before_the_demo(home: Path) -> None:
    add_clips("choro", "samba")
    app = open_page()
    assert chosen(app) == [str(user_clips.own_dir(MACHINE))]
    assert "4 tracks, 2 genres" in read(app)


def test_a_refresh_finds_what_was_chosen(home: Path, tmp_path: Path) -> None:
    for name in ("low/a", "low/b", "high/a", "high/b"):
        write_sound(tmp_path / "music" / f"{name}.wav", 200.0 + 31 * len(name), 2.0)
    # The system refuses to look where it leads, as it refuses what is another's.
    (tmp_path / "music" / "refused").symlink_to("x" * 300)
    app = open_page()
    assert chosen(app) == [DEMO_NAME]
    app.text_input(key="train.folder").set_value(str(tmp_path / "music")).run()
    assert chosen(app) == [str(tmp_path / "music")]
    add_clips("choro", "samba")
    again = open_page()
    assert not again.exception
    assert chosen(again) == [str(tmp_path / "music")]
    both = [DEMO_NAME, str(user_clips.own_dir(MACHINE))]
    app.run().multiselect(key="train.sources").set_value(both).run()
    assert chosen(open_page()) == both
    # Not the demo again: nothing was chosen on purpose.
    app.multiselect(key="train.sources").set_value([]).run()
    assert chosen(open_page()) == []


def test_what_was_chosen_and_is_gone_is_said(home: Path, tmp_path: Path) -> None:
    keep_choice((DEMO_NAME, str(tmp_path / "old music")), owner=MACHINE)
    app = open_page()
    assert chosen(app) == [DEMO_NAME]
    assert "old music is no longer there, and not learnt from." in read(app)
    app.multiselect(key="train.sources").set_value([]).run()
    assert "no longer there" not in read(app)


def test_a_choice_is_kept_for_each_person_and_damage_is_none(home: Path) -> None:
    ann, ben = Owner("shared", "a" * 32), Owner("shared", "b" * 32)
    keep_choice(("demo", "/music/Z\udcff"), owner=ann)
    assert (last_choice(ann), last_choice(ben)) == (("demo", "/music/Z\udcff"), None)
    for damage in ("", "{}", "[1]", '["a"'):
        (ann.home / "learn-from.json").write_text(damage)
        assert last_choice(ann) is None


def is_open(app: AppTest, label: str) -> bool:
    return bool(next(box.proto.expanded for box in app.expander if box.label == label))


def test_a_box_that_is_open_stays_so_when_a_zip_comes(home: Path) -> None:
    app = open_page()
    app.multiselect(key="train.sources").set_value([]).run()
    assert is_open(app, "Add a data set")
    app.file_uploader(key="train.upload.0").set_value(("mine.zip", b"PK nothing", "application/zip")).run()
    assert not app.exception
    assert is_open(app, "Add a data set")


def test_the_way_that_was_chosen_is_found_again(home: Path) -> None:
    """Clip by clip at first; the other way after a choice of it, also after a refresh."""

    def opened() -> AppTest:
        return AppTest.from_file(APP, default_timeout=60).switch_page("pages/2_Train.py").run()

    app = opened()
    assert not app.exception
    assert app.text_input(key="train.genre").value == ""
    ways = next(group for group in app.button_group if group.key == "train.way")
    ways.set_value("Data sets").run()
    assert not app.exception
    assert chosen(app) == [DEMO_NAME]
    assert chosen(opened()) == [DEMO_NAME]


def test_the_box_of_what_was_given_keeps_its_title(home: Path) -> None:
    """The browser closes a box whose title or state changes."""
    add_clips("choro", "samba")
    app = open_page()
    before = [(box.label, box.proto.expanded) for box in app.expander if box.label.startswith("What you gave")]
    assert before == [("What you gave", False)]
    path = next(iter(user_clips.clips(user_clips.own_dir(MACHINE))))
    next(box for box in app.multiselect if box.key.startswith("train.given")).set_value([path]).run()
    next(button for button in app.button if button.label == "Remove 1 file").click().run()
    for words in ("1 file removed.", "3 files."):
        assert words in read(app)
        assert [(box.label, box.proto.expanded) for box in app.expander if box.label.startswith("What you")] == before
        app.run()


def test_of_two_clips_that_are_called_alike_the_chosen_one_is_removed(home: Path) -> None:
    for hz in (200.0, 300.0):
        clip = wav_bytes(sine(hz, 2.0), RATE, "PCM_16")
        user_clips.add_clip(user_clips.own_dir(MACHINE), "jazz", "song.wav", clip, owner=MACHINE)
    first, second = user_clips.clips(user_clips.own_dir(MACHINE))
    app = open_page()
    given = next(box for box in app.multiselect if box.key.startswith("train.given"))
    assert given.options == ["own clips, jazz: song", "own clips, jazz: song (2)"]
    given.set_value([second]).run()
    next(button for button in app.button if button.label == "Remove 1 file").click().run()
    assert list(user_clips.clips(user_clips.own_dir(MACHINE))) == [first]


def test_a_damaged_zip_can_be_taken_away(home: Path) -> None:
    app = open_page()
    app.file_uploader(key="train.upload.0").set_value(("mine.zip", b"PK\x03\x04 no more", "application/zip")).run()
    assert "is no zip, or it is damaged" in read(app)
    (upload,) = user_clips.uploads(MACHINE)
    given = next(box for box in app.multiselect if box.key.startswith("train.given"))
    assert given.options == ["upload, mine.zip (cannot be used)"]
    app.button(key=f"train.given.remove.{upload.parent.name}").click().run()
    assert not app.exception
    assert user_clips.uploads(MACHINE) == []
    assert not upload.parent.exists()
    assert "damaged" not in read(app)


def test_a_refused_zip_is_told_apart_after_a_refresh_and_holds_up_no_good_one(home: Path) -> None:
    songs = {f"{genre}/{n}.wav": hz + 20.0 * n for genre, hz in (("low", 200.0), ("high", 2000.0)) for n in (1, 2)}
    good = zipped({name: wav_bytes(sine(hz, 2.0), RATE, "PCM_16") for name, hz in songs.items()})
    app = open_page()
    app.file_uploader(key="train.upload.0").set_value(("bad.zip", b"PK\x03\x04 no more", "application/zip")).run()
    app.file_uploader(key="train.upload.1").set_value(("good.zip", good, "application/zip")).run()
    assert [Path(source).name for source in chosen(app)] == ["good.zip"]
    assert "4 tracks, 2 genres" in read(app)
    app = open_page()
    options = app.multiselect(key="train.sources").options
    assert [name for name in options if ".zip" in name] in (
        ["bad.zip (cannot be used)", "good.zip"],
        ["good.zip", "bad.zip (cannot be used)"],
    )
    app.button(key="train.given.remove_refused").click().run()
    assert [path.name for path in user_clips.uploads(MACHINE)] == ["good.zip"]
    assert [Path(source).name for source in chosen(app)] == ["good.zip"]


def test_a_bad_zip_does_not_hold_up_a_good_one(home: Path) -> None:
    page = open_page()
    page.file_uploader(key="train.upload.0").set_value(("bad.zip", b"not a zip", "application/zip")).run()
    assert page.multiselect(key="train.sources").value == []
    good = zipped({f"{g}/{g}{i}.wav": wav_bytes(sine(99.0 * i + ord(g), 2.0)) for g in "ab" for i in (1, 2)})
    page.file_uploader(key="train.upload.1").set_value(("good.zip", good, "application/zip")).run()
    assert "4 tracks, 2 genres" in read(page)
    assert "bad.zip" not in read(page)
    # Chosen together, too.
    choice = page.multiselect(key="train.sources")
    bad, usable = (
        next(str(p) for p in user_clips.uploads(MACHINE) if p.name == name) for name in ("bad.zip", "good.zip")
    )
    choice.set_value([bad, usable]).run()
    assert not page.exception
    assert "“bad.zip” is no zip, or it is damaged." in read(page)
    assert "Not learnt from. “bad.zip”" in read(page)
    assert "4 tracks, 2 genres" in read(page)
    assert page.multiselect(key="train.sources").value == [usable]
    assert not page.get("progress")


def test_an_uploader_of_clips_that_is_new_stays(home: Path) -> None:
    # Streamlit takes the first value of a widget for a change where its first run was cut short by the next; another
    # uploader in its place would let go of what is on its way.
    def script() -> None:
        import streamlit as st

        from ui.train import clips

        st.session_state[clips.GENRE] = "choro"
        st.file_uploader("Clips of it", accept_multiple_files=True, key=f"train.clips.{clips._given()}")
        clips._take_clips()
        st.markdown(str(clips._given()))

    app = AppTest.from_function(script).run()
    assert not app.exception
    assert app.markdown[0].value == "0"
