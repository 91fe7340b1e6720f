"""config/weights.yaml and the archives that are fetched, broken and hostile."""

import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from hostile.case import Case, planning, prepared
from understudy.fetch import _place
from understudy.weights import Weights, load_weights

BOMB = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10) if n else 'x'}]\n" for n in range(10))
GOOD = "url: https://example.org/a\n  licence: MIT\n  use: any\n  purpose: test\n"
LISTS: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "keys|entries"),
    "a list": ("- a\n", "keys|entries"),
    "a word": ("weights\n", "keys|entries"),
    "broken YAML": ("a: [\n", "YAML"),
    "a program": ("a: !!python/object/apply:os.system ['touch stray']\n", "YAML"),
    "of Latin-1": (b"a: gr\xfcn\n", "UTF-8|YAML"),
    "an entry that is a word": ("a.pth: good\n", "a.pth"),
    "an entry that is a list": ("a.pth: [1]\n", "a.pth"),
    "an entry that is nothing": ("a.pth:\n", "a.pth"),
    "without an address": ("a.pth: {licence: MIT, use: any, purpose: x}\n", "lacks url"),
    "with an unknown key": (f"a.pth:\n  {GOOD}  colour: red\n", "unknown key colour"),
    "a name that leaves its folder": (f"../a.pth:\n  {GOOD}", "leaves the folder"),
    "a name that is a root": (f"/etc/a.pth:\n  {GOOD}", "leaves the folder"),
    "a name that leaves in the middle": (f"a/../../b.pth:\n  {GOOD}", "leaves the folder"),
    "a name that is a number": (f"7:\n  {GOOD}", "7"),
    "a name with an end of line": (f'"a\\nb":\n  {GOOD}', "a.b"),
    "a name with a wildcard": (f'"{{clip}}.pth":\n  {GOOD}', "clip"),
    "a name of nothing": (f'"":\n  {GOOD}', "entry ''"),
    "an address of a file": ("a.pth: {url: 'file:///etc/passwd', licence: MIT, use: any, purpose: x}\n", "not http"),
    "an address that is a number": ("a.pth: {url: 7, licence: MIT, use: any, purpose: x}\n", "not http"),
    "an address with an end of line": (
        'a.pth: {url: "https://a\\nb", licence: MIT, use: any, purpose: x}\n', "not http"
    ),
    "mirrors that are one word": (f"a.pth:\n  {GOOD}  mirrors: https://b\n", ""),
    "a sum of another length": (f"a.pth:\n  {GOOD}  sha256: abc\n", "sha256"),
    "a sum that reads as a number": (f"a.pth:\n  {GOOD}  md5: 12345678901234567890123456789012\n", ""),
    "a size that is a word": (f"a.pth:\n  {GOOD}  size: large\n", "size"),
    "a size below nothing": (f"a.pth:\n  {GOOD}  size: -1\n", "size"),
    "an unknown use": (f"a.pth:\n  {GOOD.replace('any', 'all')}", "use"),
    "a member that is a list": (f"a.pth:\n  {GOOD}  member: [a]\n", "member"),
    "a member that leaves the archive": (f"a.pth:\n  {GOOD}  member: ../../etc/passwd\n", "member"),
    "lists that repeat a billion times": (BOMB, "a0"),
}  # fmt: skip


def cases() -> Iterator[Case]:
    """Every list and every archive."""
    for name, (text, words) in LISTS.items():
        yield Case("weights.yaml", name, partial(_read, text), f"WeightsError: .*({words})" if words else "")
    for name, make in ARCHIVES.items():
        yield Case("fetched archive", name, partial(_unpack, make), "WeightsError: .*(zip|longer|holds)")


def _read(text: str | bytes, folder: Path) -> None:
    table = Path("weights.yaml")
    table.write_bytes(text if isinstance(text, bytes) else text.encode())
    prepared()
    with planning():
        load_weights.__wrapped__(table)  # without its memory of tables read before


def _bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model.pth", bytes(100_000_000))


def _stored(*names: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as file:
            for name in names:
                file.writestr(name, b"x" * 100)

    return make


def _patched(find: bytes, offset: int, new: bytes) -> Callable[[Path], None]:
    """Write a good archive and overwrite bytes behind every place where `find` stands."""

    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("model.pth", b"x" * 1000)
        data = bytearray(path.read_bytes())
        place = data.find(find)
        data[place + offset : place + offset + len(new)] = new
        path.write_bytes(data)

    return make


ARCHIVES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.touch(),
    "a web page": lambda path: path.write_text("<!doctype html>"),
    "of nothing": lambda path: zipfile.ZipFile(path, "w").close(),
    "without the file": _stored("other.pth"),
    "with the file twice": _stored("a/model.pth", "b/model.pth"),
    "that unpacks to much more": _bomb,
    "with a secret": _patched(b"PK\x01\x02", 8, b"\x01\x00"),
    "of an unknown packing": _patched(b"PK\x01\x02", 10, b"\x63\x00"),
    "with damaged bytes": _patched(b"PK\x03\x04", 41, b"\xff\xff\xff\xff\xff"),
    "with a name that is empty": _patched(b"PK\x01\x02", 46, b"\x00"),
    "with another sum": _patched(b"PK\x01\x02", 16, b"\x00\x00\x00\x00"),
    "that points beyond its end": _patched(b"PK\x01\x02", 42, b"\xff\xff\xff\x7f"),
    "cut": lambda path: (_stored("model.pth")(path), path.write_bytes(path.read_bytes()[:-15])),
}


def _unpack(make: Callable[[Path], object], folder: Path) -> None:
    """Put an archive in place as if it had just been fetched."""
    target = Path("results") / "weights" / "model.pth"
    target.parent.mkdir(parents=True)
    part = target.with_name(".model.pth.download")
    prepared()
    make(part)
    wanted = Weights("model.pth", ("https://example.org",), "model.pth", "0" * 64, "", 1000, "MIT", "any", "test")
    with planning(), part.open("rb") as file:
        _place(file, wanted, target, Path("weights.yaml"))
