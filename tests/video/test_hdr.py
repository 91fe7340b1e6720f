"""HDR carried to SDR: known light, order, greys and colours; and through ffmpeg, from a coded clip."""

import av
import numpy as np
import pytest

from understudy.video.hdr import NODES, hlg_light, into_gamut, pq_code, pq_light, rolled_off, to_sdr, write_table
from understudy.video.source import SourceVideo

GREYS_NIT = np.array([0, 0.1, 1, 5, 20, 58, 100, 203, 400, 1000, 4000])


def greys(light: np.ndarray) -> np.ndarray:
    return pq_code(light)[:, None].repeat(3, 1)


def test_pq_is_that_of_the_standard():
    assert pq_light(np.array([0.0, 0.5080784, 0.5806888, 0.7518271, 1.0])) == pytest.approx(
        [0, 100, 203, 1000, 10000], rel=1e-3
    )
    assert pq_light(pq_code(GREYS_NIT)) == pytest.approx(GREYS_NIT, abs=1e-6)


def test_hlg_is_that_of_the_standard():
    light = hlg_light(np.array([[0.0] * 3, [0.38] * 3, [0.75] * 3, [1.0] * 3]))
    assert light[:, 0] == pytest.approx([0, 26, 203, 1000], rel=0.02, abs=1e-9)  # BT.2408, table 1: 38 % is 26 cd/m2


def test_known_greys():
    """Dark ones keep their light relative to white, white of paper is light grey, the brightest is white."""
    sdr = to_sdr(greys(GREYS_NIT), "PQ")
    dark = (np.array([0.1, 1, 5, 20, 58]) / 203) ** (1 / 2.4)
    assert sdr[1:6, 0] == pytest.approx(dark, abs=0.002)
    assert sdr[0].max() == 0
    assert 0.82 < sdr[7, 0] < 0.92
    assert sdr[9:].min() > 0.998
    assert np.ptp(sdr, axis=1).max() < 1e-6, "greys stay grey"


@pytest.mark.parametrize("transfer", ["PQ", "HLG"])
def test_brighter_never_comes_out_darker_and_white_is_reached_late(transfer):
    ramp = np.linspace(0, 1, 400)[:, None].repeat(3, 1)
    sdr = to_sdr(ramp, transfer)[:, 0]
    assert (np.diff(sdr) >= -1e-9).all()
    light = (pq_light if transfer == "PQ" else hlg_light)(ramp)[:, 0]
    assert (sdr[light < 500] < 0.995).all(), "highlights keep their shape"
    inside = light < 900
    assert (np.diff(sdr[inside]) > 0).all()


def test_the_curve_is_smooth_at_its_knee():
    light = np.linspace(1, 1000, 4000)
    slope = np.diff(rolled_off(light)) / np.diff(light)
    assert slope[:300] == pytest.approx(1, abs=1e-3)
    assert np.abs(np.diff(slope)).max() < 0.01
    assert rolled_off(np.array(1000.0)) == pytest.approx(203, rel=1e-6)


def test_a_colour_of_bt709_comes_back_as_it_was():
    """A dim colour of SDR, written in BT.2020 and PQ, is that colour again."""
    to_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])  # BT.2087-0
    colour = np.array([0.6, 0.35, 0.2])  # as coded
    light = 203 * to_2020 @ colour**2.4
    assert to_sdr(pq_code(light), "PQ") == pytest.approx(colour, abs=0.005)


def test_colours_outside_keep_their_luma_and_come_inside():
    outside = np.array([[1.3, -0.1, 0.0], [0.2, 0.9, -0.2], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    inside = into_gamut(outside)
    assert inside.min() >= 0 and inside.max() <= 1
    assert inside @ [0.2126, 0.7152, 0.0722] == pytest.approx(outside @ [0.2126, 0.7152, 0.0722], abs=1e-6)


def test_the_table_holds_the_function(tmp_path):
    write_table(tmp_path / "a.cube", "PQ")
    lines = (tmp_path / "a.cube").read_text().splitlines()
    assert lines[0] == f"LUT_3D_SIZE {NODES}" and len(lines) == 1 + NODES**3
    row = 7 + NODES * (20 + NODES * 33)  # red runs fastest
    expected = to_sdr(np.array([7, 20, 33]) / (NODES - 1), "PQ")
    assert [float(word) for word in lines[1 + row].split()] == pytest.approx(expected, abs=1e-5)


def write_hdr(path, colours: np.ndarray, transfer: int) -> None:
    """Code patches of 32 px, (R, C, 3) 0..1, as BT.2020 in 10 bits."""
    red, blue = 0.2627, 0.0593
    luma = colours @ [red, 1 - red - blue, blue]
    cb, cr = (colours[..., 2] - luma) / (2 - 2 * blue), (colours[..., 0] - luma) / (2 - 2 * red)
    planes = 64 + 876 * luma, 512 + 896 * cb, 512 + 896 * cr
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx265", rate=25, options={"crf": "4", "x265-params": "log-level=none"})
        stream.height, stream.width, stream.pix_fmt = 32 * colours.shape[0], 32 * colours.shape[1], "yuv420p10le"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, transfer, 1
        for number in range(3):
            frame = av.VideoFrame(stream.width, stream.height, "yuv420p10le")
            for plane, values in zip(frame.planes, planes, strict=True):
                size = plane.height // colours.shape[0]
                rows = values.round().astype("<u2").repeat(size, 0).repeat(size, 1)
                padded = np.zeros((plane.height, plane.line_size // 2), "<u2")
                padded[:, : rows.shape[1]] = rows
                plane.update(padded.tobytes())
            frame.pts = number
            film.mux(stream.encode(frame))
        film.mux(stream.encode())


@pytest.mark.parametrize(("transfer", "number"), [("PQ", 16), ("HLG", 18)])
@pytest.mark.parametrize("size", [(96, 128), (48, 64)])
def test_patches_of_a_coded_clip_come_out_as_the_function_says(tmp_path, transfer, number, size):
    colours = np.random.default_rng(4).uniform(0.1, 0.75, (3, 4, 3))
    colours[0] = np.array([0.0, 0.35, 0.58, 0.75])[:, None]  # greys
    write_hdr(tmp_path / "a.mp4", colours, number)
    source = SourceVideo(tmp_path / "a.mp4", "ffmpeg")
    assert (source.facts.transfer, source.facts.colour_matrix) == ("sdr", "bt2020")
    step = size[0] // 3
    found = next(iter(source)).scaled(*size)[step // 2 :: step, step // 2 :: step].astype(float)
    expected = 255 * to_sdr(colours, transfer)
    assert np.abs(found - expected).max() < 5
    assert np.abs(found - expected)[0].max() < 2, "greys"
    assert (np.diff(found[0].mean(-1)) > 20).all()
