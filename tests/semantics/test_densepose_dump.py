"""Results of DensePose made elsewhere: every kind of file gives the truth it was made from, others are refused."""

import json
import logging
import pickle

import cv2
import h5py
import numpy as np
import pytest
import torch

from defaults import pose_settings, surface_settings
from densepose_double import install_structures
from densepose_files import chart_result, entries, png_text, true_maps, write_dump, write_pictures, write_video
from posing import make_pose
from understudy.clips import Clip
from understudy.errors import BackendError
from understudy.layouts import open_file
from understudy.semantics.surface import estimate_surface
from understudy.semantics.surface_backends.densepose_dump import Backend
from understudy.semantics.truth import open_truth
from understudy.settings import DecodeSettings
from understudy.video.decode import decode_clip
from understudy.video.frames import Frames

TINY = 96  # px, the tiny clip


@pytest.fixture(scope="module")
def maps(tiny_clip):
    """Part, U, V of the six pictures at two samples per pixel."""
    return true_maps(tiny_clip.folder / "truth.h5")


@pytest.fixture
def classes(monkeypatch):
    return install_structures(monkeypatch)


def at_pixels(maps):
    """One sample per pixel, as a network's result is."""
    return [picture[::2, ::2] for picture in maps]


def settings(path, samples=2, **changes):
    own = {"path": str(path), "chart": "densepose", "min_score": 0.5}
    return surface_settings("densepose_dump", samples=samples, densepose_dump=own | changes)


def surfaces(clip, pose, chosen, matte=False):
    """Read surfaces; the exact matte of the pose is left out, unless asked for, so that nothing is cut or filled."""
    with Frames(clip) as frames, h5py.File(pose) as file:
        rows = file if matte else {name: file[name] for name in file if name != "matte"}
        return list(Backend(chosen)(frames, rows))


def check_all(found, maps, samples=2):
    """Every surface is the map it was made from, to the bit."""
    assert len(found) == len(maps)
    for surface, picture in zip(found, maps):
        expected = picture if samples == 2 else picture[::2, ::2]
        np.testing.assert_array_equal(surface.part, expected[..., 0])
        np.testing.assert_array_equal(surface.uv, expected[..., 1:] * (expected[..., :1] > 0))
        assert surface.valid


@pytest.mark.parametrize("blue", [True, False])
def test_pictures_of_either_order_give_the_truth(blue, tiny_clip, tiny_pose, maps, tmp_path, caplog):
    folder = write_pictures(tmp_path / "ada", maps, blue=blue)
    with caplog.at_level(logging.INFO):
        check_all(surfaces(tiny_clip.frames, tiny_pose, settings(folder)), maps)
    assert ("VUI (part in blue" if blue else "IUV (part in red") in caplog.text


@pytest.mark.parametrize("blue", [True, False])
def test_a_lossless_video_gives_the_truth(blue, tiny_clip, tiny_pose, maps, tmp_path, caplog):
    path = write_video(tmp_path / "ada.mkv", maps, blue=blue)
    with caplog.at_level(logging.INFO):
        check_all(surfaces(tiny_clip.frames, tiny_pose, settings(path)), maps)
    assert "with loss" not in caplog.text
    assert ("VUI" if blue else "IUV (part in red") in caplog.text


def test_a_lossy_video_is_read_with_a_warning(tiny_clip, tiny_pose, maps, tmp_path, caplog):
    path = write_video(tmp_path / "ada.mp4", maps, "libx264", "yuv444p")
    found = surfaces(tiny_clip.frames, tiny_pose, settings(path))
    assert "is coded with loss (h264" in caplog.text and "ffv1" in caplog.text
    for surface, picture in zip(found, maps):
        assert ((surface.part > 0) == (picture[..., 0] > 0)).mean() > 0.9


@pytest.mark.parametrize("version", ["2019", "2021", "2023", "compressed", "quantized"])
def test_dumps_of_every_version_give_the_truth(version, classes, tiny_clip, tiny_pose, maps, tmp_path):
    path = write_dump(tmp_path / "ada.pkl", at_pixels(maps), classes, version)
    check_all(surfaces(tiny_clip.frames, tiny_pose, settings(path, samples=1)), maps, samples=1)


@pytest.mark.parametrize("version", ["2019", "2023"])
def test_a_dump_of_a_crowd_gives_the_person_of_the_pose(version, classes, tiny_clip, tiny_pose, maps, tmp_path):
    """Others come first with higher scores; one covers the whole picture."""

    def others(number):
        stranger = np.full((20, 10, 3), (7, 9, 9), np.uint8)
        return [([2.0, 3.0, 12.0, 23.0], stranger), ([0.0, 0.0, 96.0, 96.0], np.full((96, 96, 3), 5, np.uint8))]

    path = write_dump(tmp_path / "ada.pkl", at_pixels(maps), classes, version, others=others)
    check_all(surfaces(tiny_clip.frames, tiny_pose, settings(path, samples=1)), maps, samples=1)


def test_people_with_a_low_score_and_empty_pictures_are_frames_without_a_surface(
    classes, tiny_clip, tiny_pose, maps, tmp_path
):
    pictures = at_pixels(maps)
    pictures[2] = np.zeros_like(pictures[2])
    dumped = entries(pictures, chart_result(classes))
    low = next(entry for entry in dumped if entry["file_name"].endswith("000005.png"))
    low["scores"] = torch.tensor([0.3])
    missing = next(entry for entry in dumped if entry["file_name"].endswith("000006.png"))
    for name in ("scores", "pred_boxes_XYXY", "pred_densepose"):
        del missing[name]  # fields that the network's answer lacked
    torch.save(dumped, tmp_path / "ada.pkl")
    found = surfaces(tiny_clip.frames, tiny_pose, settings(tmp_path / "ada.pkl", samples=1))
    assert [surface.valid for surface in found] == [True, True, False, True, False, False]
    again = surfaces(tiny_clip.frames, tiny_pose, settings(tmp_path / "ada.pkl", samples=1, min_score=0.2))
    assert again[4].valid


def test_strangers_in_pictures_are_left_out(tiny_clip, tiny_pose, maps, tmp_path):
    crowd = [picture.copy() for picture in maps]
    for picture in crowd:
        picture[150:190, 2:10] = (4, 50, 50)
    check_all(surfaces(tiny_clip.frames, tiny_pose, settings(write_pictures(tmp_path / "ada", crowd))), maps)


def test_the_pose_matte_cuts_and_is_kept(tiny_clip, tiny_pose, maps, tmp_path):
    folder = write_pictures(tmp_path / "ada", [cv2.erode(picture, np.ones((3, 3))) for picture in maps])
    found = surfaces(tiny_clip.frames, tiny_pose, settings(folder), matte=True)
    with open_file(tiny_pose, "pose") as pose:
        for surface, matte in zip(found, pose["matte"][:]):
            np.testing.assert_array_equal(surface.matte, matte)
            assert (surface.part > 0).mean() == pytest.approx((matte > 127).mean(), rel=0.08)


def test_maps_follow_crop_scale_span_and_rate(tiny_clip, maps, tmp_path):
    """A clip of half the rate that starts late and shows a part of the picture, larger: as the truth carried there."""
    crop = {"left": 16, "top": 8, "width": 64, "height": 80}
    (tmp_path / "crop.json").write_text(json.dumps(crop))
    row = Clip("part", str(tiny_clip.video), 0.1, 0, "largest", "16,8,64,80")
    files = tmp_path / "frames.h5", tmp_path / "sound.mka"
    decode_clip(tiny_clip.video, tmp_path / "crop.json", *files, row, DecodeSettings("pyav", 128, 6, 0.08))
    make_pose(files[0], tmp_path / "pose.h5", pose_settings("truth", smooth_frames=1, gap_frames=0))
    folder = write_pictures(tmp_path / "iuv", maps)
    found = surfaces(files[0], tmp_path / "pose.h5", settings(folder))
    with Frames(files[0]) as frames, open_truth(frames) as truth:
        assert len(found) == len(frames) == 3
        assert truth.rows.tolist() == [1, 3, 5]
        for index, surface in enumerate(found):
            np.testing.assert_array_equal(surface.part, truth.map("part", index, 2))
            np.testing.assert_array_equal(surface.uv, truth.map("uv", index, 2))


@pytest.mark.parametrize("first", [0, 1, 7])
@pytest.mark.parametrize("name", ["{}.png", "frame_{:05d}.png", "2024_{:03d}_densepose2.png", "take3-{}_IUV.png"])
def test_pictures_are_found_by_their_numbers(first, name, tiny_clip, tiny_pose, maps, tmp_path):
    folder = write_pictures(tmp_path / "ada", maps, first=first, name=name)
    check_all(surfaces(tiny_clip.frames, tiny_pose, settings(folder)), maps)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: (f / "000003_IUV.png").unlink(), r"results of 5 pictures, but .*synthetic.mp4 has 6; .*; missing 3"),
        (lambda f: (f / "000003_IUV.png").rename(f / "000009_IUV.png"), r"1 to 9, but only 6 of them; missing 3, 7, 8"),
        (lambda f: (f / "000003_IUV.png").rename(f / "last_IUV.png"), r"last_IUV.png has no number in its name"),
        (lambda f: (f / "3_IUV.png").write_bytes((f / "000003_IUV.png").read_bytes()), r"have the same number"),
        (lambda f: [file.rename(file.with_suffix(".jpg")) for file in list(f.iterdir())], r"no PNG pictures \(.jpg\)"),
        (lambda f: (f / "000001_IUV.png").write_bytes(b"no picture"), r"000001_IUV.png cannot be read"),
        (
            lambda f: cv2.imwrite(str(f / "000006_IUV.png"), np.zeros((50, 50, 3), np.uint8)),
            r"000006_IUV.png is 50 x 50 px, the pictures before it 192 x 192",
        ),
        (
            lambda f: [cv2.imwrite(str(one), np.zeros((192, 192, 3), np.uint8)) for one in list(f.iterdir())],
            r"pictures looked at are empty",
        ),
        (
            lambda f: [cv2.imwrite(str(one), 10 * cv2.imread(str(one))) for one in list(f.iterdir())],
            r"largest values of red, green, blue are .*\(viridis\)",
        ),
        (
            lambda f: [cv2.imwrite(str(one), cv2.imread(str(one))[:100]) for one in list(f.iterdir())],
            r"192 x 100 px, but the clip's video has 96 x 96",
        ),
    ],
)
def test_wrong_folders_are_refused_in_plain_words(change, words, tiny_clip, tiny_pose, maps, tmp_path):
    folder = write_pictures(tmp_path / "ada", maps)
    change(folder)
    with pytest.raises(BackendError, match=words):
        surfaces(tiny_clip.frames, tiny_pose, settings(folder))


def test_a_missing_path_is_named(tiny_clip, tiny_pose, tmp_path):
    with pytest.raises(BackendError, match=r"densepose_dump.path names .*nowhere, which does not exist"):
        surfaces(tiny_clip.frames, tiny_pose, settings(tmp_path / "nowhere"))


def save(path, value):
    path.write_bytes(pickle.dumps(value))


def test_wrong_dumps_are_refused_in_plain_words(classes, tiny_clip, tiny_pose, maps, tmp_path):
    path, pictures = tmp_path / "ada.pkl", at_pixels(maps)

    def refused(value, words):
        save(path, value)
        with pytest.raises(BackendError, match=words):
            surfaces(tiny_clip.frames, tiny_pose, settings(path, samples=1))

    refused({"model": 1}, r"holds no list of pictures' results, expected what `apply_net.py dump` writes")
    refused(entries(pictures, chart_result(classes))[1:], r"results of 5 pictures, but .* has 6")
    large = [cv2.resize(picture, (300, 300)) for picture in pictures]
    refused(entries(large, chart_result(classes)), r"reaches to x \d+, y \d+, but the clip's video is 96 x 96 px")
    embedded = entries(pictures, chart_result(classes))
    for entry in embedded:
        entry["pred_densepose"] = classes.DensePoseEmbeddingPredictorOutput(torch.zeros(1, 16, 4, 4))
    refused(embedded, r"vertex embeddings \(CSE\), expected one with charts")
    animals = [picture + np.uint8([[[40, 0, 0]]]) for picture in pictures]
    refused(entries(animals, chart_result(classes)), r"names part 6\d, expected 0 to 24")
    bomb = entries(pictures, lambda one: ((3, 10**5, 10**5), png_text(one)))
    refused(bomb, r"a picture of another size than announced")
    short = entries(pictures, chart_result(classes))
    for entry in short:
        entry["pred_densepose"] = []
    save(path, short)
    assert not any(one.valid for one in surfaces(tiny_clip.frames, tiny_pose, settings(path, samples=1)))


def test_the_file_names_its_chart(tiny_clip, tiny_pose, maps, tmp_path):
    folder, surface = write_pictures(tmp_path / "ada", maps), tmp_path / "surface.h5"
    estimate_surface(tiny_clip.frames, tiny_pose, surface, settings(folder, chart="mine"))
    with open_file(surface, "surface") as file:
        assert file.attrs["chart"] == "mine"
        assert "body_part" not in file
