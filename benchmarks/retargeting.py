"""How near retargeted maps come to the performer's own, over six builds and four dances; write a table.

    .venv/bin/python benchmarks/retargeting.py benchmarks/retargeting.md [--estimated]

Each build drives each other one in each dance, from another distance and place before the camera: 120 pairs. The
performer is measured on another dance than the one performed. The truth is the performer's own dance, rendered.
Yardsticks of the same run: the truth's own foot slide, and the fitted body on the performer's own joints. `--estimated`
adds pairs of three builds whose drivers and performers are seen by the embedded estimator. Five minutes on two cores.
"""

import argparse
import logging
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from itertools import permutations, product
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "workflow" / "scripts"))

from understudy.body.clothing import fit_relief  # noqa: E402
from understudy.body.figure import Figure  # noqa: E402
from understudy.body.fit import BodyShape, draw_fitted, fit_body  # noqa: E402
from understudy.body.model import BUILDS  # noqa: E402
from understudy.body.parts import chart  # noqa: E402
from understudy.body.shape import fit_shape  # noqa: E402
from understudy.clips import Clip  # noqa: E402
from understudy.dataset.statistics import measure_body  # noqa: E402
from understudy.dataset.track import PoseTrack, read_track  # noqa: E402
from understudy.errors import FootageError  # noqa: E402
from understudy.metrics.motion import JOINTS_17, body_height, joint_distances  # noqa: E402
from understudy.rendering.lean import lean, turned_upright  # noqa: E402
from understudy.rendering.limbs import frame_maps, move_limbs  # noqa: E402
from understudy.rendering.normalise import move_surface, move_track, normalise  # noqa: E402
from understudy.rendering.retarget import bone_ratios, retarget  # noqa: E402
from understudy.semantics.choice import Choice  # noqa: E402
from understudy.semantics.joints import BODY  # noqa: E402
from understudy.semantics.locate import locate_person  # noqa: E402
from understudy.semantics.people import find_people  # noqa: E402
from understudy.semantics.pose import estimate_pose  # noqa: E402
from understudy.settings import DecodeSettings, PoseSettings, SyntheticSettings, from_params  # noqa: E402
from understudy.synthetic.choreography import DANCES  # noqa: E402
from understudy.synthetic.clip import synthesize_clip  # noqa: E402
from understudy.synthetic.scene import Scene  # noqa: E402
from understudy.synthetic.truth import View, pose_rows, surface_rows  # noqa: E402
from understudy.validation import complete  # noqa: E402
from understudy.video.decode import decode_clip  # noqa: E402

logger = logging.getLogger("retargeting")

SIZE_PX, SECONDS, RATE = 256, 10.0, 12.5
EVERY = 12  # frames between those whose surface is compared
# How large each build stands in its picture (share of its height that a neutral body fills), and where.
NEAR = {"woman": 0.62, "man": 0.70, "neutral": 0.75, "child": 0.60, "giant": 0.55, "teen": 0.45}
SHIFT_M = {"woman": 0.0, "man": 0.08, "neutral": -0.05, "child": 0.1, "giant": -0.1, "teen": 0.0}
STANDS_M_S = 0.03  # a foot that moves slower over the true floor stands
ROLL_DEG, PITCH_DEG = 12.0, 20.0
ESTIMATED = ("woman", "child", "giant"), ("sway", "reach")
Surface = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Take:
    """One build in one dance: poses, some frames' part, U, V and matte, joints (T, 25, 3) in metres on the floor."""

    track: PoseTrack
    surfaces: dict[int, Surface]
    mattes: dict[int, np.ndarray]
    world: np.ndarray


def settings_of(build: str, dance: str, seconds: float = SECONDS) -> SyntheticSettings:
    """Settings of one take."""
    return SyntheticSettings(build, "check", dance, 0, seconds, RATE, SIZE_PX, SIZE_PX, NEAR[build], SHIFT_M[build], 1)


def film(build: str, dance: str) -> Take:
    """Pose a build through a dance; pictures are not rendered."""
    scene = Scene(settings_of(build, dance))
    drawing, rows, surfaces, mattes = chart(scene.body), defaultdict(list), {}, {}
    for number in range(round(SECONDS * RATE)):
        shot = scene.shot(number / RATE)
        for name, value in pose_rows(scene, shot).items():
            rows[name].append(value)
        if number % EVERY == 0:
            seen = surface_rows(scene, View(shot, scene.raster(shot, 1)), drawing)
            surfaces[number], mattes[number] = (seen["part"], seen["uv"]), seen["matte"]
    joined = {name: np.stack(values) for name, values in rows.items()}
    return Take(PoseTrack(*(joined[one.name] for one in fields(PoseTrack))), surfaces, mattes, joined["joints_world"])


def estimate(build: str, dance: str) -> tuple[PoseTrack, PoseTrack]:
    """Render a take and look at it with the embedded estimator: its poses and the true ones."""
    filled = complete({"performers": {"a": {"clips": ["a"]}}})
    pose, decode = from_params(PoseSettings, filled["pose"]), from_params(DecodeSettings, filled["decode"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video, clip = folder / "a.mp4", Clip("a", str(folder / "a.mp4"), 0, 0, "largest", "none")
        synthesize_clip(video, folder / "truth.h5", replace(settings_of(build, dance), rate_fps=24))
        locate_person(video, folder / "crop.json", clip, Choice("largest"), pose, decode)
        decode_clip(video, folder / "crop.json", folder / "frames.h5", folder / "sound.mka", clip, decode)
        find_people(folder / "frames.h5", folder / "people.h5", pose)
        estimate_pose(folder / "frames.h5", folder / "people.h5", folder / "pose.h5", Choice("largest"), pose)
        estimated = read_track(folder / "pose.h5")
        exact = replace(pose, backend="truth", smooth_frames=1)
        find_people(folder / "frames.h5", folder / "people.h5", exact)
        estimate_pose(folder / "frames.h5", folder / "people.h5", folder / "true.h5", Choice("largest"), exact)
        return estimated, read_track(folder / "true.h5")


def fitted_shape(take: Take) -> BodyShape:
    """Fit the performer's body, clothes and hair to their true silhouettes."""
    figures = [figure_at(take.track, number) for number in take.mattes]
    mattes = list(take.mattes.values())
    return fit_relief(fit_shape(figures, mattes), figures, mattes)


def figure_at(track: PoseTrack, row: int) -> Figure:
    """Figure of one frame of a track with depth."""
    joints = (getattr(track, name)[row] for name in ("body", "face", "hands"))
    return Figure.from_rows(*joints, *(getattr(track, f"{name}_z")[row] for name in ("body", "face", "hands")))


def without_depth(track: PoseTrack) -> PoseTrack:
    """The track as an estimator without depth gives it."""
    return replace(track, body_z=None, face_z=None, hands_z=None)


class Pair:
    """A performer's measures, the driver's dance, and the performer's own."""

    def __init__(self, studied: PoseTrack, driver: PoseTrack, true: PoseTrack, shape: BodyShape | None = None):
        self.studied, self.driver, self.true, self.shape = studied, driver, true, shape

    def posed(self, method: str) -> tuple[PoseTrack, dict[str, float]]:
        """Retarget by a method; the ratios of bones come with it."""
        flat = method == "limbs"
        studied, driver = (without_depth(each) if flat else each for each in (self.studied, self.driver))
        performer, theirs = measure_body(studied), measure_body(driver)
        if method == "none":
            return driver, {}
        if method == "global":
            return move_track(driver, normalise(driver, theirs, performer)), {}
        driver, _ = turned_upright(driver, *lean(theirs, performer))
        theirs = measure_body(driver)
        return retarget(driver, theirs, performer, "ground"), bone_ratios(theirs, performer)

    def surface(self, method: str, moved: PoseTrack, ratios: dict[str, float], row: int, seen: Surface) -> np.ndarray:
        """Part (H, W) of one frame as the method draws it from the driver's true surface."""
        if method == "none":
            return seen[0]
        if method == "global":
            likeness = normalise(self.driver, measure_body(self.driver), measure_body(self.studied))
            return move_surface(seen[0], likeness.scale[row], likeness.shift[row], SIZE_PX, SIZE_PX, (1, 1))
        if method == "limbs":
            maps = frame_maps(self.driver, moved, row, ratios, np.eye(2))
            return move_limbs(*seen, maps, SIZE_PX, SIZE_PX, (1, 1))[0]
        return draw_fitted(fit_body(figure_at(moved, row), self.shape), SIZE_PX, SIZE_PX)[0]


def proportions(track: PoseTrack) -> tuple[float, float]:
    """Length of the legs and size of the head over the way from the ankles up to the ears."""
    statistics = measure_body(track)
    lengths = statistics.solid or statistics.flat
    chain = [lengths[name] for name in ("thigh", "shin", "torso", "neck")]
    return sum(chain[:2]) / sum(chain), lengths["head"] / sum(chain)


def slide(moved: PoseTrack, world: np.ndarray, height_px: float) -> np.ndarray:
    """Speeds of feet that truly stand, middle of heel and big toe, percent of the body's height a second."""
    speeds = []
    for side in ("left", "right"):
        ends = [BODY[f"{side}_heel"], BODY[f"{side}_big_toe"]]
        true, drawn = world[:, ends].mean(1), moved.body[:, ends, :2].mean(1)
        stands = np.linalg.norm(np.diff(true, axis=0), axis=1) * RATE < STANDS_M_S
        speeds.append(100 * RATE / height_px * np.linalg.norm(np.diff(drawn, axis=0), axis=1)[stands])
    return np.concatenate(speeds)


class Figures:
    """Figures of one method, gathered over pairs."""

    def __init__(self) -> None:
        self.errors, self.pairs, self.placed, self.slides = [], [], [], []
        self.proportions, self.right = [], []

    def add(self, moved: PoseTrack, true: PoseTrack, world: np.ndarray | None = None, joints=JOINTS_17) -> None:
        """Take in the joints of a pair, and its feet where the floor is known."""
        height = body_height(true.body)
        error = 100 * joint_distances(moved.body, true.body)[:, list(joints)] / height
        self.errors.append(error[np.isfinite(error)])
        self.pairs.append(float(np.median(self.errors[-1])))
        off = (moved.body - true.body)[:, list(joints), :2][np.isfinite(error)]
        self.placed.append(100 * np.linalg.norm(off - np.median(off, 0), axis=1) / height)
        if world is not None:
            self.slides.append(slide(moved, world, height))

    def row(self) -> str:
        """A row of the table."""
        errors = np.concatenate(self.errors)
        cells = [f"{np.median(errors):.2f} / {np.percentile(errors, 95):.2f}", f"{max(self.pairs):.2f}"]
        cells.append(f"{np.median(np.concatenate(self.placed)):.2f}")
        for column in (0, 1):
            off = 100 * np.abs([each[column] for each in self.proportions])
            cells.append(f"{np.median(off):.1f} / {off.max():.1f}" if len(off) else "")
        cells.append(f"{np.mean(self.right):.2f}" if self.right else "")
        cells.append(f"{np.concatenate(self.slides).mean():.2f}" if self.slides else "")
        return " | ".join(cells)


def measure_pairs(takes: dict[tuple[str, str], Take], shapes: dict[str, BodyShape]) -> dict[str, Figures]:
    """Measure every pair by every method."""
    figures: dict[str, Figures] = defaultdict(Figures)
    dances = list(DANCES)
    for (performer, driver), dance in product(permutations(BUILDS, 2), dances):
        other = dances[(dances.index(dance) + 1) % len(dances)]
        theirs, true = takes[driver, dance], takes[performer, dance]
        pair = Pair(takes[performer, other].track, theirs.track, true.track, shapes[performer])
        for method in ("body", "limbs", "global", "none"):
            moved, ratios = pair.posed(method)
            mine = figures[method]
            mine.add(moved, true.track, true.world)
            wanted = without_depth(true.track) if method == "limbs" else true.track
            found, wanted = proportions(without_depth(moved) if method == "limbs" else moved), proportions(wanted)
            mine.proportions.append([a / b - 1 for a, b in zip(found, wanted, strict=True)])
            for row in list(true.surfaces)[1::3]:
                right = pair.surface(method, moved, ratios, row, theirs.surfaces[row]) == true.surfaces[row][0]
                mine.right.append(right[true.surfaces[row][0] > 0].mean())
        figures["the performer's own joints"].add(true.track, true.track, true.world)
        for row in list(true.surfaces)[1::3]:
            drawn = draw_fitted(fit_body(figure_at(true.track, row), shapes[performer]), SIZE_PX, SIZE_PX)[0]
            person = true.surfaces[row][0] > 0
            figures["the performer's own joints"].right.append((drawn == true.surfaces[row][0])[person].mean())
    return figures


def odd_drivers(track: PoseTrack) -> Iterator[tuple[str, PoseTrack, tuple[int, ...]]]:
    """Yield the same driver as other footage shows it, and the joints that are measured then."""
    tilt = np.radians(ROLL_DEG)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    rolled = {
        name: np.concatenate([(getattr(track, name)[..., :2] - 128) @ turn.T + 128, getattr(track, name)[..., 2:]], -1)
        for name in ("body", "face", "hands")
    }
    yield f"camera rolled by {ROLL_DEG:.0f} degrees", replace(track, **rolled), JOINTS_17
    yield f"camera {PITCH_DEG:.0f} degrees above", turned_upright(track, 0, -PITCH_DEG)[0], JOINTS_17
    body = track.body.copy()
    legs = [number for name, number in BODY.items() if any(part in name for part in ("knee", "ankle", "toe", "heel"))]
    body[:, legs] = 0
    yield "driver seen to the waist", replace(track, body=body), tuple(set(JOINTS_17) - set(legs))


def measure_odd(takes: dict[tuple[str, str], Take]) -> dict[str, Figures]:
    """Measure the methods on leaning cameras and half bodies, a child and a giant driving a woman."""
    figures: dict[str, Figures] = defaultdict(Figures)
    for driver, dance in product(("child", "giant"), ("sway", "steps")):
        true = takes["woman", dance]
        for name, track, joints in odd_drivers(takes[driver, dance].track):
            for method in ("body", "limbs", "global"):
                try:
                    moved, _ = Pair(takes["woman", "reach"].track, track, true.track).posed(method)
                except FootageError:
                    continue
                figures[f"{name}, {method}"].add(moved, true.track, joints=joints)
    return figures


def measure_estimated(seen: dict[tuple[str, str], tuple[PoseTrack, PoseTrack]]) -> dict[str, Figures]:
    """Measure the methods where performers and drivers are both estimated."""
    figures: dict[str, Figures] = defaultdict(Figures)
    studied, danced = ESTIMATED[1]
    for performer, driver in permutations(ESTIMATED[0], 2):
        true = seen[performer, danced][1]
        figures["the performer's own estimated maps"].add(seen[performer, danced][0], true)
        for method in ("body", "limbs", "global", "none"):
            moved, _ = Pair(seen[performer, studied][0], seen[driver, danced][0], true).posed(method)
            figures[method].add(moved, true)
    return figures


def table(title: str, figures: dict[str, Figures]) -> str:
    """One table of the page."""
    head = "| | joints: median / 95th | worst pair's median | placed | legs: median / worst | head | parts | slide |"
    rows = [f"| {name} | {each.row()} |" for name, each in figures.items()]
    return "\n".join([f"## {title}", "", head, "|---|---|---|---|---|---|---|---|", *rows, ""])


def main(page: Path, estimated: bool) -> None:
    """Film, measure, write the page."""
    with ProcessPoolExecutor(2) as pool:
        names = list(product(BUILDS, DANCES))
        takes = dict(zip(names, pool.map(film, *zip(*names)), strict=True))
        shapes = dict(zip(BUILDS, pool.map(fitted_shape, [takes[build, "sway"] for build in BUILDS]), strict=True))
        logger.info("filmed %d takes", len(takes))
        tables = [table("120 pairs, true maps of the driver", measure_pairs(takes, shapes))]
        tables.append(table("Leaning cameras and half bodies, 4 pairs each", measure_odd(takes)))
        if estimated:
            chosen = list(product(*ESTIMATED))
            seen = dict(zip(chosen, pool.map(estimate, *zip(*chosen)), strict=True))
            tables.append(table("6 pairs, performer and driver estimated", measure_estimated(seen)))
    about = (
        f"Written by `benchmarks/retargeting.py` on {datetime.now(UTC):%d %B %Y}: builds {', '.join(BUILDS)}; dances "
        f"{', '.join(DANCES)}; {SECONDS:.0f} s at {RATE} frames a second, {SIZE_PX} x {SIZE_PX} px; the performer is "
        "measured on another dance.\n\n"
        "Joints: distance of 17 joints from the performer's own in that dance, percent of the body's height (nose to "
        "lower foot); placed: after one shift for each clip. Legs, head: their share of the way from ankles to ears, "
        "percent off the performer's own. Parts: share of the person's true pixels with the right part. "
        "Slide: percent of the body's height for each second that the true foot stands.\n"
    )
    page.write_text("\n".join(["# Retargeting, measured\n", about, *tables]), encoding="utf-8")
    logger.info("%s", page.read_text(encoding="utf-8"))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("--estimated", action="store_true")
    given = parser.parse_args()
    main(given.page, given.estimated)
