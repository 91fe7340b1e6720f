"""Bad input ends in a right result or in a clear message, within seconds, and touches nothing outside results/.

`make corpus` tries every case and writes their table.
"""

import pytest

from hostile.corpus import CASES, run_corpus
from hostile.witnesses import WITNESSES

pytestmark = pytest.mark.slow
LEAST = 150
# Kinds that start programs, read large files or train: of them every eighth case is tried here, all by `make corpus`.
LONG = {"video", "configuration", "command", "state folder", "IUV pictures", "sound.mka", "VGG-19"}
TRIED = [case for number, case in enumerate(CASES) if case.kind not in LONG or number % 8 == 0]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """How every case ended, by title."""
    return run_corpus(tmp_path_factory.mktemp("corpus"), TRIED)


@pytest.mark.parametrize("case", TRIED, ids=lambda case: case.title)
def test_bad_input_ends_in_a_right_result_or_in_a_message(case, outcomes):
    outcome = outcomes[case.title]
    assert outcome.end in ("right", "refused"), f"{outcome.end}: {outcome.message}"
    assert not outcome.stray, outcome.stray


def test_the_corpus_is_large_and_no_two_cases_are_one():
    assert len({case.title for case in CASES}) == len(CASES)
    assert len(TRIED) >= LEAST
    assert {case.kind for case in TRIED} == {case.kind for case in CASES}


def test_a_bad_end_is_noticed(tmp_path):
    found = run_corpus(tmp_path, list(WITNESSES.values()))
    ends = {name: found[case.title].end for name, case in WITNESSES.items()}
    assert ends == {name: name for name in WITNESSES} | {"wrong words": "wrong", "memory": "traceback"}
    strays = {name: found[case.title].stray for name, case in WITNESSES.items()}
    assert strays["refused"] == ["neighbour.txt", "project/stray"]
    assert strays["right"] == ["project/results/.frames.host-1.part.h5"]
