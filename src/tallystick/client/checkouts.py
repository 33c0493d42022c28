"""`Tallystick`'s verbs for payments that are made once: quotes, and deposit addresses."""

from __future__ import annotations

from collections.abc import Sequence

from tallystick.chain.contract import Sent
from tallystick.chain.payment_totals import CountedTotal
from tallystick.client.base import Client, Money
from tallystick.core.address import parse_address
from tallystick.core.expected import DepositStatus, Expected
from tallystick.core.quote_texts import SignedCheckout, SignedQuote
from tallystick.core.refund_address import SignedRefundAddress
from tallystick.flows.bring import PaymentFunding
from tallystick.flows.deposits import DepositAddress, SweptRow, deposit_addresses, sweep
from tallystick.flows.describe_quote import QuoteState, describe_quote
from tallystick.flows.expect import expect
from tallystick.flows.find_deposits import FoundDeposit, find_deposit, find_deposits
from tallystick.flows.make_quote import VALID_S, make_quote
from tallystick.flows.mirror import open_books
from tallystick.flows.pay_by_swap import SLIPPAGE_BPS, PaidBySwap, PlannedQuotePayment, pay_by_swap, plan_quote_payment
from tallystick.flows.pay_quote import pay_quote, sign_checkout
from tallystick.flows.refund_invoice import proven_address, refund_invoice, sign_refund_address
from tallystick.storage.database import open_database


class CheckoutVerbs(Client):
    """Quotes that are paid once, and deposit addresses."""

    def checkout_quote(
        self,
        *,
        number: int,
        amount: Money,
        token: str,
        invoice: str | None = None,
        valid_s: int = VALID_S,
        shares: Sequence[tuple[str, int]] = (),
    ) -> SignedQuote:
        """What the signer, the merchant, asks to be paid once; nothing is sent. `SignedQuote.render()` is its text.

        `number` is the merchant's: of all quotes with it one can be paid. Numbers in order cost payers less gas.
        `invoice` is what it is for, up to 32 bytes of text that stand on chain; the number unless given. It can be
        paid for `valid_s` seconds from now. `shares` are up to 16 payees with whole weights, among whom the amount is
        divided by largest remainder; the signer receives all of it unless given.

        Raises InputError, AddressInvalid, AmountInvalid, AssetMismatch, NotAContract or KeyMissing.
        """
        return make_quote(
            self._connection,
            number=number,
            token=parse_address(token),
            amount_units=self.units(amount, token),
            invoice=invoice,
            valid_s=valid_s,
            shares=[(parse_address(payee), share) for payee, share in shares],
        )

    def sign_checkout(
        self, quote: SignedQuote, *, funding: PaymentFunding | str = PaymentFunding.AUTO
    ) -> SignedCheckout:
        """The signer, the payer, agrees to pay the quote; nothing is sent, and anyone may send it then.

        `funding` as for `sign_payment`. Raises PermitUnsupported, AllowanceTooLow, KeyMissing, or InputError.
        """
        return sign_checkout(self._connection, quote, PaymentFunding(funding))

    def pay_quote(self, payment: SignedQuote | SignedCheckout) -> Sent:
        """Pays a quote: with the signer's money, whose allowance is raised where it is too low; or by what a payer
        signed, which anyone may send.

        Raises QuoteExpired, NumberUsed, InvalidSignature, AllowanceTooLow, BalanceTooLow, TokenRefused,
        AmountMismatch, NotAContract, TokenReverted, CallReverted, or InputError for a quote for elsewhere.
        """
        return pay_quote(self._connection, payment)

    def plan_quote_payment(
        self,
        quote: SignedQuote,
        *,
        pay_with: str,
        route: Sequence[int | str],
        max_slippage_bps: int = SLIPPAGE_BPS,
        quoter: str | None = None,
        most: Money | None = None,
    ) -> PlannedQuotePayment:
        """What paying a quote with another token of the signer's would take now; nothing is sent. `route` are fees of
        Uniswap v3's pools from that token to the quote's, with tokens between them: `[500]`.

        `most_in` of the answer is the most that is used: `most`, or what a `quoter` says and the slippage on top, the
        lower where both are given; without them what the pools take now and the slippage on top.

        Raises QuoteExpired, NumberUsed and what else `pay_quote` does, SwapFailed where the pools cannot do it for what
        the signer has, what a quoter raises where it has no rate, and InputError where quote, route or quoter do not
        fit, there is nothing to pay with, or the deployment names no swapper.
        """
        return plan_quote_payment(
            self._connection,
            quote,
            self.address,
            parse_address(pay_with),
            route,
            max_slippage_bps=max_slippage_bps,
            quoter=None if quoter is None else parse_address(quoter),
            most_units=None if most is None else self.units(most, pay_with),
        )

    def pay_quote_by_swap(self, planned: PlannedQuotePayment) -> PaidBySwap:
        """Pays a quote as it was planned, in one transaction: what it asks for is bought with the signer's token, at
        most `most_in` of it, and what was not used comes back. The allowance of exactly that comes by a permit where
        the token takes one, else in a transaction before.

        Raises SwapFailed where the pools take more, and as `plan_quote_payment`; nothing was paid then.
        """
        return pay_by_swap(self._connection, planned)

    def quote_state(self, quote: SignedQuote) -> QuoteState:
        """Whether a quote can still be paid. Raises InputError for one for elsewhere."""
        return describe_quote(self._connection, quote)

    def withdraw_quote(self, number: int) -> Sent:
        """The signer, a merchant, will not have a number paid. Raises NumberUsed where it was, or is withdrawn."""
        return self._connection.checkout.withdraw_quote(number)

    def quote_total(self, merchant: str, token: str) -> CountedTotal:
        """How many quotes of a merchant in a token were ever paid, and the sum of their amounts in base units."""
        return self._connection.checkout.quote_total(parse_address(merchant), parse_address(token))

    def deposit_address(self, invoice: str, *, token: str, receiver: str | None = None) -> DepositAddress:
        """Where to send what is for an invoice, as from an exchange, and what stands there of a token. The address is
        the receiver's (the signer unless given) for ever; nothing needs to be on chain before.

        Raises InputError for an invoice that cannot be one, AddressInvalid or NotAContract.
        """
        found = deposit_addresses(self._connection, self._receiver(receiver), parse_address(token), [invoice])
        return found[0]

    def expect_deposit(
        self,
        invoice: str,
        amount: Money,
        *,
        token: str,
        valid_s: int | None = None,
        tolerance: Money = 0,
        receiver: str | None = None,
    ) -> Expected:
        """Declares in the configured database what is expected for an invoice at its deposit address, which is the
        answer's `address`: show it to the payer then. The mirror sees what comes there from now on.

        It counts for `valid_s` seconds (None: whenever it comes); so much as `tolerance` may be lacking. The receiver
        is the signer unless given. Raises InputError for what cannot be expected and where something else already is,
        AddressInvalid, AmountInvalid, NotAContract or DatabaseError.
        """
        return expect(
            open_database(self._config.database),
            self._connection,
            invoice,
            receiver=self._receiver(receiver),
            token=parse_address(token),
            amount_units=self.units(amount, token),
            valid_s=valid_s,
            tolerance_units=self.units(tolerance, token),
        )

    def deposits(self, *, receiver: str | None = None, status: DepositStatus | None = None) -> list[FoundDeposit]:
        """What is expected at deposit addresses and what came there, as the configured database knows it: brought up to
        date by `tallystick index`. Raises DatabaseError or AddressInvalid."""
        wanted = parse_address(receiver) if receiver else None
        return find_deposits(open_books(self._config), receiver=wanted, status=status)

    def deposit(self, invoice: str, *, receiver: str | None = None) -> FoundDeposit:
        """The same of one invoice. Raises InputError where the books know nothing of it, or of several receivers."""
        wanted = parse_address(receiver) if receiver else None
        found, _ = find_deposit(open_books(self._config), invoice, receiver=wanted)
        return found

    def sweep(self, invoices: Sequence[str], *, token: str | None, receiver: str | None = None) -> list[SweptRow]:
        """Moves all that stands on deposit addresses to their receiver (the signer unless given). Any token, and any
        time; None: the chain's own currency. What fails is a row with its reason.

        Raises InputError for none or a repeated one, TokenRefused where the token tells no balances.
        """
        wanted = None if token is None else parse_address(token)
        return sweep(self._connection, self._receiver(receiver), wanted, invoices)

    def sign_refund_address(self, invoice: str, *, receiver: str) -> SignedRefundAddress:
        """The signer, a payer, names itself as where money for an invoice is to go back, as proof for the receiver;
        nothing is sent. Raises InputError, AddressInvalid or KeyMissing."""
        return sign_refund_address(self._connection, invoice, parse_address(receiver))

    def refund_invoice(self, invoice: str, amount: Money, *, token: str, to: str | SignedRefundAddress) -> Sent:
        """Gives back some of what was received for an invoice, from the signer's own balance, to an account or to the
        one that signed (`sign_refund_address`). How much was received only the books know (`deposit`).

        Raises InvalidSignature, BalanceTooLow, ZeroAmount, PartyRefused, AmountMismatch, TokenRefused or InputError.
        """
        units, token = self.units(amount, token), parse_address(token)
        if isinstance(to, SignedRefundAddress):
            to = proven_address(self._connection, to, invoice, self.address)
        return refund_invoice(self._connection, invoice, token, parse_address(to), units)

    def claim_checkout(self, account: str, token: str) -> Sent:
        """Pays what the checkout keeps for an account that could not receive it. Raises NothingToClaim or
        TokenRefused."""
        return self._connection.checkout.claim(parse_address(account), parse_address(token))

    def _receiver(self, given: str | None) -> str:
        return parse_address(given) if given else self.address
