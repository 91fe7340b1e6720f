"""Several ranks learn what one process learns: gloo on the CPU stands for NCCL on GPUs."""

import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
import torch
from safetensors.torch import load_file

from planted import DATASET, JUDGES, LOSSES, MODEL, planted_clip, planted_frame, stage, training, write_planted_clip
from understudy.dataset.batch import ClipBatch
from understudy.dataset.reader import Footage
from understudy.errors import TrainingError
from understudy.model.build import add_face, start_generator
from understudy.model.ranks import own_rows, rank
from understudy.settings import RolloutSettings
from understudy.training import launch
from understudy.training.stage import train_stage
from understudy.training.step import Moment, Team, train_step
from understudy.training.together import joined, start_alike

ROOT = Path(__file__).parents[2]
PATHS = [str(ROOT), str(ROOT / "tests"), str(ROOT / "workflow" / "scripts")]
EVERY_LOSS = replace(LOSSES, face=1.0, face_gan=0.1, face_features=1.0, hand_gan=0.1, hand_features=1.0)
SEEN = torch.tensor([10.0, 6.0, 20.0, 16.0])  # a box, px


def uneven_clip() -> ClipBatch:
    """Four clips that differ in all that means go over: trust, person, past, faces and hands; two for each rank."""
    batch, chance = planted_clip(clip_frames=4, batch=4), torch.Generator().manual_seed(5)
    for truth in batch.truth:
        truth.confidence.copy_(torch.rand(truth.confidence.shape, generator=chance))
        truth.confidence[:2] *= 0.1
        truth.matte[:2, :, :16] = 0
        truth.picture.mul_(0.5)  # darker than the texture: there is something to learn
    batch.past_valid[:2] = 0
    for semantic in batch.maps:
        semantic.boxes[0, :2] = SEEN  # rank 1 sees no face, and another hand
        semantic.boxes[2, 2] = SEEN
        semantic.part[:2, :32] = 0
    return batch


def uneven_team(face: bool = False) -> Team:
    frames = [planted_frame(2 + 1.3 * number) for number in range(10)]
    generator = start_generator(frames, MODEL, seed=1)
    judges = replace(JUDGES, frames="all")
    return Team(add_face(generator, 4, 2) if face else generator, (1,), seed=1, judging=judges, crops=("face", "hand"))


def learn(folder: Path) -> None:
    """Take steps as the rank that the environment tells of, and write down what was learnt."""
    with joined() if "RANK" in os.environ else nullcontext():
        learnt = {}
        for name, face, more in (("plain", False, 0), ("accumulated", False, 1), ("face", True, 0)):
            team, chance, batch = uneven_team(face), torch.Generator().manual_seed(3), uneven_clip()[own_rows(4)]
            if rank():
                for one in team.generator.parameters():
                    one.data += 1.0
            start_alike([team.generator])
            moment = Moment(step=0, rate=1e-3, judged=not face, frozen=face)
            figures = train_step(team, batch, EVERY_LOSS, moment, chance, [batch] * more)
            optimisers = {"generator": team.optimiser, "judges": team.judge_optimiser}
            moments = {
                part: {number: one["exp_avg"] for number, one in optimiser.state_dict()["state"].items()}
                for part, optimiser in optimisers.items()
            }  # a tenth of the gradient
            weights = {part: dict(module.named_parameters()) for part, module in vars_of(team).items()}
            learnt[name] = {"figures": figures, "weights": weights, "moments": moments, "chance": chance.get_state()}
        torch.save(learnt, folder / f"rank-{rank()}.pt")


def vars_of(team: Team) -> dict[str, torch.nn.Module]:
    return {"generator": team.generator, "average": team.average, "judges": team.judges}


@pytest.fixture(scope="module")
def learnt(tmp_path_factory) -> tuple[dict, list[dict]]:
    """What one process learns, and what each of two that torchrun starts."""
    alone, apart = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("apart")
    learn(alone)
    script = apart / "rank.py"
    script.write_text(
        f"import sys\nsys.path[:0] = {PATHS!r}\nfrom pathlib import Path\n"
        f"from tests.training.test_ranks import learn\nlearn(Path({str(apart)!r}))\n"
    )
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    subprocess.run(torchrun, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    return read(alone, 0), [read(apart, number) for number in (0, 1)]


def read(folder: Path, number: int) -> dict:
    return torch.load(folder / f"rank-{number}.pt", weights_only=False)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["plain", "accumulated", "face"])
def test_two_ranks_take_the_step_of_one_process(learnt, case):
    one, two = learnt[0][case], learnt[1][0][case]
    wanted = {"face", "picture", "temporal_difference", "face_gan", "hand_features", "temporal_gan", "registration"}
    assert case == "face" or wanted <= set(one["figures"])
    assert two["figures"] == pytest.approx(one["figures"], rel=2e-5, abs=1e-7)
    for part, moments in one["moments"].items():
        largest = max((float(each.abs().max()) for each in moments.values()), default=0.0)
        assert two["moments"][part].keys() == moments.keys()
        for number, moment in moments.items():
            torch.testing.assert_close(two["moments"][part][number], moment, rtol=1e-3, atol=2e-6 * largest)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["plain", "accumulated", "face"])
def test_ranks_stay_alike_to_the_bit(learnt, case):
    _, ranks = learnt
    for part in ("generator", "average", "judges"):
        for name, weight in ranks[0][case]["weights"][part].items():
            assert torch.equal(weight, ranks[1][case]["weights"][part][name]), name
    assert torch.equal(ranks[0][case]["chance"], ranks[1][case]["chance"])
    assert torch.equal(ranks[0][case]["chance"], learnt[0][case]["chance"])
    assert ranks[0][case]["figures"] == ranks[1][case]["figures"]


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> Path:
    return write_planted_clip(tmp_path_factory.mktemp("clip"))


ROW = stage(steps=12, batch=4, clip_frames=2, judges_from=0.3, rollout=RolloutSettings(frames=6, share=0.4))


def run(windows: Path, folder: Path, gpus: int, row=ROW, **changes) -> Path:
    weights, settings = folder / "s0t0" / "generator.safetensors", training(row, gpus=gpus, **changes)
    train_stage(windows, None, weights, folder / "state", MODEL, settings, DATASET, threads=gpus, gpus=gpus)
    return weights


def last_step(folder: Path) -> int:
    return max((int(path.name[6:14]) for path in (folder / "state").glob("state-*.pt")), default=-1)


def when_saved(folder: Path, step: int, act) -> None:
    """Act when a state of `step` or later is there."""
    while last_step(folder) < step:
        time.sleep(0.005)
    act()


@pytest.mark.slow
def test_killed_and_asked_to_end_ranks_go_on_to_the_weights_of_undisturbed_ones(windows, tmp_path, caplog):
    folder = tmp_path / "disturbed"
    code = (
        f"import sys\nsys.path[:0] = {PATHS!r}\nfrom pathlib import Path\nfrom tests.training.test_ranks import run\n"
        f"run(Path({str(windows)!r}), Path({str(folder)!r}), 2, save_seconds=0.0)"
    )
    starter = subprocess.Popen([sys.executable, "-c", code])
    when_saved(folder, 2, starter.kill)  # its ranks die with it, and let go of the state folder
    assert starter.wait() == -signal.SIGKILL and last_step(folder) < 11
    asking = Thread(
        target=when_saved, args=(folder, last_step(folder) + 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    )
    asking.start()
    with caplog.at_level(logging.INFO, "understudy"), pytest.raises(SystemExit) as ended:
        run(windows, folder, 2, save_seconds=0.0)
    asking.join()
    assert ended.value.code == 75 and last_step(folder) < 12
    assert caplog.text.count("asked to end (SIGTERM)") == 1 and "goes on from step" in caplog.text
    resumed = load_file(run(windows, folder, 2))
    undisturbed = load_file(run(windows, tmp_path / "undisturbed", 2))
    alone = load_file(run(windows, tmp_path / "alone", 1))
    begun = load_file(run(windows, tmp_path / "begun", 1, replace(ROW, steps=1)))
    for name, weight in undisturbed.items():
        assert torch.equal(resumed[name], weight), name
        way = float((alone[name] - begun[name]).float().norm())
        torch.testing.assert_close(weight, alone[name], rtol=0, atol=0.05 * way + 1e-6)


@pytest.mark.slow
def test_a_mistake_that_all_ranks_meet_is_said_once(windows, tmp_path, caplog):
    with (
        caplog.at_level(logging.INFO, "understudy"),
        pytest.raises(TrainingError, match=r"Rank \d of 2 ended with exit"),
    ):
        run(windows, tmp_path, 2, replace(ROW, steps=0))
    assert caplog.text.count("would never end; set one above 0") == 1


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("kill -9 $$", "Rank 1 of 2 was killed by SIGKILL.*limit was too small"),
        ("exit 3", "Rank 1 of 2 ended with exit code 3"),
    ],
)
def test_a_rank_that_dies_ends_the_others(monkeypatch, script, words):
    monkeypatch.setattr(launch, "GRACE", 0.1)
    processes = [subprocess.Popen(["sleep", "600"]), subprocess.Popen(["sh", "-c", script])]
    with pytest.raises(TrainingError, match=words):
        launch._seen_through(processes, lambda: "")
    assert processes[0].poll() == -signal.SIGKILL


def test_asked_before_they_train_ranks_end_with_the_code_that_says_again(monkeypatch):
    monkeypatch.setattr(launch, "GRACE", 0.1)
    deaf = subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"])
    assert launch._seen_through([deaf, subprocess.Popen(["sleep", "600"])], lambda: "SIGTERM") == 75


def test_a_batch_that_does_not_divide_is_refused_before_any_process_starts(windows, tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "Popen", lambda *_: pytest.fail("started a rank"))
    with pytest.raises(TrainingError, match="its batch is 4, and the job was given 3 GPUs"):
        run(windows, tmp_path, 3)


def test_more_ranks_than_gpus_are_refused(windows, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(TrainingError, match="this process sees 1 GPUs"):
        run(windows, tmp_path, 2)


def test_ranks_read_each_clip_of_the_batch_once(windows):
    with Footage(windows, 32) as footage:
        whole, *parts = (
            footage.sample(torch.Generator().manual_seed(2), 6, 3, lead=5, rows=rows)
            for rows in (slice(None), slice(0, 2), slice(2, 4), slice(4, 6))
        )
    assert torch.equal(torch.cat([part.frames for part in parts]), whole.frames)
    assert torch.equal(torch.cat([part.lead.numbers for part in parts]), whole.lead.numbers)
    for place, semantic in enumerate(whole.maps):
        assert torch.equal(torch.cat([part.maps[place].part for part in parts]), semantic.part)
