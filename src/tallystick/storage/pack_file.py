"""An audit pack as a file: everything that is needed to prove books without a node.

    tallystick audit pack 1
    <SHA-256 of the next line, in hex>
    <the manifest: JSON in one line>
    <the members, one after the other, each compressed by zlib (RFC 1950)>

The manifest has size and SHA-256 of each member as it stands there, so that a byte that was changed anywhere is found,
and the member named. Each member is JSON, one document in each line. The hash in the second line names the pack.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from tallystick.errors import PackError, PackInvalid

MAGIC: Final = b"tallystick audit pack 1\n"
PIECE: Final = 2**20
LONGEST_LINE: Final = 2**28
"""Bytes: a block's proof has a few million at most."""
HASH_LINE: Final = 65


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One member: its name, its bytes as they stand in the file, and their SHA-256, in hex."""

    name: str
    size: int
    sha256: str


class Contents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The manifest. `about` is whatever the pack's writer has to say of the whole."""

    about: dict[str, Any]
    members: list[Member]


class PackWriter:
    """Gathers the members; `finish` makes the file of them, whole or not at all."""

    def __init__(self, body: IO[bytes]) -> None:
        self._body = body
        self._members: list[Member] = []

    @contextmanager
    def member(self, name: str) -> Iterator[Callable[[Any], None]]:
        """What adds a document to the member."""
        packed, digest, size = zlib.compressobj(6), sha256(), 0

        def put(data: bytes) -> None:
            nonlocal size
            digest.update(data)
            size += self._body.write(data)

        yield lambda document: put(packed.compress(msgspec.json.encode(document) + b"\n"))
        put(packed.flush())
        self._members.append(Member(name, size, digest.hexdigest()))

    def finish(self, about: dict[str, Any], out: IO[bytes]) -> str:
        """Writes the pack; its name, the hash of its manifest."""
        manifest = msgspec.json.encode(Contents(about, self._members))
        name = sha256(manifest).hexdigest()
        out.write(MAGIC + name.encode() + b"\n" + manifest + b"\n")
        self._body.seek(0)
        while piece := self._body.read(PIECE):
            out.write(piece)
        return name


@contextmanager
def writing_pack(path: Path) -> Iterator[tuple[PackWriter, Callable[[dict[str, Any]], str]]]:
    """A writer, and what ends the pack and says its name. Nothing is at `path` before. Raises PackError."""
    try:
        with (
            tempfile.TemporaryFile(dir=path.parent) as body,
            tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as draft,
        ):
            try:
                writer = PackWriter(body)
                yield writer, lambda about: writer.finish(about, draft)
            except BaseException:
                Path(draft.name).unlink()
                raise
        Path(draft.name).chmod(0o644)
        Path(draft.name).replace(path)
    except OSError as error:
        raise PackError(f"{path} cannot be written ({error.strerror}): name a file in a folder that can be") from error


class PackFile:
    """A pack whose every byte is what its writer wrote. Raises PackInvalid, with what is not."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self.name, self.contents = self._read_manifest(file)
                self._starts = self._check_members(file)
        except OSError as error:
            raise PackInvalid(f"{path} cannot be read ({error.strerror}): name a pack") from error

    def _read_manifest(self, file: IO[bytes]) -> tuple[str, Contents]:
        if file.readline(len(MAGIC)) != MAGIC:
            raise PackInvalid(f"{self.path} is no audit pack of a version that is known here: name one")
        name = file.readline(HASH_LINE)
        manifest = file.readline(LONGEST_LINE)
        if sha256(manifest[:-1]).hexdigest().encode() + b"\n" != name or manifest[-1:] != b"\n":
            raise self._changed("its manifest")
        try:
            return name[:-1].decode(), msgspec.json.decode(manifest, type=Contents)
        except msgspec.DecodeError as error:
            raise PackInvalid(f"the manifest of {self.path} cannot be read ({error})") from error

    def _check_members(self, file: IO[bytes]) -> dict[str, tuple[int, int]]:
        starts = {}
        for member in self.contents.members:
            starts[member.name] = file.tell(), member.size
            digest, left = sha256(), member.size
            while left and (piece := file.read(min(PIECE, left))):
                digest.update(piece)
                left -= len(piece)
            if left or digest.hexdigest() != member.sha256:
                raise self._changed(f"the member `{member.name}`")
        if file.read(1):
            raise self._changed("what stands behind its members")
        return starts

    def _changed(self, what: str) -> PackInvalid:
        return PackInvalid(f"{self.path}: {what} is not as it was written: get the pack anew from who made it")

    def documents(self, name: str, kind: Any = Any) -> Iterator[Any]:
        """A member's documents, decoded and checked as the type `kind`; none where there is no such member."""
        if name not in self._starts:
            return
        start, left = self._starts[name]
        decoder, unpacked, rest = msgspec.json.Decoder(kind), zlib.decompressobj(), b""
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                while left and (piece := file.read(min(PIECE, left))):
                    left -= len(piece)
                    while piece:
                        *lines, rest = (rest + unpacked.decompress(piece, PIECE)).split(b"\n")
                        if len(rest) > LONGEST_LINE:
                            raise PackInvalid(f"{self.path}: a document of `{name}` is too long to be one")
                        yield from map(decoder.decode, lines)
                        piece = unpacked.unconsumed_tail
        except (zlib.error, msgspec.DecodeError) as error:
            raise PackInvalid(f"{self.path}: the member `{name}` cannot be read ({error})") from error
        if rest or not unpacked.eof:
            raise PackInvalid(f"{self.path}: the member `{name}` has no end")
