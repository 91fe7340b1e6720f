"""Why a file cannot be read as a video, in words a user understands, whichever backend tried."""

from pathlib import Path

from understudy.errors import VideoError

# Formats of FFmpeg that name other files, on this machine or on another, and would read them
LISTS = {"hls", "applehttp", "concat", "dash", "imf", "sdp", "rtsp", "tedcaptions", "xmv_list"}
_HEADS = (b"#EXTM3U", b"ffconcat", b"<?xml", b"<MPD", b"v=0", b"[playlist]")  # how such lists begin
NO_VIDEOS = {"tty", "image2", "ass", "srt", "webvtt", "subviewer", "lrc"}  # formats of FFmpeg for text and pictures


def check_format(path: Path, name: str) -> None:
    """Refuse pictures and texts, which FFmpeg reads as videos.

    Args:
        name: FFmpeg's name of the container.
    """
    if LISTS & set(name.split(",")):
        raise VideoError(_is_list(path))
    if name.endswith("_pipe") or name in NO_VIDEOS:
        raise VideoError(f"{path} is no video but a picture or a text ({name}); name a video in the clip table.")


def check_head(path: Path) -> None:
    """Refuse a text and a list of other files before FFmpeg sees it: it would open what the list names.

    Raises:
        VideoError: the file begins like one.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_HEADS):
        raise VideoError(_is_list(path))
    if _is_text(head):
        raise VideoError(f"{path} is a text file, expected a video; name a video in the clip table.")


def _is_list(path: Path) -> str:
    return (
        f"{path} is a playlist or another text that names other files, expected a video itself; name the video in the "
        "clip table."
    )


def no_pictures(path: Path, sound: bool) -> str:
    """Say that a file has no video track."""
    has = "sound only" if sound else "neither pictures nor sound"
    return f"The file {path} holds {has}, expected a video track; name a video in the clip table."


def unknown_coding(path: Path) -> str:
    """Say that a file's pictures cannot be decoded by this reader."""
    return (
        f"The pictures of {path} are coded in a way this reader does not know, or their track is damaged; "
        f"convert it first, for example: ffmpeg -i {path.name} -c:v libx264 -crf 12 -c:a copy converted.mp4."
    )


def nothing_decoded(path: Path, codec: str) -> str:
    """Say that not one picture of a file comes out whole."""
    return (
        f"The video {path} holds no picture that can be decoded ({codec}); "
        f"it is damaged or broke off at its start: copy it again from its origin."
    )


def other_shape(path: Path, first: tuple[int, int], later: tuple[int, int]) -> str:
    """Say that pictures, (height, width), change their shape within a file."""
    return (
        f"The video {path} changes from {first[1]}x{first[0]} to {later[1]}x{later[0]} pixels, which is another shape; "
        f"cut it there by start_s and end_s in the clip table, or convert it to one size: ffmpeg -i {path.name} -vf "
        f"scale={first[1]}:{first[0]}:force_original_aspect_ratio=decrease,pad={first[1]}:{first[0]}:-1:-1 OUT.mp4."
    )


def unreadable(path: Path, error: object) -> str:
    """Say why a file cannot be opened, from its first bytes."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
        return (
            f"The video {path} has no index (moov): its recording or copying broke off; copy it again from its "
            f"origin, or mend it with a tool such as untrunc."
        )
    if not head.strip(b"\0"):
        return f"The file {path} begins with nothing but zeros: a copy failed; copy it again from its origin."
    return f"{path} is no video that can be read ({error}); play it to see that it is whole, or convert it to mp4."


def _is_text(head: bytes) -> bool:
    try:
        text = head[:-3].decode() if len(head) == 4096 else head.decode()
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in "\t\r\n\f" for letter in text)
