"""How a clip's sound file says that it begins a little before the clip: packets cannot be cut in two."""

from fractions import Fraction

LEAD_TAG = "UNDERSTUDY_LEAD"  # seconds the sound file begins before the clip, as a fraction such as 1/48
MOST_LEAD_S = 60  # packets are far shorter


def read_lead(tag: str) -> Fraction:
    """Read how many seconds a sound file begins before its clip.

    Raises:
        ValueError: nobody wrote that.
    """
    lead = Fraction(tag)
    if not 0 <= lead <= MOST_LEAD_S:
        raise ValueError(f"it begins {float(lead):g} s before its clip, expected 0 to {MOST_LEAD_S}")
    return lead
