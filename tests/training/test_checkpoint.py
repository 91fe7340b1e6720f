import logging
import threading
import time

import pytest
import torch

from planted import LOSSES, MODEL, planted_clip, planted_frame
from understudy.errors import TrainingError
from understudy.model.build import add_face, blank_generator, load_generator, read_facts, start_generator
from understudy.training import checkpoint
from understudy.training.checkpoint import Progress, StateFolder, restore
from understudy.training.step import Moment, Team, train_step

MANIFEST = {"seed": 1, "data": "abc"}


@pytest.fixture
def team() -> Team:
    return Team(start_generator([planted_frame(left) for left in (2.0, 9.0, 16.0)], MODEL, seed=1), seed=1)


def advance(team: Team, step: int, random: torch.Generator) -> None:
    train_step(team, planted_clip(), LOSSES, Moment(step, 1e-3, judged=True), random)


def equal(one: Team, two: Team) -> bool:
    pairs = [(one.parts()[name].state_dict(), two.parts()[name].state_dict()) for name in one.parts()]
    return all(_same(mine, theirs) for mine, theirs in pairs)


def _same(one, two) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(_same(one[key], two[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(map(_same, one, two))
    return one == two


def new_team() -> Team:
    return Team(start_generator([planted_frame(left) for left in (2.0, 9.0, 16.0)], MODEL, seed=5), seed=5)


def test_everything_comes_back(team, tmp_path):
    random = torch.Generator().manual_seed(3)
    advance(team, 0, random)
    StateFolder(tmp_path, MANIFEST).save(team, Progress(1, 2.5), random)
    other, chance = new_team(), torch.Generator()
    assert not equal(team, other)
    assert restore(StateFolder(tmp_path, MANIFEST).newest(), other, chance, tmp_path) == Progress(1, 2.5)
    assert equal(team, other)
    advance(team, 1, random)
    advance(other, 1, chance)
    assert equal(team, other)


def test_an_empty_folder_has_no_state(tmp_path):
    assert StateFolder(tmp_path / "new", MANIFEST).newest() is None


def test_a_state_tells_the_shape_of_its_generator(team, tmp_path):
    team = Team(add_face(team.generator, 4, seed=1))
    StateFolder(tmp_path, MANIFEST).save(team, Progress(1, 2.5), torch.Generator())
    state = StateFolder(tmp_path, MANIFEST).newest()
    other = Team(blank_generator(MODEL, state["shape"]))
    restore(state, other, torch.Generator(), tmp_path)
    assert equal(team, other)


def test_the_last_two_are_kept(team, tmp_path):
    folder = StateFolder(tmp_path, MANIFEST)
    for step in (1, 2, 3, 10):
        folder.save(team, Progress(step, float(step)), torch.Generator())
    assert sorted(path.name[:14] for path in tmp_path.glob("state-*")) == ["state-00000003", "state-00000010"]


def test_a_damaged_state_gives_way_to_the_one_before(team, tmp_path, caplog):
    folder = StateFolder(tmp_path, MANIFEST)
    folder.save(team, Progress(1, 1.0), torch.Generator())
    newest = folder.save(team, Progress(2, 2.0), torch.Generator())
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(bytes(data))
    with caplog.at_level(logging.WARNING, "understudy"):
        assert folder.newest()["step"] == 1
    assert newest.name in caplog.text and "damaged" in caplog.text


def test_a_truncated_state_gives_way_to_the_one_before(team, tmp_path):
    folder = StateFolder(tmp_path, MANIFEST)
    folder.save(team, Progress(1, 1.0), torch.Generator())
    newest = folder.save(team, Progress(2, 2.0), torch.Generator())
    newest.write_bytes(newest.read_bytes()[:1000])
    assert folder.newest()["step"] == 1


def test_another_manifest_starts_fresh(team, tmp_path):
    StateFolder(tmp_path, MANIFEST).save(team, Progress(5, 5.0), torch.Generator())
    assert StateFolder(tmp_path, MANIFEST | {"seed": 2}).newest() is None
    assert not list(tmp_path.glob("state-*"))


def test_the_best_weights_are_kept_until_better_ones_come(team, tmp_path):
    folder, best = StateFolder(tmp_path, MANIFEST), tmp_path / "best.safetensors"
    for step, psnr in enumerate((20.0, 23.5, 22.0, float("nan"))):
        folder.keep_best(team.average, {"step": step, "person_psnr": psnr})
    assert read_facts(best) == {"step": 1, "person_psnr": 23.5}
    again = StateFolder(tmp_path, MANIFEST)  # as after a kill: the figure to beat stands in the file
    again.keep_best(team.average, {"step": 4, "person_psnr": 23.0})
    assert read_facts(best)["step"] == 1
    again.keep_best(team.average, {"step": 5, "person_psnr": 24.0})
    assert read_facts(best)["step"] == 5
    kept = load_generator(best).state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in team.average.state_dict().items())
    best.write_bytes(best.read_bytes()[:100])
    again.keep_best(team.average, {"step": 6, "person_psnr": 21.0})
    assert read_facts(best)["step"] == 6
    StateFolder(tmp_path, MANIFEST | {"seed": 2})
    assert not best.exists(), "other settings, another race"


def test_a_damaged_manifest_loses_no_state_another_one_does(team, tmp_path):
    random = torch.Generator().manual_seed(3)
    StateFolder(tmp_path, MANIFEST).save(team, Progress(1, 2.5), random)
    note = tmp_path / "manifest.json"
    note.write_bytes(note.read_bytes().replace(b"abc", b"ab\xff"))
    assert StateFolder(tmp_path, MANIFEST).newest()["step"] == 1
    note.unlink()
    assert StateFolder(tmp_path, MANIFEST).newest()["step"] == 1
    assert StateFolder(tmp_path, MANIFEST | {"data": "other"}).newest() is None


def test_a_second_training_waits_for_the_first_to_let_go(tmp_path):
    first, second = StateFolder(tmp_path, MANIFEST), StateFolder(tmp_path, MANIFEST)
    holding = threading.Event()

    def hold():
        with first.held():
            holding.set()
            time.sleep(0.5)

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait()
    with second.held():
        thread.join(5)
        assert not thread.is_alive()


def test_a_second_training_is_kept_out_until_the_first_lets_go(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "HELD_SECONDS", 0.3)
    first, second = StateFolder(tmp_path, MANIFEST), StateFolder(tmp_path, MANIFEST)
    with first.held(), pytest.raises(TrainingError, match="Another process"), second.held():
        pass
    with second.held():
        pass
