"""Looks: everything is dressed, every look is another one, clothes and face are where they belong."""

import numpy as np
import pytest

from understudy.body.model import BUILDS, Body
from understudy.synthetic.looks import LOOKS
from understudy.synthetic.wardrobe import Wardrobe

MIDDLE = np.full(3, 1 / 3)


@pytest.fixture(scope="module")
def body():
    return Body("woman")


def colours(body, look):
    faces = np.arange(len(body.faces))
    return Wardrobe(body, LOOKS[look]).colour(faces, np.tile(MIDDLE, (len(faces), 1)))


def near(body, point, number=12):
    """Triangles (number,) nearest to a point (3,) at rest."""
    return np.argsort(np.linalg.norm(body.rest[body.faces].mean(1) - point, axis=1))[:number]


@pytest.mark.parametrize("look", LOOKS)
def test_hands_are_skin_feet_are_shoes_trunk_is_shirt_and_the_crown_is_hair(body, look):
    drawn, worn = colours(body, look), LOOKS[look]
    hand = body.hands(body.rest)[0, 9]
    toes = body.heads[body.bones.index("foot.L")]
    hip = body.joints(body.rest)[9] - [0.05, 0, 0.25]
    crown = body.rest[body.rest[:, 2].argmax()]
    for point, expected in ((hand, worn.skin), (toes, worn.shoes), (hip, worn.trousers), (crown, worn.hair)):
        assert np.abs(np.median(drawn[near(body, point)], axis=0) - expected).max() < 40
    chest = drawn[near(body, body.joints(body.rest)[1] + [0, -0.12, -0.15], 400)]
    cloth = np.stack([worn.shirt, worn.second, (np.array(worn.shirt) + worn.second) / 2])
    away = np.abs(chest[:, None] - cloth[None]).max(2).min(1)
    assert np.quantile(away, 0.8) < 40


def test_looks_differ_in_every_cloth():
    worn = list(LOOKS.values())
    for index, first in enumerate(worn):
        for second in worn[index + 1 :]:
            for cloth in ("skin", "hair", "shirt", "trousers", "shoes"):
                assert np.abs(np.subtract(getattr(first, cloth), getattr(second, cloth))).max() > 15


def test_lips_brows_and_irises_are_painted(body):
    drawn, worn = colours(body, "plain"), LOOKS["plain"]
    face = body.face(body.rest)
    lips = drawn[near(body, face[57], 4)].mean(0)
    cheek = drawn[near(body, (face[48] + face[41]) / 2, 4)].mean(0)
    assert cheek[1] - lips[1] > 25  # lips are redder
    iris = drawn[near(body, face[69], 2)].mean(0)
    assert iris.mean() < 150 < np.mean(worn.skin)


@pytest.mark.parametrize("build", BUILDS)
def test_clothes_lie_outside_the_skin_and_hands_stay_bare(build):
    body = Body(build)
    thick = np.linalg.norm(Wardrobe(body, LOOKS["check"]).dressed.rest - body.rest, axis=1)
    assert 0.01 < thick.max() < 0.03
    hands = body.weights[:, [n for n, bone in enumerate(body.bones) if bone.startswith("finger")]].sum(1) > 0.9
    assert thick[hands].max() == 0
