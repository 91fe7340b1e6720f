"""What the figures of metrics.json are called on the report's page, and what each means, in one sentence."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """A figure in words.

    Attributes:
        name: as the page shows it.
        meaning: one sentence for people who never met it.
        better: "higher", "lower", "near 1", "near 0" or "" where none is better.
        unit: behind the number.
    """

    name: str
    meaning: str
    better: str = ""
    unit: str = ""


_PSNR = "peak signal-to-noise ratio: how far colours are from the true ones, averaged over pixels"
_SSIM = "structural similarity: how alike edges and textures are, 1 for the same picture"
_WHERE = {
    "": ("whole picture", "the whole picture"),
    "_person": ("person", "the person and a narrow margin"),
    "_face": ("face", "the face"),
    "_hands": ("hands", "the hands"),
}
_PICTURES = {
    "shift_tolerant_psnr{}_db": (
        "Likeness, shifts forgiven",
        f"the same {_PSNR.split(':')[0]}, but each small piece of the picture may move a little to where it fits best, "
        "because a sharp picture a few pixels off looks better than a blurred one in place",
        "higher",
        "dB",
    ),
    "psnr{}_db": ("PSNR", f"{_PSNR}; a blurred picture may score well", "higher", "dB"),
    "ssim{}": ("SSIM", _SSIM, "higher", ""),
    "ms_ssim{}": ("MS-SSIM", "structural similarity at five sizes at once, 1 for the same picture", "higher", ""),
    "sharpness{}_ratio": ("Sharpness", "fine detail, as a share of what the true pictures hold", "near 1", ""),
    "warp_error{}_ratio": (
        "Restlessness",
        "change from frame to frame that the motion does not explain, as a multiple of the true film's own",
        "near 1",
        "",
    ),
    "flicker{}_ratio": (
        "Flicker",
        "change on the person that the next frame takes back, as a multiple of the true film's own",
        "near 1",
        "",
    ),
    "drift{}_db": (
        "Drift",
        "PSNR in the last quarter of the frames less that in the first: below 0 the film gets worse as it runs",
        "near 0",
        "dB",
    ),
    "lpips{}": ("LPIPS", "difference as a trained network of vision sees it", "lower", ""),
}
_OTHERS = {
    "frames": Term("Frames measured", "how many frames the figures are means of"),
    "hands_frames": Term("Frames with hands", "how many frames show hands large enough to be measured"),
    "flicker_index": Term(
        "Taken back", "share of the change on the person that the next frame takes back; noise has 0.87", "lower"
    ),
    "median_distance": Term("Distance to the footage", "in the middle of all frames, in body heights", "lower"),
    "covered_share": Term("Covered", "share of frames near enough to something filmed", "higher"),
    "face_frames": Term("Frames with a face", "how many frames show a face large enough to be measured"),
    "steps": Term("Steps measured", "how many times one frame was compared with the next"),
    "ignored_share": Term("Left out", "share of the picture in boxes of the clip table's column ignore"),
    "ignored_person_share": Term("Left out of the person", "share of the person that lies in such boxes"),
    "person_change_percent": Term(
        "Change on the person",
        "how much the person's surface changes from frame to frame, of the range of colours",
        "lower",
        "%",
    ),
    "background_change_percent": Term(
        "Change of the background", "how much what stands still changes from frame to frame", "lower", "%"
    ),
    "joint_error_median_percent": Term(
        "Joints, typical error",
        "how far joints are from where they should be: half of them are nearer, in percent of the body's height",
        "lower",
        "%",
    ),
    "joint_error_p95_percent": Term(
        "Joints, large errors", "nineteen of twenty joints are nearer than that", "lower", "%"
    ),
    "missing_joints_share": Term("Joints missing", "share of true joints that nothing was drawn for", "lower"),
    "pck_5_percent_share": Term(
        "Joints in place (PCK)", "share of joints less than a twentieth of the body's height off", "higher"
    ),
    "nearest_pose_median_percent": Term(
        "Nearest filmed pose", "typical distance of the joints to the most similar training frame", "lower", "%"
    ),
    "nearest_pose_p95_percent": Term(
        "Nearest filmed pose, worst", "nineteen of twenty frames are nearer than that to one", "lower", "%"
    ),
    "fid": Term("FID", "distance between the kinds of pictures in film and footage, not frame by frame", "lower"),
    "fvd": Term("FVD", "distance between the kinds of motion in film and footage", "lower"),
    "matte_iou": Term("Outline", "overlap of the drawn person's outline with the true one, 1 for the same", "higher"),
    "silhouette_iou": Term(
        "Outline", "overlap of the drawn person's outline with the true one, 1 for the same", "higher"
    ),
}

ROWS = {
    "transfer": Term("This film", "what was rendered"),
    "film": Term("This film", "what was rendered"),
    "generator": Term("Trained", "drawn by the trained generator"),
    "start": Term("Before training", "texture and background averaged from the footage, not yet trained"),
    "without_history": Term(
        "Without its past", "a yardstick: the same generator, each frame drawn as if it were the first"
    ),
    "truth_as_film": Term(
        "Truth as a film", "a yardstick no renderer has: the true frames, written to a film file as this one was"
    ),
    "to_maps": Term(
        "Against its maps", "the pose found again in the finished film, against the body it was drawn from"
    ),
    "to_truth": Term("Against the truth", "the same, against the person in the true film"),
    "nearest_training_frame": Term(
        "Nearest training frame", "a yardstick: the most similar frame of the footage as it is"
    ),
    "previous_frame": Term("Frame before", "a yardstick no renderer has: the true frame before, shown again"),
    "performer_footage": Term("Performer's footage", "the same measured on the recorded footage itself"),
    "driving maps": Term("Driving maps", "the body that the film was drawn from"),
    "driving_maps": Term("Driving maps", "the body that the film was drawn from"),
}

GROUPS = {
    "body_maps": ("as in a transfer", "drawn from the bare fitted body, as a film of another's motion is"),
    "clipped_maps": (
        "own outline known",
        "drawn from maps cut by the frame's own outline, which a transfer does not have",
    ),
    "yardsticks": ("yardsticks", "simple answers to beat"),
}


def figure_term(key: str) -> Term | None:
    """Find the words for a figure's key; None where there are none."""
    if key in _OTHERS:
        return _OTHERS[key]
    for pattern, (name, meaning, better, unit) in _PICTURES.items():
        for ending, (place, where) in _WHERE.items():
            if key == pattern.format(ending):
                return Term(f"{name}, {place}", f"{meaning}; over {where}", better, unit)
    return None


def row_name(key: str) -> Term:
    """Return the words for whatever is measured; its key in plain letters where there are none."""
    return ROWS.get(key) or Term(key.replace("_", " ").capitalize(), "")
