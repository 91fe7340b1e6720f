"""Cutting a mesh along a border, and joints as sums of vertices: known answers on small meshes."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Mesh:
    faces: np.ndarray
    region: np.ndarray
    bones: list
    weights: np.ndarray
    weight_bones: np.ndarray
    vertices: dict
    keypoints: dict
    paint: dict
    fields: np.ndarray


@pytest.fixture
def square():
    """A square of two triangles, 1 m wide, its left edge on bone 0, its right edge on bone 1."""
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    return Mesh(
        faces=np.array([[0, 1, 2], [0, 2, 3]]),
        region=np.array([4, 7]),
        bones=["first", "second"],
        weights=np.tile([1.0, 0.0], (4, 1)),
        weight_bones=np.array([[0, 1], [1, 0], [1, 0], [0, 1]]),
        vertices={"neutral": corners},
        keypoints={"nose": np.array([1.0, 0, 0, 0])},
        paint={"lips": np.array([0, 100, 100, 0], np.uint8)},
        fields=corners[:, :1],
    )


def area(mesh):
    corner = mesh.vertices["neutral"][mesh.faces]
    return np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])[:, 2] / 2


def test_a_cut_keeps_the_area_and_puts_every_triangle_on_one_side(square):
    borders = tool("body_borders")
    done = borders.cut(square, square.vertices["neutral"][:, 0] - 0.25, np.ones(2, bool))
    assert area(done).sum() == pytest.approx(1) and area(done).min() > 0
    x = done.vertices["neutral"][done.faces][..., 0]
    assert ((x <= 0.25 + 1e-9).all(1) | (x >= 0.25 - 1e-9).all(1)).all()
    assert len(done.faces) == 6 and set(done.region) == {4, 7}
    assert done.vertices["neutral"][4:, 0] == pytest.approx(0.25)
    assert done.paint["lips"][4:].tolist() == [25, 25, 25] and done.keypoints["nose"][4:].tolist() == [0, 0, 0]
    shares = np.zeros((len(done.weights), 2))
    np.add.at(shares, (np.arange(len(shares))[:, None], done.weight_bones), done.weights)
    assert shares[4:] == pytest.approx(np.tile([0.75, 0.25], (3, 1)))


def test_a_field_that_keeps_its_sign_cuts_nothing(square):
    done = tool("body_borders").cut(square, square.vertices["neutral"][:, 0] + 1, np.ones(2, bool))
    assert (done.faces == square.faces).all() and len(done.weights) == 4


def test_points_are_carried_onto_the_skin(square):
    points = np.array([[0.75, 0.25, 0.1], [0.2, 0.9, -0.1]])
    corners, shares = tool("body_regressors").nearest_on_mesh(points, square.vertices["neutral"], square.faces)
    assert shares.sum(1) == pytest.approx(1)
    place = (square.vertices["neutral"][corners] * shares[..., None]).sum(1)
    assert place == pytest.approx(points * [1, 1, 0])


def test_neck_and_mid_hip_are_middles():
    regressors = tool("body_regressors")
    names = [name for name in regressors.BODY_25 if name not in ("neck", "mid_hip")]
    rows = regressors.joint_regressor({name: np.eye(23)[number] for number, name in enumerate(names)})
    assert rows.shape == (25, 23) and rows.sum(1) == pytest.approx(1)
    assert rows[1, [names.index("left_shoulder"), names.index("right_shoulder")]].tolist() == [0.5, 0.5]
    assert rows[8, [names.index("left_hip"), names.index("right_hip")]].tolist() == [0.5, 0.5]
