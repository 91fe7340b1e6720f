"""One thin script per rule, of the same name: imports, log, one call."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "workflow" / "scripts").glob("*.py"))
RULES = {
    name: (file, text)
    for file in sorted((ROOT / "rules").glob("*.smk"))
    for name, text in re.findall(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", file.read_text(), re.MULTILINE | re.DOTALL)
}


def test_every_rule_has_its_script_and_every_script_its_rule():
    assert {script.stem for script in SCRIPTS} == set(RULES)


@pytest.mark.parametrize("name", sorted(RULES))
def test_rule_log_benchmark_and_script_share_its_name(name):
    file, text = RULES[name]
    assert f'"../workflow/scripts/{name}.py"' in text, f"{file}: script of {name}"
    assert f'"results/logs/{name}/' in text, f"{file}: log of {name}"
    assert f'"results/benchmarks/{name}/' in text, f"{file}: benchmark of {name}"


@pytest.mark.parametrize("name", sorted(RULES))
def test_rule_reads_like_a_recipe(name):
    file, text = RULES[name]
    assert text.lstrip().startswith('"""'), f"{file}: {name} lacks its docstring"
    for word in ("output:", "log:", "conda:", "params:", "script:"):
        assert word in text, f"{file}: {name} lacks {word}"
    for word in ("lambda", "run:", "config[", "message:", "retries:"):
        assert word not in text, f"{file}: {name} holds {word}"
    assert text.count("\n") <= 45


@pytest.mark.parametrize("name", sorted(set(RULES) - {"fetch_weights"}))  # which runs where the command does
def test_rule_asks_for_memory_and_time_that_grow_with_each_attempt(name):
    file, text = RULES[name]
    assert re.search(r"^        mem_mb=growing\(", text, re.MULTILINE), f"{file}: memory of {name}"
    assert re.search(r"^        runtime=growing\(", text, re.MULTILINE), f"{file}: time of {name}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_job_keeps_the_gpus_it_asks_for_to_itself(script):
    _, rule = RULES[script.stem]
    keeps = "own_gpus(snakemake.resources.gpu):" in script.read_text(encoding="utf-8")
    assert keeps == ("        gpu=" in rule)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_script_is_thin(script):
    text = script.read_text(encoding="utf-8")
    tree = ast.parse(text)
    forbidden = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.Lambda, ast.ListComp, ast.Try)
    assert not [node for node in ast.walk(tree) if isinstance(node, forbidden)]
    assert text.count("\n") <= 40
    block = tree.body[-1]
    assert isinstance(block, ast.With) and len(block.body) == 1, "the log holds exactly one call"
    call = block.body[0]
    assert isinstance(call, ast.Expr) and isinstance(call.value, ast.Call) and call.value.func.id == script.stem


@pytest.mark.parametrize("name", sorted(RULES))
def test_environment_of_rule_exists(name):
    _, text = RULES[name]
    for path in re.findall(r'"\.\./(envs/[\w.]+)"', text):
        assert (ROOT / path).is_file(), f"{name} names {path}"
