"""Joints and silhouettes of a film: where the body stands in it, against the maps it was drawn from and the truth."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from understudy.layouts import check_same_frames, open_file
from understudy.metrics.image import PERSON_MATTE
from understudy.metrics.motion import JOINTS_17, body_height, joint_error, pck
from understudy.metrics.reference import resized
from understudy.semantics.choice import Choice
from understudy.semantics.film import write_film_frames
from understudy.semantics.people import open_people
from understudy.semantics.pose import estimate_pose
from understudy.semantics.truth import Truth
from understudy.settings import PoseSettings
from understudy.video.source import SourceVideo

CORRECT_SHARE = 0.05  # of the body's height, for PCK
Figures = dict[str, float | None]


def joint_figures(found: np.ndarray, wanted: np.ndarray, valid: np.ndarray) -> Figures:
    """Measure joints (T, 25, 3) against those wanted, both in the same pixels, where `valid` (T,)."""
    height = body_height(wanted)
    mine, theirs = found[valid][:, list(JOINTS_17)], wanted[valid][:, list(JOINTS_17)]
    error = joint_error(mine, theirs, height)
    return _rounded(
        {
            "joint_error_median_percent": error.median_percent,
            "joint_error_p95_percent": error.p95_percent,
            "missing_joints_share": error.missing_share,
            "pck_5_percent_share": pck(mine, theirs, CORRECT_SHARE, height),
        }
    )


def true_joints(exact: Truth, frames: int) -> np.ndarray:
    """Read the true transfer's joints (T, 25, 3), pixels of its frames."""
    return np.stack([exact.joints("body", number)[0] for number in range(frames)])


def film_figures(
    video: Path, people: Path, driving: Path, exact: Truth | None, settings: PoseSettings
) -> dict[str, Figures]:
    """Measure the largest person the estimator finds in a film, against its maps and, where it is known, the truth.

    Args:
        video: the film.
        people: people.h5 of the film, as `find_film_people` wrote it.
        driving: driving.h5 the film was drawn from.
        exact: the true transfer; None where it is not known.
        settings: how poses are smoothed.

    Raises:
        LayoutError: people.h5 and driving.h5 are not of the same film.
    """
    with tempfile.TemporaryDirectory() as folder, open_file(driving, "driving") as file:
        frames, pose = Path(folder) / "frames.h5", Path(folder) / "pose.h5"
        with open_people(people) as everyone:
            check_same_frames({people: everyone.frames, driving: len(file["valid"])})
            if not (everyone.track > 0).any():
                return _nobody(file["body"][:], file["valid"][:], exact)
        write_film_frames(video, frames)
        estimate_pose(frames, people, pose, Choice("largest"), settings)
        with open_file(pose, "pose") as found:
            scale = SourceVideo(video).height / file.attrs["height"]
            body, valid = found["body"][:], file["valid"][:]
            figures = {"to_maps": joint_figures(body, _scaled(file["body"][:], scale), valid)}
            figures["to_maps"] |= _silhouettes(found, valid, lambda row: file["part"][row] > 0)
            if exact is not None:
                wanted = _scaled(true_joints(exact, len(body)), scale)  # the true transfer is seen as the performer is
                figures["to_truth"] = joint_figures(body, wanted, valid)
                figures["to_truth"] |= _silhouettes(found, valid, lambda row: exact.matte(row) > PERSON_MATTE * 255)
    return figures


def _nobody(drawn: np.ndarray, valid: np.ndarray, exact: Truth | None) -> dict[str, Figures]:
    """Figures of a film in which nobody is found: every joint is missing."""
    wanted = {"to_maps": drawn} | ({"to_truth": true_joints(exact, len(drawn))} if exact is not None else {})
    return {against: joint_figures(np.zeros_like(joints), joints, valid) for against, joints in wanted.items()}


def silhouette_overlap(mask: np.ndarray, other: np.ndarray) -> float:
    """Intersection of two masks (H, W) bool over their union, 0..1; NaN where both are empty."""
    union = (mask | other).sum()
    return float((mask & other).sum() / union) if union else float("nan")


def _silhouettes(pose: h5py.File, valid: np.ndarray, body: Callable[[int], np.ndarray]) -> Figures:
    """Overlap of the estimator's mattes with bodies of any size; nothing where the estimator makes no mattes."""
    if "matte" not in pose:
        return {}
    overlaps = []
    for row in np.flatnonzero(valid & pose["valid"][:]).tolist():
        matte = pose["matte"][row]
        drawn = resized(body(row).astype(np.float32), *matte.shape) > 0.5
        overlaps.append(silhouette_overlap(matte > PERSON_MATTE * 255, drawn))
    known = [overlap for overlap in overlaps if np.isfinite(overlap)]
    return _rounded({"silhouette_iou": float(np.mean(known)) if known else float("nan")})


def _scaled(joints: np.ndarray, scale: float) -> np.ndarray:
    return joints * np.array((scale, scale, 1), np.float32)


def _rounded(figures: dict[str, float]) -> Figures:
    return {name: round(value, 4) if np.isfinite(value) else None for name, value in figures.items()}
