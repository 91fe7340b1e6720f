"""pyopenpose in every version, through doubles that behave as each does; what is said where something is missing."""

import faulthandler
import gc
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from contracts import check_pose_backend
from defaults import pose_settings
from posing import make_pose
from understudy.backends import load_backend
from understudy.errors import BackendError
from understudy.layouts import create, open_file
from understudy.semantics.people import BACKENDS
from understudy.semantics.pose_backends._own_process import OwnProcess, ProcessEndedError
from understudy.semantics.pose_backends._pyopenpose import NETWORKS, PyOpenPose
from understudy.settings import OpenposeSettings, PoseSettings, from_params
from understudy.video.frames import Frames

from .pyopenpose_double import VERSIONS, make_pyopenpose, paint, skeleton

HEIGHT, WIDTH = 72, 96
# Frame to the blocks in it: left, top, width, height, who. Somebody comes, goes, and touches the lower border.
SCENE = (
    {1: (10, 4, 20, 60)},
    {1: (12, 4, 20, 60), 2: (60, 30, 10, 42)},
    {1: (14, 4, 20, 60), 2: (58, 30, 10, 42)},
    {},
    {2: (54, 30, 10, 42)},
    {1: (20, 4, 20, 60), 2: (52, 30, 10, 42)},
)


@pytest.fixture
def models(tmp_path) -> Path:
    """A folder of networks, as far as it is looked at before OpenPose itself opens them."""
    for file in sum(NETWORKS.values(), ()):
        (tmp_path / "models" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "models" / file).write_bytes(b"network")
    return tmp_path / "models"


def openpose_settings(models: Path | str, **changes) -> OpenposeSettings:
    return replace(pose_settings("openpose").openpose, model_folder=str(models), **changes)


def settings(models: Path, **changes) -> PoseSettings:
    return replace(pose_settings("openpose"), openpose=openpose_settings(models, **changes))


@pytest.fixture
def frames(tmp_path) -> Path:
    """frames.h5 of the scene."""
    with create(tmp_path / "frames.h5", "frames", "test") as writer:
        for blocks in SCENE:
            writer.append(rgb=picture_of(blocks))
        writer.attributes({"rate_numerator": 25, "rate_denominator": 1, "source": "scene.mp4"})
    return tmp_path / "frames.h5"


def picture_of(blocks: dict[int, tuple[int, int, int, int]]) -> np.ndarray:
    picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for who, block in blocks.items():
        paint(picture, *block, who)
    return picture


@pytest.fixture(params=VERSIONS)
def version(request) -> str:
    return request.param


@pytest.fixture
def module(version, monkeypatch) -> ModuleType:
    """The double of a version where the module is looked for."""
    return install(monkeypatch, make_pyopenpose(version))


def install(monkeypatch, double: ModuleType) -> ModuleType:
    package = ModuleType("openpose")
    package.pyopenpose = double
    monkeypatch.setitem(sys.modules, "openpose", package)
    monkeypatch.setitem(sys.modules, "openpose.pyopenpose", double)
    return double


def test_backend_keeps_the_contract(module, models, frames, version):
    backend = load_backend(BACKENDS, "openpose")(settings(models))
    assert backend.version.startswith({"1.5": "1.5 or", "1.6": "1.5 or"}.get(version, "1.7 or"))
    with Frames(frames) as opened:
        people = check_pose_backend(backend, opened)
        assert [len(poses) for poses in people] == [len(blocks) for blocks in SCENE]
        assert len(backend.detect(opened[1])) == 2
        assert backend.detect(opened[3]) == []


def test_everyone_is_where_they_are_painted(module, models):
    """Points as they come, half a pixel further for face and hands, and left hands first."""
    blocks = SCENE[1]
    openpose = PyOpenPose(openpose_settings(models))
    people = sorted(openpose(picture_of(blocks)), key=lambda person: person.body[0, 0])
    for person, block in zip(people, blocks.values(), strict=True):
        body, face, hands = skeleton(*block)
        np.testing.assert_allclose(person.body, body, atol=1e-4)
        np.testing.assert_allclose(person.face, face, atol=1e-4)
        np.testing.assert_allclose(person.hands, hands, atol=1e-4)
        pose = person.in_our_pixels().pose(HEIGHT, WIDTH, 0.3)
        np.testing.assert_allclose(pose.body[2], body[2], atol=1e-4)
        assert pose.body[1, 2] == 1, "a score above 1 is 1"
        assert not pose.body[18].any(), "not found"
        below = body[22, 1] > HEIGHT
        assert pose.body[22].any() != below, "outside the picture"
        np.testing.assert_allclose(pose.hands[..., :2], hands[..., :2] + 0.5, atol=1e-4)
        assert pose.face.any() == (block[2] >= 12), "a face that is too small has no points, and they stay 0, 0"


def test_somebody_of_whom_nothing_counts_is_left_out(models, monkeypatch):
    install(monkeypatch, make_pyopenpose("2024"))
    backend = load_backend(BACKENDS, "openpose")(settings(models))
    assert len(backend.detect(picture_of({1: (10, 4, 20, 60), 2: (60, 30, 20, 8)}))) == 1


def test_every_field_is_read_once(module, models):
    openpose = PyOpenPose(openpose_settings(models))
    openpose(picture_of(SCENE[1]))
    assert module.reads == {"poseKeypoints": 1, "faceKeypoints": 1, "handKeypoints": 1}
    openpose(picture_of(SCENE[3]))
    assert module.reads == {"poseKeypoints": 1}, "where nobody is, the rest is not touched"


def test_pictures_of_any_memory_layout(module, models):
    """A slice, a mirrored and a transposed picture: OpenPose sees memory, not strides."""
    openpose = PyOpenPose(openpose_settings(models))
    large = np.full((2 * HEIGHT, 2 * WIDTH, 3), 90, np.uint8)
    large[::2, ::2] = picture_of(SCENE[0])
    expected = skeleton(*SCENE[0][1])[0]
    for picture in (
        large[::2, ::2],
        np.asfortranarray(picture_of(SCENE[0])),
        np.flip(picture_of(SCENE[0])[:, ::-1], 1),
    ):
        (person,) = openpose(picture)
        np.testing.assert_allclose(person.body, expected, atol=1e-4)


def test_parts_that_are_switched_off(module, models):
    openpose = PyOpenPose(openpose_settings(models, face=False, hands=False))
    (person,) = openpose(picture_of(SCENE[0]))
    assert person.body.any() and not person.face.any() and not person.hands.any()


def test_none_outlives_many_empty_frames(module, models):
    """1.7.0 hands out None without counting it; a film of empty frames would throw None away."""
    openpose, nobody, somebody = (
        PyOpenPose(openpose_settings(models, hands=False)),
        picture_of(SCENE[3]),
        picture_of(SCENE[0]),
    )
    gc.collect()  # what earlier tests left behind holds None too
    before = sys.getrefcount(None)
    for _ in range(150):
        openpose(nobody)
        openpose(somebody)  # its hands are empty too
    assert sys.getrefcount(None) > before - 50


def test_flags(module, models):
    PyOpenPose(openpose_settings(models, gpu=2, net_resolution="-1x256", hands=False))
    expected = {
        "num_gpu": "1", "num_gpu_start": "2", "net_resolution": "-1x256", "hand": "False", "face": "True",
        "model_pose": "BODY_25", "keypoint_scale": "0", "render_pose": "0", "model_folder": f"{models}/",
    }  # fmt: skip
    assert expected.items() <= module.flags.items()
    module.flags.clear()
    PyOpenPose(openpose_settings(models, gpu=-1))
    assert not {"num_gpu", "num_gpu_start"} & set(module.flags), "a build without CUDA is asked for no GPU"


def test_pose_file_of_a_scene(module, models, frames, tmp_path):
    """The larger of the two is followed, and not the other one while they are gone."""
    make_pose(frames, tmp_path / "pose.h5", replace(settings(models), smooth_frames=1, gap_frames=1))
    with open_file(tmp_path / "pose.h5", "pose") as file:
        assert "openpose 1." in file.attrs["producer"]
        assert file["valid"][:].tolist() == [1 in blocks for blocks in SCENE]


@pytest.mark.parametrize("changed", ["out of memory", "stopped"])
def test_where_openpose_ends(changed, models, frames, monkeypatch):
    """Too little memory aborts OpenPose's process; a stopped wrapper takes no more pictures."""
    ends = {"out of memory": {"abort_at": 2}, "stopped": {"stop_at": 2}}[changed]
    install(monkeypatch, make_pyopenpose("2024", **ends))
    backend = load_backend(BACKENDS, "openpose")(settings(models))
    says = {
        "out of memory": r"(?s)signal 6.*lower pose\.openpose\.net_resolution.*wrote at last: .*out of memory",
        "stopped": r"has stopped .*wrote at last: nothing",
    }
    with Frames(frames) as opened:
        found = backend(opened)
        assert len(next(found)) == 1 and len(next(found)) == 2
        with pytest.raises(BackendError, match=says[changed]):
            next(found)


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (os.abort, r"(?s)ended its process by signal 6; .*wrote at last: .*Check failed: ReadProto"),
        (lambda: sys.exit(1), r"(?s)ended its process; .*wrote at last: .*Check failed: ReadProto"),
    ],
    ids=["abort", "exit"],
)
def test_where_openpose_ends_at_its_start_its_words_are_told(act, says, models, monkeypatch):
    double = install(monkeypatch, make_pyopenpose("2024"))

    def start(self):
        faulthandler.disable()  # pytest's; it would write the whole stack
        os.write(2, b"F1122 upgrade_proto.cpp:97] Check failed: ReadProtoFromBinaryFile(param_file, param)\n")
        act()

    monkeypatch.setattr(double.WrapperPython, "start", start)
    with pytest.raises(BackendError, match=says):
        load_backend(BACKENDS, "openpose")(settings(models))


def test_errors_of_openpose_end_in_advice(models, monkeypatch):
    double = install(monkeypatch, make_pyopenpose("1.7.0"))
    for words, says in {
        "Cuda check failed (2 vs. 0): out of memory": "lower pose.openpose.net_resolution",
        "No GPU detected": "nvidia-smi",
        "Cuda check failed (209): no kernel image is available": "OPENPOSE_CUDA_ARCH",
        "Prototxt file not found": "get its files again",
        "Empty cvInputData": "mend what it names",
        "Failed to parse NetParameter file: models/pose_iter_584000.caffemodel": "get its files again",
    }.items():

        def start(self, words=words):
            raise RuntimeError(f"\nError:\n{words}\n\nComing from:\n- src/openpose/net.cpp:start():20\n")

        monkeypatch.setattr(double.WrapperPython, "start", start)
        with pytest.raises(BackendError, match=words.split("(")[0]) as refused:
            PyOpenPose(openpose_settings(models))
        assert says in str(refused.value) and "net.cpp" not in str(refused.value)


def test_a_missing_module_is_named_with_advice(models, monkeypatch, tmp_path):
    for name in ("openpose", "openpose.pyopenpose", "pyopenpose"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BackendError, match=r"cannot be imported in pose\.openpose\.module_folder .*--sdm conda"):
        load_backend(BACKENDS, "openpose")(settings(models, module_folder=str(tmp_path / "build")))


def test_the_ctypes_module_of_1_4_is_refused(models, monkeypatch):
    old = ModuleType("pyopenpose")
    old.OpenPose = object
    install(monkeypatch, old)
    monkeypatch.setitem(sys.modules, "pyopenpose", None)
    with pytest.raises(BackendError, match=r"has no WrapperPython.*OpenPose 1\.5"):
        PyOpenPose(openpose_settings(models))


def test_the_bare_module_is_found(models, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpose", None)
    monkeypatch.setitem(sys.modules, "openpose.pyopenpose", None)
    monkeypatch.setitem(sys.modules, "pyopenpose", make_pyopenpose("1.6"))
    assert len(PyOpenPose(openpose_settings(models))(picture_of(SCENE[0]))) == 1


def test_the_module_is_taken_from_its_build(models, tmp_path):
    """In a fresh interpreter: what is imported comes from pose.openpose.module_folder."""
    folder = tmp_path / "build" / "openpose"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "pyopenpose.py").write_text("class WrapperPython: pass\nclass Datum: pass\n")
    code = (
        "from understudy.semantics.pose_backends._pyopenpose import import_openpose\n"
        f"assert import_openpose({str(folder.parent)!r}).__file__.startswith({str(folder)!r})"
    )
    scripts = Path(__file__).parents[2] / "workflow" / "scripts"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=scripts)


def test_missing_networks_are_named(models, monkeypatch):
    install(monkeypatch, make_pyopenpose("2024"))
    with pytest.raises(BackendError, match=r"pose\.openpose\.model_folder is empty"):
        PyOpenPose(openpose_settings(""))
    (models / "face" / "pose_iter_116000.caffemodel").unlink()
    with pytest.raises(BackendError, match=r"lacks face/pose_iter_116000\.caffemodel;.*docs/estimators\.md"):
        PyOpenPose(openpose_settings(models))
    PyOpenPose(openpose_settings(models, face=False))


def test_networks_of_another_layout_are_refused(models, monkeypatch):
    double = install(monkeypatch, make_pyopenpose("2024"))
    other = property(lambda self: np.zeros((1, 18, 3), np.float32))
    monkeypatch.setattr(double.Datum, "poseKeypoints", other)
    with pytest.raises(BackendError, match=r"shape \(1, 18, 3\).*take BODY_25"):
        PyOpenPose(openpose_settings(models))(picture_of(SCENE[0]))


def test_rows_that_belong_to_nobody_are_refused(models, monkeypatch):
    double = install(monkeypatch, make_pyopenpose("2024"))
    monkeypatch.setattr(double.Datum, "faceKeypoints", property(lambda self: np.zeros((2, 70, 3), np.float32)))
    with pytest.raises(BackendError, match="2 rows of face or hand points for 1 people"):
        PyOpenPose(openpose_settings(models))(picture_of(SCENE[0]))


def test_errors_and_ends_come_over_from_an_own_process():
    def start():
        def act(number):
            if number == 3:
                raise ValueError("three")
            if number == 4:
                raise SystemExit(1)
            return number * 2

        return act, "hello"

    process = OwnProcess(start)
    assert (process.greeting, process(1)) == ("hello", 2)
    with pytest.raises(ValueError, match="three"):
        process(3)
    process = OwnProcess(start)
    with pytest.raises(ProcessEndedError) as ended:
        process(4)
    assert ended.value.signal == 0


def test_section_is_complete():
    assert isinstance(from_params(OpenposeSettings, pose_settings("openpose").openpose.__dict__), OpenposeSettings)


def test_the_own_process_ends_when_the_job_is_killed():
    code = (
        "import os\nfrom understudy.semantics.pose_backends._own_process import OwnProcess\n"
        "process = OwnProcess(lambda: (str, os.getpid()))\n"
        "print(process.greeting, flush=True)\nos.kill(os.getpid(), 9)"
    )
    scripts = Path(__file__).parents[2] / "workflow" / "scripts"
    made = subprocess.run([sys.executable, "-c", code], cwd=scripts, stdout=subprocess.PIPE, text=True)
    assert made.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 20
    status = Path(f"/proc/{int(made.stdout)}/status")
    while status.exists() and "State:\tZ" not in status.read_text():  # Z: ended, and nobody has asked how
        assert time.monotonic() < deadline, "it waits for a job that is gone"
        time.sleep(0.05)
