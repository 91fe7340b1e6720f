"""Pickles are read without running what they ask for: hostile ones are refused, PyTorch's three kinds are read."""

import builtins
import io
import os
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from types import ModuleType

import numpy as np
import pytest
import torch

from understudy.errors import BackendError
from understudy.semantics.surface_backends._pickles import Tensor, read_pickle

RECORD = ("planted.results", "Result")


def save_plain(value, path):
    path.write_bytes(pickle.dumps(value))


def save_archive(value, path):
    torch.save(value, path)


def save_sequence(value, path):
    torch.save(value, path, _use_new_zipfile_serialization=False)


WRITERS = (save_plain, save_archive, save_sequence)


@pytest.mark.parametrize("write", WRITERS)
def test_tensors_of_every_kind_come_back(write, tmp_path):
    whole = torch.arange(24.0).view(2, 3, 4)
    tensors = {
        "plain": whole,
        "turned": whole.permute(2, 0, 1),
        "cut": whole[1, 1:],
        "repeated": torch.arange(4).expand(1, 4),
        "long": torch.arange(-3, 3),
        "bytes": torch.arange(6, dtype=torch.uint8),
        "half": torch.tensor([0.5, -2.0], dtype=torch.float16),
        "bool": torch.tensor([True, False]),
        "none": torch.zeros(0, 4),
        "number": torch.tensor(7.5),
        "learnt": torch.ones(2, requires_grad=True),
    }
    write([tensors, "text", 3, (1.5, None)], tmp_path / "dump.pkl")
    found, *rest = read_pickle(tmp_path / "dump.pkl", ())
    assert rest == ["text", 3, (1.5, None)]
    for name, tensor in tensors.items():
        assert isinstance(found[name], Tensor)
        array = found[name].numpy()
        np.testing.assert_array_equal(array, tensor.detach().numpy(), err_msg=name)
        assert array.dtype == tensor.detach().numpy().dtype


@pytest.mark.parametrize("write", WRITERS)
def test_known_records_keep_their_attributes_others_are_refused(write, tmp_path, monkeypatch):
    module = ModuleType("planted.results")
    module.Result = type("Result", (), {"__module__": "planted.results"})
    monkeypatch.setitem(sys.modules, "planted", ModuleType("planted"))
    monkeypatch.setitem(sys.modules, "planted.results", module)
    record = module.Result()
    record.numbers, record.name = torch.arange(3), "ada"
    write([record], tmp_path / "dump.pkl")
    (found,) = read_pickle(tmp_path / "dump.pkl", [RECORD])
    assert (found.kind, found.name) == ("Result", "ada")
    assert found.numbers.numpy().tolist() == [0, 1, 2]
    with pytest.raises(BackendError, match=r"it holds the name planted\.results\.Result"):
        read_pickle(tmp_path / "dump.pkl", ())


class Attack:
    """Pickles as a call of anything."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def attacks(marker):
    """Name, bytes: ways in which a pickle would leave a file at `marker` when it is loaded."""
    command = f"touch {marker}"
    module_level = (b"os\nsystem\n", b"posix\nsystem\n", b"subprocess\ngetoutput\n", b"builtins\neval\n")
    yield from ((f"call {name!r}", b"c" + name + pickle.dumps(command, 0)[:-1] + b"\x85R.") for name in module_level)
    yield "reduce", pickle.dumps(Attack(os.system, command))
    yield "exec", pickle.dumps(Attack(builtins.exec, f"open({str(marker)!r}, 'w').close()"))
    yield "import", pickle.dumps(Attack(__import__, "antigravity"))
    yield "getattr", b"cbuiltins\ngetattr\n(cos\nx\nX\x06\0\0\0systemtR."
    # a dotted name reaches through a module that is allowed
    yield "nested name", b"\x80\x04\x8c\x0ctorch._utils\x8c\x1d_rebuild_tensor_v2.__globals__\x93."
    yield "nested module", b"\x80\x04\x8c\x05torch\x8c\x09os.system\x93\x8c\x01x\x85R."
    yield "instance", b"(S'" + command.encode() + b"'\nios\nsystem\n."
    yield "object", b"(cos\nsystem\nS'" + command.encode() + b"'\no."
    yield "extension", b"\x80\x02\x82\x01."
    yield "inside a tensor", _inside_a_tensor(pickle.dumps(Attack(os.system, command)))
    yield "twice inside", _inside_a_tensor(_inside_a_tensor(pickle.dumps(1)))
    yield "setstate of a stand-in", b"ccollections\nOrderedDict\n}S'__class__'\ncos\nsystem\nsb."
    yield "new of a class", b"\x80\x02cos\nPathLike\n)\x81."


def _inside_a_tensor(inner):
    return b"\x80\x03ctorch.storage\n_load_from_bytes\nB" + struct.pack("<I", len(inner)) + inner + b"\x85R."


NAMES = [name for name, _ in attacks("x")]


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_hostile_pickles_are_refused_and_do_nothing(number, tmp_path):
    marker = tmp_path / "run"
    _, data = list(attacks(marker))[number]
    path = tmp_path / "dump.pkl"
    path.write_bytes(data)
    with pytest.raises(BackendError, match=r"is not read, because it holds|can be read, or is damaged"):
        read_pickle(path, [RECORD])
    assert not marker.exists()

    archive = tmp_path / "archive.pkl"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", data)
    with pytest.raises(BackendError):
        read_pickle(archive, [RECORD])
    assert not marker.exists()


def test_the_attacks_would_work_on_a_plain_unpickler(tmp_path):
    """So that the test above can fail."""
    marker = tmp_path / "run"
    data = dict(attacks(marker))["reduce"]
    pickle.loads(data)
    assert marker.exists()


def archive_with(path, data, entries, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("archive/data.pkl", data)
        for name, content in entries.items():
            file.writestr(f"archive/data/{name}", content)


def tensor_pickle(size, stride, count, offset=0):
    """data.pkl of one tensor with any claims about itself."""

    class Stored:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return ("storage", torch.FloatStorage, "0", "cpu", count) if isinstance(value, Stored) else None

    arguments = Stored(), offset, size, stride, False, OrderedDict()
    out = io.BytesIO()
    Pickler(out, 2).dump(Attack(torch._utils._rebuild_tensor_v2, *arguments))
    return out.getvalue()


@pytest.mark.parametrize(
    ("size", "stride", "count", "offset", "words"),
    [
        ((2, 2), (2, 1), 4, 0, None),
        ((10**6, 10**6), (0, 0), 4, 0, r"a tensor of size"),
        ((4,), (2,), 4, 0, r"reaches behind its storage"),
        ((4,), (1,), 4, 1, r"reaches behind its storage"),
        ((4,), (-1,), 4, 3, r"a tensor of size"),
        ((4,), (1,), 2**40, 0, r"no room"),
        ((4,), (1,), -4, 0, r"no room"),
    ],
)
def test_tensors_are_held_to_the_numbers_that_are_there(size, stride, count, offset, words, tmp_path):
    archive_with(tmp_path / "dump.pkl", tensor_pickle(size, stride, count, offset), {"0": bytes(16)})
    if words is None:
        assert read_pickle(tmp_path / "dump.pkl", ()).numpy().shape == size
        return
    with pytest.raises(BackendError, match=words):
        read_pickle(tmp_path / "dump.pkl", ())


def test_sizes_that_are_only_declared_cost_nothing(tmp_path):
    """Each would have a plain unpickler, or an unpacker of archives, ask for gigabytes."""
    path = tmp_path / "dump.pkl"
    declared = {
        "memo": b"\x80\x02N" + b"r" + struct.pack("<I", 2**31) + b".",
        "bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.",
        "text": b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x.",
        "frame": b"\x80\x04\x95" + struct.pack("<Q", 2**50) + b"N.",
        "short": b"\x80\x04",
        "empty": b"",
    }
    for name, data in declared.items():
        path.write_bytes(data)
        with pytest.raises(BackendError) as refused:
            read_pickle(path, ())
        words = "remembers 2147483648 things after 2 steps" if name == "memo" else "dump.pkl"
        assert words in str(refused.value), name
    for content in (bytes(10**7), os.urandom(100)):
        archive_with(path, pickle.dumps([1]), {"0": content}, zipfile.ZIP_DEFLATED)
        with pytest.raises(BackendError, match=r"the entry archive/\S+, which unpacks to \d+ bytes"):
            read_pickle(path, ())


def test_other_files_are_named_as_such(tmp_path):
    (tmp_path / "dump.pkl").write_bytes(b"PK\x03\x04 but no archive")
    with pytest.raises(BackendError, match=r"no pickle that can be read, or is damaged"):
        read_pickle(tmp_path / "dump.pkl", ())
    (tmp_path / "dump.pkl").write_text("I am a text")
    with pytest.raises(BackendError, match=r"no pickle that can be read, or is damaged"):
        read_pickle(tmp_path / "dump.pkl", ())
