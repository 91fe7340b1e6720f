"""The looks of synthetic performers: colours of the person, clothes and their cut, hair."""

from dataclasses import dataclass

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Look:
    """Colours are sRGB 0..255; lengths are metres on the reference build.

    Attributes:
        skin, hair, lips, iris: colours of the person.
        shirt, second: colours of the shirt and of its pattern.
        pattern: how shirt and second colour mix: check, stripe, plain or badge.
        trousers, shoes: their colours.
        sleeve_m: length of the sleeves from the shoulder's joint.
        hem_m: height of the trousers' hem above the sole; 0.12 reaches the shoe.
        hair_m: thickness of the hair.
        fringe_m: height of the hairline above the eyes.
        nape_m: how far below the ears the hair reaches.
    """

    skin: Colour
    hair: Colour
    lips: Colour
    iris: Colour
    shirt: Colour
    second: Colour
    pattern: str
    trousers: Colour
    shoes: Colour
    sleeve_m: float
    hem_m: float
    hair_m: float
    fringe_m: float
    nape_m: float


LOOKS = {
    "check": Look(
        skin=(226, 180, 152),
        hair=(74, 46, 30),
        lips=(178, 84, 84),
        iris=(70, 92, 70),
        shirt=(206, 52, 48),
        second=(242, 226, 214),
        pattern="check",
        trousers=(48, 66, 120),
        shoes=(232, 232, 236),
        sleeve_m=0.425,
        hem_m=0.12,
        hair_m=0.022,
        fringe_m=0.062,
        nape_m=0.075,
    ),
    "stripe": Look(
        skin=(150, 102, 74),
        hair=(24, 20, 20),
        lips=(132, 66, 62),
        iris=(48, 32, 24),
        shirt=(30, 44, 96),
        second=(240, 206, 92),
        pattern="stripe",
        trousers=(186, 166, 132),
        shoes=(92, 50, 34),
        sleeve_m=0.20,
        hem_m=0.12,
        hair_m=0.010,
        fringe_m=0.070,
        nape_m=0.030,
    ),
    "plain": Look(
        skin=(240, 200, 174),
        hair=(206, 164, 96),
        lips=(196, 96, 96),
        iris=(74, 110, 150),
        shirt=(28, 138, 122),
        second=(22, 112, 100),
        pattern="plain",
        trousers=(222, 208, 190),
        shoes=(196, 70, 96),
        sleeve_m=0.33,
        hem_m=0.42,
        hair_m=0.026,
        fringe_m=0.055,
        nape_m=0.100,
    ),
    "dark": Look(
        skin=(212, 160, 128),
        hair=(126, 58, 28),
        lips=(160, 78, 74),
        iris=(96, 70, 40),
        shirt=(44, 44, 50),
        second=(196, 92, 44),
        pattern="badge",
        trousers=(72, 72, 68),
        shoes=(24, 24, 26),
        sleeve_m=0.425,
        hem_m=0.12,
        hair_m=0.016,
        fringe_m=0.058,
        nape_m=0.045,
    ),
}
