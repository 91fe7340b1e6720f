"""How a clip's sound file says that it begins a little before the clip: packets cannot be cut in two."""

LEAD_TAG = "UNDERSTUDY_LEAD"  # seconds the sound file begins before the clip, as a fraction such as 1/48
