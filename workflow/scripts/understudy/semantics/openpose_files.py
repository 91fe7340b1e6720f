"""The JSON files of OpenPose's `--write_json`: one per picture, everyone in it; read leniently, written as version 1.3.

Source: OpenPose's documentation of its output (02_output.md) and its writer at v1.0.0 to 2024-08. Keys before its
version 1.3.0 lack `_2d`; `person_id` came with format 1.3; `_3d` keys and `part_candidates` are not read.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from understudy.errors import BackendError
from understudy.semantics.openpose_layout import OpenPosePerson, body_25_of_coco

VERSION = 1.3
MOST_PX, MOST_SCORE = 1e6, 10.0  # of a point; OpenPose's own scores pass 1 by a little
# name_000000000012_keypoints.json of videos, any image name that ends in digits, 12_keypoints.json of a stream
_FILE = re.compile(r"(?P<name>.*?)(?P<number>\d+)_keypoints\.json")
_BODY, _FACE, _HANDS = "pose", "face", ("hand_left", "hand_right")
_KEYS_2D = tuple(f"{part}_keypoints_2d" for part in (_BODY, _FACE, *_HANDS))
_KEYS_3D = tuple(f"{part}_keypoints_3d" for part in (_BODY, _FACE, *_HANDS))


def file_name(name: str, number: int) -> str:
    """Return OpenPose's name for the file of one picture of a video."""
    return f"{name}_{number:012d}_keypoints.json"


def numbered_files(folder: Path) -> dict[int, Path]:
    """Find the files of one video by the number in their names, however many digits it has; in order of number.

    Raises:
        BackendError: there is no such folder or no such file in it, or the files are not of one video.
    """
    if not folder.is_dir():
        raise BackendError(
            f"The folder of OpenPose's files {folder} does not exist; run OpenPose with --write_json {folder}, or "
            f"correct pose.openpose_json.path in the configuration."
        )
    found = [(match, path) for path in sorted(folder.iterdir()) if (match := _FILE.fullmatch(path.name))]
    if not found:
        others = sum(1 for _ in folder.iterdir())
        raise BackendError(
            f"{folder} holds no file whose name ends in a number and _keypoints.json (of {others} files); name the "
            f"folder that OpenPose's --write_json was given in pose.openpose_json.path."
        )
    names = sorted({match["name"] for match, _ in found})
    numbers = [int(match["number"]) for match, _ in found]
    if len(names) > 1 or len(set(numbers)) < len(numbers):
        shown = ", ".join(repr(name) for name in names[:3])
        raise BackendError(
            f"{folder} holds {len(found)} files of {len(names)} videos ({shown}) or numbers that stand there twice; "
            f"keep one folder for each video."
        )
    return dict(sorted(zip(numbers, (path for _, path in found), strict=True)))


def read_people(path: Path) -> list[OpenPosePerson]:
    """Read everyone in one file, in OpenPose's pixels.

    Raises:
        BackendError: it is no such file, or of a body layout that cannot be used.
    """
    try:
        people = json.loads(path.read_text(encoding="utf-8"))["people"]
        if not isinstance(people, list):
            raise TypeError("`people` is no list")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as wrong:
        raise BackendError(
            f"{path} is no file of OpenPose's --write_json ({type(wrong).__name__}: {wrong}); run OpenPose again for "
            f"it, or remove it: a picture without a file counts as one without a person."
        ) from wrong
    return [_person(path, person) for person in people]


def people_text(people: Iterable[OpenPosePerson]) -> str:
    """Write everyone in one picture, in OpenPose's pixels, as OpenPose 1.7 does: its keys, its order, 6 digits."""
    written = []
    for person in people:
        parts = zip(_KEYS_2D, (person.body, person.face, *person.hands), strict=True)
        planar = ",".join(f'"{key}":[{_numbers(points)}]' for key, points in parts)
        spatial = ",".join(f'"{key}":[]' for key in _KEYS_3D)
        written.append(f'{{"person_id":[-1],{planar},{spatial}}}')
    return f'{{"version":{VERSION},"people":[{",".join(written)}]}}'


def _person(path: Path, person: Any) -> OpenPosePerson:
    if not isinstance(person, dict):
        raise BackendError(f"{path} holds {type(person).__name__} for a person, expected keys with keypoints.")
    body = _points(path, person, _BODY, (25, 18, 15))
    if body is None:
        raise BackendError(
            f"{path} holds a person with the keys {', '.join(person) or 'none'}, expected pose_keypoints_2d; run "
            f"OpenPose with its body on (--body 1)."
        )
    if len(body) == 15:
        raise BackendError(
            f"{path} holds 15 joints a person (OpenPose's MPI model), which has no eyes, ears and feet; run OpenPose "
            f"with --model_pose BODY_25."
        )
    hands = [_points(path, person, part, (21,)) for part in _HANDS]
    face = _points(path, person, _FACE, (70,))
    return OpenPosePerson(
        body=body if len(body) == 25 else body_25_of_coco(body),
        face=np.zeros((70, 3)) if face is None else face,
        hands=np.stack([np.zeros((21, 3)) if hand is None else hand for hand in hands]),
    )


def _points(path: Path, person: dict[str, Any], part: str, counts: Sequence[int]) -> np.ndarray | None:
    """Read the points (K, 3) of a part; None where the part was off."""
    values = person.get(f"{part}_keypoints_2d", person.get(f"{part}_keypoints"))
    if not values:
        return None
    try:
        points = np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        points = np.zeros(0)
    if points.ndim != 1 or len(points) not in [3 * count for count in counts] or not np.isfinite(points).all():
        expected = " or ".join(str(3 * count) for count in counts)
        found = f"{len(values)} values" if isinstance(values, (list, str, dict)) else type(values).__name__
        raise BackendError(
            f"{path} holds {found} for {part}, expected {expected} finite numbers (x, y, score of each "
            f"point); run OpenPose with --model_pose BODY_25 again."
        )
    points = points.reshape(-1, 3)
    if np.abs(points[:, :2]).max() > MOST_PX or points[:, 2].max() > MOST_SCORE:
        raise BackendError(
            f"{path} holds numbers up to {np.abs(points).max():g} for {part}, expected pixels of the video and scores "
            f"of about 0 to 1; run OpenPose again for it."
        )
    return np.where(points[:, 2:] > 0, points, 0)


def _numbers(points: np.ndarray) -> str:
    return ",".join(f"{value:.6g}" for value in points.ravel())
