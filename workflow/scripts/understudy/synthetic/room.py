"""The room behind the performer: a wall with pictures, a skirting board, a wooden floor; nobody is in it."""

import numpy as np

from understudy.synthetic.camera import Camera

WALL_M = 1.6  # the wall stands so far behind the performer
SAMPLES = 2  # per pixel and axis


def room_picture(seed: int, camera: Camera) -> np.ndarray:
    """Look at the empty room.

    Args:
        seed: which room; colours, pictures and grain follow from it.
        camera: from where; the room itself does not depend on the picture's size.

    Returns:
        (H, W, 3) float32, sRGB 0..255.
    """
    generator = np.random.default_rng(seed)
    rays = camera.rays(SAMPLES)  # (2H, 2W, 3)
    start = np.array(camera.position)
    with np.errstate(divide="ignore"):
        to_floor = np.where(rays[..., 2] < 0, -start[2] / np.minimum(rays[..., 2], -1e-9), np.inf)
    to_wall = WALL_M - start[1]
    place = start + np.minimum(to_floor, to_wall)[..., None] * rays  # (2H, 2W, 3) metres
    wall = _wall(place[..., 0], place[..., 2], generator)
    floor = _floor(place[..., 0], place[..., 1], generator)
    colour = np.where((to_floor < to_wall)[..., None], floor, wall)
    light = 1.04 - 0.05 * (place[..., 0] + 0.6) ** 2 - 0.03 * (place[..., 2] - 1.5) ** 2
    colour = colour * np.clip(light, 0.6, 1.1)[..., None]
    height, width = camera.height, camera.width
    return np.clip(colour, 0, 255).reshape(height, SAMPLES, width, SAMPLES, 3).mean((1, 3)).astype(np.float32)


def _wall(x: np.ndarray, z: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Plaster with framed pictures above a panelled dado and a skirting board."""
    base = np.array([168.0, 174, 178]) + generator.uniform(-26, 26, 3)
    dado = base * generator.uniform(0.70, 0.82) + generator.uniform(-10, 10, 3)
    plaster = 1 + 0.035 * _noise(x, z, 4, generator) + 0.02 * _noise(x, z, 28, generator)
    colour = base * plaster[..., None]
    panel = 1 - 0.10 * (np.abs((x / 0.42) % 1 - 0.5) > 0.46)
    colour = np.where((z < 0.86)[..., None], dado * (panel * plaster)[..., None], colour)
    colour = np.where((np.abs(z - 0.88) < 0.03)[..., None], dado * 1.18, colour)
    for middle in (-0.88, 0.84):
        colour = _hang_picture(colour, x - middle - generator.uniform(-0.1, 0.1), z - 1.48, generator)
    return np.where(
        (z < 0.11)[..., None], np.array([226.0, 222, 214]) * (0.92 + 0.8 * np.clip(z, 0, 0.1))[..., None], colour
    )


def _hang_picture(colour: np.ndarray, x: np.ndarray, z: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Hang one framed picture of coloured hills at the origin of x, z (metres)."""
    width, height = generator.uniform(0.20, 0.30), generator.uniform(0.22, 0.32)  # half sizes
    inside = (np.abs(x) < width) & (np.abs(z) < height)
    frame = (np.abs(x) < width + 0.035) & (np.abs(z) < height + 0.035) & ~inside
    hills = z + 0.09 * np.sin(x * generator.uniform(7, 16) + generator.uniform(0, 6)) + 0.04 * np.sin(x * 31)
    first, second = generator.uniform(70, 220, (2, 3))
    painting = np.where((hills < 0)[..., None], first, second) * (1 + 0.15 * np.sin(18 * hills))[..., None]
    colour = np.where(inside[..., None], painting, colour)
    return np.where(frame[..., None], np.array([92.0, 66, 44]), colour)


def _floor(x: np.ndarray, y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Boards that run away from the viewer, each with a shade of its own."""
    width = 0.17
    board = np.floor(np.where(np.isfinite(x), x, 0) / width).astype(np.int64)
    shade = generator.uniform(0.86, 1.08, 257)[board % 257]
    seam = np.abs((x / width) % 1 - 0.5) > 0.475
    wood = np.array([156.0, 118, 84]) + generator.uniform(-18, 18, 3)
    grain = 1 + 0.05 * _noise(8 * x, y, 5, generator) + 0.03 * _noise(x, y, 9, generator)
    return wood * (shade * grain * np.where(seam, 0.72, 1.0))[..., None]


def _noise(x: np.ndarray, y: np.ndarray, per_m: float, generator: np.random.Generator) -> np.ndarray:
    """Smooth value noise of about -1..1 with `per_m` grains a metre; repeats after 64 grains."""
    table = generator.uniform(-1, 1, (64, 64))
    u, v = (np.nan_to_num(axis, posinf=0, neginf=0) * per_m for axis in (x, y))
    column, row = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    a, b = u - column, v - row
    a, b = a * a * (3 - 2 * a), b * b * (3 - 2 * b)
    upper = table[row % 64, column % 64] * (1 - a) + table[row % 64, (column + 1) % 64] * a
    lower = table[(row + 1) % 64, column % 64] * (1 - a) + table[(row + 1) % 64, (column + 1) % 64] * a
    return upper * (1 - b) + lower * b
