"""Videos that are broken, lie, or are of a kind that is rare; their names, and the crops and sounds made of them."""

import os
import socket
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import av
import h5py
import numpy as np

from filming import Take, barcode, clicks, read_barcode, write_video
from hostile import material
from hostile.case import Case, prepared, run_script
from understudy.layouts import change_file
from understudy.settings import PoseSettings, from_params

FRAMES = 12
HELD = (  # whatever luck with the bytes may lead to
    "breaks off|damaged|no pictures?|single picture|be read|no index|no video|long|stands still|frames a second|neither"
)
Make = Callable[[Path], Path]


def cases() -> Iterator[Case]:
    """Every video, name, crop and sound."""
    yield from _broken()
    yield from _rare()
    yield from _lying()
    yield from _names()
    yield from _rows()
    yield from _crops()
    yield from _sounds()


def ingest(video: Path, crop: str = "none", reader: str = "pyav", **changed: object) -> None:
    """Run rules locate_person and decode_clip on a video; `changed` are values of its row of the clip table."""
    prepared()
    row = material.CLIP | {"video": str(video), "crop": crop} | changed
    decode = material.decode_settings(backend=reader)
    inputs = {"video": str(video), "whole": [], "sheet": [], "files": []}
    pose = {"settings": None, "pose": material.section("pose", backend="openpose_json"), "clip": row, "decode": decode}
    from_params(PoseSettings, pose["pose"])
    run_script("locate_person", inputs, {"crop": "results/crop.json"}, params=pose)
    run_script(
        "decode_clip",
        {"video": str(video), "crop": "results/crop.json"},
        {"frames": "results/frames.h5", "sound": "results/sound.mka"},
        params={"clip": row, "settings": decode},
    )


def shows(numbers: list[int], size: tuple[int, int] | None = (64, 64)) -> Callable[[Path], None]:
    """Check that frames.h5 shows these barcodes, at this height and width."""

    def check(folder: Path) -> None:
        with h5py.File(folder / "results" / "frames.h5") as file:
            rgb = file["rgb"][:]
        found = [read_barcode(picture) for picture in rgb]
        assert found == numbers, f"pictures {found}, expected {numbers}"
        assert size is None or rgb.shape[1:3] == size, rgb.shape

    return check


def sane(folder: Path) -> None:
    """Check that whatever came out is a clip of a length that its video can have."""
    with h5py.File(folder / "results" / "frames.h5") as file:
        assert 2 <= len(file["rgb"]) <= 20 * FRAMES, f"{len(file['rgb'])} frames"


def bars(count: int = FRAMES, height: int = 64, width: int = 64) -> list[np.ndarray]:
    """Numbered pictures; of a width that is no multiple of 8 the last columns are repeated."""
    spare = ((0, 0), (0, width % 8), (0, 0))
    return [np.pad(barcode(number, height, width - width % 8), spare, "edge") for number in range(count)]


def _case(
    name: str, make: Make | bytes, words: str = "", check=None, lenient: bool = False, file: str = "me.mp4", **how
) -> Case:
    """A case that ingests what `make` writes; a lenient one may end well or be refused."""

    def act(folder: Path) -> None:
        video = Path(file)
        if isinstance(make, bytes):
            video.write_bytes(make)
        else:
            made = make(video)
            video = made or video
        ingest(video, **how)

    return Case("video", name, act, words, check, lenient)


def _plain(change: Callable[[bytes], bytes], video: Path) -> None:
    video.write_bytes(change(material.plain_video()))


def _written(take: Take, pictures: list[np.ndarray] | None, ending: str, video: Path) -> Path:
    return write_video(video.with_suffix(ending), pictures or bars(), take)


def _cut(share: float, take: Take, ending: str, video: Path) -> Path:
    """Write a video of noise, which fills its file evenly, and cut it."""
    noise = list(np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), dtype=np.uint8))
    made = write_video(video.with_suffix(ending), noise, take)
    made.write_bytes(made.read_bytes()[: int(share * made.stat().st_size)])
    return made


def _broken() -> Iterator[Case]:
    yield _case("empty", b"", "is empty")
    yield _case("zeros", bytes(5000), "nothing but zeros")
    yield _case("one byte", b"\0", "nothing but zeros|no video")
    yield _case("noise", np.random.default_rng(0).bytes(5000), "is no video")
    yield _case("text", b"clip\tvideo\nme\tme.mp4\n" * 50, "is a text file")
    yield _case("a saved web page", b"<!doctype html><title>Video</title>" + b" " * 900, "is a text file")
    yield _case("a playlist", b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n../neighbour.txt\n", "text|playlist")
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.ts\n#EXT-X-ENDLIST\n\0\0"
    yield _case("a playlist that hides", partial(_beside, playlist, ".ts", "other.ts"), "playlist|text")
    script = b"ffconcat version 1.0\nfile other.mkv\n#\0\0\n"
    yield _case("a script that joins other files", partial(_beside, script, ".mkv", "other.mkv"), "playlist|text")
    yield _case("subtitles", b"1\n00:00:01,000 --> 00:00:02,000\nhello\n", "text")
    yield _case("a picture", _picture, "a picture")
    yield _case("an archive", b"PK\x03\x04" + bytes(200), "is no video")
    yield _case("an HDF5 file", b"\x89HDF\r\n\x1a\n" + bytes(600), "is no video")
    yield _case("a program", b"\x7fELF\x02\x01\x01" + bytes(600), "is no video")
    yield _case("sound alone", partial(_sound_alone, ".m4a"), "sound only")
    yield _case("a wave file", partial(_sound_alone, ".wav"), "sound only")
    yield _case("a folder", lambda video: video.mkdir(), "is a folder")
    yield _case("missing", lambda video: None, "does not exist")
    yield _case("a link to nowhere", lambda video: video.symlink_to("nowhere.mp4"), "does not exist")
    yield _case("a link to itself", lambda video: video.symlink_to(video.name), "does not exist")
    yield _case("an endless device", lambda video: video.symlink_to("/dev/zero"), "no file|does not exist")
    yield _case("a pipe without a writer", lambda video: os.mkfifo(video), "no file|does not exist")
    yield _case("a socket", _socket, "no file|does not exist")
    fast = Take(muxer={"movflags": "+faststart"})
    yield _case("mp4 cut behind its index", partial(_cut, 0.5, fast, ".mp4"), "breaks off")
    yield _case("mp4 cut before its index", partial(_plain, lambda data: data[:-400]), "no index")
    yield _case("mp4 cut to its first bytes", partial(_plain, lambda data: data[:40]), "no index|no video")
    yield _case("mkv cut", partial(_cut, 0.5, Take(), ".mkv"), "breaks off")
    yield _case("mkv cut in its head", partial(_cut, 0.004, Take(), ".mkv"), "no video|no picture|neither")
    yield _case("webm cut", partial(_cut, 0.6, Take(codec="libvpx-vp9"), ".webm"), "breaks off")
    yield _case("avi cut", partial(_cut, 0.5, Take(codec="mpeg4"), ".avi"), "breaks off")
    yield _case("transport stream cut", partial(_cut, 0.5, Take(), ".ts"), lenient=True)
    yield _case(
        "a wrong ending", lambda video: _written(Take(), None, ".mkv", video).rename("me.avi"), check=shows(ALL)
    )
    yield _case("no ending", lambda video: _written(Take(), None, ".mp4", video).rename("me"), check=shows(ALL))
    yield _case("one frame", partial(_written, Take(), bars(1), ".mp4"), "single picture")
    for reader in ("pyav", "ffmpeg"):
        for ending, take in {
            ".mp4": Take(),
            ".mkv": Take(),
            ".webm": Take(codec="libvpx-vp9"),
            ".avi": Take(codec="mpeg4"),
        }.items():
            for seed in range(3 if reader == "pyav" else 1):
                make = partial(_flipped, seed, take, ending)
                yield _case(f"{ending} with flipped bytes, {reader}, {seed}", make, HELD, sane, True, reader=reader)


ALL = list(range(FRAMES))


def _beside(head: bytes, ending: str, other: str, video: Path) -> Path:
    """Write a list that names another file, and that other file, a good video."""
    write_video(Path(other), bars())
    made = video.with_suffix(".mp4")
    made.write_bytes(head)
    return made


def _picture(video: Path) -> None:
    write_video(video.with_suffix(".png"), bars(1), Take(codec="png", pixels="rgb24", tagged=False)).rename(video)


def _sound_alone(ending: str, video: Path) -> Path:
    made = video.with_suffix(ending)
    with av.open(str(made), "w") as film:
        stream = film.add_stream("aac" if ending == ".m4a" else "pcm_s16le", rate=48000, layout="mono")
        for number in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48000, 1024 * number
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    return made


def _socket(video: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(video.name)


def _flipped(seed: int, take: Take, ending: str, video: Path) -> Path:
    made = _written(take, None, ending, video)
    data, random = bytearray(made.read_bytes()), np.random.default_rng(seed)
    for place in random.integers(0, len(data), 12):
        data[place] = random.integers(0, 256)
    made.write_bytes(data)
    return made


def _rare() -> Iterator[Case]:
    lossless = Take(codec="ffv1", pixels="bgr0", tagged=False)
    for degrees in (90, 180, 270):
        make = partial(_written, Take(rotation_deg=degrees), None, ".mp4")
        yield _case(f"turned by {degrees} degrees", make, check=_turned(degrees))
    late = [0, 40, 80, 500, 540, 580, 620, 660, 700, 740, 780, 820]
    make = partial(_written, Take(ticks=late), None, ".mkv")
    yield _case("of varying rate", make, check=_in_order)
    yield _case(
        "of a declared rate of 1000",
        partial(_written, Take(rate=1000, ticks=[40 * i for i in ALL]), None, ".mkv"),
        check=_in_order,
    )
    yield _case("10 bits", partial(_written, Take(codec="ffv1", pixels="yuv420p10le"), None, ".mkv"), check=shows(ALL))
    yield _case(
        "12 bits without loss",
        partial(_written, Take(codec="ffv1", pixels="gbrp12le", tagged=False), None, ".mkv"),
        check=shows(ALL),
    )
    yield _case("grey", partial(_written, Take(codec="ffv1", pixels="gray"), None, ".mkv"), check=shows(ALL))
    yield _case(
        "with alpha", partial(_written, Take(codec="ffv1", pixels="bgra", tagged=False), None, ".mkv"), check=shows(ALL)
    )
    yield _case(
        "VP9 with alpha",
        partial(_written, Take(codec="libvpx-vp9", pixels="yuva420p"), None, ".webm"),
        check=shows(ALL),
    )
    yield _case(
        "with a palette",
        partial(_written, Take(codec="gif", pixels="rgb8", tagged=False), None, ".gif"),
        check=shows(ALL),
    )
    yield _case("interlaced", partial(_interlaced), check=shows(ALL))
    yield _case("an odd size", partial(_written, lossless, bars(FRAMES, 65, 67), ".mkv"), check=shows(ALL, None))
    yield _case("16384 wide", partial(_written, lossless, bars(3, 32, 16384), ".mkv"), check=shows([0, 1, 2], None))
    yield _case(
        "16384 high",
        partial(_written, lossless, [barcode(n, 16384, 32) for n in range(3)], ".mkv"),
        "too narrow",
    )
    yield _case("1x1", partial(_written, lossless, [np.zeros((1, 1, 3), np.uint8)] * 3, ".mkv"), "1x1 pixels")
    yield _case("pixels eight times as wide", partial(_written, Take(aspect=8), bars(), ".mkv"), check=sane)
    for transfer, name in {16: "PQ", 18: "HLG"}.items():
        yield _case(f"HDR of {name}", partial(_written, Take(transfer=transfer), None, ".mp4"), f"HDR \\({name}\\)")
        yield _case(
            f"HDR of {name} by ffmpeg",
            partial(_written, Take(transfer=transfer), None, ".mp4"),
            check=sane,
            reader="ffmpeg",
        )
    yield _case("of another size from the middle on", partial(_joined, 128, 128), check=shows([*range(6), *range(6)]))
    yield _case("of another shape from the middle on", partial(_joined, 64, 128), "another shape|changes")
    yield _case(
        "a still picture of an hour",
        partial(_written, Take(ticks=[0, 40, 3_600_000]), bars(3), ".mkv"),
        "frames a second",
    )
    yield _case(
        "two minutes between pictures",
        partial(_written, Take(ticks=[*range(0, 2000, 40), 122_000]), bars(51), ".mkv"),
        "stands still",
    )


def _turned(degrees: int) -> Callable[[Path], None]:
    def check(folder: Path) -> None:
        with h5py.File(folder / "results" / "frames.h5") as file:
            assert file.attrs["rotation_deg"] == degrees, file.attrs["rotation_deg"]
            found = [read_barcode(np.rot90(picture, -degrees // 90)) for picture in file["rgb"][:]]
        assert found == ALL, found

    return check


def _in_order(folder: Path) -> None:
    with h5py.File(folder / "results" / "frames.h5") as file:
        found = [read_barcode(picture) for picture in file["rgb"][:]]
    assert found == sorted(found) and {*found} <= {*ALL} and len(found) > FRAMES - 4, found


def _interlaced(video: Path) -> Path:
    made = video.with_suffix(".mkv")
    with av.open(str(made), "w") as film:
        stream = film.add_stream("mpeg2video", rate=25, options={"flags": "+ildct+ilme", "qscale": "2", "b": "4M"})
        stream.height = stream.width = 64
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(bars()):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts = number
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    return made


def _joined(height: int, width: int, video: Path) -> Path:
    """Two H.264 streams of different sizes one behind the other, as a call over the net records them."""
    made = video.with_suffix(".h264")
    parts = [_written(Take(), bars(6), ".1.h264", video), _written(Take(), bars(6, height, width), ".2.h264", video)]
    raw = b"".join(part.read_bytes() for part in parts)
    for part in parts:
        part.unlink()
    made.write_bytes(raw)
    return made


# Box of an MP4 file, and where after its name a number is overwritten with the largest one.
BOXES = {
    "mvhd": 12, "tkhd": 20, "mdhd": 12, "elst": 4, "stts": 4, "ctts": 4, "stss": 4, "stsc": 4, "stsz": 8, "stco": 4,
    "stsd": 4, "avcC": 0, "avc1": 24, "moov": -4, "trak": -4, "mdat": -4, "ftyp": -4, "hdlr": 8,
}  # fmt: skip


def _lying() -> Iterator[Case]:
    for box, offset in BOXES.items():
        make = partial(_plain, partial(_patched, box.encode(), 4 + offset, b"\xff\xff\xff\xff"))
        yield _case(
            f"mp4 that lies in its box {box}", make, HELD + "|coded in a way|neither|0x0|pixels|tiny|only", sane, True
        )
    for name, length in {"going back": -100, "a day apart": 2**30, "all alike": 0}.items():
        make = partial(_plain, partial(_patched, b"stts", 16, struct.pack(">i", length)))
        yield _case(f"mp4 with time stamps {name}", make, HELD, sane, True)
    for name, text in {
        "no numbers": b"ab:cd:ef.480000000",
        "a fraction of nothing": b"00:00:000000000/0",
        "negative": b"-9:-9:-9.480000000",
        "a thousand years": b"8760000:00:00.4800",
    }.items():
        yield _case(f"mkv with a length of {name}", partial(_mkv_length, text[:18].ljust(18, b"0")), HELD, sane, True)
    yield _case(
        "coded by nobody", partial(_plain, lambda data: data.replace(b"avc1", b"zzzz")), "coded in a way|no picture"
    )
    yield _case("mjpeg that declares 65500 x 65500", _huge_jpeg, HELD + "|pixels|coded in a way", lenient=True)
    yield _case("raw pictures of 30000 x 30000", _huge_raw, HELD + "|pixels|coded in a way", lenient=True)


def _patched(name: bytes, offset: int, new: bytes, data: bytes) -> bytes:
    """Overwrite bytes at an offset from a name's start."""
    place = data.find(name) + offset
    return data[:place] + new + data[place + len(new) :]


def _mkv_length(text: bytes, video: Path) -> Path:
    made = _written(Take(), None, ".mkv", video)
    made.write_bytes(made.read_bytes().replace(b"00:00:00.480000000", text))
    return made


def _huge_jpeg(video: Path) -> Path:
    """Patch the size in every JPEG's head (marker FF C0: length, bits, height, width)."""
    made = _written(Take(codec="mjpeg", pixels="yuvj420p", tagged=False), None, ".avi", video)
    data = bytearray(made.read_bytes())
    place = data.find(b"\xff\xc0")
    while place >= 0:
        data[place + 5 : place + 9] = struct.pack(">HH", 65500, 65500)
        place = data.find(b"\xff\xc0", place + 1)
    made.write_bytes(data)
    return made


def _huge_raw(video: Path) -> Path:
    made = _written(Take(codec="rawvideo", pixels="bgr24", tagged=False), bars(3), ".avi", video)
    data = bytearray(made.read_bytes())
    place = data.find(b"strf") + 8
    data[place + 4 : place + 12] = struct.pack("<ii", 30000, 30000)
    made.write_bytes(data)
    return made


NAMES = [
    "my video.mp4", " leading and trailing .mp4 ", "it's.mp4", 'say "cheese".mp4', "two\nlines.mp4", "-i.mp4", "--help",
    "-", "%06d.mp4", "a:b.mp4", "http:", "[1]*?.mp4", "{clip}.mp4", "$(touch stray).mp4", "`touch stray`.mp4",
    ";touch stray;.mp4", "|touch stray", "&.mp4", "пляс.mp4", "\u202egnp.mp4", "a\tb.mp4", "back\\slash.mp4", "pipe:0",
    "file:me.mp4", "concat:a|b.mp4", "é" * 100, "#.mp4", "~.mp4", "CON", "\x01\x7f.mp4",
]  # fmt: skip


def _names() -> Iterator[Case]:
    for name in NAMES:
        yield _case(f"called {name!r}", material.lazily(material.plain_video), check=shows(ALL), file=name)
    for name in ("-i.mp4", "%06d.mp4", "it's a:b.mp4", "$(touch stray).mp4", "two\nlines.mp4"):
        yield _case(
            f"called {name!r}, by ffmpeg",
            material.lazily(material.plain_video),
            check=shows(ALL),
            file=name,
            reader="ffmpeg",
        )
    yield _case("in a folder above", lambda video: _above(video), check=shows(ALL))


def _above(video: Path) -> Path:
    target = Path("..") / "footage.mp4"
    target.write_bytes(material.plain_video())
    return target


def _rows() -> Iterator[Case]:
    rows = {
        "start behind the end": ({"start_s": 99.0}, "only 0.48 s long"),
        "end before the second picture": ({"end_s": 0.01}, "no picture|single picture"),
        "end behind the end": ({"end_s": 1e6}, ""),
        "crop beside the picture": ({"crop": "60,0,40,64"}, "only 64x64"),
        "a tiny crop": ({"crop": "0,0,8,8"}, "at least 32"),
        "ignored box beside the picture": ({"ignore": "60,60,40,40"}, "ignores 40x40"),
    }
    for name, (row, words) in rows.items():
        yield _case(f"row with {name}", material.lazily(material.plain_video), words, None if words else sane, **row)


def _crops() -> Iterator[Case]:
    crops = {
        "empty": "", "no JSON": "left 0", "a list": "[0, 0, 64, 64]", "a number": "7", "binary": "\udcff",
        "without height": '{"left": 0, "top": 0, "width": 64}',
        "text for numbers": '{"left": "a", "top": 0, "width": 1, "height": 1}',
        "not a number": '{"left": NaN, "top": 0, "width": 64, "height": 64}',
        "infinite": '{"left": 0, "top": 0, "width": Infinity, "height": 64}',
        "huge": '{"left": 0, "top": 0, "width": 1e300, "height": 64}',
        "negative": '{"left": 0, "top": 0, "width": -64, "height": 64}',
        "far away": '{"left": 1e9, "top": 0, "width": 64, "height": 64}',
        "nested": "[" * 100_000, "null": '{"left": null, "top": 0, "width": 64, "height": 64}',
    }  # fmt: skip

    def act(text: str, folder: Path) -> None:
        Path("me.mp4").write_bytes(material.plain_video())
        Path("crop.json").write_bytes(text.encode(errors="surrogateescape"))
        prepared()
        inputs = {"video": "me.mp4", "crop": "crop.json"}
        outputs = {"frames": "results/frames.h5", "sound": "results/sound.mka"}
        params = {"clip": material.CLIP, "settings": material.decode_settings()}
        run_script("decode_clip", inputs, outputs, params=params)

    for name, text in crops.items():
        yield Case("crop.json", name, partial(act, text), r"crop\.json.*(expected|again)")


def _sounds() -> Iterator[Case]:
    def act(change: Callable[[Path], None], folder: Path) -> None:
        material.copied(folder)
        with change_file(Path("clip/frames.h5")) as frames:
            del frames.attrs["sound_sha256"]  # as of earlier versions: with it any change is noticed at once
        change(Path("clip/sound.mka"))
        prepared()
        material.render_transfer()

    def tagged(value: str) -> Callable[[Path], None]:
        def write(path: Path) -> None:
            with av.open(str(path), "w", format="matroska") as film:
                film.metadata["UNDERSTUDY_LEAD"] = value
                stream = film.add_stream("aac", rate=48000, layout="mono")
                for number in range(40):
                    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
                    frame.sample_rate, frame.pts = 48000, 1024 * number
                    film.mux(stream.encode(frame))
                film.mux(stream.encode())

        return write

    def cut(path: Path) -> None:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    damages: dict[str, tuple[Callable[[Path], None], str]] = {
        "empty": (lambda path: path.write_bytes(b""), ""),
        "text": (lambda path: path.write_text("la la la"), r"sound\.mka"),
        "noise": (lambda path: path.write_bytes(np.random.default_rng(1).bytes(4000)), r"sound\.mka"),
        "a video without sound": (lambda path: path.write_bytes(material.plain_video()), r"sound\.mka"),
        "cut": (cut, "lenient"),
        "missing": (lambda path: path.unlink(), r"sound\.mka"),
        "a lead of no number": (tagged("soon"), r"sound\.mka"),
        "a lead of a fraction of nothing": (tagged("1/0"), r"sound\.mka"),
        "a lead of a year": (tagged("31536000"), "lenient"),
    }
    for name, (change, words) in damages.items():
        lenient = words == "lenient"
        yield Case("sound.mka", name, partial(act, change), r"sound\.mka" if lenient else words, lenient=lenient)

    def with_damaged_sound(video: Path) -> Path:
        made = write_video(video.with_suffix(".mkv"), bars(), Take(sound=clicks([0.1], 0.5)))
        data = made.read_bytes()
        made.write_bytes(data.replace(b"A_AAC", b"A_XXX"))
        return made

    yield _case("sound of an unknown coding", with_damaged_sound, "sound|coded", shows(ALL), True)
