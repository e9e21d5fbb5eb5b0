"""What can go wrong for a user, as exceptions.

Each message says what was wrong, what was found and what would do; pages and
the command line show it as it is. Programmer mistakes stay `ValueError`.
"""


class CrnnError(Exception):
    """Any fault that a user can understand and mend."""


class WrongUseError(CrnnError):
    """The command cannot be carried out as it was given, whatever the input holds: status 2 of the command line."""


class NotAllowedError(CrnnError):
    """The act is not this person's to do, where the app is served to others."""


class AudioError(CrnnError):
    """The sound cannot be used."""


class UndecodableAudioError(AudioError):
    """No decoder understands the file, or it holds no audio."""


class DecoderFailedError(UndecodableAudioError):
    """A decoder crashed, hung, or took too much memory on the file."""


class EmptyAudioError(AudioError):
    """The file is empty or holds no samples."""


class ClipTooShortError(AudioError):
    """The sound is shorter than the least that can be judged."""


class ClipTooLongError(AudioError):
    """The sound is longer than a page may hold in memory."""


class DatasetError(CrnnError):
    """The data set cannot be used as it is."""


class TooFewTracksError(DatasetError):
    """Too few tracks for the split or the training that was asked for."""


class EmptyGenreError(DatasetError):
    """A genre holds no usable track."""


class BundleError(CrnnError):
    """A model bundle is missing, damaged, unknown or hostile."""


class UnknownModelError(BundleError, WrongUseError):
    """No model of that name, where one was named."""


class PlaceTakenError(BundleError, WrongUseError):
    """Where a model shall be written something is that may not be replaced: another model, or what is none."""


class DiskFullError(CrnnError):
    """There is too little room on the disk for what was asked."""


class TrainingDivergedError(CrnnError):
    """The training loss became NaN or infinite."""


class TrainingBusyError(CrnnError):
    """Another training run holds the lock."""
