"""The sound of a span, copied packet by packet with the program ffmpeg."""

import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from understudy.errors import VideoError
from understudy.video.backends._probe import packets_from
from understudy.video.leads import LEAD_TAG
from understudy.video.programs import address, find_programs, last_words

MARGIN_S = 1  # sought before the span, whose first packet begins a little before it
SLACK_S = Fraction(1, 10000)  # stamps are rounded to the ticks of another clock on their way; packets are longer


def copy_packets(path: Path, track: dict[str, Any], target: Path, start_s: Fraction, length_s: Fraction) -> bool:
    """Copy the packets of a track that are heard in a span; see `sound.cut_sound` for the lead.

    Args:
        path: the source.
        track: its sound, as ffprobe describes it.
        target: Matroska file to write.
        start_s: start of the span, in time stamps of the source.
        length_s: its length.

    Returns:
        False, and no file, where the span has no sound.
    """
    packets = _heard(path, track, start_s, start_s + length_s)
    if not packets:
        return False
    begin_s = packets[0]["pts"] * Fraction(track["time_base"])
    lead = max(start_s - begin_s, Fraction(0))
    near: dict[str, object] = {}
    if start_s > MARGIN_S:
        near = {"seek_timestamp": 1, "ss": f"{float(start_s - MARGIN_S):.6f}"}
    # packets before the first one heard are dropped, and it is put at 0
    node = ffmpeg.input(address(path), **near)[str(track["index"])]
    node = node.output(
        address(target),
        format="matroska",
        fflags="+bitexact",  # no random number: the same sound is the same file
        acodec="copy",
        metadata=f"{LEAD_TAG}={lead}",
        avoid_negative_ts="disabled",
        ss=f"{float(begin_s - SLACK_S):.6f}",
        copypriorss=0,
        **{"frames:a": len(packets), "bsf:a": "setts=ts=TS-STARTPTS"},
    )
    command = node.global_args("-nostdin", "-v", "error", "-copyts", "-y").compile(find_programs().ffmpeg)
    made = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if made.returncode:
        raise VideoError(
            f"The sound of {path} cannot be copied ({last_words(made.stderr)}); convert it first, for example: ffmpeg "
            f"-i {path.name} -c:v copy -c:a aac converted.mp4."
        )
    return True


def _heard(path: Path, track: dict[str, Any], start_s: Fraction, end_s: Fraction) -> list[dict[str, Any]]:
    """List the packets that sound in a span; one that ends right at its start primes the decoder."""
    time_base = Fraction(track["time_base"])
    packets = packets_from(path, track, float(start_s) - MARGIN_S, f"{float(end_s):.6f}")
    packets = [packet for packet in packets if "pts" in packet and int(packet["size"])]
    ends = {packet["pts"]: packet["pts"] + packet.get("duration", 0) for packet in packets}
    return [
        packet for packet in packets if packet["pts"] * time_base < end_s and ends[packet["pts"]] * time_base >= start_s
    ]
