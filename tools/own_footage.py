"""Write the configuration of a film made from two videos of one's own: `make demo PERFORMER=... DRIVING=...`."""

import argparse
import csv
import logging
import re
import sys
from pathlib import Path

import yaml

logger = logging.getLogger("own_footage")
TEMPLATE = Path(__file__).with_suffix(".yaml")


def clip_name(video: Path, taken: str = "") -> str:
    """Return a name made of the file's own, of letters, digits, '_' and '-', other than `taken`."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", video.stem).strip("_") or "clip"
    return f"{name}_driving" if name == taken else name


def write_configuration(performer: Path, driving: Path, folder: Path) -> Path:
    """Write clips.tsv and config.yaml for one performer and one driving clip.

    A configuration that is already there for these two videos is left as it is, so that edits survive; one for other
    videos is kept beside it as config.old.yaml and clips.old.tsv.

    Raises:
        SystemExit: a video does not exist.
    """
    for role, video in (("PERFORMER", performer), ("DRIVING", driving)):
        if not video.is_file():
            raise SystemExit(f"{role}={video} is no file; give the path of a video, such as {role}=footage/me.mp4")
    who = clip_name(performer)
    dance = clip_name(driving, taken=who)
    videos = {who: str(performer), dance: str(driving)}
    table, config = folder / "clips.tsv", folder / "config.yaml"
    settings = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    settings = {
        "clips": str(table),
        "performers": {who: {"clips": [who]}},
        "transfers": [{"performer": who, "driving": dance}],
        **settings,
    }
    there = config.is_file() and table.is_file()
    if there and (who, dance) in _pairs(config) and videos.items() <= _videos(table).items():
        logger.info("%s is kept as it is; edit it to change stages or settings", config)
        return config
    folder.mkdir(parents=True, exist_ok=True)
    for path in (table, config):
        if path.is_file():
            path.replace(path.with_suffix(f".old{path.suffix}"))
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter="\t", lineterminator="\n")
        rows.writerow(["clip", "video", "start_s", "end_s", "person", "crop", "consent"])
        rows.writerows([name, video, 0, 0, "largest", "person", ""] for name, video in videos.items())
    config.write_text(yaml.safe_dump(settings, sort_keys=False, width=120), encoding="utf-8")
    logger.info("wrote %s and %s; edit them to change stages, cut the clips or set the crop", config, table)
    return config


def film_paths(folder: Path) -> list[Path]:
    """Return where the films of a configuration lie."""
    pairs = _pairs(folder / "config.yaml")
    return [Path("results/transfers") / performer / driving / "side_by_side.mp4" for performer, driving in pairs]


def _pairs(config: Path) -> list[tuple[str, str]]:
    """Read who performs which clip in a configuration, whatever else was edited in it."""
    try:
        settings = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as wrong:
        raise SystemExit(f"{config} is no YAML any more ({wrong}); correct it, or delete it to start afresh") from None
    return [(row.get("performer", ""), row.get("driving", "")) for row in settings.get("transfers") or []]


def _videos(table: Path) -> dict[str, str]:
    """Read which videos a table names; what else stands in it is for the pipeline to check."""
    with table.open(encoding="utf-8", errors="replace", newline="") as file:
        return {row[0].strip(): row[1].strip() for row in csv.reader(file, delimiter="\t") if len(row) > 1}


def main(words: list[str]) -> None:
    """Read the command line of the Makefile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--performer", type=Path, default=Path(), help="video of the person to learn")
    parser.add_argument("--driving", type=Path, default=Path(), help="video of the motion to perform")
    parser.add_argument("--folder", type=Path, default=Path("config/own"), help="where the configuration is written")
    parser.add_argument("--show", type=Path, help="say where the films of this configuration are")
    arguments = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if arguments.show:
        for path in film_paths(arguments.show):
            logger.info("The film: %s (left the driver, right the performer)", path)
        logger.info("Look:     results/report/index.html (open it in a browser; the folder holds all it shows)")
        logger.info("Consent:  say who agreed in %s, column consent; the report shows it", arguments.show / "clips.tsv")
        return
    if Path() in (arguments.performer, arguments.driving):  # make passes what is not named as an empty word
        raise SystemExit("Name both videos: make demo PERFORMER=me.mp4 DRIVING=dance.mp4")
    write_configuration(arguments.performer, arguments.driving, arguments.folder)


if __name__ == "__main__":
    main(sys.argv[1:])
