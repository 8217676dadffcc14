"""Reading a spec from disk or from standard input; whatever the world does wrong there is a diagnostic (E060x)."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

from eosdsl.diagnostics import Diagnostic, SpecError, error
from eosdsl.source import SourceFile

LARGEST = 16 * 1024 * 1024  # bytes; no spec is this long, a video or a checkpoint given by mistake is

CODES = {
    "E0601": """A file or folder that was named does not exist.

    Check the spelling and the folder you are in: relative paths count from there, and paths in `use` from the file
    that they are written in.
    """,
    "E0602": """The file may not be read, or the place may not be written.

    The operating system refused. Look at the owner and the mode of the file (`ls -l`), or write somewhere else.
    """,
    "E0603": """A folder was given where a file is needed, or a file where a folder is needed.

    `check` and `fmt` take folders too (every `.eos` file below them); the other commands take one file.
    """,
    "E0604": """The file is not UTF-8 text.

    A spec is UTF-8. A file saved as UTF-16 or Latin-1, or a binary file given by mistake, cannot be read. Save it as
    UTF-8; `iconv -f latin1 -t utf-8` converts.
    """,
    "E0605": """The disk is full, or a quota is reached.

    Nothing half-written is left: outputs are written beside their place and renamed when they are complete. Make room
    and run the command again.
    """,
    "E0606": """The file is far larger than any spec.

    Specs are a few lines of text; above 16 MiB the file is taken for something else (a checkpoint, an image).
    """,
    "E0607": """The operating system reported an error while a file was read or written.

    The message names the file and what the system said: a network drive that went away, a broken disk, a name that is
    too long. Nothing half-written is left.
    """,
}

_BY_ERRNO = {
    errno.ENOENT: ("E0601", "no such file or folder"),
    errno.EACCES: ("E0602", "permission denied"),
    errno.EPERM: ("E0602", "permission denied"),
    errno.EROFS: ("E0602", "the file system is read-only"),
    errno.EISDIR: ("E0603", "this is a folder, a file is needed"),
    errno.ENOTDIR: ("E0603", "a part of this path is a file, not a folder"),
    errno.ENOSPC: ("E0605", "no space left on the disk"),
    errno.EDQUOT: ("E0605", "the disk quota is reached"),
}


def read_source(path: Path) -> SourceFile:
    """The text of a spec file. Raises SpecError (E060x) where it cannot be read."""
    try:
        with path.open("rb") as handle:
            data = handle.read(LARGEST + 1)
    except OSError as problem:
        raise SpecError([os_error_diagnostic(problem, path)]) from problem
    except ValueError as problem:  # a NUL in the path
        raise SpecError([error("E0601", f"{str(path)!r} cannot be the name of a file")]) from problem
    return decode_source(data, str(path), path)


def read_stdin(name: str = "<stdin>", path: Path | None = None) -> SourceFile:
    """The text that is piped in, called `name` in messages; `path` says which file it stands for (for `use`)."""
    return decode_source(sys.stdin.buffer.read(LARGEST + 1), name, path)


def decode_source(data: bytes, name: str, path: Path | None) -> SourceFile:
    """Bytes as a source file; a byte-order mark is left out, line ends stay. Raises SpecError (E0604, E0606)."""
    if len(data) > LARGEST:
        raise SpecError([error("E0606", f"{name} is larger than {LARGEST // 2**20} MiB: this is not a spec")])
    try:
        return SourceFile(name, data.decode("utf-8-sig"), path)
    except UnicodeDecodeError as problem:
        raise SpecError([_not_utf8(data, name, problem)]) from problem


def os_error_diagnostic(problem: OSError, path: Path | str | None = None) -> Diagnostic:
    """What the operating system refused, as a diagnostic."""
    name = path if path is not None else (problem.filename if problem.filename is not None else problem.filename2)
    code, reason = _BY_ERRNO.get(
        problem.errno or 0, ("E0607", problem.strerror or str(problem) or "input/output error")
    )
    return error(code, f"{name}: {reason}" if name is not None else reason)


def _not_utf8(data: bytes, name: str, problem: UnicodeDecodeError) -> Diagnostic:
    line = data.count(b"\n", 0, problem.start) + 1
    helps = ("save it as UTF-8",)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        helps = ("it looks like UTF-16: save it as UTF-8",)
    elif b"\0" in data[:1024]:
        helps = ("it looks like a binary file, not a spec",)
    return error("E0604", f"{name} is not UTF-8 text: byte {problem.start} on line {line} is not valid", helps=helps)
