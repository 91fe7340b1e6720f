"""What ffprobe knows of a video: its track, size, colours, rate and length."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from understudy.errors import VideoError
from understudy.video.programs import address, find_programs, last_words
from understudy.video.refusals import check_format, no_pictures, nothing_decoded, unknown_coding, unreadable
from understudy.video.timing import track_length

MEASURED_PICTURES = 300  # whose stamps tell the rate of files that do not count their pictures
REORDERED = 4  # pictures at the end of those that may lack a neighbour which is stored later
RATE_SLACK = 0.02  # relative difference of declared and measured rate that is rounding or a dropped picture
LOOKED_AT = (1, 16, 600)  # packets in which a first picture is looked for, again where none is found
MATRICES = {  # ffmpeg's names -> numbers of ITU-T H.273
    "gbr": 0,
    "bt709": 1,
    "fcc": 4,
    "bt470bg": 5,
    "smpte170m": 6,
    "smpte240m": 7,
    "bt2020nc": 9,
    "bt2020c": 10,
    "ictcp": 14,
    "ipt-c2": 15,
    "ycgco-re": 16,
}
TRANSFERS = {"smpte2084": 16, "arib-std-b67": 18}
RGB = ("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "x2rgb", "x2bgr", "pal8", "bayer")


def read_tracks(path: Path) -> dict[str, Any]:
    """Ask for a file's container and streams.

    Raises:
        VideoError: it is nothing that ffprobe can read.
    """
    return _ask(path)


def video_track(path: Path, told: dict[str, Any]) -> dict[str, Any]:
    """Choose the video track; cover pictures of music files are none."""
    check_format(path, told["format"]["format_name"])
    tracks = [track for track in told["streams"] if track.get("codec_type") == "video"]
    tracks = [track for track in tracks if not track.get("disposition", {}).get("attached_pic")]
    if not tracks:
        raise VideoError(no_pictures(path, sound_track(told) is not None))
    for track in tracks:
        if track.get("codec_name") and track.get("width"):
            return track
    raise VideoError(unknown_coding(path))


def sound_track(told: dict[str, Any]) -> dict[str, Any] | None:
    """Choose the sound that players play: the one marked so, else the first."""
    tracks = [track for track in told["streams"] if track.get("codec_type") == "audio"]
    tracks.sort(key=lambda track: not track.get("disposition", {}).get("default"))  # keeps the order of equals
    return tracks[0] if tracks else None


def first_picture(path: Path, track: dict[str, Any]) -> dict[str, Any]:
    """Decode the first picture and return what it declares; what it leaves out is the track's.

    Raises:
        VideoError: none can be decoded.
    """
    for packets in LOOKED_AT:
        frames = _ask(path, "-show_frames", select_streams=track["index"], read_intervals=f"%+#{packets}")["frames"]
        for frame in frames:
            if frame.get("media_type") == "video" and frame.get("width"):
                return {key: value for key, value in track.items() if key != "tags"} | frame
    raise VideoError(nothing_decoded(path, track.get("codec_name", "unknown")))


def display_matrix(track: dict[str, Any], frame: dict[str, Any]) -> list[int] | None:
    """Read the nine numbers of the display matrix from ffprobe's table of them; None where there is none."""
    for data in (*frame.get("side_data_list", []), *track.get("side_data_list", [])):
        if "displaymatrix" in data:
            lines = [line.partition(":")[2] for line in data["displaymatrix"].splitlines()]
            return [int(number) for line in lines for number in line.split()]
    return None


def stamp(frame: dict[str, Any], time_base: Fraction) -> Fraction | None:
    """Time stamp of a picture, seconds."""
    ticks = next((frame[key] for key in ("best_effort_timestamp", "pts", "pkt_dts") if key in frame), None)
    return None if ticks is None else ticks * time_base


def chroma_place(frame: dict[str, Any]) -> dict[str, int]:
    """Say where samples of colour lie, in 1/256 of a pixel of light, as options of ffmpeg's filter scale.

    Not every version of that filter takes notice of what the video declares; undeclared means in the middle.
    """
    pixels, place = frame.get("pix_fmt", ""), frame.get("chroma_location", "unspecified")
    across, down = {"left": (0, 128), "topleft": (0, 0), "top": (128, 0)}.get(place, (128, 128))
    if "420" in pixels or pixels.startswith(("nv12", "nv21", "p01")):
        return {"in_h_chr_pos": across, "in_v_chr_pos": down}
    return {"in_h_chr_pos": across} if "422" in pixels or pixels.startswith(("yuyv", "uyvy")) else {}


def aspect_of(track: dict[str, Any]) -> Fraction | None:
    """Width over height of a pixel; None where nothing is declared."""
    return fraction(track.get("sample_aspect_ratio", "").replace(":", "/"))


def rate_of(path: Path, track: dict[str, Any]) -> Fraction:
    """Average rate: the declared one, unless the file does not count its pictures and its stamps contradict it.

    Matroska and WebM of varying rate declare what the writer hoped for: browsers declare 1000 frames a second.
    """
    declared = fraction(track.get("avg_frame_rate", "")) or fraction(track.get("r_frame_rate", ""))
    if declared and int(track.get("nb_frames", 0)):
        return declared
    stamps = _stamps_at_start(path, track)
    if len(stamps) < 2:
        return declared or Fraction(25)
    measured = (len(stamps) - 1) / (stamps[-1] - stamps[0])
    return declared if declared and abs(declared / measured - 1) < RATE_SLACK else measured


def declared_s(container: str, track: dict[str, Any], first_s: Fraction) -> Fraction | None:
    """Length of the track as its file declares it, from the first picture on.

    Matroska writes the end of the track, counted from 0, as a text such as 00:01:02.345000000.
    """
    if track.get("duration_ts"):
        rate = fraction(track.get("avg_frame_rate", ""))
        counted = int(track.get("nb_frames", 0)) / rate if container == "avi" and rate else Fraction(0)
        return max(track["duration_ts"] * Fraction(track["time_base"]), counted)
    tags = track.get("tags", {})
    text = next((value for name, value in tags.items() if name.upper().startswith("DURATION")), "")
    end_s = track_length(text)
    return None if end_s is None else end_s - first_s


def packet_length(path: Path, track: dict[str, Any], ticks: int) -> int:
    """Length of the picture with a time stamp, both in ticks; 0 where the file does not say."""
    at = float(ticks * Fraction(track["time_base"]))
    for packet in packets_from(path, track, at - 1, ""):
        if packet.get("pts", packet.get("dts")) == ticks:
            return packet.get("duration", 0)
    return 0


def packets_from(path: Path, track: dict[str, Any], from_s: float, to: str) -> list[dict[str, Any]]:
    """List a track's packets from about a time stamp in seconds on, up to `to` as ffprobe's intervals write it."""
    interval = f"{max(from_s, 0):.6f}%{to}" if from_s > 0 else f"%{to}"
    return _ask(path, "-show_packets", select_streams=track["index"], read_intervals=interval)["packets"]


def fraction(text: str) -> Fraction | None:
    """Read a fraction such as 30000/1001; None for 0/0 and the like."""
    above, _, below = text.partition("/")
    if not above.isdigit() or not (below or "1").isdigit() or int(above) == 0 or int(below or 1) == 0:
        return None
    return Fraction(int(above), int(below or 1))


def _stamps_at_start(path: Path, track: dict[str, Any]) -> list[Fraction]:
    """Time stamps of the first pictures, seconds, in order."""
    packets = packets_from(path, track, 0, f"+#{MEASURED_PICTURES}")
    stamps = sorted({packet["pts"] * Fraction(track["time_base"]) for packet in packets if "pts" in packet})
    return stamps[: -REORDERED or None] if len(stamps) > 10 * REORDERED else stamps


def _ask(path: Path, *what: str, **how: object) -> dict[str, Any]:
    """Run ffprobe on a file; `what` are flags, `how` options with values."""
    flags = {name.lstrip("-"): None for name in what}
    try:
        return ffmpeg.probe(address(path), find_programs().ffprobe, v="error", **flags, **how)
    except ffmpeg.Error as failed:
        raise VideoError(unreadable(path, last_words(failed.stderr))) from failed
