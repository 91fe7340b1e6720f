"""RAFT: its network against slow readings of the paper, its file against the published layout."""

import numpy as np
import pytest
import torch

from defaults import flow_settings
from raft_weights import published
from understudy.errors import BackendError
from understudy.flow.backends._raft import DOWN, Raft, correlation_pyramid, look_up, own_places, upsampled
from understudy.flow.backends.raft import Backend, load_network

RANDOM = torch.Generator().manual_seed(3)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    network = Raft()
    for module in network.modules():  # as after training: no norm is an identity
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
    return network.eval()


def settings(path, **changes):
    return flow_settings("raft", quality="medium", raft={"weights": str(path), "sha256": "", "device": "cpu"} | changes)


def slow_look_up(here, there, place, row, column):
    """The 324 numbers of one cell as the paper says: means of 2^i x 2^i products, read bilinearly, 0 outside."""
    channels, height, width = here.shape
    alike = torch.einsum("c,chw->hw", here[:, row, column], there) / channels**0.5
    seen = []
    for level in range(4):
        size = 2**level
        down, along = height // size, width // size
        coarse = alike[: down * size, : along * size].reshape(down, size, along, size).mean((1, 3))
        x, y = (float(one) / size for one in place)
        seen += [bilinear(coarse, x + number // 9 - 4, y + number % 9 - 4) for number in range(81)]
    return torch.tensor(seen)


def bilinear(values, x, y):
    total = 0.0
    for row in (int(np.floor(y)), int(np.floor(y)) + 1):
        for column in (int(np.floor(x)), int(np.floor(x)) + 1):
            if 0 <= row < values.shape[0] and 0 <= column < values.shape[1]:
                total += (1 - abs(x - column)) * (1 - abs(y - row)) * float(values[row, column])
    return total


def test_the_look_up_is_the_papers():
    here, there = torch.randn(2, 5, 16, 17, generator=RANDOM)
    places = own_places(1, 16, 17, torch.device("cpu"))[0] + 3 * torch.randn(2, 16, 17, generator=RANDOM)
    fast = look_up(correlation_pyramid(here[None], there[None]), places[None])[0]
    for row, column in ((0, 0), (0, 16), (3, 11), (7, 5), (8, 8), (12, 2), (15, 0), (15, 16)):
        slow = slow_look_up(here, there, places[:, row, column], row, column)
        assert torch.allclose(fast[:, row, column], slow, atol=1e-4)


def test_upsampling_mixes_nine_neighbours_by_the_softmax_of_their_shares():
    flow, shares = torch.randn(1, 2, 3, 4, generator=RANDOM), torch.randn(1, 576, 3, 4, generator=RANDOM)
    fine = upsampled(flow, shares)
    assert fine.shape == (1, 2, 24, 32)
    for row, column in ((0, 0), (13, 22), (23, 31), (8, 9)):
        down, along = row // DOWN, column // DOWN
        logits = shares[0].view(9, DOWN, DOWN, 3, 4)[:, row % DOWN, column % DOWN, down, along]
        wide = torch.nn.functional.pad(DOWN * flow[0], (1, 1, 1, 1))  # nothing outside
        near = wide[:, down : down + 3, along : along + 3].flatten(1)  # (2, 9)
        assert torch.allclose(fine[0, :, row, column], near @ logits.softmax(0), atol=1e-5)


def test_the_whole_network_is_the_papers(network):
    """Every step but the look-up, written down once more without the modules' own forward passes."""
    here, there = torch.rand(2, 1, 3, 128, 136, generator=RANDOM) * 2 - 1
    with torch.no_grad():
        features = [slow_encoder(network.fnet, one)[0] for one in (here, there)]
        state, context = slow_encoder(network.cnet, here).chunk(2, dim=1)
        state, context = state.tanh(), context.relu()
        rest = own_places(1, 16, 17, torch.device("cpu"))
        flow = torch.zeros_like(rest)
        for _ in range(2):
            seen = look_up(correlation_pyramid(*(one[None] for one in features)), rest + flow)
            state, change = slow_update(network.update_block, state, context, seen, flow)
            flow = flow + change
        shares = network.update_block.mask[2](network.update_block.mask[0](state).relu()) / 4
        assert torch.allclose(network(here, there, 2), upsampled(flow, shares), atol=2e-3)


def slow_encoder(encoder, picture):
    found = encoder.norm1(encoder.conv1(picture)).relu()
    for block in (*encoder.layer1, *encoder.layer2, *encoder.layer3):
        aside = found
        found = block.norm2(block.conv2(block.norm1(block.conv1(found)).relu())).relu()
        for module in block.downsample or ():
            aside = module(aside)
        found = (aside + found).relu()
    return encoder.conv2(found)


def slow_update(update, state, context, seen, flow):
    encoder, gru = update.encoder, update.gru
    matches = encoder.convc2(encoder.convc1(seen).relu()).relu()
    motion = encoder.convf2(encoder.convf1(flow).relu()).relu()
    motion = torch.cat([encoder.conv(torch.cat([matches, motion], 1)).relu(), flow], 1)
    given = torch.cat([context, motion], 1)
    for z, r, q in ((gru.convz1, gru.convr1, gru.convq1), (gru.convz2, gru.convr2, gru.convq2)):
        share, kept = (gate(torch.cat([state, given], 1)).sigmoid() for gate in (z, r))
        state = (1 - share) * state + share * q(torch.cat([kept * state, given], 1)).tanh()
    return state, update.flow_head.conv2(update.flow_head.conv1(state).relu())


def test_features_that_match_are_seen_where_they_lie():
    there = torch.randn(1, 64, 16, 16, generator=RANDOM)
    here = there.roll((2, -3), dims=(2, 3))  # content of (y, x) here lies at (y - 2, x + 3) there
    seen = look_up(correlation_pyramid(here, there), own_places(1, 16, 16, torch.device("cpu")))
    step = seen[0, :81, 8, 8].argmax()
    assert (step // 9 - 4, step % 9 - 4) == (3, -2)


def test_it_has_the_published_layout(network):
    state = network.state_dict()
    assert sum(one.numel() for one in network.parameters()) == 5_257_536  # the paper's 5.3 M
    assert state["fnet.layer2.0.downsample.0.weight"].shape == (96, 64, 1, 1)
    assert state["cnet.layer3.0.downsample.1.running_mean"].shape == (128,)
    assert state["update_block.encoder.convc1.weight"].shape == (256, 324, 1, 1)
    assert state["update_block.encoder.conv.bias"].shape == (126,)
    assert state["update_block.gru.convq2.weight"].shape == (128, 384, 5, 1)
    assert state["update_block.mask.2.weight"].shape == (576, 256, 1, 1)


def test_a_published_file_is_read_whole(network, tmp_path):
    path = tmp_path / "raft-things.pth"
    torch.save(published(network), path)
    read = load_network(path).state_dict()
    assert all(torch.equal(read[name], values) for name, values in network.state_dict().items())


def test_another_file_is_refused_in_words(network, tmp_path):
    path = tmp_path / "raft-small.pth"
    with pytest.raises(BackendError, match="no such file"):
        Backend(settings(path))
    path.write_bytes(b"<html>404</html>")
    with pytest.raises(BackendError, match="no PyTorch state dict"):
        Backend(settings(path))
    state = published(network)
    state.pop("module.update_block.mask.2.weight")
    state["module.fnet.conv2.weight"] = torch.zeros(128, 96, 1, 1)
    torch.save(state, path)
    with pytest.raises(BackendError, match=r"1 of \d+ tensors are missing, 1 have another shape.*mask"):
        Backend(settings(path))
    torch.save([1, 2], path)
    with pytest.raises(BackendError, match="no state dict of the large RAFT"):
        Backend(settings(path))


def test_the_checksum_is_held(network, tmp_path):
    path = tmp_path / "raft.pth"
    torch.save(published(network), path)
    with pytest.raises(BackendError, match=r"SHA-256 is [0-9a-f]{64}, but flow.raft.sha256 asks for 0000"):
        Backend(settings(path, sha256="0" * 64))


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "written"), "w"))

    path = tmp_path / "evil.pth"
    torch.save({"module.fnet.conv1.weight": Evil()}, path)
    with pytest.raises(BackendError):
        Backend(settings(path))
    assert not (tmp_path / "written").exists()


def test_pictures_of_any_size_are_continued_beyond_their_border(network, tmp_path):
    """A larger picture whose last row and column are repeated gives the same."""
    path = tmp_path / "raft.pth"
    torch.save(published(network), path)
    backend = Backend(settings(path))
    frames = np.random.default_rng(0).integers(0, 256, (2, 100, 90, 3), np.uint8)
    wide = [np.pad(frame, ((0, 28), (0, 38), (0, 0)), mode="edge") for frame in frames]
    assert np.allclose(backend(*frames), backend(*wide)[:100, :90], atol=1e-4)


def test_a_gpu_that_is_not_there_is_said(network, tmp_path, monkeypatch):
    path = tmp_path / "raft.pth"
    torch.save(published(network), path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendError, match="finds no GPU here"):
        Backend(settings(path, device="cuda"))
