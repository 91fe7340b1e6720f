"""Write the configuration of a film made from two videos of one's own: `make demo PERFORMER=... DRIVING=...`."""

import argparse
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

    A configuration that is already there for the same two videos is left as it is, so that edits survive.

    Raises:
        SystemExit: a video does not exist.
    """
    for role, video in (("PERFORMER", performer), ("DRIVING", driving)):
        if not video.is_file():
            raise SystemExit(f"{role}={video} is no file; give the path of a video, such as {role}=footage/me.mp4")
    who = clip_name(performer)
    dance = clip_name(driving, taken=who)
    rows = ["clip\tvideo\tstart_s\tend_s\tperson\tcrop"]
    rows += [f"{name}\t{video}\t0\t0\tlargest\tperson" for name, video in ((who, performer), (dance, driving))]
    table, config = folder / "clips.tsv", folder / "config.yaml"
    settings = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    settings = {
        "clips": str(table),
        "performers": {who: {"clips": [who]}},
        "transfers": [{"performer": who, "driving": dance}],
        **settings,
    }
    videos = {name: str(video) for name, video in ((who, performer), (dance, driving))}
    if config.is_file() and table.is_file() and _videos(table) == videos:
        logger.info("%s is kept as it is; edit it to change stages or settings", config)
        return config
    folder.mkdir(parents=True, exist_ok=True)
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    config.write_text(yaml.safe_dump(settings, sort_keys=False, width=120), encoding="utf-8")
    logger.info("wrote %s and %s; edit them to change stages, cut the clips or set the crop", config, table)
    return config


def film_paths(folder: Path) -> list[Path]:
    """Return where the films of a configuration lie."""
    settings = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    return [
        Path("results/transfers") / row["performer"] / row["driving"] / "side_by_side.mp4"
        for row in settings["transfers"]
    ]


def _videos(table: Path) -> dict[str, str]:
    rows = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()[1:]]
    return {row[0]: row[1] for row in rows}


def main(words: list[str]) -> None:
    """Read the command line of the Makefile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--performer", type=Path, help="video of the person to learn")
    parser.add_argument("--driving", type=Path, help="video of the motion to perform")
    parser.add_argument("--folder", type=Path, help="where the configuration is written")
    parser.add_argument("--show", type=Path, help="say where the films of this configuration are")
    arguments = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if arguments.show:
        for path in film_paths(arguments.show):
            logger.info("The film: %s (left the driver, right the performer)", path)
        return
    if not arguments.driving or str(arguments.driving) == ".":
        raise SystemExit("Name both videos: make demo PERFORMER=me.mp4 DRIVING=dance.mp4")
    write_configuration(arguments.performer, arguments.driving, arguments.folder)


if __name__ == "__main__":
    main(sys.argv[1:])
