"""What a generator and its losses see of a batch of frames: semantic maps, truth, and clips of both.

Axes: B batch, H rows, W columns; P = samples * H and Q = samples * W, the surface's samples.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Self

import torch
from torch import Tensor


class _Batch:
    """Tensors of one batch that travel together; axis 0 of each is B."""

    def to(self, device: torch.device | str) -> Self:
        """Move every tensor to a device."""
        return type(self)(*(value.to(device, non_blocking=True) for value in self._tensors()))

    def __getitem__(self, item: int | slice) -> Self:
        """Choose items of the batch; one number keeps the axis B, with length 1."""
        chosen = slice(item, item + 1 or None) if isinstance(item, int) else item
        return type(self)(*(value[chosen] for value in self._tensors()))

    def __len__(self) -> int:
        return len(self._tensors()[0])

    @property
    def device(self) -> torch.device:
        return self._tensors()[0].device

    @classmethod
    def stack(cls, items: Sequence[Self]) -> Self:
        """Join batches along B."""
        return cls(*(torch.cat(values) for values in zip(*(item._tensors() for item in items), strict=True)))

    def _tensors(self) -> list[Tensor]:
        return [getattr(self, one.name) for one in fields(self)]


@dataclass(frozen=True)
class SemanticMap(_Batch):
    """What the generator sees of one frame.

    Attributes:
        part: (B, P, Q) int64, 0 background, 1..24; never averaged.
        uv: (B, 2, P, Q) float32, U and V on the part, 0..1.
        drawing: (B, 3, H, W) float32, limbs, face lines and hands, -1 (ground) to 1.
        flow: (B, 2, H, W) float32 px, where the same point of the surface was in the frame before.
        flow_valid: (B, 1, H, W) float32, 1 where that point was seen there, else 0; 0 after a cut.
        boxes: (B, 3, 4) float32 px, left, top, right, bottom of the landmarks of face, left hand and right hand;
            zeros where one is not seen. None stands for none seen.
        camera: (B, 3, 3) float32, homography from px of this picture to px of the reference picture (columns x, y, 1);
            the identity where the camera stands still, which is what None stands for.
    """

    part: Tensor
    uv: Tensor
    drawing: Tensor
    flow: Tensor
    flow_valid: Tensor
    boxes: Tensor | None = None
    camera: Tensor | None = None

    def __post_init__(self) -> None:
        if self.boxes is None:
            none = torch.zeros(len(self.part), 3, 4, device=self.part.device)
            object.__setattr__(self, "boxes", none)  # frozen; the field is a tensor from here on
        if self.camera is None:
            rest = torch.eye(3, device=self.part.device).expand(len(self.part), 3, 3)
            object.__setattr__(self, "camera", rest)

    @property
    def samples(self) -> int:
        """Surface samples per pixel and axis: P / H."""
        return self.part.shape[-2] // self.drawing.shape[-2]


@dataclass(frozen=True)
class FrameTruth(_Batch):
    """What the footage shows of one frame.

    Attributes:
        picture: (B, 3, H, W) float32, RGB, -1..1; grey where it does not count.
        matte: (B, 1, H, W) float32, share of the pixel that is the person, 0..1.
        flow: (B, 2, H, W) float32 px, optical flow to the frame before (zero in a run's first frame).
        confidence: (B, 1, H, W) float32, trust in `flow`, 0..1; 0 where it starts or ends in what does not count.
        counted: (B, 1, H, W) float32, 1 where the picture counts, 0 in the clip's ignored boxes. None stands for 1.
    """

    picture: Tensor
    matte: Tensor
    flow: Tensor
    confidence: Tensor
    counted: Tensor | None = None

    def __post_init__(self) -> None:
        if self.counted is None:
            object.__setattr__(self, "counted", torch.ones_like(self.matte))  # frozen; a tensor from here on


@dataclass(frozen=True)
class Lead:
    """The L frames before each clip of a batch, read one by one as they are drawn: hundreds would fill the memory.

    Before a run's start its first frame stands again, not to be counted as drawn.

    Attributes:
        numbers: (B, L + 2) int64, frames of the footage, two of context first.
        inside: (B, L + 2) bool, False before the run's start.
        kinds: of each clip's maps, B names.
        read: joins the maps of frames (B,) of such kinds.
        device: where the maps go.
    """

    numbers: Tensor
    inside: Tensor
    kinds: tuple[str, ...]
    read: Callable[[Sequence[int], Sequence[str]], SemanticMap]
    device: torch.device | str = "cpu"

    def __len__(self) -> int:
        """L."""
        return self.numbers.shape[1] - 2

    def __iter__(self) -> Iterator[tuple[list[SemanticMap], Tensor]]:
        """Yield, for each of the L frames, maps t-2, t-1, t, and which clips have it, (B,) float32 0/1."""
        maps = [self._map(0), self._map(1)]
        for place in range(2, len(self) + 2):
            maps = [*maps[-2:], self._map(place)]
            yield maps, self.inside[:, place].float().to(self.device)

    def __getitem__(self, item: int | slice) -> Self:
        """Choose clips of the batch; one number keeps the axis B, with length 1."""
        chosen = slice(item, item + 1 or None) if isinstance(item, int) else item
        return replace(self, numbers=self.numbers[chosen], inside=self.inside[chosen], kinds=self.kinds[chosen])

    def _map(self, place: int) -> SemanticMap:
        return self.read(self.numbers[:, place].tolist(), self.kinds).to(self.device)


@dataclass(frozen=True)
class ClipBatch:
    """B short clips: two context frames, then the T frames that are drawn.

    A clip at the start of a run has no frames before it: its first frame then stands there too, with
    `past_valid` 0, `flow_valid` 0 and `confidence` 0 where a flow would lead out of the run.

    Attributes:
        maps: T + 2 semantic maps.
        truth: T + 2 frames of footage.
        past_valid: (B, 2) float32, 1 where context frame 0, 1 is a frame of its own, not the repeated first one.
        frames: (B, T + 2) int64, number of each frame in the footage (unique over its clips).
        far: optical flows over longer strides: stride -> T + 2 pairs as `strided` returns them.
        lead: frames before the clip from which its own past is drawn; None takes the footage for its past.
    """

    maps: list[SemanticMap]
    truth: list[FrameTruth]
    past_valid: Tensor
    frames: Tensor
    far: Mapping[int, list[tuple[Tensor, Tensor]]] = field(default_factory=dict)
    lead: Lead | None = None

    def __len__(self) -> int:
        return len(self.past_valid)

    @property
    def clip_frames(self) -> int:
        """T, the frames that are drawn."""
        return len(self.maps) - 2

    def to(self, device: torch.device | str) -> Self:
        """Move every tensor to a device."""
        return type(self)(
            [one.to(device) for one in self.maps],
            [one.to(device) for one in self.truth],
            self.past_valid.to(device),
            self.frames.to(device),
            {stride: [(flow.to(device), trust.to(device)) for flow, trust in far] for stride, far in self.far.items()},
            replace(self.lead, device=device) if self.lead else None,
        )

    def __getitem__(self, item: int | slice) -> Self:
        """Choose clips of the batch; one number keeps the axis B, with length 1."""
        chosen = slice(item, item + 1 or None) if isinstance(item, int) else item
        return type(self)(
            [one[chosen] for one in self.maps],
            [one[chosen] for one in self.truth],
            self.past_valid[chosen],
            self.frames[chosen],
            {stride: [(flow[chosen], trust[chosen]) for flow, trust in far] for stride, far in self.far.items()},
            self.lead[chosen] if self.lead else None,
        )

    def strided(self, t: int, stride: int) -> tuple[Tensor, Tensor]:
        """Return the optical flow from frame t to frame t - stride of the clip.

        Args:
            t: place in `maps` and `truth`, 0 .. T + 1.
            stride: frames; 1, or one of those asked for when the batch was drawn.

        Returns:
            flow: (B, 2, H, W) float32 px.
            confidence: (B, 1, H, W) float32, 0..1; 0 where t - stride lies before the run.
        """
        if not stride <= t < len(self.truth):
            raise ValueError(f"frame {t} has no frame {stride} before it in a clip of {len(self.truth)} frames")
        if stride == 1:
            return self.truth[t].flow, self.truth[t].confidence
        if stride not in self.far:
            raise ValueError(f"flows over {stride} frames were not drawn; this batch has 1, {sorted(self.far)}")
        return self.far[stride][t]
