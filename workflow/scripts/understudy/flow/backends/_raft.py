"""RAFT's network, laid out as its published weights name it: encoders, all-pairs correlation, recurrent update.

Axes: B batch, C channels, H rows, W columns of the picture; h = H / 8, w = W / 8.
Source: Teed and Deng, RAFT: Recurrent All-Pairs Field Transforms for Optical Flow, ECCV 2020; the large variant.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

HIDDEN = 128  # of the recurrent state, and of the context beside it
FEATURES = 256  # compared
LEVELS, REACH = 4, 4  # of the correlation pyramid, and of the look-up around each place: 9 x 9
DOWN = 8  # the network works at an eighth


class Raft(nn.Module):
    """Flow from one picture to another, refined `iterations` times."""

    def __init__(self) -> None:
        super().__init__()
        self.fnet = Encoder(FEATURES, nn.InstanceNorm2d)
        self.cnet = Encoder(2 * HIDDEN, nn.BatchNorm2d)
        self.update_block = Update()

    def forward(self, here: Tensor, there: Tensor, iterations: int) -> Tensor:
        """Find where each pixel of `here` is in `there`.

        Args:
            here, there: (B, 3, H, W) float, RGB, -1..1; H and W multiples of 8, at least 128.
            iterations: 1 and up.

        Returns:
            (B, 2, H, W) float32, x right, y down, pixels.
        """
        pyramid = correlation_pyramid(*self.fnet(torch.cat([here, there])).float().chunk(2))
        state, context = self.cnet(here).split(HIDDEN, dim=1)
        state, context = torch.tanh(state), torch.relu(context)
        start = own_places(here.shape[0], here.shape[2] // DOWN, here.shape[3] // DOWN, here.device)
        flow = torch.zeros_like(start)  # (B, 2, h, w), eighths of the picture's pixels
        for _ in range(iterations):
            state, change = self.update_block(state, context, look_up(pyramid, start + flow), flow)
            flow = flow + change
        return upsampled(flow, self.update_block.shares(state))


class Encoder(nn.Module):
    """Features of a picture at an eighth of its size."""

    def __init__(self, outgoing: int, norm: type[nn.Module]):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.norm1 = norm(64)
        self.layer1 = nn.Sequential(Block(64, 64, norm, 1), Block(64, 64, norm, 1))
        self.layer2 = nn.Sequential(Block(64, 96, norm, 2), Block(96, 96, norm, 1))
        self.layer3 = nn.Sequential(Block(96, 128, norm, 2), Block(128, 128, norm, 1))
        self.conv2 = nn.Conv2d(128, outgoing, 1)

    def forward(self, picture: Tensor) -> Tensor:
        """Turn (B, 3, H, W) into (B, outgoing, h, w)."""
        found = torch.relu(self.norm1(self.conv1(picture)))
        return self.conv2(self.layer3(self.layer2(self.layer1(found))))


class Block(nn.Module):
    """Two convolutions beside an identity; both ends rectified."""

    def __init__(self, incoming: int, outgoing: int, norm: type[nn.Module], stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(incoming, outgoing, 3, stride=stride, padding=1)
        self.conv2 = nn.Conv2d(outgoing, outgoing, 3, padding=1)
        self.norm1, self.norm2 = norm(outgoing), norm(outgoing)
        self.downsample: nn.Module | None = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(incoming, outgoing, 1, stride=stride), norm(outgoing))

    def forward(self, features: Tensor) -> Tensor:
        """Turn (B, incoming, H, W) into (B, outgoing, H / stride, W / stride)."""
        found = torch.relu(self.norm1(self.conv1(features)))
        found = torch.relu(self.norm2(self.conv2(found)))
        return torch.relu(found + (features if self.downsample is None else self.downsample(features)))


class Update(nn.Module):
    """One step of the recurrence: what the look-up says about the flow changes the state, the state the flow."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = MotionEncoder()
        self.gru = Gru()
        self.flow_head = FlowHead()
        self.mask = nn.Sequential(nn.Conv2d(HIDDEN, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, 9 * DOWN**2, 1))

    def forward(self, state: Tensor, context: Tensor, seen: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next state (B, 128, h, w) and the change of the flow (B, 2, h, w)."""
        state = self.gru(state, torch.cat([context, self.encoder(flow, seen)], dim=1))
        return state, self.flow_head(state)

    def shares(self, state: Tensor) -> Tensor:
        """Return what `upsampled` mixes by (B, 576, h, w)."""
        return 0.25 * self.mask(state)  # slows its learning down; the published weights count on it


class MotionEncoder(nn.Module):
    """Features of the look-up and of the flow it was made with."""

    def __init__(self) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(LEVELS * (2 * REACH + 1) ** 2, 256, 1)
        self.convc2 = nn.Conv2d(256, 192, 3, padding=1)
        self.convf1 = nn.Conv2d(2, 128, 7, padding=3)
        self.convf2 = nn.Conv2d(128, 64, 3, padding=1)
        self.conv = nn.Conv2d(256, HIDDEN - 2, 3, padding=1)

    def forward(self, flow: Tensor, seen: Tensor) -> Tensor:
        """Turn flow (B, 2, h, w) and look-up (B, 324, h, w) into (B, 128, h, w), the flow last."""
        matches = torch.relu(self.convc2(torch.relu(self.convc1(seen))))
        motion = torch.relu(self.convf2(torch.relu(self.convf1(flow))))
        return torch.cat([torch.relu(self.conv(torch.cat([matches, motion], dim=1))), flow], dim=1)


class Gru(nn.Module):
    """Gated recurrent unit of convolutions, along rows and then along columns."""

    def __init__(self) -> None:
        super().__init__()
        for number, (size, padding) in enumerate((((1, 5), (0, 2)), ((5, 1), (2, 0))), start=1):
            for gate in "zrq":
                self.add_module(f"conv{gate}{number}", nn.Conv2d(3 * HIDDEN, HIDDEN, size, padding=padding))

    def forward(self, state: Tensor, seen: Tensor) -> Tensor:
        """Renew the state (B, 128, h, w) by what is seen (B, 256, h, w)."""
        passes = ((self.convz1, self.convr1, self.convq1), (self.convz2, self.convr2, self.convq2))
        for update, reset, candidate in passes:
            both = torch.cat([state, seen], dim=1)
            share = torch.sigmoid(update(both))
            fresh = torch.tanh(candidate(torch.cat([torch.sigmoid(reset(both)) * state, seen], dim=1)))
            state = (1 - share) * state + share * fresh
        return state


class FlowHead(nn.Module):
    """Reads a change of the flow off the state."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(HIDDEN, 256, 3, padding=1)
        self.conv2 = nn.Conv2d(256, 2, 3, padding=1)

    def forward(self, state: Tensor) -> Tensor:
        """Turn (B, 128, h, w) into (B, 2, h, w)."""
        return self.conv2(torch.relu(self.conv1(state)))


def correlation_pyramid(here: Tensor, there: Tensor) -> list[Tensor]:
    """Compare every place of `here` with every place of `there`, at four sizes of `there`.

    Args:
        here, there: (B, C, h, w) float features.

    Returns:
        Four tensors (B * h * w, 1, h / 2^i, w / 2^i): dot products over the root of C, averaged over 2^i x 2^i places.
    """
    batch, channels, height, width = here.shape
    alike = here.flatten(2).transpose(1, 2) @ there.flatten(2) / channels**0.5  # (B, h * w, h * w)
    pyramid = [alike.reshape(batch * height * width, 1, height, width)]
    for _ in range(LEVELS - 1):
        pyramid.append(functional.avg_pool2d(pyramid[-1], 2))
    return pyramid


def look_up(pyramid: Sequence[Tensor], places: Tensor) -> Tensor:
    """Read 9 x 9 neighbours of a place at every level, bilinearly, nothing outside.

    Args:
        pyramid: of `correlation_pyramid`.
        places: (B, 2, h, w) float, x and y of the first level's cells, whole numbers at their centres.

    Returns:
        (B, 324, h, w): by level; within a level the neighbour's x step is the slow one, as the weights were trained.
    """
    batch, _, height, width = places.shape
    steps = torch.arange(-REACH, REACH + 1, device=places.device, dtype=places.dtype)
    around = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), dim=-1)  # (9, 9, 2): x step slow, y step fast
    centres = places.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)  # (B * h * w, 1, 1, 2)
    levels = []
    for level, alike in enumerate(pyramid):
        size = torch.tensor([alike.shape[3] - 1, alike.shape[2] - 1], device=places.device, dtype=places.dtype)
        grid = 2 * (centres / 2**level + around) / size - 1
        seen = functional.grid_sample(alike, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
        levels.append(seen.view(batch, height, width, -1))
    return torch.cat(levels, dim=-1).permute(0, 3, 1, 2)


def own_places(batch: int, height: int, width: int, device: torch.device) -> Tensor:
    """Return each cell's own x and y (B, 2, h, w)."""
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return torch.stack([x, y]).float().expand(batch, -1, -1, -1)


def upsampled(flow: Tensor, shares: Tensor) -> Tensor:
    """Make a flow eight times as large, each vector a mean of nine coarse neighbours.

    Args:
        flow: (B, 2, h, w) in cells.
        shares: (B, 576, h, w): for each of nine neighbours 8 x 8 logits.

    Returns:
        (B, 2, H, W) in pixels.
    """
    batch, _, height, width = flow.shape
    share = shares.view(batch, 1, 9, DOWN, DOWN, height, width).softmax(dim=2)
    near = functional.unfold(DOWN * flow, 3, padding=1).view(batch, 2, 9, 1, 1, height, width)
    fine = (share * near).sum(2)  # (B, 2, 8, 8, h, w)
    return fine.permute(0, 1, 4, 2, 5, 3).reshape(batch, 2, DOWN * height, DOWN * width)
