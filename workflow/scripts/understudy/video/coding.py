"""How a video's colours are coded: what its stream declares, and what players take where it declares nothing."""

# number of the matrix in ITU-T H.273 -> our name
MATRICES = {
    0: "rgb",
    1: "bt709",
    4: "fcc",
    5: "bt601",
    6: "bt601",
    7: "smpte240m",
    9: "bt2020",
    10: "bt2020",
}
HDR = {16: "PQ", 18: "HLG"}  # number of the transfer in H.273 -> our name
DOLBY = {14, 15, 16}  # ICtCp and IPT matrices, only used with HDR
DOLBY_NAME = "Dolby Vision"


def matrix_name(number: int, height: int, width: int) -> str:
    """Name the matrix; an undeclared one is BT.709 for pictures 1280 or more wide or more than 576 high, else BT.601.

    Source: the rule of mpv.
    """
    large = width >= 1280 or height > 576
    return MATRICES.get(number, MATRICES[1 if large else 5])


def transfer_name(transfer: int, matrix: int) -> str:
    """Name the transfer: sdr, or the curve of HDR. SDR's own curves are all taken as they are."""
    return HDR.get(transfer, DOLBY_NAME if matrix in DOLBY else "sdr")
