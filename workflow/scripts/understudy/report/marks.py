"""What the report says of a film's marks: the same that `make verify` says."""

from dataclasses import asdict
from typing import Any

from understudy.rendering.examination import ALTERED, STRIPPED, UNMARKED, WHOLE, Findings
from understudy.rendering.statement import KINDS

NAMES = {
    "performer": "performer",
    "driving_clip": "driving clip",
    "driving_sha256": "its video (SHA-256, a fingerprint of its bytes)",
    "model_sha256": "the trained model (SHA-256)",
    "settings_sha256": "the settings (SHA-256)",
}
WORDS = {
    WHOLE: "The film carries content credentials (C2PA): signed words on how it was made. They fit it; it is unchanged "
    "since.",
    ALTERED: "The film was altered since it was signed",
    STRIPPED: "The film's content credentials are gone; run the same command again to render it anew.",
    UNMARKED: "The film carries no mark that it is synthetic: it was rendered by an earlier version. Delete it "
    "and run the same command again.",
}


def view_marks(found: Findings, settings_sha256: str) -> dict[str, Any]:
    """Say what a film's marks are worth.

    Args:
        found: in the film.
        settings_sha256: digest of the settings that now stand in the configuration.
    """
    words = WORDS[found.verdict]
    if found.reasons:
        words += f": {'; '.join(found.reasons)}."
    rows = [(NAMES[name], value) for name, value in asdict(found.statement).items()] if found.statement else []
    if found.source_type:
        rows.insert(0, ("kind of media", KINDS.get(found.source_type, found.source_type)))
    if found.signer:
        own = "; anybody can make a certificate of this name, so it proves that the film is unchanged, not who made it"
        rows.append(("signed by", found.signer + own * found.self_made))
    if found.statement and found.statement.settings_sha256 != settings_sha256:
        rows.append(("note", "the configuration has changed since this film was rendered"))
    return {"whole": found.verdict == WHOLE, "words": words, "rows": rows}
