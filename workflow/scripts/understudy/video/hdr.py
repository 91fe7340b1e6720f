"""HDR footage on an SDR screen: PQ and HLG colours carried to BT.709, as one function and as a table for ffmpeg.

What is darker than 92 cd/m2, skin among it, keeps its light. What is brighter is rolled off: white of a page or a
shirt (203 cd/m2 by BT.2408) is a light grey, and 1000 cd/m2, the most that phones and HLG record, is white. One factor
acts on all three channels, so hues keep.
"""

from pathlib import Path

import numpy as np

WHITE = 203.0  # cd/m2 of SDR's full white; Source: ITU-R BT.2408-7, 2.1
PEAK = 1000.0  # cd/m2 that become it
SDR_GAMMA = 2.4  # of SDR screens; Source: ITU-R BT.1886
NODES = 49  # of the table, each way; the error against the function stays below 1 of 255
LUMA_2020 = np.array([0.2627, 0.6780, 0.0593])  # Source: ITU-R BT.2020-2
LUMA_709 = np.array([0.2126, 0.7152, 0.0722])  # Source: ITU-R BT.709-6
TO_709 = np.array(  # linear light; Source: ITU-R BT.2087-0, Annex 2, inverse
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]]
)
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128  # Source: SMPTE ST 2084
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073  # Source: ITU-R BT.2100-2, table 5


def to_sdr(coded: np.ndarray, transfer: str) -> np.ndarray:
    """Carry HDR colours to SDR.

    Args:
        coded: (..., 3) float, R, G, B as coded with BT.2020's primaries, 0..1.
        transfer: "PQ" or "HLG".

    Returns:
        (..., 3) float, R, G, B as coded for an SDR screen with BT.709's primaries, 0..1.
    """
    light = pq_light(coded) if transfer == "PQ" else hlg_light(coded)  # cd/m2
    peak = light.max(-1, keepdims=True)
    mapped = light * (rolled_off(peak) / np.maximum(peak, 1e-6))  # cd/m2, at most WHITE
    return into_gamut(mapped / WHITE @ TO_709.T) ** (1 / SDR_GAMMA)


def pq_light(coded: np.ndarray) -> np.ndarray:
    """Light of PQ, cd/m2, of values 0..1. Source: SMPTE ST 2084."""
    power = np.clip(coded, 0, 1) ** (1 / _M2)
    return 10000 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)


def pq_code(light: np.ndarray) -> np.ndarray:
    """PQ's values 0..1 of light in cd/m2: the inverse of `pq_light`."""
    power = (np.maximum(light, 0) / 10000) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def hlg_light(coded: np.ndarray) -> np.ndarray:
    """Light of HLG (..., 3) on a screen of 1000 cd/m2. Source: ITU-R BT.2100-2, table 5, system gamma 1.2."""
    coded = np.clip(coded, 0, 1)
    scene = np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - _C) / _A) + _B) / 12)
    luma = (scene @ LUMA_2020)[..., None]
    return PEAK * luma**0.2 * scene


def rolled_off(light: np.ndarray) -> np.ndarray:
    """Map light 0..PEAK to 0..WHITE, cd/m2: as it is up to a knee, then ever flatter.

    Source: ITU-R BT.2390-8, 5.4.1, the spline in PQ's values.
    """
    code = np.minimum(pq_code(light) / pq_code(np.array(PEAK)), 1)
    top = pq_code(np.array(WHITE)) / pq_code(np.array(PEAK))
    knee = 1.5 * top - 0.5
    t = np.maximum(code - knee, 0) / (1 - knee)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * top
    return pq_light(np.where(code < knee, code, spline) * pq_code(np.array(PEAK)))


def into_gamut(linear: np.ndarray) -> np.ndarray:
    """Mix colours (..., 3) that BT.709 has not with the grey of their own luma, as little as brings them to 0..1."""
    luma = np.clip(linear @ LUMA_709, 0, 1)[..., None]
    apart = linear - luma
    room = np.where(apart > 0, 1 - luma, luma)
    share = np.min(np.where(np.abs(apart) > room, room / np.maximum(np.abs(apart), 1e-9), 1), -1, keepdims=True)
    return np.clip(luma + share * apart, 0, 1)


def write_table(path: Path, transfer: str) -> None:
    """Write `to_sdr` as a table of colours (.cube) that ffmpeg's filter lut3d reads; red runs fastest."""
    steps = np.linspace(0, 1, NODES)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    mapped = to_sdr(np.stack([red, green, blue], -1).reshape(-1, 3), transfer)
    rows = "\n".join(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in mapped)
    path.write_text(f"LUT_3D_SIZE {NODES}\n{rows}\n", encoding="ascii")
