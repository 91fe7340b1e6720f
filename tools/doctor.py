"""Say what this machine has for a configuration, and what to do for what it lacks; exit 0 where nothing is lacking."""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "workflow" / "scripts"))


def main() -> int:
    """Examine, write the page, return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=ROOT / "config" / "config.yaml", help="configuration to look at")
    parser.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036  whoever starts it may have any Python
        sys.stdout.write(f"Understudy needs Python 3.11 or 3.12, this is {sys.version.split()[0]}; name another one.\n")
        return 1
    from understudy.doctor.examine import examine
    from understudy.doctor.page import as_json, as_text

    findings, licences = examine(arguments.config, Path.cwd())
    sys.stdout.write((as_json if arguments.json else as_text)(findings, licences))
    return int(any(one.state == "lack" for one in findings))


if __name__ == "__main__":
    sys.exit(main())
