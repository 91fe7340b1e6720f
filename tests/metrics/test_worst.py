"""Known answers: the lowest first, one of each moment, of each clip by itself."""

from understudy.metrics.worst import APART, worst_frames


def rows(values: dict[int, float], **more) -> list[dict]:
    return [{"frame": frame, "psnr": value} | more for frame, value in values.items()]


def test_one_frame_of_each_bad_moment():
    values = {10: 20.0, 11: 19.0, 12: 21.0, 12 + APART: 22.0, 90: 18.5, 95: float("nan")}
    found = worst_frames(rows(values), "psnr")
    assert [each["frame"] for each in found] == [90, 11, 12 + APART]
    assert found[0] == {"frame": 90, "figure": "psnr", "value": 18.5}
    assert len(worst_frames(rows(values), "psnr", count=2)) == 2


def test_frames_of_two_clips_are_two_moments():
    found = worst_frames(rows({3: 20.0}, clip=0) + rows({4: 21.0}, clip=1), "psnr")
    assert [(each["clip"], each["frame"]) for each in found] == [(0, 3), (1, 4)]
    assert worst_frames([], "psnr") == []
