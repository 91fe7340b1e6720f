"""The settings as frozen dataclasses: name and type here, meaning, unit, range and default in the schema.

`config/schemas/config.schema.yaml` describes the same keys; `tests/test_settings.py` holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

# Raised when the meaning of a room's output changes; stands in the params of the room's rules, so that they run again.
VERSIONS = {
    "synthetic": 1,
    "video": 1,
    "semantics": 2,
    "flow": 1,
    "dataset": 2,
    "model": 2,
    "training": 1,
    "rendering": 3,
    "metrics": 3,
    "report": 1,
}

RELEASE = "0.1.0"  # of Understudy, as pyproject.toml says

T = TypeVar("T")


@dataclass(frozen=True)
class SyntheticSettings:
    build: str
    look: str
    choreography: str
    start_s: float
    duration_s: float
    rate_fps: float
    height_px: int
    width_px: int
    body_share: float
    shift: float
    background: int


@dataclass(frozen=True)
class FfmpegSettings:
    hardware: str


@dataclass(frozen=True)
class DecodeSettings:
    backend: str
    height_px: int
    rate_fps: float
    crop_margin: float
    ffmpeg: FfmpegSettings = FfmpegSettings("")


@dataclass(frozen=True)
class SegmentsSettings:
    seconds: float


@dataclass(frozen=True)
class OpenposeSettings:
    module_folder: str
    model_folder: str
    net_resolution: str
    face: bool
    hands: bool
    gpu: int


@dataclass(frozen=True)
class OpenposeJsonSettings:
    path: str
    first_number: int


@dataclass(frozen=True)
class OpenposeCaffeSettings:
    model_folder: str
    net_resolution: str
    face: bool
    hands: bool
    device: str


@dataclass(frozen=True)
class RtmwSettings:
    detector: str
    detector_sha256: str
    pose: str
    pose_sha256: str
    device: str


@dataclass(frozen=True)
class PoseSettings:
    backend: str
    people: int
    smooth_frames: int
    motion_weight: float
    gap_frames: int
    min_score: float
    openpose: OpenposeSettings
    openpose_json: OpenposeJsonSettings
    openpose_caffe: OpenposeCaffeSettings
    rtmw: RtmwSettings


@dataclass(frozen=True)
class DensePoseSettings:
    config: str
    weights: str
    device: str
    min_score: float


@dataclass(frozen=True)
class DensePoseDumpSettings:
    path: str
    chart: str
    min_score: float


@dataclass(frozen=True)
class SurfaceSettings:
    backend: str
    shape: str
    samples: int
    reach: float
    densepose: DensePoseSettings
    densepose_dump: DensePoseDumpSettings


@dataclass(frozen=True)
class RaftSettings:
    weights: str
    sha256: str
    device: str


@dataclass(frozen=True)
class FlowSettings:
    backend: str
    quality: str
    strides: tuple[int, ...]
    slack_px: float
    raft: RaftSettings


@dataclass(frozen=True)
class CameraSettings:
    motion: str
    still_share: float


@dataclass(frozen=True)
class DatasetSettings:
    held_out: float
    gap_frames: int
    surface: str


@dataclass(frozen=True)
class ModelSettings:
    generator: str
    width: int
    texels: int
    latents: int


@dataclass(frozen=True)
class LossSettings:
    picture: float
    gradient: float
    detail: float
    person: float
    face: float
    matte: float
    image_gan: float
    image_features: float
    temporal_difference: float
    temporal_gan: float
    temporal_features: float
    flow: float
    flow_warp: float
    output_warp: float
    mask: float
    registration: float
    perceptual: float
    face_gan: float
    face_features: float
    hand_gan: float
    hand_features: float


@dataclass(frozen=True)
class PerceptualSettings:
    weights: str
    sha256: str


@dataclass(frozen=True)
class JudgeSettings:
    kind: str
    levels: int
    width: int
    pace: float
    momentum: float
    gan: str
    frames: str
    sparse: bool


@dataclass(frozen=True)
class RolloutSettings:
    frames: int
    share: float


@dataclass(frozen=True)
class StageSettings:
    name: str
    height_px: int
    clip_frames: int
    batch: int
    accumulate: int
    steps: int
    epochs: float
    seconds: float
    learning_rate: float
    decay: str
    decay_from: float
    judges_from: float
    freeze: float
    max_frames_backpropagate: int
    rollout: RolloutSettings
    face: int


@dataclass(frozen=True)
class TrainingSettings:
    seed: int
    momentum: float
    precision: str
    gpus: int
    compile: bool
    save_seconds: float
    preview_frames: int
    perceptual: PerceptualSettings
    judges: JudgeSettings
    losses: LossSettings
    stages: tuple[StageSettings, ...]


@dataclass(frozen=True)
class RenderingSettings:
    retarget: str
    place: str
    camera: str
    crf: int


@dataclass(frozen=True)
class FilmSettings:
    backend: str
    encoder: str


@dataclass(frozen=True)
class ProvenanceSettings:
    certificate: str
    key: str


@dataclass(frozen=True)
class ReportSettings:
    title: str
    name: str
    runs: int


@dataclass(frozen=True)
class LpipsSettings:
    trunk: str
    trunk_sha256: str
    heads: str
    heads_sha256: str


@dataclass(frozen=True)
class NetworkSettings:
    weights: str
    sha256: str


@dataclass(frozen=True)
class NetworksSettings:
    lpips: LpipsSettings = LpipsSettings("", "", "", "")
    fid: NetworkSettings = NetworkSettings("", "")
    fvd: NetworkSettings = NetworkSettings("", "")


@dataclass(frozen=True)
class MetricsSettings:
    tolerance_px: int
    uncovered_distance: float
    networks: NetworksSettings = NetworksSettings()


def from_params(kind: type[T], values: Mapping[str, Any]) -> T:
    """Build a settings dataclass, nested ones too, from the plain mapping a rule passes as params.

    Raises:
        ValueError: a key is missing or unknown. The schema refuses such a configuration before any job; this
            can only be a mistake in the code.
    """
    types = get_type_hints(kind)
    names = {field.name for field in fields(kind)}
    if names != set(values):
        raise ValueError(f"{kind.__name__} has {sorted(names)}, got {sorted(values)}")
    return kind(**{name: _typed(types[name], values[name]) for name in names})


def _typed(kind: Any, value: Any) -> Any:
    if is_dataclass(kind):
        return from_params(kind, value)
    if get_origin(kind) is tuple:
        return tuple(_typed(get_args(kind)[0], item) for item in value)
    return kind(value)
