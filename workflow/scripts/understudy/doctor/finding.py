"""What an examination comes to."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "lack"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what was found, and what to do where that is not enough.

    `lack` keeps the configuration from running here, `note` does not.
    """

    topic: str
    state: State
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Licence:
    """The licence of one thing in use; `use` is any, non-commercial or unclear."""

    what: str
    licence: str
    use: str
