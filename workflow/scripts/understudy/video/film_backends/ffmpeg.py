"""Writes films with the program ffmpeg, through ffmpeg-python: x264 or an encoder of the machine's hardware."""

import logging
import subprocess
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import ffmpeg
import numpy as np

from understudy.errors import BackendError, VideoError
from understudy.video.film_backends._contract import FilmPlan
from understudy.video.leads import LEAD_TAG, read_lead
from understudy.video.programs import address, find_programs, last_words
from understudy.video.soundcodecs import AAC_RATES, IN_MP4

logger = logging.getLogger(__name__)

THREADS = 2  # the network that draws the frames needs the others
TAGS = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709", "color_range": "tv"}
_CAREFUL = "bilinear+full_chroma_int+accurate_rnd+full_chroma_inp"
_FAST_START = {"format": "mp4", "movflags": "+faststart", "strict": "-2"}  # older ones call flac in mp4 experimental


class Backend:
    """One film; see `FilmBackend` for the contract. A film with sound is put together from a silent one at its end."""

    def __init__(self, path: Path, plan: FilmPlan):
        self._path, self._plan = path, plan
        # named like the half-written film, so that what a killed job leaves is cleared away with it
        self._silent = path if plan.sound is None else path.with_name(f".silent-{path.name.lstrip('.')}")
        self._frames = 0
        self._process: subprocess.Popen | None = None
        self._words: IO[bytes] | None = None

    def open(self, height: int, width: int) -> None:
        """Start a film of frames of an even size."""
        self._words = TemporaryFile()  # noqa: SIM115
        command = encoding(self._silent, self._plan, height, width)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._words, bufsize=0
        )

    def write(self, rgb: np.ndarray) -> None:
        """Add one frame."""
        left = memoryview(np.ascontiguousarray(rgb)).cast("B")
        try:
            while left:
                left = left[self._process.stdin.write(left) :]
        except BrokenPipeError:
            self._process.wait()
            raise self._failure() from None
        self._frames += 1

    def finish(self) -> None:
        """Write what is left, sound and index."""
        self._process.stdin.close()
        if self._process.wait():
            raise self._failure()
        if self._plan.sound is not None:
            _join(self._silent, self._plan, self._path, self._frames / self._plan.rate)

    def close(self) -> None:
        """Let go of everything, finished or not."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._process.stdin.close()
            self._words.close()
        if self._silent != self._path:
            self._silent.unlink(missing_ok=True)

    def _failure(self) -> BackendError:
        self._words.seek(0)
        words = last_words(self._words.read())
        return BackendError(
            f"ffmpeg {find_programs().version} cannot write the film with film.encoder '{self._plan.encoder}' after "
            f"{self._frames} frames ({words}); an encoder of hardware needs that hardware, its driver and an ffmpeg "
            "built with it (ffmpeg -encoders): set film.encoder to libx264 where one is missing."
        )


def encoding(path: Path, plan: FilmPlan, height: int, width: int) -> list[str]:
    """Build the command that codes RGB frames from its input: H.264, 4:2:0, BT.709 in limited range and tagged so."""
    node = ffmpeg.input(
        "pipe:0", format="rawvideo", pix_fmt="rgb24", s=f"{width}x{height}", framerate=str(plan.rate)
    ).filter("scale", flags=_CAREFUL, in_range="pc", out_range="tv", out_color_matrix="bt709")
    node = node.filter("format", "nv12" if plan.encoder in ("h264_vaapi", "h264_qsv") else "yuv420p")
    tags = {("range" if name == "color_range" else name): value for name, value in TAGS.items()}
    node = node.filter("setparams", **tags)  # newer versions take the frames' word over the encoder's options
    before = ["-nostdin", "-v", "error", "-y"]
    if plan.encoder == "h264_vaapi":
        before += ["-init_hw_device", "vaapi=film", "-filter_hw_device", "film"]
        node = node.filter("hwupload")
    node = node.output(address(path), vcodec=plan.encoder, **quality(plan), **TAGS, **_FAST_START, **_tags(plan))
    return node.global_args(*before).compile(find_programs().ffmpeg)


def quality(plan: FilmPlan) -> dict[str, object]:
    """Say the quality in each encoder's own words; hardware's scales are like x264's but not the same."""
    if plan.encoder == "h264_nvenc":
        return {"preset": "p5", "rc": "vbr", "cq": plan.crf, "b:v": 0}
    if plan.encoder == "h264_qsv":
        return {"preset": "medium", "global_quality": max(plan.crf, 1)}
    if plan.encoder == "h264_vaapi":
        return {"rc_mode": "CQP", "qp": plan.crf}
    if plan.encoder == "h264_videotoolbox":
        return {"q:v": round(100 - plan.crf * 99 / 51)}  # 1 worst to 100
    return {"crf": plan.crf, "preset": "medium", "threads": THREADS}


def _tags(plan: FilmPlan) -> dict[str, str]:
    """Metadata of the file as options; each is one word of the command, whatever it holds."""
    return {f"metadata:g:{number}": f"{name}={value}" for number, (name, value) in enumerate(plan.tags.items())}


def _join(silent: Path, plan: FilmPlan, film: Path, length_s: Fraction) -> None:
    """Put pictures and sound together: packets as they are where mp4 can carry them, else coded anew as AAC."""
    sound = plan.sound
    track, lead = _read_sound(sound)
    pictures, heard = ffmpeg.input(address(silent)), None
    if track["codec_name"] in IN_MP4:
        # packets of which more than half lies before the film's end
        half = _packet_s(sound, track) / 2
        heard = ffmpeg.input(address(sound), itsoffset=f"{float(-lead):.9f}")
        how: dict[str, object] = {"acodec": "copy", "t": f"{max(float(length_s - half), 0.001):.6f}"} | _tags(plan)
        node = ffmpeg.output(pictures["v"], heard["a"], address(film), vcodec="copy", **how, **_FAST_START)
    else:
        logger.info("%s: mp4 cannot carry %s, so the sound becomes AAC", sound, track["codec_name"])
        heard = ffmpeg.input(address(sound))["a"]
        # gaps become silence; cut to the sample at both ends
        heard = heard.filter("asetpts", f"PTS-{float(lead):.9f}/TB").filter("aresample", **{"async": 1, "first_pts": 0})
        heard = heard.filter("atrim", end=f"{float(length_s):.9f}")
        rate = int(track["sample_rate"])
        how = {
            "acodec": "aac",
            "ac": 1 if track["channels"] == 1 else 2,
            "ar": rate if rate in AAC_RATES else 48000,
        } | _tags(plan)
        node = ffmpeg.output(pictures["v"], heard, address(film), vcodec="copy", **how, **_FAST_START)
    command = node.global_args("-nostdin", "-v", "error", "-y", "-copyts").compile(find_programs().ffmpeg)
    made = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if made.returncode:
        raise VideoError(
            f"ffmpeg cannot put the sound {sound} into the film ({last_words(made.stderr)}); delete that file and run "
            "again, or choose film.backend: pyav."
        )


def _read_sound(sound: Path) -> tuple[dict, Fraction]:
    """Return what ffprobe says of a clip's sound, and the seconds by which it begins before its clip.

    Raises:
        VideoError: it is no such file.
    """
    try:
        told = ffmpeg.probe(address(sound), find_programs().ffprobe, v="error")
        track = next((stream for stream in told["streams"] if stream.get("codec_type") == "audio"), None)
        tags = {name.upper(): value for name, value in told["format"].get("tags", {}).items()}
        lead = read_lead(tags.get(LEAD_TAG, "0"))
    except ffmpeg.Error as failed:
        raise VideoError(f"The sound {sound} cannot be read ({last_words(failed.stderr)}); delete it.") from failed
    except (ValueError, ArithmeticError) as broken:
        raise VideoError(f"The sound {sound} cannot be read ({broken}); delete it and run again.") from broken
    if track is None:
        raise VideoError(f"The sound {sound} holds no sound; delete it and run again.")
    return track, lead


def _packet_s(sound: Path, track: dict) -> Fraction:
    """Length of a packet of sound, seconds; 0 where they differ."""
    size = {"aac": 1024, "mp3": 1152, "ac3": 1536, "eac3": 1536}.get(track["codec_name"], 0)
    return Fraction(size, int(track["sample_rate"]))
