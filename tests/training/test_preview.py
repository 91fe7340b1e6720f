import cv2
import pytest
import torch

from planted import MODEL, planted_frame, write_planted_clip
from understudy.dataset.reader import Footage
from understudy.model.build import start_generator
from understudy.training.preview import choose_frames, draw_preview, person_psnr, save_preview


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    return Footage(write_planted_clip(tmp_path_factory.mktemp("clip")), 32, "held_out", "clipped")


def test_frames_are_spread_and_fixed(held_out):
    frames = choose_frames(held_out, 3)
    assert [len(one.maps) for one in frames] == [1, 3, 3]  # the first frame of a run has none before it
    again = choose_frames(held_out, 3)
    assert all(torch.equal(one.truth.picture, two.truth.picture) for one, two in zip(frames, again, strict=True))
    assert len(choose_frames(held_out, 99)) == len(held_out)


def test_psnr_counts_the_person_only():
    _, truth = planted_frame(height=64, width=64, left=20.0)
    drawn = truth.picture.clone()
    drawn[..., :4] = 1  # far from the person
    assert person_psnr(drawn, truth) == pytest.approx(100)
    assert person_psnr(truth.picture + 0.2, truth) == pytest.approx(20, abs=0.6)  # half the range is 0.1; clamped


def test_picture_shows_truth_final_raw_and_mask(held_out, tmp_path):
    generator = start_generator([planted_frame(left) for left in (2.0, 9.0, 16.0)], MODEL, seed=1)
    preview = draw_preview(generator, choose_frames(held_out, 3))
    assert len(preview.drawn) == 3 and preview.psnr > 15
    save_preview(tmp_path / "p.png", preview)
    strip = cv2.imread(str(tmp_path / "p.png"))[..., ::-1]
    assert strip.shape == (4 * 32, 3 * 32, 3)
    first = ((preview.frames[0].truth.picture[0] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    assert (strip[:32, :32] == first).all()
    assert strip[96:, :32].min() == 255  # no past: all drawn afresh
    assert strip[96:, 32:64].min() < 250
