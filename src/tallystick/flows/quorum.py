"""Before a range of blocks becomes final, several nodes must give the same of it.

One node is read. The others, the witnesses, read the same range by the same checks, in the background, while what
follows from it is derived; hash and time of its last block and a digest of its logs are then compared. A node that
disagrees stops what is final, and nothing else: the blocks behind go on as pending.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from tallystick.chain.logs import ChainLogs, Chunk, LogEntry
from tallystick.chain.nodes import Member, Nodes
from tallystick.chain.rpc import Rpc
from tallystick.core.health import OUTVOTED, TOLERATED_LAG
from tallystick.core.quorum import Account, Ruling, common_final, decide
from tallystick.errors import NodeInvalid, NodeOutvoted, NodeUnreachable, TallystickError
from tallystick.storage.waits import Wait

PATIENCE_S: Final = 20.0
"""How long is waited for witnesses without whom too few agree: less than a lease lasts."""
GRACE_S: Final = 1.0
"""How long for the others, so that one that disagrees is named."""

OpenLog = Callable[[Rpc], ChainLogs]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Quorum:
    """The nodes beside the one that is read, and how many must agree, that one counted."""

    witnesses: tuple[Member, ...] = ()
    needed: int = 1

    @classmethod
    def beside(cls, nodes: Nodes, reader: Member, needed: int) -> Quorum:
        """All nodes but the one that is read; nobody, where nobody else need agree."""
        others = tuple(member for member in nodes.members if member is not reader)
        return cls(others if needed > 1 else (), needed)


ALONE: Final = Quorum()
"""One node is believed."""


def account_of(chunk: Chunk) -> Account:
    """What a node gives of a range of blocks, in short."""
    return Account(chunk.end.hash, chunk.end.time, logs_digest(chunk.logs))


def logs_digest(logs: Sequence[LogEntry]) -> bytes:
    """SHA-256 over everything that logs say, in their order: place and time, event, topics and data."""
    digest = hashlib.sha256()
    for (number, block_hash, block_time, transaction, index), name, topics, data, _ in logs:
        numbers = (number, block_time, index, len(name), len(topics), len(data))
        digest.update(b"".join(value.to_bytes(8, "big") for value in numbers))
        digest.update(b"".join((block_hash, transaction, name.encode(), topics, data)))
    return digest.digest()


class Disagreement(NamedTuple):
    """That a node gives something else than the one that is read: which, and in words."""

    node: str
    text: str


class Jury:
    """The witnesses on one contract in one ingestion from the node `reader`. `open_log` gives a reader of the
    contract's logs by a connection, `finality` is as the mirror counts it.

    Afterwards `wait` says from which block on nothing became final for lack of agreement, and `disagreements` which
    nodes gave something else, where enough agreed without them or not.
    """

    def __init__(self, quorum: Quorum, reader: Rpc, contract: str, finality: str | int, open_log: OpenLog) -> None:
        self.wait: Wait | None = None
        self.disagreements: list[Disagreement] = []
        self._needed = quorum.needed
        self._reader = reader.name
        self._contract = contract
        self._finality = finality
        self._witnesses = [_Witness(member, open_log(member.aside.rpc)) for member in quorum.witnesses]

    def common_final(self, after: int, own: int) -> int:
        """Up to which block enough nodes call the chain final. `own` is what the one that is read says, `after` is
        final in the books already."""
        if not self._witnesses or own <= after:
            return own
        asked = [
            (witness, witness.ask(functools.partial(final_number, witness.log, self._finality)))
            for witness in self._witnesses
            if witness.is_ready()
        ]
        others = self._needed - 1
        for witness, final in _answers(asked, lambda finals: sum(final >= own for final in finals) >= others):
            witness.final = final
        finals = [witness.final for witness in self._witnesses if witness.final is not None]
        common = common_final(own, finals, self._needed)
        reached = after if common is None else max(after, common)
        if common is None or own - reached > TOLERATED_LAG:
            silent = [witness.why_not(own) for witness in self._witnesses if (witness.final or 0) < own]
            self._wait(reached + 1, 1 + len(self._witnesses) - len(silent), silent)
        return reached

    def ask(self, chunk: Chunk) -> Callable[[], bool]:
        """Has the witnesses read the range of a chunk too. What is returned waits for them, and says whether enough
        agree; it raises NodeOutvoted where enough agree on something else."""
        if not self._witnesses:
            return lambda: True
        end = chunk.end.number
        asked = [
            (witness, witness.ask(functools.partial(_read, witness.log, chunk.start, end)))
            for witness in self._witnesses
            if witness.final is not None and witness.final >= end and witness.is_ready()
        ]
        own = account_of(chunk)
        return lambda: self._judge(chunk, own, asked)

    def _judge(self, chunk: Chunk, own: Account, asked: Sequence[tuple[_Witness, Future[_Read]]]) -> bool:
        end, nodes = chunk.end.number, 1 + len(self._witnesses)

        def ruling(votes: Sequence[Account]) -> Ruling:
            return decide(own, votes, needed=self._needed, nodes=nodes)

        answers = _answers(asked, lambda found: ruling([read.account for read in found]) is Ruling.AGREED)
        votes = [read.account for _, read in answers]
        others = [
            (witness, self._disagreement(witness, chunk, own, read)) for witness, read in answers if read.account != own
        ]
        texts = [said.text for _, said in others]
        self.disagreements += [said for _, said in others]
        match ruling(votes):
            case Ruling.AGREED:
                for witness, said in others:
                    witness.member.failed(NodeOutvoted(f"{said.text}; others agree with the latter"), OUTVOTED)
                return True
            case Ruling.OUTVOTED:
                raise NodeOutvoted(
                    f"of blocks {chunk.start} to {end} {self._reader} gives what enough others agree is otherwise: "
                    + "; ".join(texts)
                )
        heard = {witness for witness, _ in answers}
        silent = [witness.why_not(end) for witness in self._witnesses if witness not in heard]
        self._wait(chunk.start, 1 + votes.count(own), [*texts, *silent])
        return False

    def _disagreement(self, witness: _Witness, chunk: Chunk, own: Account, read: _Read) -> Disagreement:
        return Disagreement(
            witness.name,
            f"{witness.name} disagrees with {self._reader} on blocks {chunk.start} to {chunk.end.number} of "
            f"{self._contract}, first on block {_first_difference(chunk, read.logs)}: {read.account} against {own}",
        )

    def _wait(self, since: int, agreeing: int, why: Sequence[str]) -> None:
        self.wait = Wait(self._contract, since, agreeing, self._needed, "; ".join(why))


class _Read(NamedTuple):
    account: Account
    logs: list[LogEntry]


@dataclass(slots=True, eq=False)
class _Witness:
    """A member of the jury: `final` is the last block that it calls final, `silence` why it does not answer."""

    member: Member
    log: ChainLogs
    final: int | None = None
    silence: str = ""

    @property
    def name(self) -> str:
        return self.member.name

    def is_ready(self) -> bool:
        """Whether it is worth asking. What keeps it from answering is remembered."""
        if not self.member.is_ours:
            self.silence = str(self.member.trouble)
        elif self.member.aside.is_overdue:
            self.silence = f"{self.name} still owes an answer, it is not waited for"
        else:
            return True
        return False

    def ask(self, work: Callable[[], T]) -> Future[T]:
        return self.member.aside.ask(work)

    def why_not(self, block: int) -> str:
        if self.silence or self.final is None or self.final >= block:
            return self.silence
        return f"{self.name} lags behind, the last block that it calls final is {self.final}"


def _answers(
    asked: Sequence[tuple[_Witness, Future[T]]], are_enough: Callable[[Sequence[T]], bool]
) -> list[tuple[_Witness, T]]:
    """What the witnesses answer in time: all of them, where that is soon after enough have. The others are silent."""
    until = time.monotonic() + PATIENCE_S
    waiting = {future for _, future in asked}
    while waiting and (left_s := until - time.monotonic()) > 0:
        done, waiting = wait(waiting, timeout=left_s, return_when=FIRST_COMPLETED)
        answers = [future.result() for _, future in asked if future.done() and future.exception() is None]
        if done and are_enough(answers):
            until = min(until, time.monotonic() + GRACE_S)
    found = []
    for witness, future in asked:
        if future in waiting:
            witness.member.aside.give_up(future)
            late = NodeUnreachable(
                f"{witness.name} did not answer in time, while it was asked to agree: wait, or use another"
            )
            witness.silence = str(late)
            witness.member.failed(late)
            continue
        try:
            found.append((witness, future.result()))
            witness.silence = ""
        except TallystickError as error:
            witness.silence = str(error)
            witness.member.failed(error)
    return found


def final_number(log: ChainLogs, finality: str | int) -> int:
    """The last block that a node calls final. Raises NodeError."""
    header = log.header(finality if isinstance(finality, str) else "latest")
    if header is None:
        raise NodeInvalid("the node has no such block yet: wait until it has synced, or use another")
    return header.number if isinstance(finality, str) else max(0, header.number - finality)


def _read(log: ChainLogs, start: int, end: int) -> _Read:
    chunks = list(log.read(start, end))
    logs = [entry for chunk in chunks for entry in chunk.logs]
    return _Read(account_of(Chunk(start, chunks[-1].end, logs)), logs)


def _first_difference(chunk: Chunk, logs: Sequence[LogEntry]) -> int:
    """The first block of which the logs differ; the last one where they are the same, as then its header differs."""
    for pair in itertools.zip_longest(chunk.logs, logs):
        found = [log[:-1] for log in pair if log is not None]  # without the event, which follows from the rest
        if found.count(found[0]) < 2:
            return min(log.origin.block_number for log in pair if log is not None)
    return chunk.end.number
