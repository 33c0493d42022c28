"""Typed calls of `SwapCollector`, over the one ABI artefact, as `chain.escrow` for `Escrow`.

It emits nothing: what a payment did is told by the checkout's events and the swapper's. Every call raises the
contract's own errors (`errors.ContractError`), with those of the checkout and the swapper behind it, and NodeErrors;
writes also SignerErrors and TransactionErrors. Amounts are base units.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, NamedTuple

from tallystick.chain.calls import call_data
from tallystick.chain.contract import Contract
from tallystick.chain.decoder import Decoder
from tallystick.chain.sender import Call, Receipt
from tallystick.chain.simulate import approvals, simulated
from tallystick.chain.token import TokenContract, balance_data
from tallystick.core.address import parse_address
from tallystick.core.quote_texts import SignedQuote

ARTEFACT = "SwapCollector"
"""The name of its artefact, and of its entry in manifests."""
SWAP_COLLECTOR: Final[Decoder[Any]] = Decoder(ARTEFACT, {})


class SwapPayment(NamedTuple):
    """How the payer's money becomes the quote's, in the order of the contract's struct. `route` is an exact output's:
    from the quote's token back to the payer's. `permit` is an EIP-2612 permit as `core.funding.permit_data`, or
    empty."""

    swapper: str
    token_in: str
    most_in_units: int
    route: bytes
    permit: bytes = b""


class SwapCollectorContract(Contract):
    """The contract at one address on one chain."""

    decoder: ClassVar[Decoder[Any]] = SWAP_COLLECTOR

    def checkout(self) -> str:
        """The checkout whose quotes it pays."""
        return parse_address(self._read("CHECKOUT"))

    def pay_quote(self, signed: SignedQuote, payment: SwapPayment) -> Receipt:
        """The signer pays a quote with another token, of which it must have and allow `most_in_units`; what is not
        used comes back in the same transaction.

        Raises SwapFailed (`STF`: the pools take more than that), AllowanceTooLow, BalanceTooLow, AnotherRoute,
        RouteMalformed, SameToken, InputMismatch, TokenRefused, and what `CheckoutContract.pay` raises.
        """
        return self.sender.send(Call(self.address, self._pay_data(signed, payment)))

    def simulate(self, signed: SignedQuote, payment: SwapPayment, payer: str) -> int | None:
        """Units of the payer's token that paying would use now, by its balance before and after; sends nothing, needs
        no key, and no allowance: where there is none it is made in the same simulation. None where the node does not
        know how. Raises as `pay_quote`."""
        token = TokenContract(self.node, payment.token_in)
        steps = approvals(token, payer, self.address, payment.most_in_units)
        look = token.address, balance_data(payer)
        answers = simulated(self.node, payer, [*steps, look, (self.address, self._pay_data(signed, payment)), look])
        if answers is None:
            return None
        before, _, after = answers[-3:]
        return int.from_bytes(before, "big") - int.from_bytes(after, "big")

    def _pay_data(self, signed: SignedQuote, payment: SwapPayment) -> bytes:
        return call_data("payQuote", signed.quote.words, signed.signature, tuple(payment), contract=ARTEFACT)
