"""Says what a film's marks are worth: whole, altered or stripped, who signed, and what they state."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import c2pa

from understudy.errors import CredentialsError
from understudy.rendering.credentials import NOBODY
from understudy.rendering.statement import PRODUCT, Statement, stated
from understudy.seals import film_seal

WHOLE, ALTERED, STRIPPED, UNMARKED = "whole", "altered", "stripped", "unmarked"
UNTRUSTED = "signingCredential.untrusted"  # not a fault: nobody told us whom to trust
_OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}  # a film must not make us call anybody
_REASONS = {
    "assertion.bmffHash.mismatch": "its pictures, sound or metadata are not those that were signed",
    "assertion.hashedURI.mismatch": "its statement is not the one that was signed",
    "claimSignature.mismatch": "its statement is not the one that was signed",
    "signingCredential.expired": "its certificate was no longer valid",
}


@dataclass(frozen=True)
class Findings:
    """What was found in a film.

    Attributes:
        verdict: `WHOLE`, `ALTERED`, `STRIPPED` (it says it was made here, but what proves it is gone) or `UNMARKED`.
        reasons: of an altered film, in words.
        statement: ours, where there is one; only of a whole film it is what was signed.
        source_type: kind of media its credentials state, an address of IPTC's; empty without.
        signer: name in the certificate; empty without credentials.
        trusted: the certificate leads to one of those the reader was given.
        seal: its bytes are those of the file we wrote; None: it has no seal.
        tags: plain metadata.
    """

    verdict: str
    reasons: tuple[str, ...] = ()
    statement: Statement | None = None
    source_type: str = ""
    signer: str = ""
    trusted: bool = False
    seal: bool | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def self_made(self) -> bool:
        """Whether the certificate calls itself one that Understudy made."""
        return self.signer.startswith(NOBODY)


def examine_film(path: Path, trust: str = "") -> Findings:
    """Read a film's content credentials, seal and metadata, and compare them with its bytes.

    Args:
        path: the film.
        trust: PEM certificates; what was signed by them, or by whom they vouch for, is trusted.

    Raises:
        CredentialsError: it is no film that can be opened.
    """
    seal, tags = film_seal(path), _tags(path)
    try:
        found = _credentials(path, trust)
    except c2pa.C2paError.ManifestNotFound:
        found = None
    except c2pa.C2paError as broken:
        reason = f"its content credentials cannot be read: {broken}"
        return Findings(ALTERED, (reason,), seal=seal, tags=tags)
    if found is None:
        return Findings(STRIPPED if PRODUCT in " ".join(tags.values()) else UNMARKED, seal=seal, tags=tags)
    active = found["manifests"][found["active_manifest"]]
    faults = {one["code"] for one in found.get("validation_status", [])} - {UNTRUSTED}
    reasons = sorted({_REASONS.get(code, code) for code in faults})
    if seal is False:
        reasons.append("bytes changed that no signature covers (its seal is broken)")
    return Findings(
        verdict=ALTERED if reasons else WHOLE,
        reasons=tuple(reasons),
        statement=stated(active.get("assertions", [])),
        source_type=_source_type(active),
        signer=str(active.get("signature_info", {}).get("common_name", "")),
        trusted=found.get("validation_state") == "Trusted",
        seal=seal,
        tags=tags,
    )


def _credentials(path: Path, trust: str) -> dict[str, Any]:
    settings: dict[str, Any] = {**_OFFLINE, "trust": {"user_anchors": trust}} if trust else dict(_OFFLINE)
    with (
        c2pa.Context.from_dict(settings) as context,
        path.open("rb") as file,
        c2pa.Reader("video/mp4", file, context=context) as reader,
    ):
        return json.loads(reader.json())


def _source_type(active: Mapping[str, Any]) -> str:
    """Find what kind of media the credentials state."""
    for assertion in active.get("assertions", []):
        data = assertion.get("data")
        for action in data.get("actions", []) if isinstance(data, Mapping) else []:
            if kind := action.get("digitalSourceType"):
                return str(kind)
    return ""


def _tags(path: Path) -> dict[str, str]:
    """Read the plain metadata that people gave a film, not what the format says of itself."""
    try:
        with av.open(f"file:{path}") as film:
            return {name: text for name, text in film.metadata.items() if name in ("title", "comment")}
    except (OSError, ValueError, av.error.FFmpegError) as broken:
        raise CredentialsError(f"{path} cannot be opened as a film ({broken}); name an MP4 file.") from broken
