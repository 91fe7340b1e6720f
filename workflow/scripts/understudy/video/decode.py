"""Ingest: a video of any kind becomes upright, cropped frames at a constant rate, and its sound."""

import logging
from fractions import Fraction
from pathlib import Path

from understudy import layouts
from understudy.clips import Clip
from understudy.errors import VideoError
from understudy.job import atomic_path, file_digest
from understudy.settings import VERSIONS, DecodeSettings
from understudy.video.crop import View, ignored_boxes, read_crop, view_of
from understudy.video.source import SourceVideo
from understudy.video.timing import Progress, at_constant_rate, constant_rate

logger = logging.getLogger(__name__)


def decode_clip(video: Path, crop: Path, frames: Path, sound: Path, clip: Clip, settings: DecodeSettings) -> None:
    """Ingest the span of one video that a row of the clip table names.

    Args:
        video: the source.
        crop: JSON with left, top, width, height: rectangle in pixels of the upright source.
        frames: frames.h5 to write.
        sound: Matroska file to write, a packet copy in which the clip starts at 0; 0 bytes for a silent clip.

    Raises:
        VideoError: the video cannot be read or used; neither file is written.
        LayoutError: crop holds no rectangle.
    """
    source = SourceVideo(video, settings.backend, settings.ffmpeg.hardware)
    _check_span(source, clip)
    view = view_of(read_crop(crop), source.height, source.width, settings.height_px, clip)
    rate = constant_rate(source.rate, settings.rate_fps)
    _log_source(source, view, rate, clip)
    producer = f"video {VERSIONS['video']}, {source.backend.name} {source.backend.version}"
    with atomic_path(sound) as sound_beside, layouts.create(frames, "frames", producer, settings) as writer:
        written = _write_frames(writer, source, view, rate, clip)
        writer.attributes(_attributes(source, view, rate, clip))
        if not source.backend.copy_sound(sound_beside, Fraction(clip.start_s), written / rate):
            sound_beside.touch()
            logger.info("%s has no sound in this span; the clip is silent", video)
        writer.attributes({"sound_sha256": file_digest(sound_beside)})


def _write_frames(writer: layouts.Writer, source: SourceVideo, view: View, rate: Fraction, clip: Clip) -> int:
    """Write all frames of the span, one in memory at a time, and return their number."""
    start_s, end_s = Fraction(clip.start_s), Fraction(clip.end_s) if clip.end_s else None
    ends = [end for end in (end_s, source.duration_s) if end]
    progress = Progress(f"decode {clip.clip}", round((min(ends) - start_s) * rate) if ends else 0)
    shown, picture = None, None
    for frame in at_constant_rate(source.frames(start_s), rate, source.rate, start_s, end_s):
        if frame is not shown:
            shown, picture = frame, view.cut(frame)
        writer.append(rgb=picture)
        progress.step()
    if progress.frames < 2:
        found = "shows a single picture" if progress.frames else "shows no picture"
        raise VideoError(
            f"The video {source.path} {found} between start_s {clip.start_s:g} and "
            f"{f'end_s {clip.end_s:g}' if clip.end_s else 'its end'}; motion needs at least 2 frames: name a longer "
            f"span in the clip table, or another video."
        )
    logger.info(
        "%s: %d frames of %dx%d px, %.2f s, decoded at %.0f frames/s",
        clip.clip,
        progress.frames,
        view.out_width,
        view.out_height,
        progress.frames / rate,
        progress.frames_per_second,
    )
    return progress.frames


def _attributes(source: SourceVideo, view: View, rate: Fraction, clip: Clip) -> dict[str, object]:
    return {
        "rate_numerator": rate.numerator,
        "rate_denominator": rate.denominator,
        "source": str(source.path),
        "source_sha256": source.sha256(),
        "crop": list(view.crop),
        "ignore": ignored_boxes(view, clip),
        "scale_x": view.scale[0],
        "scale_y": view.scale[1],
        "rotation_deg": source.facts.rotation_deg,
        "mirrored": source.facts.mirrored,
        "colour_matrix": source.facts.colour_matrix,
        "first_pts_s": float(source.facts.first_pts_s),
        "start_s": clip.start_s,
    }


def _check_span(source: SourceVideo, clip: Clip) -> None:
    if source.duration_s is not None and clip.start_s >= source.duration_s:
        raise VideoError(
            f"The clip '{clip.clip}' begins at start_s {clip.start_s:g}, but {source.path} is only "
            f"{float(source.duration_s):.2f} s long; correct start_s in the clip table."
        )
    if source.duration_s is not None and clip.end_s > source.duration_s + 1 / source.rate:
        logger.info("%s: end_s %g lies behind its end; it is read to its end", source.path, clip.end_s)


def _log_source(source: SourceVideo, view: View, rate: Fraction, clip: Clip) -> None:
    facts = source.facts
    logger.info(
        "%s: %s, %dx%d px upright (turned by %d degrees%s), %.3f frames/s on average, colour %s %s range",
        source.path,
        facts.codec,
        facts.width,
        facts.height,
        facts.rotation_deg,
        " and mirrored" if facts.mirrored else "",
        facts.rate,
        facts.colour_matrix,
        facts.colour_range,
    )
    logger.info(
        "%s: rectangle of %.0fx%.0f px at %.0f, %.0f becomes %dx%d px at %.3f frames/s",
        *(clip.clip, *view.crop[2:], *view.crop[:2], view.out_width, view.out_height, rate),
    )
    if facts.interlaced:
        logger.info(
            "%s is interlaced; if moving edges show combs, deinterlace it first (ffmpeg -vf bwdif)", source.path
        )
