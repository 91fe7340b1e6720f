"""The schema and the dataclasses hold the same keys; defaults are complete; params keep their order."""

from dataclasses import fields, is_dataclass
from typing import get_args, get_origin, get_type_hints

import pytest

from understudy import settings as hall
from understudy.settings import FlowSettings, from_params
from understudy.validation import complete, load_schema

RAFT = {"weights": "", "sha256": "", "device": "cpu"}
SECTIONS = {
    "decode": hall.DecodeSettings,
    "segments": hall.SegmentsSettings,
    "pose": hall.PoseSettings,
    "surface": hall.SurfaceSettings,
    "flow": hall.FlowSettings,
    "camera": hall.CameraSettings,
    "dataset": hall.DatasetSettings,
    "model": hall.ModelSettings,
    "training": hall.TrainingSettings,
    "rendering": hall.RenderingSettings,
    "film": hall.FilmSettings,
    "metrics": hall.MetricsSettings,
}
TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
SMALLEST = {"performers": {"ada": {"clips": ["ada"]}}}


def hold_together(kind, rule, place):
    """Assert that a dataclass and a schema object have the same keys and types, nested ones too."""
    assert rule["type"] == "object" and rule["additionalProperties"] is False, place
    types = get_type_hints(kind)
    assert [field.name for field in fields(kind)] == list(rule["properties"]), place
    for name, inner in rule["properties"].items():
        key = f"{place}.{name}"
        assert inner.get("description"), f"{key} lacks its meaning"
        if is_dataclass(types[name]):
            hold_together(types[name], inner, key)
        elif get_origin(types[name]) is tuple:
            item = get_args(types[name])[0]
            assert inner["type"] == "array", key
            if is_dataclass(item):
                hold_together(item, inner["items"], key)
            else:
                assert inner["items"]["type"] == TYPES[item], key
        else:
            assert inner["type"] == TYPES[types[name]], key


def section_of_jobs(name):
    """The schema of a section as jobs get it: `training.grow` is written out into stages before."""
    rule = load_schema()["properties"][name]
    kept = {key: inner for key, inner in rule["properties"].items() if (name, key) != ("training", "grow")}
    return rule | {"properties": kept}


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_schema_and_dataclass_agree(name):
    hold_together(SECTIONS[name], section_of_jobs(name), name)


def test_a_table_in_short_has_the_keys_of_its_rows():
    training = load_schema()["properties"]["training"]["properties"]
    grow, row = training["grow"]["properties"], training["stages"]["items"]["properties"]
    shared = [name for name in list(row)[3:] if name != "face"]  # a face comes after growing
    assert list(grow) == ["heights_px", "clip_frames", *shared]
    assert list(row)[:3] == ["name", "height_px", "clip_frames"]
    for name in shared:
        assert grow[name]["type"] == row[name]["type"], name


def test_synthetic_clips_agree():
    rule = load_schema()["properties"]["synthetic"]["additionalProperties"]
    hold_together(hall.SyntheticSettings, rule, "synthetic")


def every_rule(rule, place=""):
    yield place, rule
    for name, inner in rule.get("properties", {}).items():
        yield from every_rule(inner, f"{place}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(rule.get(key), dict):
            yield from every_rule(rule[key], f"{place}[]")


def test_every_number_has_a_range_and_every_key_a_meaning():
    for place, rule in every_rule(load_schema()):
        if rule.get("type") in ("integer", "number"):
            assert {"minimum", "exclusiveMinimum"} & set(rule), f"{place} has no lower bound"
        if place and not place.endswith("[]"):
            assert rule.get("description"), f"{place} has no description"


def test_defaults_alone_make_every_section():
    filled = complete(SMALLEST)
    for name, kind in SECTIONS.items():
        made = from_params(kind, filled[name])
        assert is_dataclass(made)
    assert from_params(hall.TrainingSettings, filled["training"]).stages[0].name == "s0t0"


def test_params_do_not_depend_on_the_order_or_number_style_of_the_file():
    first = complete(SMALLEST | {"pose": {"gap_frames": 3, "min_score": 1}})
    second = complete({"pose": {"min_score": 1.0, "gap_frames": 3}} | SMALLEST)
    assert repr(first["pose"]) == repr(second["pose"])


def test_from_params_refuses_other_keys():
    values = {"backend": "dis", "quality": "fine", "strides": [1, 3], "slack_px": 1, "raft": RAFT, "extra": 2}
    with pytest.raises(ValueError, match="extra"):
        from_params(FlowSettings, values)
    del values["extra"]
    made = from_params(FlowSettings, values)
    assert made.strides == (1, 3) and isinstance(made.slack_px, float)


def test_settings_are_frozen():
    made = from_params(FlowSettings, {"backend": "dis", "quality": "fine", "strides": [1], "slack_px": 1, "raft": RAFT})
    with pytest.raises(AttributeError):
        made.quality = "medium"
