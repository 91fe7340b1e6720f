"""The table: fault by fault, rule by rule, tries, survived, lost work."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

SLURM = {
    True: "On the development cluster (Debian's Slurm, two nodes) `snakemake --profile slurm` went on by itself where "
    "its case ends with exit code 0.",
    False: "The faults of a cluster are left out: no Slurm could be had.",
}


def read_cases(path: Path) -> list[dict[str, Any]]:
    """Read the cases of earlier runs from the JSON file beside a page."""
    record = path.with_suffix(".json")
    return json.loads(record.read_text(encoding="utf-8"))["cases"] if record.is_file() else []


def write_tables(
    path: Path, facts: dict[str, Any], results: list[dict[str, Any]], before: Sequence[dict[str, Any]] = ()
) -> None:
    """Write Markdown, and JSON beside it with every case; of one that earlier runs had too, this one counts."""
    done = {result["seed"] for result in results}
    kept = [one for one in before if one["seed"] not in done]
    cases, facts = sorted(kept + results, key=lambda one: one["seed"]), facts | {"kept": len(kept)}
    path.with_suffix(".json").write_text(json.dumps({**facts, "cases": cases}, indent=1) + "\n", encoding="utf-8")
    path.write_text(_page(facts, cases), encoding="utf-8")


def _page(facts: dict[str, Any], results: list[dict[str, Any]]) -> str:
    survived = sum(result["survived"] for result in results)
    seeds = sorted({result["seed"].split("/")[0] for result in results})
    lines = [
        "# Fault bench",
        "",
        f"{len(results)} injections, {survived} survived: the same command again ended well and gave the undisturbed "
        f"run's result, bit for bit. {facts['date']}, {facts['machine']}; seed {', '.join(seeds)}; a "
        f"training saves every {facts['save_seconds']:g} s. "
        f"{SLURM[facts['slurm']]} "
        f"{_kept(facts['kept'])}Made by `make faults`; every case, with the seed that repeats it, stands in the JSON "
        "file beside this page.",
        "",
        "Lost work is the time that a fault took away: of a training since its last saved state, of any other job "
        "since its start. Of damaged inputs, `noticed` counts the runs that ended in an error which names the file to "
        "delete; the others had read the bytes before they changed, or did not use them, and their result was right.",
        "",
        "## By fault",
        "",
        *_table("fault", _grouped(results, "fault")),
        "",
        "## By job",
        "",
        *_table("job", _grouped(results, "target")),
        "",
        "## All",
        "",
        "| fault | job | tries | survived | noticed | lost s, most |",
        "|---|---|---|---|---|---|",
        *(
            f"| {fault} | {target} | {len(rows)} | {_survived(rows)} | {_noticed(rows)} | {_most(rows)} |"
            for (fault, target), rows in _grouped(results, "fault", "target").items()
        ),
    ]
    return "\n".join(lines) + "\n"


def _kept(number: int) -> str:
    return f"{number} of them stand here from runs before this one, on earlier code. " if number else ""


def _grouped(results: Iterable[dict[str, Any]], *keys: str) -> dict[Any, list[dict[str, Any]]]:
    groups: dict[Any, list[dict[str, Any]]] = {}
    for result in results:
        key = tuple(result[key] for key in keys)
        groups.setdefault(key if len(key) > 1 else key[0], []).append(result)
    return groups


def _table(name: str, groups: dict[Any, list[dict[str, Any]]]) -> list[str]:
    head = [f"| {name} | tries | survived | noticed | lost s, median | lost s, most |", "|---|---|---|---|---|---|"]
    return head + [
        f"| {key} | {len(rows)} | {_survived(rows)} | {_noticed(rows)} | {median(row['lost_s'] for row in rows):.1f} "
        f"| {_most(rows)} |"
        for key, rows in groups.items()
    ]


def _survived(rows: list[dict[str, Any]]) -> int:
    return sum(row["survived"] for row in rows)


def _noticed(rows: list[dict[str, Any]]) -> str:
    told = sum(row["told"] == "clear" for row in rows)
    return str(told) if any(row["fault"].startswith(("input", "byte")) for row in rows) else "-"


def _most(rows: list[dict[str, Any]]) -> str:
    return f"{max(row['lost_s'] for row in rows):.1f}"
