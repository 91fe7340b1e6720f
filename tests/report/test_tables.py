"""Tables of figures: what comes first, what is best, what is said once."""

from understudy.report.tables import figure_table, figure_tables, number_word, row_cells
from understudy.report.terms import Term, figure_term


def marked(better, values, aside=None):
    cells = row_cells(Term("x", "y", better), values, aside or [False] * len(values))
    return [cell.best for cell in cells]


def test_the_best_is_marked_by_its_own_measure():
    assert marked("higher", [1.0, 3.0, 2.0]) == [False, True, False]
    assert marked("lower", [1.0, 3.0, None]) == [True, False, False]
    assert marked("near 1", [0.5, 1.2, 3.0]) == [False, True, False]
    assert marked("near 0", [-1.5, 0.2]) == [False, True]
    assert marked("", [1.0, 2.0]) == [False, False]


def test_nothing_is_best_alone_among_equals_or_out_of_the_race():
    assert marked("higher", [1.0]) == [False]
    assert marked("higher", [2.0, 2.0]) == [False, False]
    assert marked("higher", [1.0, 2.0, 9.0], [False, False, True]) == [False, True, False]
    assert marked("higher", [None, None]) == [False, False]


def test_numbers_are_written_as_people_read_them():
    words = [
        number_word(value, unit) for value, unit in ((23.774, "dB"), (0.6824, ""), (0.002, "%"), (144, ""), (None, ""))
    ]
    assert words == ["23.77\u202fdB", "0.682", "0.002\u202f%", "144", "–"]
    assert number_word(-0.0456) == "-0.0456"


def test_the_person_comes_first_and_each_meaning_is_said_once():
    figures = {
        "ssim": 0.9,
        "ssim_person": 0.7,
        "psnr_person_db": 19.0,
        "shift_tolerant_psnr_person_db": 23.0,
        "frames": 9,
    }
    said = set()
    person, rest = figure_tables("Film", {"previous_frame": figures, "transfer": figures}, said)
    assert [row.term.name for row in person.rows] == [
        "Likeness, shifts forgiven, person", "PSNR, person", "SSIM, person", "Frames measured",
    ]  # fmt: skip
    assert [column.name for column in person.columns] == ["This film", "Frame before"]
    assert all(row.say for row in person.rows)
    assert rest.folded and [row.term.name for row in rest.rows] == ["SSIM, whole picture"] and not rest.rows[0].say
    again = figure_table("Again", {"transfer": figures}, said)
    assert not any(row.say for row in again.rows)


def test_what_is_no_figure_is_passed_over():
    assert figure_table("Film", {"transfer": {"quarters_person_db": [1, 2], "odd": "x", "steady": True}}, set()) is None
    assert figure_table("Film", {"transfer": "odd"}, set()) is None
    assert figure_term("unheard_of") is None
