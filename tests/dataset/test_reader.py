from pathlib import Path

import numpy as np
import pytest
import torch

from handmade import standing_track, write_clip
from understudy.dataset.reader import Footage
from understudy.dataset.truth import area_mean, network_flow
from understudy.dataset.windows import index_windows
from understudy.errors import TrainingError
from understudy.layouts import change_file
from understudy.settings import DatasetSettings

SETTINGS = DatasetSettings(held_out=0.2, gap_frames=2, surface="both")
FRAMES = 40  # 30 train, 2 belong to neither, 8 are held out


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    broken = standing_track(FRAMES, x=50)
    broken.valid[20] = False
    clips = [write_clip(folder / "a", standing_track(FRAMES, sway=6)), write_clip(folder / "b", broken)]
    columns = [[getattr(clip, name) for clip in clips] for name in ("frames", "pose", "surface", "flow")]
    index_windows(*columns, folder / "windows.h5", SETTINGS)
    return folder / "windows.h5"


def frame_numbers(picture: torch.Tensor) -> list[int]:
    """The hand-made pictures show their number within the clip."""
    return ((picture.mean((1, 2, 3)) + 1) * 127.5).round().int().tolist()


def test_split_holds_its_frames(windows):
    training, held_out = Footage(windows, 64), Footage(windows, 64, "held_out")
    assert (len(training), len(held_out)) == (30 + 29, 16)
    assert [run.length for run in training.runs] == [30, 20, 9]
    assert (training.height_px, training.width_px) == (64, 64)


def test_heights_that_do_not_fit_are_refused(windows):
    with pytest.raises(TrainingError, match="may be 128, 64, 32, 16"):
        Footage(windows, 96)


def test_clips_follow_each_other_within_a_run(windows):
    footage = Footage(windows, 32)
    for seed in range(5):
        batch = footage.sample(torch.Generator().manual_seed(seed), 4, 5)
        pictures = torch.tensor([frame_numbers(truth.picture) for truth in batch.truth]).T  # (B, T + 2)
        steps = pictures.diff(dim=1)
        assert (steps[:, 2:] == 1).all()
        assert batch.clip_frames == 5 and len(batch) == 4
        assert ((steps[:, :2] == 1) == (batch.past_valid > 0)).all()
        assert (pictures < 30).all()  # never the gap, never the tail


def test_a_run_starts_with_its_first_frame_repeated(windows):
    footage = Footage(windows, 32)
    batch = footage.sample(torch.Generator().manual_seed(0), 2, 30)  # only the first run is so long
    assert batch.past_valid.tolist() == [[0, 0], [0, 0]]
    assert batch.frames[0, :4].tolist() == [0, 0, 0, 1]
    for t in range(3):
        assert batch.maps[t].flow_valid.sum() == 0
        assert batch.truth[t].confidence.sum() == 0
    assert batch.maps[3].flow_valid.sum() > 0
    assert batch.truth[3].confidence.min() == 1


def test_a_clip_comes_with_frames_that_lead_up_to_it(windows):
    footage = Footage(windows, 32)
    plain = footage.sample(torch.Generator().manual_seed(2), 4, 3)
    batch = footage.sample(torch.Generator().manual_seed(2), 4, 3, lead=12)
    assert plain.lead is None
    assert torch.equal(batch.frames, plain.frames)  # the same clips as without
    starts = torch.tensor([0, 30, 50])
    first = batch.frames[:, 2].contiguous()
    start = starts[torch.searchsorted(starts, first, right=True) - 1]
    most = min(12, int((first - start).max()))
    assert len(batch.lead) == most
    wanted = first[:, None] + torch.arange(-most - 2, 0)
    assert torch.equal(batch.lead.numbers, torch.maximum(wanted, start[:, None]))
    assert torch.equal(batch.lead.inside, wanted >= start[:, None])
    assert batch.lead.inside.any() and not batch.lead.inside.all()
    steps = list(batch.lead)
    assert len(steps) == most
    (_, _, last), inside = steps[-1]
    assert torch.equal(last.drawing, batch.maps[1].drawing)  # the lead ends where the clip's context does
    assert torch.equal(inside, batch.past_valid[:, 1])


def test_leading_frames_stay_with_their_clip(windows):
    batch = Footage(windows, 32).sample(torch.Generator().manual_seed(2), 4, 3, lead=6)
    for (whole, inside), (one, its) in zip(batch.lead, batch[2].lead, strict=True):
        assert torch.equal(whole[2].part[2:3], one[2].part) and torch.equal(inside[2:3], its)


def test_where_all_clips_start_their_runs_nothing_leads_up_to_them(windows):
    batch = Footage(windows, 32).sample(torch.Generator().manual_seed(0), 2, 30, lead=9)
    assert batch.lead is None


def test_longer_clips_than_runs_are_refused(windows):
    with pytest.raises(TrainingError, match=r"clips of 31 frames.* has 30"):
        Footage(windows, 32).sample(torch.Generator(), 1, 31)


def test_every_place_is_drawn_alike(windows):
    footage = Footage(windows, 16)
    batch = footage.sample(torch.Generator().manual_seed(3), 4000, 1)
    share = torch.bincount(batch.frames[:, 2], minlength=len(footage)) / 4000 * len(footage)
    assert share.min() > 0.5 and share.max() < 1.5


def test_one_generator_draws_the_same_clips_again(windows):
    drawn = [Footage(windows, 32).sample(torch.Generator().manual_seed(7), 3, 2) for _ in range(2)]
    assert torch.equal(drawn[0].frames, drawn[1].frames)
    assert torch.equal(drawn[0].maps[2].drawing, drawn[1].maps[2].drawing)


def test_flows_are_scaled_to_the_network(windows):
    batch = Footage(windows, 32).sample(torch.Generator().manual_seed(1), 2, 8, strides=(1, 3))
    flow, confidence = batch.truth[-1].flow, batch.truth[-1].confidence
    assert confidence.min() == 1
    assert flow[:, 0].unique().tolist() == [0.5] and flow[:, 1].unique().tolist() == [-0.25]  # 2, -1 px over 4
    far, trust = batch.strided(9, 3)
    assert far[:, 0].unique().tolist() == [1.5] and trust.min() == 1


def test_long_strides_are_not_trusted_across_the_start_of_a_run(windows):
    batch = Footage(windows, 32).sample(torch.Generator().manual_seed(0), 1, 30, strides=(3,))
    trusted = [batch.strided(t, 3)[1].max().item() for t in range(3, 8)]
    assert trusted == [0, 0, 1, 1, 1]  # clip frame 5 is frame 3 of the run


def test_a_stride_that_was_not_computed_is_named(windows):
    with pytest.raises(TrainingError, match="over \\[9\\] frames"):
        Footage(windows, 32).sample(torch.Generator(), 1, 2, strides=(9,))


def test_flow_counts_by_its_confidence():
    flow = np.zeros((2, 2, 2), np.int16)
    flow[0, 0] = (64, -32)  # 4, -2 px
    confidence = np.zeros((2, 2), np.uint8)
    confidence[0, 0] = 255
    mean, share = network_flow(flow, confidence, 2)
    assert mean[:, 0, 0].tolist() == [2, -1]
    assert share[0, 0, 0] == 64


def test_pictures_are_averaged_by_area():
    picture = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert area_mean(picture.astype(np.float32), 2).tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert area_mean(picture, 1) is picture


def test_held_out_runs_play_in_order(windows):
    footage = Footage(windows, 32, "held_out")
    played = [frame_numbers(truth.picture)[0] for _, truth in footage.play(footage.runs[1])]
    assert played == list(range(32, 40))
    first, _ = next(footage.play(footage.runs[0]))
    assert first.flow_valid.sum() == 0


def test_spread_frames_are_even_and_the_only_ones_prepared(windows, monkeypatch):
    footage = Footage(windows, 16)
    prepared, usual = [], Footage._frame
    monkeypatch.setattr(Footage, "_frame", lambda self, number: prepared.append(number) or usual(self, number))
    numbers = [frame_numbers(truth.picture)[0] for _, truth in footage.spread(1000)]
    assert numbers == [*range(30), *range(20), *range(21, 30)]
    prepared.clear()
    assert [frame_numbers(truth.picture)[0] for _, truth in footage.spread(6)] == [0, 10, 20, 0, 10, 21]
    assert prepared == [0, 10, 20, 30, 40, 50]


def test_a_frame_comes_with_those_before_it_in_its_run(windows):
    footage = Footage(windows, 32)
    for number, expected in ((35, [3, 4, 5]), (31, [0, 1]), (30, [0])):  # the second run starts at frame 30 of all
        maps, truth = footage.lead_up(number, 2)
        assert (frame_numbers(truth.picture)[0], len(maps)) == (expected[-1], len(expected))
        played = [semantic for semantic, _ in footage.play(footage.runs[1])]
        assert all(torch.equal(one.part, played[place].part) for one, place in zip(maps, expected, strict=True))
        assert all(torch.equal(one.flow, played[place].flow) for one, place in zip(maps, expected, strict=True))


def test_only_the_first_frames_can_be_taken(windows):
    everything = Footage(windows, 32)
    some = Footage(windows, 32, most=35)
    assert [run.length for run in everything.runs] == [30, 20, 9]
    assert [run.length for run in some.runs] == [30, 5] and len(some) == 35
    assert [run.length for run in Footage(windows, 32, most=30).runs] == [30]
    last = list(some.play(some.runs[1]))[-1][1].picture
    assert torch.equal(last, list(everything.play(everything.runs[1]))[4][1].picture)


def test_both_surfaces_are_drawn_for_whole_clips(windows):
    footage = Footage(windows, 32)
    assert footage.surfaces == ("body", "clipped")
    batch = footage.sample(torch.Generator().manual_seed(0), 8, 3)
    tall = torch.stack([drawn.part.gt(0).any(2).sum(1) for drawn in batch.maps], 1).float()  # (B, T + 2), rows
    whole = tall > tall.mean()
    assert (whole == whole[:, :1]).all()
    assert 0 < whole[:, 0].sum() < 8


def test_a_surface_can_be_asked_for(windows):
    assert Footage(windows, 32, surface="clipped").surfaces == ("clipped",)


def test_a_missing_bare_body_is_said(tmp_path):
    clip = write_clip(tmp_path, standing_track(FRAMES))
    with change_file(clip.surface) as file:
        del file["body_part"], file["body_uv"]
    index_windows([clip.frames], [clip.pose], [clip.surface], [clip.flow], tmp_path / "windows.h5", SETTINGS)
    assert Footage(tmp_path / "windows.h5", 32).surfaces == ("clipped",)
    with pytest.raises(TrainingError, match=r"set dataset\.surface to clipped"):
        Footage(tmp_path / "windows.h5", 32, surface="body")


def test_memory_stays_under_its_cap_and_frames_stay_the_same(windows):
    whole = Footage(windows, 32)
    size = whole._frame(0).nbytes
    small = Footage(windows, 32, cache_bytes=3 * size)
    for number in (0, 5, 10, 15, 0):
        assert np.array_equal(small._frame(number).maps["body"].drawing, whole._frame(number).maps["body"].drawing)
        assert small._cached <= 3 * size
    assert sorted(small._cache) == [0, 10, 15]


def test_the_chart_is_that_of_the_clips(tmp_path):
    clip = write_clip(tmp_path / "a", standing_track(FRAMES), chart="densepose")
    index_windows([clip.frames], [clip.pose], [clip.surface], [clip.flow], tmp_path / "windows.h5", SETTINGS)
    assert Footage(tmp_path / "windows.h5", 32).chart == "densepose"
