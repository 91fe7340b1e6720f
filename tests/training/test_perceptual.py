"""The weights here are random, in VGG-19's own layout and widths."""

import hashlib
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from planted import LOSSES, MODEL, planted_clip, planted_frame, vgg19_weights
from understudy.errors import TrainingError
from understudy.model.build import start_generator
from understudy.training.perceptual import (
    IMAGENET_MEAN,
    LAYER_WEIGHTS,
    PerceptualDistance,
    load_perceptual,
    perceptual_digest,
)
from understudy.training.step import Moment, Team, train_step

PERCEPTUAL = replace(LOSSES, perceptual=1.0)


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return vgg19_weights()


@pytest.fixture(scope="module")
def file(weights, tmp_path_factory) -> Path:
    """A whole vgg19 as torchvision saves it: later layers and a classifier (here small) come with it."""
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    more = {"features.30.weight": torch.zeros(4, 4, 3, 3), "classifier.0.weight": torch.zeros(8, 8)}
    torch.save(weights | more, path)
    return path


@pytest.fixture(scope="module")
def perceptual(file) -> PerceptualDistance:
    return load_perceptual(file)


def picture(seed: int, height: int = 32, width: int = 32) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_the_trunk_is_vgg_19_up_to_relu5_1(perceptual):
    assert sum(one.numel() for one in perceptual.parameters()) == 12_944_960
    sizes = {number: tuple(values.shape[1:]) for number, values in perceptual.look(picture(1)).items()}
    assert sizes == {0: (64, 32, 32), 5: (128, 16, 16), 10: (256, 8, 8), 19: (512, 4, 4), 28: (512, 2, 2)}
    assert list(LAYER_WEIGHTS.values()) == [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1]


def test_equal_pictures_lie_at_zero_and_others_do_not(perceptual):
    assert perceptual([picture(1), picture(1)], picture(1)) == 0
    assert perceptual([picture(2)], picture(1)) > 0.01


def test_imagenets_mean_colour_gives_zeros_and_its_deviation_one(perceptual):
    mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    flat = (2 * mean - 1).expand(1, 3, 16, 16)
    assert perceptual.prepare(flat).abs().max() < 1e-6
    white = perceptual.prepare(torch.ones(1, 3, 16, 16))[0, :, 0, 0]
    torch.testing.assert_close(white, torch.tensor([2.2489, 2.4286, 2.6400]), atol=1e-4, rtol=0)


def test_the_distance_is_that_of_a_plain_version(perceptual, weights):
    """The layers written out by hand, from the file's own tensors."""

    def by_hand(shown: torch.Tensor) -> list[torch.Tensor]:
        values = ((shown + 1) / 2 - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(
            (0.229, 0.224, 0.225)
        ).view(3, 1, 1)
        kept = []
        for layer in (
            "0k",
            "2",
            "p",
            "5k",
            "7",
            "p",
            "10k",
            "12",
            "14",
            "16",
            "p",
            "19k",
            "21",
            "23",
            "25",
            "p",
            "28k",
        ):
            if layer == "p":
                values = functional.max_pool2d(values, 2, 2)
                continue
            name = f"features.{layer.rstrip('k')}"
            values = functional.conv2d(values, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1).relu()
            if layer.endswith("k"):
                kept.append(values)
        return kept

    pairs = zip(by_hand(picture(1)), by_hand(picture(2)), (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1), strict=True)
    wanted = sum(weight * (one - two).abs().mean() for one, two, weight in pairs)
    torch.testing.assert_close(perceptual([picture(1)], picture(2)), wanted)


def test_one_convolution_by_hand():
    """All weights zero but one that passes red on: relu1_1 alone answers, and by a known amount."""
    one = PerceptualDistance()
    for value in one.parameters():
        value.zero_()
    one.features["0"].weight[0, 0, 1, 1] = 1.0
    bright, dark = torch.full((1, 3, 16, 16), 0.8), torch.full((1, 3, 16, 16), 0.2)
    # red differs by 0.3 of 0..1, divided by its deviation, in one of 64 channels; relu cuts neither
    torch.testing.assert_close(one([bright], dark), torch.tensor(0.3 / 0.229 / 64 / 32))
    green = dark.clone()
    green[:, 1] = 0.9
    assert one([green], dark) == 0


def test_several_pictures_count_by_their_mean(perceptual):
    apart = [perceptual([picture(seed)], picture(1)) for seed in (2, 3)]
    torch.testing.assert_close(perceptual([picture(2), picture(3)], picture(1)), sum(apart) / 2)


def test_pictures_wider_than_1024_are_halved(perceptual):
    assert perceptual.prepare(picture(1, 16, 1024)).shape == (1, 3, 16, 1024)
    assert perceptual.prepare(picture(1, 32, 2048)).shape == (1, 3, 16, 1024)
    assert perceptual.prepare(picture(1, 64, 2052)).shape == (1, 3, 16, 513)


def test_too_small_pictures_are_refused(perceptual):
    with pytest.raises(TrainingError, match=r"at least 16 x 16 px, this stage has 16 x 8; raise its height_px"):
        perceptual([picture(1, 16, 8)], picture(2, 16, 8))


def test_bfloat16_stays_close_and_the_distance_is_float32(perceptual):
    full = perceptual([picture(1)], picture(2))
    with torch.autocast("cpu", torch.bfloat16):
        shown = picture(1).requires_grad_()
        half = perceptual([shown], picture(2))
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, full, rtol=0.02, atol=0)
    half.backward()
    assert shown.grad.isfinite().all() and shown.grad.abs().max() > 0


def new_team(perceptual: PerceptualDistance | None) -> Team:
    frames = [planted_frame(2 + 1.3 * number) for number in range(10)]
    return Team(start_generator(frames, MODEL, seed=1), seed=1, perceptual=perceptual)


def step(team: Team, weights=PERCEPTUAL, clip_frames: int = 2) -> dict[str, float]:
    clip = planted_clip(clip_frames)
    return train_step(team, clip, weights, Moment(0, 1e-3, judged=False), torch.Generator().manual_seed(0))


def test_footage_final_and_raw_are_looked_at_once_each_in_every_frame(perceptual, monkeypatch):
    team, looks = new_team(perceptual), []
    usual = perceptual.look

    def watched(shown):
        looks.append((shown.requires_grad, torch.is_grad_enabled()))
        return usual(shown)

    monkeypatch.setattr(perceptual, "look", watched)
    assert "perceptual" in step(team, clip_frames=3)
    first, later = [(False, False), (True, True)], [(False, False), (True, True), (True, True)]
    assert looks == first + 2 * later  # a first frame has no past of its own, and only its raw picture counts


def test_without_a_weight_nothing_is_looked_at(perceptual, monkeypatch):
    monkeypatch.setattr(perceptual, "look", lambda _: pytest.fail("looked at"))
    assert "perceptual" not in step(new_team(perceptual), LOSSES)
    with pytest.raises(ValueError, match="no PerceptualDistance"):
        step(new_team(None))


def test_it_teaches_the_generator_and_never_learns(perceptual, weights):
    alone = replace(PERCEPTUAL, **{name: 0.0 for name in vars(LOSSES) if name not in ("perceptual", "person")})
    team = new_team(perceptual)
    before = [one.clone() for one in team.generator.parameters()]
    figures = step(team, alone)
    assert figures["perceptual"] > 0
    assert any(not torch.equal(one, old) for one, old in zip(team.generator.parameters(), before, strict=True))
    for name, value in perceptual.state_dict().items():
        assert torch.equal(value, weights[name])
    assert all(one.grad is None and not one.requires_grad for one in perceptual.parameters())
    assert not any("perceptual" in name for name in team.parts()), "states do not carry it"


def test_safetensors_and_half_precision_give_the_same_trunk(file, weights, tmp_path):
    save_file({name: value.half() for name, value in weights.items()}, tmp_path / "vgg19.safetensors")
    half = load_perceptual(tmp_path / "vgg19.safetensors")
    for (name, mine), theirs in zip(
        half.state_dict().items(), load_perceptual(file).state_dict().values(), strict=True
    ):
        assert mine.dtype == torch.float32
        assert torch.equal(mine, weights[name].half().float())
        assert torch.equal(theirs, weights[name])


def test_a_file_of_old_style_with_parameters_is_read(weights, tmp_path):
    """Torchvision's own file was written before torch.save made zip files."""
    parameters = OrderedDict((name, torch.nn.Parameter(value)) for name, value in weights.items())
    torch.save(parameters, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for name, value in load_perceptual(tmp_path / "old.pth").state_dict().items():
        assert torch.equal(value, weights[name])
    assert not any(one.requires_grad for one in load_perceptual(tmp_path / "old.pth").parameters())


def test_the_digest_is_held_to_the_setting(file):
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert perceptual_digest(file) == perceptual_digest(file, digest) == digest
    with pytest.raises(TrainingError, match=rf"vgg19.pth has the SHA-256 {digest}, expected {'0' * 64} .*fetch"):
        perceptual_digest(file, "0" * 64)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda made: made.pop("features.16.weight"),
            r"lacks features.16.weight \(256, 256, 3, 3\); it holds 25 names",
        ),
        (
            lambda made: made.update({"features.5.bias": torch.zeros(64)}),
            r"features.5.bias .* \(64,\), expected \(128,\)",
        ),
        (lambda made: made["features.0.bias"].fill_(float("nan")), r"features.0.bias holds values that are not finite"),
    ],
)
def test_another_layout_is_refused_by_file_key_and_shape(tmp_path, weights, change, words):
    path = tmp_path / "other.pth"
    made = {name: value.clone() for name, value in weights.items()}
    change(made)
    torch.save(made, path)
    with pytest.raises(TrainingError, match=rf"other.pth.*{words}.*torchvision's vgg19.*training.perceptual.weights"):
        load_perceptual(path)


def test_what_is_no_file_of_weights_is_refused(tmp_path):
    with pytest.raises(TrainingError, match=r"do not exist: .*nowhere.pth"):
        perceptual_digest(tmp_path / "nowhere.pth")
    with pytest.raises(TrainingError, match=r"nowhere.pth cannot be read as weights"):
        load_perceptual(tmp_path / "nowhere.pth")
    for name in ("text.pth", "text.safetensors"):
        (tmp_path / name).write_text("not weights")
        with pytest.raises(TrainingError, match=rf"{name} cannot be read as weights"):
            load_perceptual(tmp_path / name)
    (tmp_path / "empty.pth").write_bytes(b"")
    with pytest.raises(TrainingError, match="cannot be read"):
        load_perceptual(tmp_path / "empty.pth")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pth")
    with pytest.raises(TrainingError, match="cannot be read"):
        load_perceptual(tmp_path / "module.pth")
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    with pytest.raises(TrainingError, match="holds one Tensor"):
        load_perceptual(tmp_path / "tensor.pth")
