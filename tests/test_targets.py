"""The targets of `make fuzz` take their seeds, and bear them cut and changed."""

import os

import pytest

from hostile.targets import TARGETS, altered
from understudy.layouts import LAYOUTS

CHANGED = 10


@pytest.fixture(scope="module", autouse=True)
def material(tmp_path_factory):
    """Good files to begin with."""
    os.environ["UNDERSTUDY_MATERIAL"] = str(tmp_path_factory.mktemp("material") / "made")


# HDF5's own library can be sent round in circles (docs/security.md): its files are altered by `make fuzz` alone, which
# ends what takes too long; tests/hostile/hdf5.py damages them on purpose.
@pytest.mark.parametrize("name", sorted(set(TARGETS) - set(LAYOUTS)))
def test_a_reader_bears_its_seeds_and_what_is_near_them(name, tmp_path):
    target = TARGETS[name]
    for seed in target.seeds():
        target(seed)
        for data in altered(seed, CHANGED):
            target(data)


@pytest.mark.parametrize("name", sorted(set(TARGETS) - {"configuration", "dump", "state"}))
def test_a_seed_is_a_good_file(name, tmp_path):
    """Else its reader would be refused at the door, and nothing behind it tried."""
    for number, seed in enumerate(TARGETS[name].seeds()):
        path = tmp_path / str(number) / "input"
        path.parent.mkdir()
        path.write_bytes(seed)
        TARGETS[name].read(path)
