"""Converts a merchant's receipts into the token that they settle in: planned first, then sent within its bound.

The bound comes from a quoter's rate and the limit on slippage, never from the pools: what they would give now is shown
beside it. It is asked for again right before it is sent, and the contract holds to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tallystick.chain.contract import Sent
from tallystick.chain.swapper import SwapperContract
from tallystick.config import ConvertConfig, ConvertRuleConfig
from tallystick.core.conversion_policy import (
    Decision,
    Every,
    Holding,
    Rule,
    Verdict,
    decide,
    least_out_up,
    slippage_bps_up,
)
from tallystick.core.money import Amount, Token, parse_units
from tallystick.core.swap import Swap, Swapped, route_of
from tallystick.errors import BalanceTooLow, ConfigError, InputError, NodeInvalid, OutputTooLow, RevertError
from tallystick.flows.connect import Connection
from tallystick.flows.quoter import quoted_in
from tallystick.flows.swapper import require_swapper

VALID_S = 600
"""How long an exchange may take to be mined, unless told otherwise."""
TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""keccak-256 of `Transfer(address,address,uint256)` (ERC-20)."""


@dataclass(frozen=True, slots=True)
class PlannedConversion:
    """What would be done with one asset now. Unless the verdict is CONVERT the rest is None.

    `quoted` is what the quoter's rate makes of `amount`, `least_out` that less the slippage, `pool_out` what the pools
    would give now; None where they would not give the least, with `refusal` saying why, or where the node cannot say.
    """

    account: str
    settlement: Token
    balance: Amount
    verdict: Verdict
    rule: Rule
    amount: Amount | None = None
    quoted: Amount | None = None
    least_out: Amount | None = None
    pool_out: Amount | None = None
    refusal: str | None = None

    @property
    def slippage_bps(self) -> int | None:
        """How far the pools are below the quoter's rate now, in hundredths of a percent; negative is above."""
        if self.quoted is None or self.pool_out is None:
            return None
        return slippage_bps_up(self.quoted, self.pool_out)


@dataclass(frozen=True, slots=True)
class Converted:
    """What an exchange brought."""

    planned: PlannedConversion
    used: Amount
    received: Amount
    transaction: str


def configured_rules(connection: Connection, config: ConvertConfig) -> tuple[Token, list[Rule]]:
    """The settlement token and the rules as the configuration has them, amounts in base units.

    Raises ConfigError where there is no settlement token, no rule, or a rule for the settlement token itself,
    InputError for a route that is none, AmountInvalid for more digits than the asset has, NotAContract.
    """
    if config.settlement is None or not config.rule:
        missing = "`convert.settlement`" if config.settlement is None else "a [[convert.rule]]"
        raise ConfigError(
            f"{missing} is not set: name the token to convert into, and a rule for each asset (`tallystick init` shows "
            "both)"
        )
    settlement = connection.token(config.settlement).describe()
    return settlement, [_rule(connection, config, given, settlement) for given in config.rule]


def _rule(connection: Connection, config: ConvertConfig, given: ConvertRuleConfig, settlement: Token) -> Rule:
    if given.asset == settlement.address:
        raise ConfigError(f"a [[convert.rule]] converts the settlement token {given.asset} itself: take it out")
    asset = connection.token(given.asset).describe()

    def units(value: object) -> int:
        return parse_units(format(value, "f"), asset.decimals)

    slippage = config.max_slippage_bps if given.max_slippage_bps is None else given.max_slippage_bps
    return Rule(
        asset,
        given.quoter,
        route_of(given.asset, settlement.address, given.route),
        slippage,
        units(given.above),
        units(given.keep),
        None if given.at_most is None else units(given.at_most),
        None if given.every is None else Every(given.every),
    )


def plan_conversions(
    connection: Connection, account: str, settlement: Token, rules: Sequence[Rule]
) -> list[PlannedConversion]:
    """What the rules make of what an account has now, each with its bound and what the pools would give. Sends nothing.

    Raises InputError for a quoter that is none for the asset and the settlement token, and where the manifest names no
    swapper. Where a quoter has no rate that could be trusted, that asset's verdict is NO_RATE, and `refusal` says why.
    """
    swapper = require_swapper(connection)
    now = connection.node.timestamp()
    holdings = {}
    for rule in rules:
        asset = rule.asset.address
        if asset not in holdings:
            last = _last_conversion(connection, swapper, account, asset) if _has_schedule(rules, asset) else None
            holdings[asset] = Holding(connection.token(asset).balance(account), last)
    decisions = decide(rules, holdings, now)
    return [
        _planned(connection, account, settlement, decision, holdings[decision.rule.asset.address].units)
        for decision in decisions
    ]


def plan_conversion(
    connection: Connection, account: str, settlement: Token, rule: Rule, units: int | None = None
) -> PlannedConversion:
    """The same for one asset and so many units of it (all, unless given), whatever threshold and schedule say.

    Raises BalanceTooLow for more than there is, and as `plan_conversions`.
    """
    require_swapper(connection)
    found = connection.token(rule.asset.address).balance(account)
    if units is not None and units > found:
        raise BalanceTooLow(found, units)
    wanted = found if units is None else units
    verdict = Verdict.CONVERT if wanted else Verdict.NOTHING_THERE
    return _planned(connection, account, settlement, Decision(rule, verdict, wanted), found)


def planned_now(
    connection: Connection,
    account: str,
    settlement: Token,
    rules: Sequence[Rule],
    asset: str | None = None,
    amount: str | None = None,
) -> list[PlannedConversion]:
    """By the rules; or, where an asset is named, that one now, by its first rule and as much as `amount` says.

    Raises InputError for an asset without a rule, and as `plan_conversions` and `plan_conversion`.
    """
    if asset is None:
        return plan_conversions(connection, account, settlement, rules)
    rule = next((found for found in rules if found.asset.address == asset), None)
    if rule is None:
        known = ", ".join(dict.fromkeys(f"{found.asset.symbol} ({found.asset.address})" for found in rules))
        raise InputError(f"no [[convert.rule]] is for {asset}: there are some for {known}; add one")
    units = None if amount is None else parse_units(amount, rule.asset.decimals)
    return [plan_conversion(connection, account, settlement, rule, units)]


def convert(connection: Connection, planned: PlannedConversion, *, valid_s: int = VALID_S) -> Converted:
    """Sends a planned conversion of the signer's: the allowance of exactly its amount, then the exchange, for at least
    what the quoter's rate of now less the slippage makes.

    Raises SwapFailed or OutputTooLow where the pools give less, SwapExpired where it was not mined in time, what the
    quoter raises where there is no rate any more, and what sending raises; nothing is exchanged then.

    Called twice at once, or again after a crash, it exchanges once: the allowance is used up by the first exchange, and
    the second one fails.
    """
    swapper, amount = require_swapper(connection), planned.amount
    if amount is None:
        raise InputError(f"{planned.rule.asset.symbol} is not to be converted ({planned.verdict.value}): plan anew")
    sender = connection.sender
    if sender.address != planned.account:
        raise InputError(f"what {planned.account} has was planned, {sender.address} signs: plan for that account")
    quoted, least_out = _bounds(connection, planned.rule, planned.settlement, amount)
    planned = replace(planned, quoted=quoted, least_out=least_out)
    swap = _swap(planned, connection.node.timestamp() + valid_s)
    swapper.simulate_exact_input(swap, sender.address)  # raises before anything is sent
    connection.token(swap.token_in).approve(sender, swapper.address, amount.units)
    return _received(planned, swapper.swap_exact_input(swap))


# --- parts ------------------------------------------------------------------------------------------------------------


def _has_schedule(rules: Sequence[Rule], asset: str) -> bool:
    return any(rule.every is not None and rule.asset.address == asset for rule in rules)


def _last_conversion(connection: Connection, swapper: SwapperContract, account: str, asset: str) -> int | None:
    times = [entry.origin.block_time for entry in swapper.swaps_of(account, asset, connection.swapper_start_block)]
    return max(times, default=None)


def _planned(
    connection: Connection, account: str, settlement: Token, decision: Decision, balance: int
) -> PlannedConversion:
    rule = decision.rule
    planned = PlannedConversion(account, settlement, Amount(balance, rule.asset), decision.verdict, rule)
    if decision.verdict is not Verdict.CONVERT:
        return planned
    amount = Amount(decision.units, rule.asset)
    try:
        quoted, least_out = _bounds(connection, rule, settlement, amount)
    except RevertError as error:  # of one asset, which is left alone; the others go on
        return replace(planned, verdict=Verdict.NO_RATE, refusal=str(error))
    planned = replace(planned, amount=amount, quoted=quoted, least_out=least_out)
    # As little as there is: what the pools give is to be seen also where it is less than the bound.
    swap = replace(_swap(planned, connection.node.timestamp() + VALID_S), amount_out_units=1)
    try:
        found = require_swapper(connection).simulate_exact_input(swap, account)
    except RevertError as error:
        return replace(planned, refusal=str(error))
    if found is None:
        return planned
    pool_out = Amount(found[1], settlement)
    if pool_out < least_out:
        return replace(planned, pool_out=pool_out, refusal=f"the pools give {pool_out}, at least {least_out} are asked")
    return replace(planned, pool_out=pool_out)


def _bounds(connection: Connection, rule: Rule, settlement: Token, amount: Amount) -> tuple[Amount, Amount]:
    """What the quoter says, and the least to be received."""
    quoted = quoted_in(connection, rule.quoter, amount, settlement)
    return quoted, Amount(least_out_up(quoted.units, rule.max_slippage_bps), settlement)


def _swap(planned: PlannedConversion, valid_before: int) -> Swap:
    if planned.amount is None or planned.least_out is None:
        raise InputError(f"{planned.rule.asset.symbol} is not to be converted: plan anew")
    ends = planned.rule.asset.address, planned.settlement.address
    units = planned.amount.units, planned.least_out.units
    return Swap(*ends, *units, planned.account, valid_before, planned.rule.route.path)


def _received(planned: PlannedConversion, sent: Sent) -> Converted:
    """What came in by the token's own transfers, which must be what the swapper says. Raises NodeInvalid where a
    receipt contradicts itself, OutputTooLow where it is less than was asked for."""
    done, settlement = sent.one(Swapped), planned.settlement
    came = sum(
        int(log["data"], 16)
        for log in sent.receipt.logs
        if log["address"].lower() == settlement.address.lower()
        and log["topics"][0] == TRANSFER_TOPIC
        and log["topics"][2][-40:] == planned.account[2:].lower()
    )
    if came != done.amount_out_units:
        raise NodeInvalid(
            f"in {sent.receipt.transaction} {came} units of {settlement.symbol} came in by its transfers, the swapper "
            f"says {done.amount_out_units}: look at the transaction, and ask another node"
        )
    if planned.least_out is not None and came < planned.least_out.units:
        raise OutputTooLow(came, planned.least_out.units)
    used = Amount(done.amount_in_units, planned.rule.asset)
    return Converted(planned, used, Amount(came, settlement), sent.receipt.transaction)
