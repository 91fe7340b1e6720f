"""The configuration that `make demo PERFORMER=... DRIVING=...` writes."""

import importlib.util
from pathlib import Path

import pytest
import yaml

from understudy.validation import load_project

ROOT = Path(__file__).parents[2]


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


own = tool("own_footage")


def test_two_videos_become_a_right_configuration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("my film (1).mp4", '"dance" $x.mov'):
        Path(name).write_bytes(b"video")
    path = own.write_configuration(Path("my film (1).mp4"), Path('"dance" $x.mov'), Path("config/own"))
    project = load_project(yaml.safe_load(path.read_text()), ROOT)
    assert project.transfers() == [("my_film_1", "dance_x")]
    assert project.source_video("my_film_1") == "my film (1).mp4"
    assert project.source_video("dance_x") == '"dance" $x.mov'
    assert own.film_paths(Path("config/own")) == [Path("results/transfers/my_film_1/dance_x/side_by_side.mp4")]


def test_one_video_twice_and_equal_names(tmp_path):
    (tmp_path / "a").mkdir()
    videos = tmp_path / "me.mp4", tmp_path / "a" / "me.mp4"
    for video in videos:
        video.write_bytes(b"video")
    own.write_configuration(*videos, tmp_path / "own")
    assert own.film_paths(tmp_path / "own") == [Path("results/transfers/me/me_driving/side_by_side.mp4")]


def test_edits_survive_the_same_command_and_not_another_video(tmp_path):
    videos = [tmp_path / name for name in ("me.mp4", "you.mp4", "they.mp4")]
    for video in videos:
        video.write_bytes(b"video")
    path = own.write_configuration(videos[0], videos[1], tmp_path / "own")
    path.write_text(path.read_text() + "# my note\n")
    table = path.with_name("clips.tsv")
    table.write_text(table.read_text() + f"\n# one more of me\nme_2\t{videos[2]}\t0\t5\n")
    own.write_configuration(videos[0], videos[1], tmp_path / "own")
    assert "# my note" in path.read_text() and "me_2" in table.read_text()
    own.write_configuration(videos[0], videos[2], tmp_path / "own")
    assert "# my note" not in path.read_text()
    assert "# my note" in path.with_name("config.old.yaml").read_text()
    assert "me_2" in path.with_name("clips.old.tsv").read_text()


def test_exchanged_roles_are_another_film(tmp_path):
    videos = [tmp_path / name for name in ("me.mp4", "you.mp4")]
    for video in videos:
        video.write_bytes(b"video")
    own.write_configuration(videos[0], videos[1], tmp_path / "own")
    own.write_configuration(videos[1], videos[0], tmp_path / "own")
    assert own.film_paths(tmp_path / "own") == [Path("results/transfers/you/me/side_by_side.mp4")]


def test_a_broken_edit_is_named(tmp_path):
    (tmp_path / "config.yaml").write_text("transfers: [")
    with pytest.raises(SystemExit, match=r"(?s)config\.yaml is no YAML.*correct it"):
        own.film_paths(tmp_path)


def test_a_missing_video_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"PERFORMER=.*nothing\.mp4 is no file"):
        own.write_configuration(tmp_path / "nothing.mp4", tmp_path / "nothing.mp4", tmp_path)


@pytest.mark.parametrize(
    "words",
    [["--performer", "me.mp4", "--driving", ""], ["--performer", "", "--driving", "me.mp4"], ["--performer", "me.mp4"]],
)
def test_one_video_alone_says_how(words):
    with pytest.raises(SystemExit, match="Name both videos"):
        own.main([*words, "--folder", "x"])
