"""LPIPS, FID and FVD on small random weights of the true layouts: known answers, and files that are something else."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.linalg import sqrtm

from network_files import i3d_weights, inception_weights, lpips_weights
from understudy.errors import WeightsError
from understudy.job import file_digest
from understudy.metrics.i3d import CLIP_FRAMES, LAYERS, I3d, _padded
from understudy.metrics.inception import Inception
from understudy.metrics.lpips import Lpips
from understudy.metrics.perception import Networks, Perception, frechet_distance, networks_protocol
from understudy.metrics.series import Series
from understudy.settings import LpipsSettings, NetworkSettings, NetworksSettings

CPU = torch.device("cpu")


def pictures(count: int, seed: int = 1, size: int = 48) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 255, (count, size, size, 3)).astype(np.uint8))


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> NetworksSettings:
    folder = tmp_path_factory.mktemp("networks")
    trunk, heads = lpips_weights()
    torch.save(trunk, folder / "alexnet.pth")
    torch.save(heads, folder / "alex.pth")
    save_file(inception_weights(), folder / "inception.safetensors")
    torch.save(i3d_weights(), folder / "i3d.pt")
    return NetworksSettings(
        LpipsSettings(str(folder / "alexnet.pth"), "", str(folder / "alex.pth"), ""),
        NetworkSettings(str(folder / "inception.safetensors"), file_digest(folder / "inception.safetensors")),
        NetworkSettings(str(folder / "i3d.pt"), ""),
    )


def test_lpips_is_nothing_between_equals_and_grows_with_noise(files):
    lpips = Lpips(files.lpips, CPU)
    (picture,) = pictures(1)
    noise = np.random.default_rng(2).normal(0, 1, picture.shape)
    assert lpips(picture, picture) == 0
    little, much = (lpips(np.clip(picture + by * noise, 0, 255).astype(np.uint8), picture) for by in (5, 40))
    assert 0 < little < much
    assert lpips(picture, picture[::-1]) == pytest.approx(lpips(picture[::-1], picture))
    assert np.isnan(lpips(picture[:20], picture[:20])), "too small to look at"


def test_lpips_agrees_with_a_slow_plain_version(files):
    """The first layer alone: with the other heads at zero."""
    lpips = Lpips(files.lpips, CPU)
    lpips._heads[1:] = [torch.zeros_like(head) for head in lpips._heads[1:]]
    mine, theirs = pictures(2)
    weight, head = lpips._trunk["features.0.weight"].double().numpy(), lpips._heads[0].double().numpy().ravel()
    shift, scale = np.array((-0.030, -0.088, -0.188)), np.array((0.458, 0.448, 0.450))
    seen = []
    for picture in (mine, theirs):
        wide = np.pad((picture / 127.5 - 1 - shift) / scale, ((2, 2), (2, 2), (0, 0)))
        places = [(4 * row, 4 * column) for row in range(11) for column in range(11)]
        values = np.array([np.einsum("oihw,hwi->o", weight, wide[y : y + 11, x : x + 11]) for y, x in places])
        values = np.maximum(values, 0)
        seen.append(values / (np.sqrt((values**2).sum(1, keepdims=True)) + 1e-10))
    assert lpips(mine, theirs) == pytest.approx(((seen[0] - seen[1]) ** 2 @ head).mean(), rel=1e-3)


def test_frechet_distance_of_known_normal_distributions():
    chance = np.random.default_rng(3)
    features = chance.normal(0, 1, (20000, 6))
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(features + 2, features) == pytest.approx(6 * 4)
    assert frechet_distance(3 * features, features) == pytest.approx(6 * (3 - 1) ** 2, rel=0.02)
    other = chance.normal(1, 2, (500, 6)) @ chance.normal(0, 1, (6, 6))
    s, t = np.cov(features.T), np.cov(other.T)
    plain = ((features.mean(0) - other.mean(0)) ** 2).sum() + np.trace(s + t - 2 * sqrtm(s @ t).real)
    assert frechet_distance(features, other) == pytest.approx(plain)
    few = frechet_distance(features[:4], other[:3])  # fewer than there are features
    assert np.isfinite(few) and few > 0


def test_features_are_of_the_picture_and_clips_of_their_order(files):
    inception, i3d = Inception(files.fid, CPU), I3d(files.fvd, CPU)
    one, other = pictures(2)
    assert inception(one).shape == (12,) and not np.allclose(inception(one), inception(other))
    clip = pictures(CLIP_FRAMES, size=32)
    assert i3d(clip).shape == (5,) and not np.allclose(i3d(clip), i3d(clip[::-1])), "a film run backwards is another"


def test_layers_give_as_many_values_as_tensorflows():
    x = torch.zeros(1, 1, 16, 224, 112)
    assert _padded(x, (7, 7, 7), (2, 2, 2)).shape == (1, 1, 21, 229, 117)
    assert _padded(torch.ones(1, 1, 1, 1, 5), (1, 1, 3), (1, 1, 2))[0, 0, 0, 0].tolist() == [0, 1, 1, 1, 1, 1, 0]
    assert _padded(torch.ones(1, 1, 1, 1, 4), (1, 1, 3), (1, 1, 2))[0, 0, 0, 0].tolist() == [1, 1, 1, 1, 0]
    assert len(LAYERS) == 3 + 9 * 6


def test_a_series_has_the_figures_there_are_weights_for(files):
    series = Perception(Networks.of(files))
    for number, picture in enumerate(pictures(24, size=32)):
        series.add(picture, picture, number)
    assert series.figures() == {"fid": 0, "fid_pictures": 24, "fvd": 0, "fvd_clips": 2}
    assert len(networks_protocol(files)) == 3 and "SHA-256" in networks_protocol(files)[1]
    assert Perception(Networks()).figures() == {} and networks_protocol(NetworksSettings()) == []
    assert "lpips" not in Series(6).figures() and "fid" not in Series(6).figures()


def test_a_jump_in_the_numbers_is_no_clip(files):
    series = Perception(Networks.of(NetworksSettings(fvd=files.fvd)))
    for number, picture in enumerate(pictures(20, size=32)):
        series.add(picture, picture, number + 5 * (number >= 10))
    assert series.figures() == {"fvd": None, "fvd_clips": 0}


def test_other_files_are_told(files, tmp_path):
    path = tmp_path / "weights.pth"
    with pytest.raises(WeightsError, match=r"does not exist. Expected pytorch-fid's Inception"):
        Inception(NetworkSettings(str(path), ""), CPU)
    torch.save({name: value for name, value in inception_weights().items() if "Mixed_7c" not in name}, path)
    with pytest.raises(WeightsError, match=r"lacks Mixed_7c.branch1x1.conv.weight"):
        Inception(NetworkSettings(str(path), ""), CPU)
    with pytest.raises(WeightsError, match=r"has the SHA-256 .*, expected 00"):
        Inception(NetworkSettings(str(path), 64 * "0"), CPU)
    torch.save(i3d_weights() | {"logits.conv3d.bias": torch.full((5,), torch.nan)}, path)
    with pytest.raises(WeightsError, match="not finite"):
        I3d(NetworkSettings(str(path), ""), CPU)
    with pytest.raises(WeightsError, match=r"lacks features.0.weight"):
        Lpips(LpipsSettings(files.lpips.heads, "", files.lpips.heads, ""), CPU)
    _, heads = lpips_weights()
    torch.save(heads | {"lin2.model.1.weight": torch.zeros(1, 9, 1, 1)}, path)
    with pytest.raises(WeightsError, match=r"lin2.* has the shape \(1, 9, 1, 1\), expected \(1, 4, 1, 1\)"):
        Lpips(LpipsSettings(files.lpips.trunk, "", str(path), ""), CPU)
    path.write_bytes(b"not weights")
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        I3d(NetworkSettings(str(path), ""), CPU)
