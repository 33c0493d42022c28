"""`Tallystick`'s verbs for prices in a currency, and for turning receipts into the token that one settles in."""

from __future__ import annotations

from collections.abc import Sequence

from tallystick.client.base import Client, Money
from tallystick.core.address import ZERO_ADDRESS, parse_address
from tallystick.core.conversion_policy import Rule
from tallystick.core.money import Amount
from tallystick.core.quoter import QuoterTerms
from tallystick.core.swap import route_of
from tallystick.flows.convert import VALID_S, Converted, PlannedConversion, convert, plan_conversion
from tallystick.flows.quoter import PRICE_BAND_BPS, TOKEN_BAND_BPS, deploy_quoter, open_quoter, trusted

FEED_AGE_S = 25 * 3_600
GRACE_S = 3_600
SLIPPAGE_BPS = 50


class ConversionVerbs(Client):
    """Quoters, and conversions within a bound."""

    def deploy_quoter(
        self,
        token: str,
        *,
        price_decimals: int = 2,
        price_feed: str | None = None,
        token_feed: str | None = None,
        max_age_s: int = FEED_AGE_S,
        sequencer: str | None = None,
        grace_s: int = GRACE_S,
    ) -> str:
        """A quoter for prices in a currency, in units of a token: its address, also where there is one with these very
        values already. `price_feed` says what one of the currency is worth (EUR / USD), `token_feed` what one token is;
        one of them can be left out. Answers are taken for `max_age_s` seconds, of the currency between half and twice
        what the feed says now, of the token up to 3 % off it. On a rollup name its uptime feed as `sequencer`.

        Raises ConfigContradicts, NotAContract, DecimalsTooHigh, FeedUnavailable, QuoteStale, AddressInvalid or
        KeyMissing.
        """
        price = trusted(self._connection, price_feed, max_age_s, None, None, PRICE_BAND_BPS)
        of_token = trusted(self._connection, token_feed, max_age_s, None, None, TOKEN_BAND_BPS)
        uptime = (parse_address(sequencer), grace_s) if sequencer else (ZERO_ADDRESS, 0)
        terms = QuoterTerms(parse_address(token), price_decimals, price, of_token, *uptime)
        return deploy_quoter(self._connection, terms).address

    def ask_quoter(self, quoter: str, price_units: int) -> Amount:
        """What a price in the quoter's units is now, in its token, rounded up.

        Raises QuoteStale, AnswerOutOfBounds, RoundIncomplete, RoundInFuture, FeedUnavailable, SequencerDown,
        SequencerRecovering, PriceTooHigh or AmountTooHigh, and InputError for another contract.
        """
        found = open_quoter(self._connection, parse_address(quoter))
        token = found.terms().token
        return Amount(found.quote(token, price_units), self.token(token))

    def plan_conversion(
        self,
        asset: str,
        *,
        into: str,
        quoter: str,
        route: Sequence[int | str],
        amount: Money | None = None,
        max_slippage_bps: int = SLIPPAGE_BPS,
    ) -> PlannedConversion:
        """What a conversion of the signer's tokens would bring now; nothing is sent. All of them, unless an amount is
        given. `quoter` quotes in the token `into` for prices with the asset's decimals, and bounds what must come in:
        its rate less `max_slippage_bps`. `route` are fees of Uniswap v3's pools with tokens between them: `[500]`.

        Raises BalanceTooLow, InputError for a quoter or a route that do not fit and where the deployment names no
        swapper, AddressInvalid, AmountInvalid, AssetMismatch, NotAContract or KeyMissing.
        """
        token, settlement = self.token(asset), self.token(into)
        way = route_of(token.address, settlement.address, route)
        rule = Rule(token, parse_address(quoter), way, max_slippage_bps)
        units = None if amount is None else self.units(amount, asset)
        return plan_conversion(self._connection, self.address, settlement, rule, units)

    def convert(self, planned: PlannedConversion, *, valid_s: int = VALID_S) -> Converted:
        """Makes a planned conversion: the allowance of exactly its amount, then the exchange, for at least what the
        quoter's rate of now less the slippage makes, within `valid_s` seconds.

        Raises SwapFailed or OutputTooLow where the pools give less, SwapExpired, what the quoter raises where there is
        no rate, and InputError for a plan that converts nothing, or another account's.
        """
        return convert(self._connection, planned, valid_s=valid_s)
