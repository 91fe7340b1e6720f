"""Renders a transfer: the performer in the driver's poses, at the driving clip's rate and with its sound."""

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from understudy.dataset.batch import SemanticMap
from understudy.errors import LayoutError
from understudy.job import file_digest, return_memory
from understudy.model.build import load_generator
from understudy.rendering.layout import draw_map, join_panels
from understudy.rendering.maps import DrivingMaps
from understudy.rendering.rollout import roll_out
from understudy.rendering.statement import COMPOSED, DRAWN, Statement
from understudy.seals import check_file
from understudy.settings import FilmSettings, ProvenanceSettings, RenderingSettings
from understudy.video.encode import Film, Marks
from understudy.video.frames import Frames

logger = logging.getLogger(__name__)

REPORT_SECONDS = 5.0
TRIM_FRAMES = 20


@dataclass(frozen=True)
class Provenance:
    """Who performs what, the digest of the settings behind it (SHA-256, hex), and who signs."""

    performer: str
    driving_clip: str
    settings_sha256: str
    signing: ProvenanceSettings


def render_transfer(
    weights: Path,
    driving: Path,
    driving_frames: Path,
    sound: Path | None,
    video: Path,
    side_by_side_video: Path,
    settings: RenderingSettings,
    film_settings: FilmSettings,
    provenance: Provenance | None,
    threads: int,
) -> None:
    """Render the two films of a transfer, frame after frame.

    Args:
        weights: the performer's generator.
        driving: driving.h5.
        driving_frames: frames.h5 of the driving clip; gives the rate, and the left picture of the second film.
        sound: sound of the driving clip; None or an empty file is silence.
        video: the film, at the generator's size.
        side_by_side_video: driving clip, maps and result beside each other.
        settings: quality of the films.
        film_settings: what writes them.
        provenance: what they say of themselves, and who signs it; None leaves them without marks.
        threads: for the network, where there is no GPU.

    Raises:
        LayoutError: driving.h5 and frames.h5 are not of the same clip.
        DamageError: a file is no longer what was written.
        CredentialsError: the films cannot be signed.
    """
    marks = _marks(provenance, driving_frames, weights)  # before all work: what cannot sign is told at once
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    generator = load_generator(weights).placed(device)
    with (
        Frames(driving_frames) as frames,
        DrivingMaps(driving, generator.height_px) as maps,
        Film(video, frames.rate, settings.crf, sound, film_settings, marks=marks[0]) as film,
        Film(side_by_side_video, frames.rate, settings.crf, sound, film_settings, marks=marks[1]) as wide_film,
    ):
        if sound is not None:
            check_file(sound, frames.attrs.get("sound_sha256"))
        if len(maps) != len(frames):
            raise LayoutError(
                f"{driving} holds {len(maps)} frames, but {driving_frames} {len(frames)}; "
                f"delete {driving} and run again."
            )
        latest: deque[SemanticMap] = deque(maxlen=1)  # the map the picture was drawn from; itertools.tee keeps 57
        shown = zip(frames, roll_out(generator, _noted(maps, latest)), strict=True)
        for rgb, picture in _reported(shown, len(frames)):
            result = picture.transpose(1, 2, 0)
            film.write(result)
            wide_film.write(join_panels(rgb, draw_map(latest[0]), result))
    logger.info(
        "%d frames of %d x %d px at %s a second", len(frames), generator.height_px, generator.width_px, frames.rate
    )


def _marks(provenance: Provenance | None, driving_frames: Path, weights: Path) -> tuple[Marks, Marks]:
    """Put together what the film, and the one that shows it beside the driver, say of themselves."""
    if provenance is None:
        return Marks(), Marks()
    from understudy.rendering.credentials import film_marks, signing_identity  # here, because only signing needs C2PA

    identity = signing_identity(provenance.signing)
    with Frames(driving_frames) as frames:
        digest = str(frames.attrs["source_sha256"])
    names = provenance.performer, provenance.driving_clip
    statement = Statement(*names, digest, file_digest(weights), provenance.settings_sha256)
    return film_marks(statement, DRAWN, identity), film_marks(statement, COMPOSED, identity)


def _noted(maps: Iterable[SemanticMap], latest: deque[SemanticMap]) -> Iterator[SemanticMap]:
    """Pass maps on and note the one passed last."""
    for semantic in maps:
        latest.append(semantic)
        yield semantic


def _reported(items: Iterator, count: int) -> Iterator:
    """Pass items on, keep the memory small, and log every few seconds how far it is and how long it will take."""
    started = reported = time.monotonic()
    for number, item in enumerate(items, 1):
        yield item
        if number % TRIM_FRAMES == 0:
            return_memory()
        now = time.monotonic()
        if now - reported > REPORT_SECONDS or number == count:
            rate = number / (now - started)
            logger.info("frame %d of %d, %.1f a second, %.0f s left", number, count, rate, (count - number) / rate)
            reported = now
