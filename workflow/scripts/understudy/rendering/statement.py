"""What a film says of itself: that it is synthetic, who is shown, and what it was made from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from understudy.settings import RELEASE

PRODUCT = "Understudy"
LABEL = "understudy.transfer"  # of our assertion in the content credentials
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
DRAWN = SOURCE_TYPE + "trainedAlgorithmicMedia"  # every picture is drawn by a network that was trained
COMPOSED = SOURCE_TYPE + "compositeWithTrainedAlgorithmicMedia"  # footage of the driver stands beside what was drawn
KINDS = {  # in words
    DRAWN: "synthetic: every picture is drawn by a trained model (trainedAlgorithmicMedia)",
    COMPOSED: "recorded and synthetic pictures side by side (compositeWithTrainedAlgorithmicMedia)",
}
_XMP_KIND = bytes.fromhex("BE7ACFCB97A942E88C71999491E3AFAC")
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 Iptc4xmpExt:DigitalSourceType="{source_type}" xmp:CreatorTool="{tool}">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{comment}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


@dataclass(frozen=True)
class Statement:
    """Who performs what in a film, and digests (SHA-256, 64 hex digits) of what it was made from.

    Attributes:
        performer: name of who is shown.
        driving_clip: name of the clip whose motion is performed.
        driving_sha256: of that clip's video file.
        model_sha256: of the performer's generator.safetensors.
        settings_sha256: of every setting and clip table row that decides the film.
    """

    performer: str
    driving_clip: str
    driving_sha256: str
    model_sha256: str
    settings_sha256: str


def title(statement: Statement) -> str:
    """Name a film in a few words."""
    return f"{statement.performer} performs {statement.driving_clip}"


def plain_tags(statement: Statement, source_type: str) -> dict[str, str]:
    """Return the metadata of the MP4 file: a title, and a comment for people and programs.

    Args:
        statement: of the film.
        source_type: `DRAWN` or `COMPOSED`.
    """
    facts = "; ".join(f"{name} {value}" for name, value in asdict(statement).items())
    comment = f"Synthetic media, made by {PRODUCT} {RELEASE}; {facts}; digitalSourceType {source_type}"
    return {"title": title(statement), "comment": comment}


def xmp_box(statement: Statement, source_type: str) -> bytes:
    """Return the MP4 box with IPTC's mark of synthetic media, which picture archives and platforms read.

    Source: Adobe, XMP Specification Part 3, section 1.2.7; IPTC Photo Metadata Standard, Digital Source Type.
    """
    texts = plain_tags(statement, source_type) | {"source_type": source_type, "tool": f"{PRODUCT} {RELEASE}"}
    content = _XMP_KIND + _XMP.format(**{name: escape(text) for name, text in texts.items()}).encode()
    return (8 + len(content)).to_bytes(4, "big") + b"uuid" + content


def manifest(statement: Statement, source_type: str) -> dict[str, Any]:
    """Return the content credentials as C2PA wants them: who made it, what kind of media it is, and our statement."""
    maker = {"name": PRODUCT, "version": RELEASE}
    created = {"action": "c2pa.created", "digitalSourceType": source_type, "softwareAgent": maker}
    return {
        "claim_generator_info": [maker],
        "title": title(statement),
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
            {"label": LABEL, "data": asdict(statement)},
        ],
    }


def stated(assertions: list[Mapping[str, Any]]) -> Statement | None:
    """Find our statement among the assertions of a film's credentials; None where there is none such."""
    for assertion in assertions:
        values = assertion.get("data")
        if assertion.get("label") == LABEL and isinstance(values, Mapping):
            names = list(Statement.__dataclass_fields__)
            return Statement(**{name: str(values.get(name, "")) for name in names})
    return None


def add_xmp(film: Path, statement: Statement, source_type: str) -> None:
    """Append the XMP box to a film."""
    with film.open("ab") as file:
        file.write(xmp_box(statement, source_type))
