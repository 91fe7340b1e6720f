"""A clip that is rendered instead of filmed, and its truth."""

import logging
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from understudy.body.parts import CHART, chart
from understudy.layouts import Writer, create
from understudy.settings import VERSIONS, SyntheticSettings
from understudy.synthetic.drum import write_drum
from understudy.synthetic.scene import SAMPLES, Scene
from understudy.synthetic.truth import View, flow_rows, pose_rows, surface_rows
from understudy.video.encode import Film

logger = logging.getLogger(__name__)

CRF = 10  # nearly lossless: the clip stands for raw footage


def synthesize_clip(video: Path, truth: Path, settings: SyntheticSettings) -> None:
    """Render a performer's dance: a film with sound, and everything about it that is known exactly.

    Settings that differ in build, look and choreography only give the same camera and the same room; with one
    choreography the joint angles are the same too, so the one clip is the true transfer of the other.

    Args:
        video: .mp4 to write.
        truth: .h5 of layout `truth` to write; attributes `camera` (JSON: focal_px, position, look_at, height, width),
            `samples` of part and uv per pixel and axis, `chart`, `rate_numerator` and `rate_denominator`.
        settings: who, what, how long, how large.
    """
    scene = Scene(settings)
    rate = Fraction(settings.rate_fps).limit_denominator(1001)
    frames = max(1, round(settings.duration_s * rate))
    producer = f"synthetic {VERSIONS['synthetic']}"
    with TemporaryDirectory() as folder, create(truth, "truth", producer, settings) as writer:
        sound = Path(folder) / "drum.mka"
        write_drum(sound, settings.start_s, float(frames / rate))
        writer.attributes({"camera": scene.camera.described(), "samples": SAMPLES, "chart": CHART})
        writer.attributes({"rate_numerator": rate.numerator, "rate_denominator": rate.denominator})
        with Film(video, rate, CRF, sound) as film:
            _record(scene, film, writer, [settings.start_s + float(frame / rate) for frame in range(frames)])
    logger.info("%s: %d frames of %s dancing %s", video, frames, settings.build, settings.choreography)


def _record(scene: Scene, film: Film, writer: Writer, times_s: list[float]) -> None:
    """Render frame after frame; nothing but the frame before is kept."""
    drawing = chart(scene.body)
    before: View | None = None
    for time_s in times_s:
        shot = scene.shot(time_s)
        view = View(shot, scene.raster(shot, SAMPLES))
        film.write(scene.picture(shot, view.raster))
        writer.append(**pose_rows(scene, shot), **surface_rows(scene, view, drawing), **flow_rows(scene, shot, before))
        before = view
