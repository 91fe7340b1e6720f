from dataclasses import replace
from itertools import repeat
from pathlib import Path

import h5py
import numpy as np
import pytest

from handmade import standing_track, write_clip
from understudy.body.fit import BodyShape
from understudy.body.relief import relief_points
from understudy.dataset.windows import ClipFiles, index_windows
from understudy.errors import FootageError
from understudy.layouts import create, open_file
from understudy.rendering.driver import fit_driving, held_rows
from understudy.semantics.joints import BODY
from understudy.settings import DatasetSettings, RenderingSettings

BODY_RULE = RenderingSettings(retarget="body", place="ground", camera="still", crf=16)
SHAPE = {"px_per_m": 60.0, "thickness": 1.1, "head_px_per_m": 60.0}
FRAMES = 30


def make_performer(folder: Path, shape: dict | None = SHAPE, surface: str = "both") -> tuple[ClipFiles, Path]:
    clip = write_clip(folder / "performer", standing_track(FRAMES, sway=4), shape=shape)
    windows = folder / "windows.h5"
    settings = DatasetSettings(held_out=0.2, gap_frames=2, surface=surface)
    index_windows([clip.frames], [clip.pose], [clip.surface], [clip.flow], windows, settings)
    return clip, windows


def drive(folder: Path, driver: ClipFiles, windows: Path, settings: RenderingSettings, samples: int = 2) -> dict:
    fit_driving(driver.pose, driver.surface, windows, folder / "driving.h5", settings, samples)
    with open_file(folder / "driving.h5", "driving") as file:
        return {name: file[name][:] for name in file} | {"attributes": dict(file.attrs)}


def test_held_rows_repeat_the_last_figure():
    valid = np.array([0, 0, 1, 1, 0, 0, 1, 0], bool)
    assert held_rows(valid).tolist() == [2, 2, 2, 3, 3, 3, 6, 6]


def test_body_is_drawn_where_the_performer_stood(tmp_path):
    _, windows = make_performer(tmp_path)
    driver = write_clip(
        tmp_path / "driver", standing_track(22, scale=2, x=150, ground=230, sway=8), height=256, width=320
    )
    found = drive(tmp_path, driver, windows, BODY_RULE)
    assert found["part"].shape == (22, 256, 256)  # two samples per pixel of the performer's 128 x 128
    expected = standing_track(22, sway=4).body  # so many frames of the performer train
    assert np.allclose(found["body"], expected, atol=0.6)  # where the sway turns round its feet rest
    rows, columns = np.nonzero(found["part"][0])
    assert columns.mean() / 2 == pytest.approx(expected[0, BODY["mid_hip"], 0], abs=3)
    assert rows.max() / 2 == pytest.approx(110, abs=5)
    assert len(np.unique(found["part"][0])) > 10
    assert dict(found["attributes"])["retarget"] == "body"
    assert found["attributes"]["height"] == 128


def test_frames_without_a_person_hold_the_last_figure(tmp_path):
    _, windows = make_performer(tmp_path)
    track = standing_track(20, sway=20)
    track.valid[[0, 10, 11]] = False
    track.body[[0, 10, 11]] = 0
    found = drive(tmp_path, write_clip(tmp_path / "driver", track), windows, BODY_RULE)
    assert np.array_equal(found["valid"], track.valid)
    assert np.array_equal(found["body"][11], found["body"][9])
    assert np.array_equal(found["part"][11], found["part"][9])
    assert np.array_equal(found["part"][0], found["part"][1])
    assert not np.array_equal(found["part"][12], found["part"][9])


def test_a_clip_without_anybody_is_refused(tmp_path):
    _, windows = make_performer(tmp_path)
    driver = write_clip(tmp_path / "driver", replace(standing_track(20), valid=np.zeros(20, bool)))
    with pytest.raises(FootageError, match="nobody is found"):
        drive(tmp_path, driver, windows, BODY_RULE)
    assert not (tmp_path / "driving.h5").exists()


def test_body_needs_a_fitted_body(tmp_path):
    _, windows = make_performer(tmp_path, shape=None)
    driver = write_clip(tmp_path / "driver", standing_track(20))
    with pytest.raises(FootageError, match=r"fits no body.*to limbs"):
        drive(tmp_path, driver, windows, BODY_RULE)


def test_limbs_carry_the_drivers_surface_along(tmp_path):
    clip, windows = make_performer(tmp_path, shape=None)
    driver = write_clip(tmp_path / "driver", standing_track(FRAMES, scale=2, x=150, ground=230, sway=8), 256, 256)
    found = drive(tmp_path, driver, windows, replace(BODY_RULE, retarget="limbs"))
    with open_file(clip.surface, "surface") as file:
        wanted = file["body_part"][:]
    trunk = np.isin(wanted, (1, 2))
    assert found["part"].shape == wanted.shape and found["attributes"]["retarget"] == "limbs"
    assert (found["part"] == wanted)[trunk].mean() > 0.85
    assert set(np.unique(found["part"])) == {0, 1, 2}


def test_limbs_work_without_any_surface(tmp_path, monkeypatch):
    _, windows = make_performer(tmp_path, shape=None)
    driver = write_clip(tmp_path / "driver", standing_track(FRAMES, scale=2, x=150, ground=230), 256, 256)
    none = np.zeros((512, 512), np.uint8), np.zeros((512, 512, 2), np.uint8)
    monkeypatch.setattr("understudy.rendering.driver._Driver.surfaces", lambda self, performer: repeat(none, FRAMES))
    found = drive(tmp_path, driver, windows, replace(BODY_RULE, retarget="limbs"))
    assert not found["part"].any() and (found["body"][..., 2] > 0).all()


def test_global_carries_the_drivers_surface(tmp_path):
    clip, windows = make_performer(tmp_path, shape=None)
    driver = write_clip(tmp_path / "driver", standing_track(FRAMES, scale=2, x=150, ground=230, sway=8), 256, 256)
    found = drive(tmp_path, driver, windows, replace(BODY_RULE, retarget="global"))
    with open_file(clip.surface, "surface") as file:
        wanted = file["body_part"][:]
    assert found["part"].shape == wanted.shape
    assert (found["part"] == wanted).mean() > 0.98
    assert set(np.unique(found["part"])) == {0, 1, 2}


def test_none_takes_the_maps_as_they_are(tmp_path):
    clip, windows = make_performer(tmp_path, shape=None)
    found = drive(tmp_path, clip, windows, replace(BODY_RULE, retarget="none"))
    with open_file(clip.surface, "surface") as file:
        assert np.array_equal(found["part"], file["body_part"][:])
    with open_file(clip.pose, "pose") as file:
        assert np.array_equal(found["body"], file["body"][:])


def test_none_takes_clipped_maps_where_only_such_were_trained(tmp_path):
    clip, windows = make_performer(tmp_path, surface="clipped")
    found = drive(tmp_path, clip, windows, replace(BODY_RULE, retarget="none"))
    with open_file(clip.surface, "surface") as file:
        assert np.array_equal(found["part"], file["part"][:])


def test_none_refuses_frames_of_another_size(tmp_path):
    _, windows = make_performer(tmp_path)
    driver = write_clip(tmp_path / "driver", standing_track(20), height=128, width=160)
    with pytest.raises(FootageError, match="128 x 160 px, the performer's 128 x 128"):
        drive(tmp_path, driver, windows, replace(BODY_RULE, retarget="none"))


@pytest.mark.parametrize("rule", ["global", "none"])
def test_maps_of_another_atlas_are_refused(rule, tmp_path):
    _, windows = make_performer(tmp_path)
    driver = write_clip(tmp_path / "driver", standing_track(FRAMES, sway=8), chart="densepose")
    with pytest.raises(FootageError, match=r"atlas 'densepose' \(.*\), those of the performer to 'understudy-1'"):
        drive(tmp_path, driver, windows, replace(BODY_RULE, retarget=rule))


def test_a_body_is_not_drawn_over_another_atlas(tmp_path):
    clip = write_clip(tmp_path / "performer", standing_track(FRAMES, sway=4), shape=SHAPE, chart="densepose")
    windows, driver = tmp_path / "windows.h5", write_clip(tmp_path / "driver", standing_track(FRAMES))
    files = [clip.frames], [clip.pose], [clip.surface], [clip.flow]
    index_windows(*files, windows, DatasetSettings(held_out=0.2, gap_frames=2, surface="both"))
    with pytest.raises(FootageError, match=r"atlas 'densepose', but the retargeting 'body' draws .* to limbs"):
        drive(tmp_path, driver, windows, BODY_RULE)


def test_two_clips_of_one_other_atlas_go_together(tmp_path):
    clip = write_clip(tmp_path / "performer", standing_track(FRAMES, sway=4), chart="densepose")
    windows, driver = (
        tmp_path / "windows.h5",
        write_clip(tmp_path / "driver", standing_track(FRAMES), chart="densepose"),
    )
    files = [clip.frames], [clip.pose], [clip.surface], [clip.flow]
    index_windows(*files, windows, DatasetSettings(held_out=0.2, gap_frames=2, surface="both"))
    found = drive(tmp_path, driver, windows, replace(BODY_RULE, retarget="global"))
    assert found["attributes"]["chart"] == "densepose" and found["part"].any()


def test_files_of_two_clips_are_refused(tmp_path):
    clip, windows = make_performer(tmp_path)
    driver = write_clip(tmp_path / "driver", standing_track(20))
    with pytest.raises(FootageError, match=r"20 frames, but .* 30"):
        drive(tmp_path, replace(driver, surface=clip.surface), windows, BODY_RULE)


def test_the_shape_survives_its_file(tmp_path):
    clip, _ = make_performer(tmp_path)
    with h5py.File(clip.surface) as file:
        assert BodyShape.from_json(file.attrs["body"]) == BodyShape(**SHAPE)


def test_the_performers_clothes_are_drawn_and_not_the_drivers(tmp_path):
    """A performer in a coat of 4 cm is wider on the driver's pose; a driver in one changes nothing."""
    coat = SHAPE | {"relief": [0.04] * len(relief_points().mirror)}
    drawn = {}
    for name, performer, driver in (("bare", SHAPE, SHAPE), ("coat", coat, SHAPE), ("driver", SHAPE, coat)):
        _, windows = make_performer(tmp_path / name, shape=performer)
        clip = write_clip(tmp_path / name / "driver", standing_track(20), shape=driver)
        drawn[name] = drive(tmp_path / name, clip, windows, BODY_RULE)["part"]
    assert np.array_equal(drawn["bare"], drawn["driver"])
    assert (drawn["coat"] > 0).sum() > 1.25 * (drawn["bare"] > 0).sum()


def moving_camera(path: Path, shifts: np.ndarray) -> Path:
    """Write a camera.h5 whose frames look `shifts` (T,) px to the right of the reference frame."""
    motion = np.tile(np.eye(3), (len(shifts), 1, 1))
    motion[:, 0, 2] = shifts
    with create(path, "camera", "test") as file:
        file.extend(to_reference=motion, valid=np.ones(len(shifts), bool))
        file.attributes({"moving": True, "reference": 0, "height": 128, "width": 128})
    return path


def drive_filmed(
    folder: Path,
    shifts: np.ndarray,
    rule: RenderingSettings,
    performer_shifts: np.ndarray | None = None,
    follows: bool = False,
):
    """Drive by a person who stands still before a camera that moves, or walks with it (`follows`)."""
    clip = write_clip(folder / "performer", standing_track(FRAMES), shape=SHAPE)
    camera = [] if performer_shifts is None else [moving_camera(folder / "performer.h5", performer_shifts)]
    windows, settings = folder / "windows.h5", DatasetSettings(held_out=0.2, gap_frames=2, surface="both")
    index_windows([clip.frames], [clip.pose], [clip.surface], [clip.flow], windows, settings, camera=camera)
    track = standing_track(len(shifts))
    for joints in (track.body, track.face, track.hands):
        joints[..., 0] -= 0 if follows else shifts.reshape(-1, *[1] * (joints.ndim - 2))
    driver = write_clip(folder / "driver", track)
    filmed = moving_camera(folder / "camera.h5", shifts)
    fit_driving(driver.pose, driver.surface, windows, folder / "driving.h5", rule, 2, filmed)
    with open_file(folder / "driving.h5", "driving") as file:
        return file["body"][:, BODY["mid_hip"], 0], file["camera"][:] if "camera" in file else None


def test_a_still_camera_shows_the_driver_where_they_stood(tmp_path):
    places, camera = drive_filmed(tmp_path, 12 * np.sin(np.arange(20) / 3), BODY_RULE)
    assert camera is None and np.ptp(places) < 0.1


def test_a_driver_whom_the_camera_follows_stays_in_the_picture(tmp_path):
    places, camera = drive_filmed(tmp_path, np.linspace(-200, 200, 20), BODY_RULE, follows=True)
    assert camera is None and np.ptp(places) < 0.1, "as the frames show them: the reference frame would lose them"


def test_the_drivers_camera_is_followed_as_far_as_the_footage_shows(tmp_path):
    shifts, rule = 12 * np.sin(np.arange(20) / 3), replace(BODY_RULE, camera="driving")
    places, camera = drive_filmed(tmp_path, shifts, rule, 20 * np.sin(np.arange(FRAMES) / 4))
    np.testing.assert_allclose(camera[:, 0, 2], shifts, atol=0.2)
    np.testing.assert_allclose(places + camera[:, 0, 2], places[0] + camera[0, 0, 2], atol=0.2)
    places, camera = drive_filmed(tmp_path, shifts, rule, None)
    assert np.abs(camera[:, 0, 2]).max() < 3, "a performer's still camera saw next to nothing more"


def test_maps_as_they_are_take_the_drivers_camera_along(tmp_path):
    shifts = 12 * np.sin(np.arange(20) / 3)
    _, camera = drive_filmed(tmp_path, shifts, replace(BODY_RULE, retarget="none", camera="driving"))
    np.testing.assert_allclose(camera[:, 0, 2], shifts)
    assert drive_filmed(tmp_path, shifts, replace(BODY_RULE, retarget="none"))[1] is None
