"""Cases that end badly, each in its own way: the corpus would notice."""

import os
import time
from pathlib import Path

from hostile.case import Case, Refused, prepared


def _burn(folder: Path) -> None:
    while True:
        pass


def _fail(folder: Path) -> None:
    prepared()
    raise ValueError("nobody caught this")


def _die(folder: Path) -> None:
    os.abort()


def _stray(folder: Path) -> None:
    prepared()
    Path("stray").touch()
    (Path("..") / "neighbour.txt").write_text("mine now")
    raise Refused("SomeError: it is refused, but too late")


def _half(folder: Path) -> None:
    prepared()
    Path("results").mkdir()
    (Path("results") / ".frames.host-1.part.h5").touch()


def _pass(folder: Path) -> None:
    prepared()


def _mumble(folder: Path) -> None:
    raise Refused("SomeError: no")


def _eat(folder: Path) -> None:
    held = [bytearray(2**28) for _ in range(64)]
    time.sleep(len(held))


WITNESSES: dict[str, Case] = {
    "hang": Case("witness", "works for ever", _burn, "never", cpu_s=1),
    "traceback": Case("witness", "raises", _fail, "caught"),
    "crash": Case("witness", "dies", _die, "never"),
    "refused": Case("witness", "writes elsewhere", _stray, "refused"),
    "right": Case("witness", "leaves half a file", _half),
    "wrong": Case("witness", "goes through", _pass, "it should be refused"),
    "wrong words": Case("witness", "says something else", _mumble, "what it should"),
    "memory": Case("witness", "eats the memory", _eat, "never"),
}
