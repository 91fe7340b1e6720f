"""Every flow backend that is found and installed keeps the contract; a new one is found by itself."""

import numpy as np
import pytest
import torch

from defaults import flow_settings
from raft_weights import published
from understudy.backends import list_backends, load_backend
from understudy.errors import BackendError
from understudy.flow.backends._raft import Raft

PACKAGE = "understudy.flow.backends"


UNTRAINED = {"raft"}  # nobody's weights are here: random ones keep the contract, but find nothing


@pytest.fixture(scope="session")
def raft_weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("raft") / "raft.pth"
    torch.save(published(Raft()), path)
    return path


def prepared(name, quality, request):
    raft = {"weights": "", "sha256": "", "device": "cpu"}
    if name == "raft":
        raft["weights"] = str(request.getfixturevalue("raft_weights"))
    return load_backend(PACKAGE, name)(flow_settings(name, quality=quality, raft=raft))


@pytest.fixture(params=[(name, quality) for name in list_backends(PACKAGE) for quality in ("medium", "fine")])
def backend(request):
    return prepared(*request.param, request)


@pytest.fixture(params=sorted(set(list_backends(PACKAGE)) - UNTRAINED))
def trained(request):
    return prepared(request.param, "medium", request)


def test_it_names_itself_and_its_version(backend):
    assert backend.name in list_backends(PACKAGE)
    assert isinstance(backend.version, str)
    assert backend.version


@pytest.mark.parametrize("size", [(16, 16), (64, 96), (50, 33)])
def test_flow_has_the_size_of_the_frames(backend, texture, size):
    here, there = texture(1, *size), texture(2, *size)
    kept = here.copy(), there.copy()
    flow = backend(here, there)
    assert flow.shape == (*size, 2)
    assert flow.dtype == np.float32
    assert np.isfinite(flow).all()
    assert np.array_equal(here, kept[0])
    assert np.array_equal(there, kept[1])


@pytest.mark.parametrize("shift", [(3, 0), (0, -2), (-4, 3)])
def test_it_says_where_the_content_of_here_is_in_there(trained, texture, shift):
    wide = texture(3, 104, 136)
    x, y = shift
    here, there = wide[20:84, 20:116], wide[20 - y : 84 - y, 20 - x : 116 - x]  # content moved by +x, +y
    assert np.abs(trained(here, there)[10:-10, 10:-10] - shift).max() < 0.3


def test_the_same_frames_give_the_same_flow(backend, texture):
    """No memory of earlier calls."""
    here, there = texture(4, 48, 64), texture(5, 48, 64)
    first = backend(here, there)
    backend(there, here)
    assert np.array_equal(backend(here, there), first)


def test_a_grey_frame_has_no_motion(trained):
    grey = np.full((32, 48, 3), 90, np.uint8)
    assert np.abs(trained(grey, grey)).max() < 0.01


def test_an_unknown_backend_is_named_with_the_known_ones():
    with pytest.raises(BackendError, match=r"holds.*dis"):
        load_backend(PACKAGE, "nothing")
