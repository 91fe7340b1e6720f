"""From frames to a pose in one call, as the two rules find_people and estimate_pose do it."""

from pathlib import Path

from understudy.semantics.choice import Choice
from understudy.semantics.people import find_people
from understudy.semantics.pose import estimate_pose
from understudy.settings import PoseSettings


def make_pose(frames: Path, pose: Path, settings: PoseSettings, person: str = "largest") -> None:
    """Find everyone in a clip and follow one of them; people.h5 lies beside the pose."""
    people = pose.with_name(f"{pose.stem}_people.h5")
    find_people(frames, people, settings)
    estimate_pose(frames, people, pose, Choice(person), settings)
