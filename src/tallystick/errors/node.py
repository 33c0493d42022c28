"""The JSON-RPC node."""

from __future__ import annotations

from tallystick.errors.base import TallystickError


class NodeError(TallystickError):
    """The JSON-RPC node cannot be used, or did not do what was asked."""


class NodeUnreachable(NodeError):
    """No connection, a timeout, or a server error."""

    retryable = True


class NodeBusy(NodeError):
    """The node wants fewer requests (HTTP 429)."""

    retryable = True


class NodeInvalid(NodeError):
    """An answer that is not JSON-RPC, is truncated, or contradicts itself."""

    retryable = True


class NodeOutvoted(NodeInvalid):
    """Enough other nodes agree on other blocks or logs than this one gave."""


class NodeRefused(NodeError):
    """The node understood, and answered with an error. `code` is JSON-RPC's, `data` what came with it."""

    def __init__(self, message: str, *, code: int | None = None, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


class RangeTooLarge(NodeError):
    """The node refuses so many blocks or logs at once: ask for fewer."""

    retryable = True


class EventsInconsistent(NodeError):
    """The node's events cannot follow those already mirrored: it left some out, or is on another branch."""

    retryable = True


class WrongChain(NodeError):
    """The node serves another chain than the one that is wanted."""

    def __init__(self, message: str, *, found: int, expected: int) -> None:
        super().__init__(message)
        self.found = found
        self.expected = expected

    def __reduce__(self) -> tuple[object, ...]:
        return _wrong_chain, (str(self), self.found, self.expected)


def _wrong_chain(message: str, found: int, expected: int) -> WrongChain:
    return WrongChain(message, found=found, expected=expected)
