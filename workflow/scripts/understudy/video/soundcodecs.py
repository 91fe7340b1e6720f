"""Which sound a film can carry as it is, and what becomes of the rest."""

IN_MP4 = {"aac", "mp3", "ac3", "eac3", "alac", "flac", "opus"}  # what players accept in mp4; the rest becomes AAC
AAC_RATES = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}
