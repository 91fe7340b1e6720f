"""The contact sheet: a row for each track, everything on it inside its row."""

import cv2
import numpy as np

from crowd import walk, write_crowd
from understudy.report.contact_sheet import CROP_PX, CROPS, HEAD_PX, LABEL_PX, NUMBER, draw_people

PATHS = [walk(60, 300, 30, height=160.0, y=130.0), [None] * 10 + walk(330, 330, 20, height=90.0)]


def test_a_row_for_each_track_and_a_crop_for_each_moment(tmp_path):
    write_crowd(tmp_path, PATHS)
    draw_people(tmp_path / "frames.h5", tmp_path / "people.h5", tmp_path / "people.png")
    sheet = cv2.imread(str(tmp_path / "people.png"))[..., ::-1]
    row = (len(sheet) - HEAD_PX) / 2
    assert row == int(row) > CROP_PX[0]
    crops = (np.abs(sheet[HEAD_PX + 20].astype(int) - 90).max(1) < 3).sum()
    assert crops == CROPS * CROP_PX[1], "the crowd's frames are grey all over"
    for place in (0, 1):
        label = sheet[HEAD_PX + int(place * row) : HEAD_PX + int((place + 1) * row), :LABEL_PX].astype(int)
        assert (np.abs(label - NUMBER).max(2) < 40).sum() > 100, "its number stands there"


def test_a_track_of_few_frames_has_few_crops(tmp_path):
    write_crowd(tmp_path, [walk(60, 60, 3), walk(300, 300, 3)])
    draw_people(tmp_path / "frames.h5", tmp_path / "people.h5", tmp_path / "people.png")
    sheet = cv2.imread(str(tmp_path / "people.png"))
    assert (np.abs(sheet[HEAD_PX + 20].astype(int) - 90).max(1) < 3).sum() == 3 * CROP_PX[1]
