"""Whose a track is: what is not to be on both sides of a split, and what is right or wrong together."""

from __future__ import annotations

from collections.abc import Sequence

from crnn.data.tracks import Track


def artist_key(track: Track) -> str | None:
    """The artist, however it is written; None where it is not known.

    Args:
        track: Whose.
    """
    return " ".join(track.artist.casefold().split()) if track.artist else None


def units_of(tracks: Sequence[Track]) -> list[str] | None:
    """Whose each track is, for intervals: its artist's, or else its own or its copies'; None where no artist is known.

    Args:
        tracks: In any order.
    """
    if not any(track.artist for track in tracks):
        return None
    return [f"artist {artist_key(track)}" if track.artist else track.group or track.track_id for track in tracks]
