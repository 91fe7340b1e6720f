"""The perceptual distance: how far two pictures lie apart to a network that has learnt to name what it sees.

The trunk is VGG-19's up to relu5_1; its weights are given by the user, in torchvision's layout, and never learn here.
Source: layers and their weights after Wang et al., pix2pixHD, CVPR 2018, and Video-to-Video Synthesis, NeurIPS 2018;
VGG-19 by Simonyan and Zisserman, ICLR 2015. Theirs shows the network pictures of -1..1; ours what it was trained on.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from understudy.errors import TrainingError
from understudy.job import file_digest

CONVOLUTIONS = {
    0: (3, 64), 2: (64, 64),
    5: (64, 128), 7: (128, 128),
    10: (128, 256), 12: (256, 256), 14: (256, 256), 16: (256, 256),
    19: (256, 512), 21: (512, 512), 23: (512, 512), 25: (512, 512),
    28: (512, 512),
}  # fmt: skip  # number in torchvision's layout: channels in, out
POOLED = (5, 10, 19, 28)  # convolutions behind a halving
LAYER_WEIGHTS = {0: 1 / 32, 5: 1 / 16, 10: 1 / 8, 19: 1 / 4, 28: 1.0}  # relu1_1, relu2_1, relu3_1, relu4_1, relu5_1
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of pictures 0..1, RGB
WIDEST = 1024  # px; wider pictures are halved until they are not
SMALLEST = 16  # px; four halvings leave one
WANTED = (
    "Expected torchvision's vgg19 (its file vgg19-dcbb9e9d.pth, or a .safetensors file of the same names; not vgg16, "
    "vgg19_bn or a whole pickled model); correct training.perceptual.weights."
)


class PerceptualDistance(nn.Module):
    """VGG-19 up to relu5_1, frozen, and the distance its features give."""

    def __init__(self) -> None:
        super().__init__()
        layers = {str(number): nn.Conv2d(*channels, 3, padding=1) for number, channels in CONVOLUTIONS.items()}
        self.features = nn.ModuleDict(layers)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(IMAGENET_DEVIATION).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)

    def forward(self, drawn: Sequence[Tensor], real: Tensor) -> Tensor:
        """LI: mean over the drawn pictures of the weighted sum of the mean absolute differences of five layers.

        Args:
            drawn: pictures (B, 3, H, W), -1..1; each is looked at once, with gradient.
            real: the footage, looked at once, without.

        Returns:
            () float32, at least 0.

        Raises:
            TrainingError: the pictures are too small for VGG-19.
        """
        with torch.no_grad():
            wanted = self.look(real)
        return torch.stack([self._distance(self.look(one), wanted) for one in drawn]).mean()

    def look(self, picture: Tensor) -> dict[int, Tensor]:
        """Return the features of a picture (B, 3, H, W), -1..1, by the number of their convolution."""
        values = self.prepare(picture)
        features = {}
        for number in CONVOLUTIONS:
            if number in POOLED:
                values = functional.max_pool2d(values, 2)
            values = functional.relu(self.features[str(number)](values))
            if number in LAYER_WEIGHTS:
                features[number] = values
        return features

    def prepare(self, picture: Tensor) -> Tensor:
        """Turn a picture of -1..1 into what VGG-19 was trained on: ImageNet's mean 0, its deviation 1.

        Raises:
            TrainingError: it is smaller than 16 px.
        """
        if min(picture.shape[-2:]) < SMALLEST:
            height, width = picture.shape[-2:]
            raise TrainingError(
                f"training.losses.perceptual needs pictures of at least {SMALLEST} x {SMALLEST} px, this stage has "
                f"{height} x {width}; raise its height_px, or set the loss to 0."
            )
        while picture.shape[-1] > WIDEST:
            picture = functional.avg_pool2d(picture, 2)
        return ((picture + 1) / 2 - self.mean) / self.deviation

    @staticmethod
    def _distance(mine: Mapping[int, Tensor], theirs: Mapping[int, Tensor]) -> Tensor:
        distances = [
            weight * (mine[number].float() - theirs[number].float()).abs().mean()
            for number, weight in LAYER_WEIGHTS.items()
        ]
        return torch.stack(distances).sum()


def perceptual_digest(path: Path, sha256: str = "") -> str:
    """Return the SHA-256 of a file of weights, 64 hex digits; `sha256` is what it must be, empty takes any.

    Raises:
        TrainingError: the file is missing, or another.
    """
    if not path.is_file():
        raise TrainingError(f"The weights of the perceptual loss do not exist: {path}. {WANTED}")
    found = file_digest(path)
    if sha256 not in ("", found):
        raise TrainingError(
            f"{path} has the SHA-256 {found}, expected {sha256} (training.perceptual.sha256); fetch the file anew, or "
            "correct the setting if the file is meant to differ."
        )
    return found


def load_perceptual(path: Path) -> PerceptualDistance:
    """Read VGG-19's weights from a file in torchvision's layout; the classifier's and later layers are passed over.

    Args:
        path: .safetensors, or what torch.save wrote.

    Raises:
        TrainingError: the file does not hold what it should.
    """
    values = _read(path)
    perceptual = PerceptualDistance()
    shapes = {name: value.shape for name, value in perceptual.state_dict().items()}
    perceptual.load_state_dict({name: _checked(path, values, name, shape) for name, shape in shapes.items()})
    return perceptual.eval()


def _read(path: Path) -> Mapping[str, Tensor]:
    """Read a file of named tensors, on the CPU.

    Raises:
        TrainingError: it is no such file.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        values = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as mistake:  # what a wrong file raises is anybody's guess
        reason = (str(mistake) or type(mistake).__name__).splitlines()[0]
        raise TrainingError(f"{path} cannot be read as weights ({reason}). {WANTED}") from mistake
    if not isinstance(values, Mapping):
        raise TrainingError(f"{path} holds one {type(values).__name__}, no names with tensors. {WANTED}")
    return values


def _checked(path: Path, values: Mapping[str, Tensor], name: str, shape: torch.Size) -> Tensor:
    """Return one tensor of the file, as float32.

    Raises:
        TrainingError: it is missing, of another shape, or not finite.
    """
    if not isinstance(value := values.get(name), Tensor):
        listed = ", ".join(map(str, list(values)[:4]))
        raise TrainingError(
            f"{path} lacks {name} {tuple(shape)}; it holds {len(values)} names ({listed} ...). {WANTED}"
        )
    if value.shape != shape:
        raise TrainingError(f"{path}: {name} has the shape {tuple(value.shape)}, expected {tuple(shape)}. {WANTED}")
    if not value.isfinite().all():
        raise TrainingError(f"{path}: {name} holds values that are not finite; the file is damaged. {WANTED}")
    return value.float()
