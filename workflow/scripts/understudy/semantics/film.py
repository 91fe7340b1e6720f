"""A finished film looked at again: everyone the pose estimator finds in it, so that figures can say what it shows."""

import tempfile
from pathlib import Path

from understudy.layouts import create
from understudy.semantics.people import find_people
from understudy.settings import VERSIONS, PoseSettings
from understudy.video.source import SourceVideo


def find_film_people(video: Path, people: Path, settings: PoseSettings) -> None:
    """Estimate the poses of everyone in every frame of a film and write people.h5; a film may show nobody.

    Args:
        video: the film as written.
        people: the people.h5 to write.
        settings: which backend; one that looks at pictures.
    """
    with tempfile.TemporaryDirectory() as folder:
        frames = Path(folder) / "frames.h5"
        write_film_frames(video, frames)
        find_people(frames, people, settings, needed=False)


def write_film_frames(video: Path, frames: Path) -> None:
    """Write every frame of a film, as it is, to a frames.h5."""
    film = SourceVideo(video)
    with create(frames, "frames", f"semantics {VERSIONS['semantics']}") as writer:
        for frame in film:
            writer.append(rgb=frame.picture())
        writer.attributes(
            {
                "rate_numerator": film.rate.numerator,
                "rate_denominator": film.rate.denominator,
                "source": str(video),
                "source_sha256": film.sha256(),
                "crop": [0.0, 0.0, float(film.width), float(film.height)],
                "ignore": [],
                "scale_x": 1.0,
                "scale_y": 1.0,
                "start_s": 0.0,
            }
        )
