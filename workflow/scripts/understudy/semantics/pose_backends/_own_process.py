"""A function in a process of its own: a library that aborts takes that process along, not the job and its words."""

import multiprocessing
import os
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

LAST_CHARACTERS = 600  # of what the process wrote, in the error
READ_BACK = 2**16  # bytes at the end of it; a C++ library writes the stack behind its reason
_STACK = ("@ ", "*** ")  # begin lines of it


class ProcessEndedError(Exception):
    """The process has ended without an answer.

    Attributes:
        signal: that ended it, 0 where none did.
        words: the end of what it wrote to both of its streams.
    """

    def __init__(self, signal: int, words: str):
        super().__init__(f"ended by signal {signal}: {words}")
        self.signal, self.words = signal, words


class OwnProcess:
    """Starts a process, makes a function there, and calls it from here; errors come back as if it ran here.

    Args:
        start: called once in the new process (a fork of this one); returns the function and a greeting.

    Attributes:
        greeting: what `start` gave beside the function.
    """

    def __init__(self, start: Callable[[], tuple[Callable[[Any], Any], Any]]):
        fork = multiprocessing.get_context("fork")  # a fresh interpreter would run the job's script once more
        self._pipe, theirs = fork.Pipe()
        self._words = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the process
        self._process = fork.Process(target=_serve, args=(start, theirs, self._pipe, self._words.fileno()), daemon=True)
        self._process.start()
        theirs.close()
        self.greeting = self._answer()

    def __call__(self, item: Any) -> Any:
        try:
            self._pipe.send(item)
        except BrokenPipeError:
            raise self._ended() from None
        return self._answer()

    @property
    def words(self) -> str:
        """The end of what the process wrote to both of its streams, without the stack of a C++ library."""
        start = max(os.fstat(self._words.fileno()).st_size - READ_BACK, 0)
        lines = os.pread(self._words.fileno(), READ_BACK, start).decode(errors="replace").splitlines()
        said = [line.strip() for line in lines if not line.strip().startswith(_STACK)]
        return "\n".join(said).strip()[-LAST_CHARACTERS:]

    def _answer(self) -> Any:
        try:
            answer = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            raise self._ended() from None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _ended(self) -> ProcessEndedError:
        self._process.join()
        return ProcessEndedError(max(-(self._process.exitcode or 0), 0), self.words)


def _serve(
    start: Callable[[], tuple[Callable[[Any], Any], Any]], pipe: Connection, other_end: Connection, words: int
) -> None:
    """Answer every item until the pipe is closed; everything written goes to the file `words`."""
    other_end.close()  # a fork has it too, and would hold the pipe open when the job is killed
    os.dup2(words, 1)
    os.dup2(words, 2)
    try:
        function, greeting = start()
        pipe.send(greeting)
        while True:
            pipe.send(function(pipe.recv()))
    except EOFError:
        return
    except Exception as error:  # it goes on where the function was called
        pipe.send(error)
