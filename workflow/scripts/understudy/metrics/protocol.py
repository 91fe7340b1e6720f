"""What figures mean, in sentences that stand in metrics.json beside them."""

from understudy.metrics.perception import networks_protocol
from understudy.settings import MetricsSettings

FIGURES_PROTOCOL = (
    "PSNR, SSIM (Wang 2004, 11 x 11 Gaussian, on 0..1) and MS-SSIM (Wang 2003, as many of its five scales as the "
    "window fits in) are means over frames of each frame's own figure; _person: on the matte above 0.3 grown by 4 "
    "px at 128 px height; _face, _hands: in squares 1.6 times as wide as their landmarks; identical pictures "
    "count as 99 dB.",
    "shift_tolerant_psnr_person_db lets every 9 x 9 window (at 128 px height) of the picture move by up to "
    "{tolerance} px each way (at 128 px height) to where it fits best; read it beside the yardsticks. Without "
    "_person it is the whole picture's, of one measured frame in four.",
    "sharpness: Laplacian energy over that of the truth. warp_error: change along the motion, where the flow is "
    "known and nothing is hidden, over that of the truth. flicker: half the second difference along the motion, "
    "which is what a frame changes and the next takes back, over that of the truth. drift_person_db: person PSNR "
    "of the last quarter minus that of the first; quarters_person_db: of each.",
    "ignored_share: of the pixels, ignored_person_share: of the person's, that lie in boxes of the clip table's "
    "column ignore; no figure is taken of them.",
    "nearest_training_frame shows the training frame with the most similar 17 joints as it is; previous_frame "
    "repeats the true frame before, which no renderer has; without_history is the same generator that draws every "
    "frame as if it were the first.",
    "relation: Spearman's rank correlation of a frame's distance from the footage (coverage) and its error, which "
    "is the negative of the figure named; neighbouring frames are alike, so it stands on fewer independent cases "
    "than frames.",
)
PERFORMER_PROTOCOL = (
    "Held-out frames, never trained on, drawn one after the other on the generator's own past, first frame "
    "included; of more than {most_drawn} the first ones.",
    "body_maps: the bare fitted body, as a transfer draws it; clipped_maps: cut and filled by the frame's own matte.",
    "split: the last part of each clip is held out, and a gap before it belongs to neither part.",
    "coverage: distance of the held-out frames from the training frames, as coverage.json has it for driving frames.",
    "start: texture and background averaged from the training frames, before the first step of training.",
)
TRANSFER_PROTOCOL = (
    "At most 150 frames of the film are measured and 75 of each yardstick, evenly chosen.",
    "The film is decoded as written, so its H.264 and 4:2:0 colour are part of every figure: true frames filmed "
    "so reach about 35 dB, which costs 0.1 dB at 18 dB and 0.4 dB at 25 dB. truth_as_film: the true frames "
    "themselves, written as the film was; no film can come nearer than that.",
    "joints: the driving maps' 17 joints against those of the true transfer, percent of the standing body's "
    "height (nose to lower foot).",
    "steadiness: mean change from frame to frame, percent of the range of values, along the surface on the person "
    "and at rest away from it; performer_footage is the same of training frames.",
    "flicker_index: the share of change along the surface that the next frame takes back, 0..1; noise has 0.87.",
    "coverage: nearest_pose is the mean distance of the 17 joints, about the hips, to the most similar training "
    "pose, percent of height; the others are coverage.json's distance.",
    "pose: the pose estimator run on the finished film, its own error included. to_maps: against the joints the "
    "film was drawn from; to_truth: against the true transfer's. silhouette_iou: the estimator's mask of the "
    "person against the body drawn, and against the true matte.",
)


def protocol(*sentences: tuple[str, ...], settings: MetricsSettings, most_drawn: int) -> list[str]:
    """Return sentences with the settings put in, those of all figures last."""
    lines = [line for part in (*sentences, FIGURES_PROTOCOL) for line in part]
    said = [line.format(tolerance=settings.tolerance_px, most_drawn=most_drawn) for line in lines]
    return said + networks_protocol(settings.networks)
