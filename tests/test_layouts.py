"""Files appear whole or not at all, and hold what their layout promises."""

import h5py
import numpy as np
import pytest

from defaults import flow_settings
from understudy.errors import LayoutError
from understudy.layouts import LAYOUTS, change_file, create, describe, open_file

FRAME = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(8, 6, 3)


def write_frames(path, count=3):
    with create(path, "frames", producer="test 1") as file:
        for index in range(count):
            file.append(rgb=FRAME + index)
        file.attributes({"rate_numerator": 25, "crop": [0, 0, 6, 8]})


def test_rows_come_back(tmp_path):
    write_frames(tmp_path / "frames.h5")
    with open_file(tmp_path / "frames.h5", "frames") as file:
        assert file["rgb"].shape == (3, 8, 6, 3)
        assert np.array_equal(file["rgb"][2], FRAME + 2)
        assert describe(file)["rate_numerator"] == 25
        assert describe(file)["producer"] == "test 1"


def test_rows_are_copied_as_they_are_stored_or_in_blocks(tmp_path, monkeypatch):
    """Large rows go over chunk by chunk, small ones by blocks; a file of none gives none."""
    monkeypatch.setattr("understudy.layouts.BLOCK", 2)
    chance = np.random.default_rng(3)
    rows = {"matte": chance.integers(0, 255, (5, 80, 80), np.uint8), "part": np.zeros((5, 160, 160), np.uint8)}
    rows |= {"uv": chance.integers(0, 9, (5, 160, 160, 2), np.uint8), "valid": np.array([1, 0, 1, 1, 0], bool)}
    with create(tmp_path / "one.h5", "surface", "test") as writer:
        writer.extend(**rows)
    with create(tmp_path / "none.h5", "surface", "test") as writer:
        writer.extend(**{name: values[:0] for name, values in rows.items()})
    with create(tmp_path / "three.h5", "surface", "test") as writer:
        for name in ("one", "none", "one"):
            with h5py.File(tmp_path / f"{name}.h5") as file:  # `open_file` refuses one of no frames
                writer.copy(file, file)
    with open_file(tmp_path / "three.h5", "surface") as file, open_file(tmp_path / "one.h5", "surface") as one:
        for name, values in rows.items():
            np.testing.assert_array_equal(file[name][:], np.concatenate([values, values]))
            assert file[name].compression == one[name].compression
        assert file["uv"].chunks == one["uv"].chunks == (1, 160, 160, 2)


def test_settings_stand_in_the_file(tmp_path):
    settings = flow_settings(quality="fine", strides=(1, 3), slack_px=0.5)
    with create(tmp_path / "flow.h5", "flow", producer="test 1", settings=settings) as file:
        for group in ("stride_1", "stride_3"):
            file.append(group, backward=np.zeros((4, 4, 2), np.int16), confidence=np.zeros((4, 4), np.uint8))
    with open_file(tmp_path / "flow.h5", "flow") as file:
        assert set(file) == {"stride_1", "stride_3"}
        assert describe(file)["settings"]["strides"] == [1, 3]


def test_nothing_is_left_of_a_failed_job_and_the_old_file_stays(tmp_path):
    write_frames(tmp_path / "frames.h5")
    before = (tmp_path / "frames.h5").read_bytes()
    with pytest.raises(RuntimeError), create(tmp_path / "frames.h5", "frames", producer="test 1") as file:
        file.append(rgb=FRAME)
        raise RuntimeError("power cut")
    assert (tmp_path / "frames.h5").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["frames.h5"]


def test_a_missing_dataset_or_unequal_lengths_are_refused(tmp_path):
    with pytest.raises(LayoutError, match="lacks the dataset"), create(tmp_path / "a.h5", "frames", producer="t"):
        pass
    with pytest.raises(LayoutError, match="axis T of 'confidence' has length 1, but 2"):  # noqa: SIM117
        with create(tmp_path / "b.h5", "flow", producer="t") as file:
            file.extend("stride_1", backward=np.zeros((2, 4, 4, 2), np.int16))
            file.extend("stride_1", confidence=np.zeros((1, 4, 4), np.uint8))
    assert not list(tmp_path.iterdir())


def test_wrong_number_type_is_a_programming_mistake(tmp_path):
    with pytest.raises(ValueError, match="uint8"), create(tmp_path / "a.h5", "frames", producer="t") as file:
        file.append(rgb=FRAME.astype(np.float32))


@pytest.mark.parametrize("damage", ["missing", "garbage", "other layout", "other version"])
def test_opening_says_what_is_wrong(tmp_path, damage):
    path = tmp_path / "frames.h5"
    if damage != "missing":
        write_frames(path)
    if damage == "garbage":
        path.write_bytes(b"no HDF5 at all")
    if damage == "other version":
        with change_file(path) as file:
            file.attrs["schema_version"] = 99
    wanted = "windows" if damage == "other layout" else "frames"
    with pytest.raises(LayoutError, match=r"frames\.h5"), open_file(path, wanted):
        pass


def test_every_dataset_has_a_meaning():
    for layout in LAYOUTS.values():
        for array in layout.values():
            assert array.meaning and np.dtype(array.dtype)
