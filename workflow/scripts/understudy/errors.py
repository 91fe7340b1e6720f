"""Errors a user can cause and mend; each message says what was found, where, what was expected and what to do."""


class UnderstudyError(Exception):
    """Base of all errors that are the user's to mend; shown without a traceback."""


class SettingsError(UnderstudyError):
    """A key or value of the configuration is wrong."""


class ClipTableError(UnderstudyError):
    """A row of the clip table is wrong."""


class VideoError(UnderstudyError):
    """A video file cannot be read, or cannot be used."""


class LayoutError(UnderstudyError):
    """An HDF5 file does not hold what its layout promises."""


class DamageError(LayoutError):
    """A file of ours is no longer what was written: truncated, or a byte of it is another."""


class BackendError(UnderstudyError):
    """A backend is unknown, not installed, or broke its contract."""


class FootageError(UnderstudyError):
    """The footage is readable but does not show what is needed (nobody found, too short)."""


class TrainingError(UnderstudyError):
    """Training cannot start or go on."""


class CredentialsError(UnderstudyError):
    """A film cannot be signed, or its marks cannot be examined."""


class WeightsError(UnderstudyError):
    """A file of weights cannot be fetched, or is not the file it should be."""
