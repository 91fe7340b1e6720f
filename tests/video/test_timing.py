"""Constant rate by time stamps."""

from dataclasses import dataclass
from fractions import Fraction

from understudy.video.timing import at_constant_rate, constant_rate


@dataclass(frozen=True)
class Shot:
    number: int
    time_s: Fraction
    duration_s: Fraction


def shots(*stamps_ms: int) -> list[Shot]:
    after = [*stamps_ms[1:], 2 * stamps_ms[-1] - stamps_ms[-2]]
    return [Shot(i, Fraction(at, 1000), Fraction(to - at, 1000)) for i, (at, to) in enumerate(zip(stamps_ms, after))]


def numbers(frames, rate, source_rate, start_s=0, end_s=None) -> list[int]:
    end_s = None if end_s is None else Fraction(end_s)
    chosen = at_constant_rate(frames, Fraction(rate), Fraction(source_rate), Fraction(start_s), end_s)
    return [shot.number for shot in chosen]


def test_a_constant_rate_comes_through_untouched():
    assert numbers(shots(*range(0, 400, 40)), 25, 25) == list(range(10))


def test_stamps_rounded_to_milliseconds_neither_double_nor_skip():
    stamps = [round(i * 1001 / 30) for i in range(300)]
    assert numbers(shots(*stamps), Fraction(30000, 1001), Fraction(30000, 1001)) == list(range(300))


def test_half_the_rate_takes_every_second_picture():
    assert numbers(shots(*range(0, 400, 20)), 25, 50) == list(range(0, 20, 2))


def test_twice_the_rate_shows_every_picture_twice():
    assert numbers(shots(*range(0, 200, 40)), 50, 25) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_a_picture_held_long_stays_on_display():
    assert numbers(shots(0, 40, 80, 280, 320), 25, 25) == [0, 1, 2, 2, 2, 2, 2, 3, 4]


def test_a_span_begins_and_ends_where_it_says():
    assert numbers(shots(*range(0, 400, 40)), 25, 25, start_s=Fraction(12, 100), end_s=Fraction(28, 100)) == [
        3,
        4,
        5,
        6,
    ]


def test_a_start_between_two_pictures_takes_the_one_on_display():
    assert numbers(shots(*range(0, 400, 40)), 25, 25, start_s=Fraction(13, 100))[0] == 3


def test_nothing_is_read_behind_the_end():
    asked = []

    def reader():
        for shot in shots(*range(0, 400, 40)):
            asked.append(shot.number)
            yield shot

    assert numbers(reader(), 25, 25, end_s=Fraction(8, 100)) == [0, 1]
    assert asked == [0, 1, 2]


def test_no_picture_gives_no_frame():
    assert numbers([], 25, 25) == []


def test_the_source_keeps_its_own_rate_unless_another_is_wanted():
    assert constant_rate(Fraction(30000, 1001), 0) == Fraction(30000, 1001)
    assert constant_rate(Fraction(30000, 1001), 23.976) == Fraction(2997, 125)
    odd = Fraction(312000, 10459)
    assert abs(constant_rate(odd, 0) / odd - 1) < 1e-6
