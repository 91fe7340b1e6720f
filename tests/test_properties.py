"""Properties of our parsers, over inputs that hypothesis thinks of: what is written comes back, the rest is refused."""

import json
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as any_

from understudy.clips import DEFAULTS, Clip, read_clips
from understudy.errors import BackendError, ClipTableError, LayoutError, SettingsError, UnderstudyError, WeightsError
from understudy.inspection import KINDS
from understudy.semantics.openpose_files import people_text, read_people
from understudy.semantics.openpose_layout import OpenPosePerson
from understudy.semantics.surface_backends._numbering import numbers_of
from understudy.stages import alternate, grown_stages
from understudy.validation import complete
from understudy.video.crop import read_crop
from understudy.video.leads import MOST_LEAD_S, read_lead
from understudy.video.timing import at_constant_rate, track_length
from understudy.weights import load_weights

# The same examples at each run, so that a test that passes goes on passing; `make fuzz` looks for new ones.
tried = settings(
    max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
few = settings(tried, max_examples=30)
read_weights = load_weights.__wrapped__  # without its memory of tables read before

NAME = any_.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)
SECONDS = any_.integers(0, 10**6 - 2).map(lambda thousandths: thousandths / 1000)
BOX = any_.tuples(*[any_.integers(0, 99_999)] * 2, *[any_.integers(1, 99_999)] * 2)
PATH = any_.text(
    any_.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters='"{}'), min_size=1, max_size=40
)
PLAIN = any_.recursive(
    any_.none() | any_.booleans() | any_.integers() | any_.floats() | any_.text(max_size=8),
    lambda inner: any_.lists(inner, max_size=4) | any_.dictionaries(any_.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def boxed(box: tuple[int, ...]) -> str:
    return ",".join(map(str, box))


@any_.composite
def rows(draw) -> Clip:
    """A row of a clip table as it can be."""
    start = draw(SECONDS)
    end = draw(any_.just(0.0) | SECONDS.map(lambda length: round(start + length + 0.001, 3)))
    point = any_.tuples(any_.integers(0, 9999), any_.integers(0, 9999)).map(lambda at: f"{at[0]},{at[1]}.5@{start:.3f}")
    return Clip(
        clip=draw(NAME),
        video=draw(PATH.filter(lambda path: path.strip() == path and max(map(len, path.encode().split(b"/"))) < 250)),
        start_s=start,
        end_s=end,
        person=draw(any_.sampled_from(["largest", "central"]) | any_.integers(1, 999).map(str) | point),
        crop=draw(any_.sampled_from(["person", "none"]) | BOX.map(boxed)),
        ignore=draw(any_.lists(BOX, max_size=3).map(lambda boxes: ";".join(map(boxed, boxes)))),
    )


@few
@given(table=any_.lists(rows(), min_size=1, max_size=2, unique_by=lambda row: row.clip))
def test_a_written_clip_table_comes_back(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "clips.tsv"
    lines = ["\t".join(["clip", "video", *DEFAULTS])]
    lines += ["\t".join(map(str, vars(row).values())) for row in table if not row.clip.startswith("#")]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert list(read_clips(path).values()) == table
    for row in table:
        assert [boxed(box) for box in row.ignored_boxes()] == [box for box in row.ignore.split(";") if box]


@tried
@given(
    text=any_.text(any_.sampled_from('clipvdeo\t\n"#,;@.-0123456789persontail\r\x00é'), max_size=120)
    | any_.text(max_size=60)
)
def test_any_text_is_a_clip_table_or_is_refused(text, tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "clips.tsv"
    path.write_text(f"clip\tvideo\tperson\tcrop\tignore\n{text}", encoding="utf-8")
    try:
        table = read_clips(path)
    except ClipTableError as refusal:
        assert str(path) in str(refusal)
        return
    for name, row in table.items():
        assert row.clip == name and "/" not in name and "." not in name
        assert all(width > 0 and height > 0 for _, _, width, height in row.ignored_boxes())


@tried
@given(
    heights=any_.lists(any_.integers(1, 200), min_size=1, max_size=6, unique=True).map(sorted),
    lengths=any_.lists(any_.integers(1, 50), min_size=1, max_size=6, unique=True).map(sorted),
    batch=any_.integers(1, 64),
    judges=any_.floats(0, 1),
)
def test_a_table_of_stages_grows_in_space_and_time_to_its_end(heights, lengths, batch, judges):
    grow = {
        "heights_px": heights,
        "clip_frames": lengths,
        "batch": batch,
        "learning_rate": 1e-3,
        "judges_from": judges,
        "freeze": 0.2,
    }
    stages = grown_stages(grow)
    assert len({row["name"] for row in stages}) == len(stages) == len(heights) + len(lengths) - 1
    assert (stages[0]["height_px"], stages[0]["clip_frames"]) == (heights[0], lengths[0])
    assert (stages[-1]["height_px"], stages[-1]["clip_frames"]) == (heights[-1], lengths[-1])
    for before, after in pairwise(stages):
        taller, longer = (after[key] > before[key] for key in ("height_px", "clip_frames"))
        assert taller != longer, "one of both grows at a time"
        assert 1 <= after["batch"] <= before["batch"] and after["judges_from"] <= before["judges_from"]
    assert all(0 <= row["judges_from"] <= 1 for row in stages)


@tried
@given(heights=any_.integers(1, 9), lengths=any_.integers(1, 9))
def test_every_step_of_a_table_is_a_neighbour_of_the_one_before(heights, lengths):
    places = alternate(heights, lengths)
    assert places[0] == (0, 0) and places[-1] == (heights - 1, lengths - 1)
    assert all((s + t) == number for number, (s, t) in enumerate(places))


@tried
@given(values=any_.dictionaries(any_.text(max_size=12), PLAIN, max_size=4), section=any_.sampled_from(
    ["decode", "pose", "surface", "flow", "camera", "dataset", "model", "training", "rendering", "metrics", "synthetic"]
))  # fmt: skip
def test_any_section_is_completed_or_refused_with_its_place(values, section):
    config = {"performers": {"me": {"clips": ["me"]}}, section: values}
    try:
        filled = complete(config)
    except SettingsError as refusal:
        assert section in str(refusal) or "configuration" in str(refusal)
        return
    assert complete(filled | {"training": {**filled["training"]}}) == filled, "a completed one is complete"


@tried
@given(values=PLAIN)
def test_anything_that_is_no_configuration_is_refused(values):
    with pytest.raises(SettingsError):
        complete({"performers": values} if not isinstance(values, dict) else {"performer": values})


@few
@given(people=any_.integers(0, 4), seed=any_.integers(0, 2**32 - 1), largest=any_.floats(1, 9000))
def test_keypoints_that_are_written_come_back(people, seed, largest, tmp_path_factory):
    path = tmp_path_factory.mktemp("keypoints") / "0_keypoints.json"
    points = np.random.default_rng(seed).uniform(1e-3, [largest, largest, 1], (people, 137, 3))
    written = [OpenPosePerson(one[:25], one[25:95], one[95:].reshape(2, 21, 3)) for one in points]
    path.write_text(people_text(written))
    for before, after in zip(written, read_people(path), strict=True):
        for name in ("body", "face", "hands"):
            np.testing.assert_allclose(getattr(after, name), getattr(before, name), rtol=1e-5)


@tried
@given(values=PLAIN, part=any_.sampled_from(["pose", "face", "hand_left", "hand_right"]))
def test_keypoints_of_any_kind_are_points_or_are_refused(values, part, tmp_path_factory):
    path = tmp_path_factory.mktemp("keypoints") / "0_keypoints.json"
    person = {"pose_keypoints_2d": [1.0] * 75} | {f"{part}_keypoints_2d": values}
    for people in (values, [values], [person]):
        path.write_text(json.dumps({"people": people}))
        try:
            found = read_people(path)
        except BackendError as refusal:
            assert str(path) in str(refusal)
            continue
        for one in found:
            assert (one.body.shape, one.face.shape, one.hands.shape) == ((25, 3), (70, 3), (2, 21, 3))
            assert all(np.isfinite(points).all() for points in (one.body, one.face, one.hands))


ENTRY = any_.fixed_dictionaries(
    {"url": any_.from_regex(r"https://[a-z]{1,9}\.org/[a-z]{1,9}", fullmatch=True), "licence": NAME, "purpose": NAME,
     "use": any_.sampled_from(["any", "non-commercial", "unclear"])},
    optional={"sha256": any_.from_regex(r"[0-9a-f]{64}", fullmatch=True), "size": any_.integers(0, 2**40)},
)  # fmt: skip


@few
@given(entries=any_.dictionaries(any_.from_regex(r"[a-z]{1,5}(/[a-z]{1,5})?\.pth", fullmatch=True), ENTRY, max_size=3))
def test_a_written_list_of_weights_comes_back(entries, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "weights.yaml"
    path.write_text(yaml.safe_dump(entries))
    found = read_weights(path)
    assert list(found) == sorted(entries)
    for name, entry in entries.items():
        assert found[name].urls == (entry["url"],) and found[name].size == entry.get("size", 0)
        assert found[name].path.is_relative_to("weights")


@tried
@given(
    values=PLAIN,
    name=any_.text(max_size=12),
    key=any_.sampled_from(["url", "mirrors", "member", "sha256", "size", "use", "md5"]),
)
def test_any_list_of_weights_is_read_or_refused(values, name, key, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "weights.yaml"
    good = {"url": "https://a.org/b", "licence": "MIT", "use": "any", "purpose": "test"}
    for table in (values, {name: values}, {name: good | {key: values}}):
        path.write_text(yaml.safe_dump(table))
        try:
            found = read_weights(path)
        except WeightsError as refusal:
            assert str(path) in str(refusal)
            continue
        assert all(not {"..", "/"} & set(entry.path.parts) for entry in found.values())


class Picture:
    """A picture of a video, with its number, and its times as exact seconds."""

    def __init__(self, number: int, time_s: Fraction, duration_s: Fraction):
        self.number, self.time_s, self.duration_s = number, time_s, duration_s


@tried
@given(
    gaps=any_.lists(any_.integers(0, 400), min_size=1, max_size=40),
    rate=any_.fractions(1, 60, max_denominator=1001),
    start=any_.integers(0, 500),
)
def test_every_tick_shows_the_picture_on_display(gaps, rate, start):
    """Compared with a slow plain choice: the last picture at or before the tick, looked at half a frame later."""
    times = [Fraction(sum(gaps[:number]), 1000) for number in range(len(gaps))]
    pictures = [Picture(number, time_s, Fraction(0)) for number, time_s in enumerate(times)]
    start_s, source_rate = Fraction(start, 1000), Fraction(25)
    shown = [one.number for one in at_constant_rate(pictures, rate, source_rate, start_s, None)]
    looks = [start_s + tick / rate + 1 / (2 * max(rate, source_rate)) for tick in range(len(shown) + 1)]
    expected = [max((n for n, time_s in enumerate(times) if time_s <= look), default=0) for look in looks]
    assert shown == expected[:-1]
    assert looks[-1] >= times[-1] + 1 / source_rate, "it ends with the last picture, not before"
    assert shown == sorted(shown)


@tried
@given(text=any_.text(max_size=30) | any_.from_regex(r"\d{1,3}:\d\d:\d\d\.\d{0,12}", fullmatch=True))
def test_any_length_of_a_track_is_seconds_or_nothing(text):
    found = track_length(text)
    assert found is None or 0 <= found < 10**10


@tried
@given(hours=any_.integers(0, 99), rest=any_.integers(0, 3_599_999))
def test_a_written_length_of_a_track_comes_back(hours, rest):
    minutes, thousandths = divmod(rest, 60_000)
    text = f"{hours:02d}:{minutes:02d}:{thousandths // 1000:02d}.{thousandths % 1000:03d}000000"
    assert track_length(text) == hours * 3600 + Fraction(rest, 1000)


@tried
@given(text=any_.text(max_size=20) | any_.fractions().map(str))
def test_any_lead_is_short_or_refused(text):
    with suppress(ValueError, ZeroDivisionError):
        assert 0 <= read_lead(text) <= MOST_LEAD_S


@tried
@given(
    values=PLAIN
    | any_.fixed_dictionaries(dict.fromkeys(("left", "top", "width", "height"), PLAIN | any_.floats(1, 500)))
)
def test_any_rectangle_is_of_pixels_or_is_refused(values, tmp_path_factory):
    path = tmp_path_factory.mktemp("crop") / "crop.json"
    path.write_text(json.dumps(values))
    try:
        crop = read_crop(path)
    except LayoutError as refusal:
        assert str(path) in str(refusal)
        return
    assert crop == {name: values[name] for name in ("left", "top", "width", "height")}
    assert crop["width"] > 0 and crop["height"] > 0 and all(np.isfinite(list(crop.values())))


@tried
@given(value=PLAIN | any_.text(max_size=20), kind=any_.sampled_from(sorted(KINDS)))
def test_the_kind_of_any_attribute_is_told(value, kind):
    _, fits = KINDS[kind]
    assert fits(value) in (True, False)
    if kind in ("list", "mapping"):
        assert fits(json.dumps(value)) == isinstance(value, {"list": list, "mapping": dict}[kind])


@tried
@given(
    first=any_.integers(0, 5000), count=any_.integers(1, 30), name=any_.text(any_.sampled_from("abc_-."), max_size=6)
)
def test_pictures_are_numbered_by_what_differs(first, count, name):
    names = [f"{name}7_{number:06d}.png" for number in range(first, first + count)]
    assert numbers_of(names, Path("pictures")) == list(range(first, first + count))


@tried
@given(names=any_.lists(any_.text(any_.sampled_from("a1.0-"), min_size=1, max_size=8), min_size=1, max_size=5))
def test_any_names_of_pictures_are_numbered_or_refused(names):
    try:
        numbers = numbers_of(names, Path("pictures"))
    except UnderstudyError as refusal:
        assert "pictures" in str(refusal)
        return
    assert len(set(numbers)) == len(names)
