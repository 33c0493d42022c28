"""`Tallystick`'s verbs for arbiters of two instances: a judge, and a court on appeal."""

from __future__ import annotations

from tallystick.chain.contract import Sent
from tallystick.client.base import Client
from tallystick.core.address import parse_address
from tallystick.core.payment_texts import PaymentOffer
from tallystick.flows.court import (
    APPEAL_S,
    DeployedArbiter,
    appeal,
    deploy_arbiter,
    execute,
    judge,
    pay_judge,
    show_evidence,
)
from tallystick.flows.describe_case import ArbiterState, CaseState, describe_arbiter, describe_case


class CourtVerbs(Client):
    """Disputes that a judge decides, and an ERC-792 court where a party appeals."""

    def deploy_court_arbiter(
        self,
        *,
        court: str,
        judge: str | None = None,
        appeal_s: int = APPEAL_S,
        court_data: bytes = b"",
        question: str = "",
    ) -> DeployedArbiter:
        """Creates an arbiter, unless one with these values is there, and gives its address, for terms to name.

        `judge` decides first, and payer or payee can appeal for `appeal_s` seconds to `court`, which is told
        `court_data` (which of its courts, how many jurors). Without a judge the court decides first. `question` is the
        address of the JSON document that tells the court what it is asked (ERC-1497). All of it holds for ever.

        Raises AddressInvalid, or InputError for a court that does not say what it costs, or a time that is none.
        """
        return deploy_arbiter(
            self._connection,
            court=parse_address(court),
            judge=parse_address(judge) if judge else None,
            appeal_s=appeal_s,
            court_data=court_data,
            question=question,
        )

    def court_arbiter(self, address: str) -> ArbiterState:
        """What an arbiter was created with, and what an appeal costs now. Raises AddressInvalid, or InputError where
        the code there is not that of an arbiter with a court, or it is one for another escrow."""
        return describe_arbiter(self._connection, parse_address(address))

    def court_case(self, offer: PaymentOffer) -> CaseState:
        """A disputed payment's case: its stage, what would be done, until when an appeal is possible and what it costs,
        which documents were shown, and what may be done next and by whom. Raises InputError for terms for elsewhere, or
        whose arbiter is none with a court."""
        return describe_case(self._connection, offer)

    def judge(self, offer: PaymentOffer, *, payee_bps: int, fee_bps: int = 0) -> Sent:
        """The judge, who is the signer, decides: `fee_bps` of what is held is the judge's, the payee gets `payee_bps`
        of the rest, the payer what is left, in hundredths of a percent. It is done when nobody appealed. Raises
        NotAuthorized, NotDisputed, AnotherStage, BpsOutOfRange or InputError."""
        return judge(self._connection, offer, payee_bps, fee_bps)

    def appeal(self, offer: PaymentOffer, *, cost_wei: int | None = None) -> Sent:
        """Payer or payee, who is the signer, takes it to the court and pays it: `cost_wei`, or what it costs now.
        Raises NotAuthorized, NotDisputed, AnotherStage, AppealEnded, AppealUnderpaid, FundsTooLow or InputError."""
        return appeal(self._connection, offer, cost_wei)

    def show_evidence(self, offer: PaymentOffer, uri: str) -> Sent:
        """Payer, payee or judge show judge and court the JSON document at `uri` (ERC-1497). Raises NotDisputed,
        NotAuthorized or InputError."""
        return show_evidence(self._connection, offer, uri)

    def execute(self, offer: PaymentOffer) -> Sent:
        """Anyone has the escrow divide a payment as the court ruled, or as was judged and nobody appealed in time.
        Raises NotDisputed, AnotherStage, AppealNotEnded, RulingEnded or InputError."""
        return execute(self._connection, offer)

    def pay_judge(self, arbiter: str, token: str) -> Sent:
        """Anyone sends an arbiter's judge all fees in a token. Raises NothingToClaim, TokenRefused, AddressInvalid or
        InputError."""
        return pay_judge(self._connection, parse_address(arbiter), parse_address(token))
