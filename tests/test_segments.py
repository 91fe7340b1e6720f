"""Segments: how many, what each is called, and that together they are the clip."""

import pytest

from understudy.errors import FootageError
from understudy.segments import Segment, segment_names


def test_a_long_clip_is_split_and_a_short_one_is_not():
    assert segment_names(3600, 600) == ["1of6", "2of6", "3of6", "4of6", "5of6", "6of6"]
    assert segment_names(899, 600) == []
    assert segment_names(900, 600) == ["1of2", "2of2"]
    assert segment_names(3600, 0) == [], "0 switches it off"
    assert segment_names(None, 600) == [], "a clip of unknown length stays whole"
    assert len(segment_names(1e9, 1)) == 1000, "a wrong length plans no million of jobs"


@pytest.mark.parametrize(("frames", "count"), [(7, 7), (100, 7), (108_000, 6), (3, 1)])
def test_segments_are_the_clip(frames, count):
    spans = [Segment(number, count).span(frames) for number in range(1, count + 1)]
    assert [frame for first, last in spans for frame in range(first, last)] == list(range(frames))
    lengths = [last - first for first, last in spans]
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("blocks", [1, 3, 6, 20])
def test_every_block_is_in_one_segment(blocks):
    assert [block for number in range(1, 7) for block in Segment(number, 6).blocks(blocks)] == list(range(blocks))


def test_names_are_read_as_they_are_written():
    for name in segment_names(3600, 600):
        assert str(Segment.of(name)) == name
    for wrong in ("0of3", "4of3", "1of0", "3", "1of3 ", "01of3", "../1of3"):
        with pytest.raises(ValueError, match="is no segment's name"):
            Segment.of(wrong)


def test_more_segments_than_frames_are_refused_in_words():
    with pytest.raises(FootageError, match=r"planned in 9 segments, but has only 8 frames: its end_s"):
        Segment(3, 9).span(8)
