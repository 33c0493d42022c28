"""Which documents of the books are asked for."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.core.invoice import Kind
from tallystick.render.document import InvoiceDocument, Status

NUMBERED = frozenset({Status.PAID, Status.PARTLY_REFUNDED, Status.REFUNDED})


@dataclass(frozen=True, slots=True)
class Selection:
    """Which documents: of these states, with this kind, payer and payee where they are given, of blocks with a time in
    [since, until)."""

    statuses: frozenset[Status] = frozenset(Status)
    kind: Kind | None = None
    payer: str | None = None
    payee: str | None = None
    since: int | None = None
    until: int | None = None

    def takes(self, document: InvoiceDocument) -> bool:
        """Whether the document is one of them."""
        account, time = document.customer.account, document.issued_at
        return (
            document.status in self.statuses
            and self.kind in {None, document.kind}
            and self.payer in {None, account}
            and self.payee in {None, document.merchant.account}
            and (self.since is None or self.since <= time)
            and (self.until is None or time < self.until)
        )


ALL = Selection()
