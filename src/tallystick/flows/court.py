"""An arbiter of two instances: created, recognised, asked to decide, to appeal and to do what is final."""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.crypto import keccak

from tallystick.chain.contract import Sent
from tallystick.chain.court import ARTEFACT, CourtContract
from tallystick.chain.sender import Call
from tallystick.contracts import load_artefact
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.deployment import FACTORY, SALT, create2_address
from tallystick.core.payment_texts import MOST_SPAN, PaymentOffer
from tallystick.errors import FundsTooLow, InputError, RevertError, TallystickError
from tallystick.flows.connect import Connection
from tallystick.flows.deploy import create
from tallystick.flows.mint import require_own_chain
from tallystick.flows.payment_terms import DAY_S, require_escrow

APPEAL_S = 7 * DAY_S
"""How long payer and payee can appeal what was judged."""
_CREATED_WITH = ["address", "address", "address", "uint256", "bytes", "string"]


@dataclass(frozen=True, slots=True)
class DeployedArbiter:
    """Where an arbiter is; `transaction` is None where it was there before."""

    address: str
    transaction: str | None


def deploy_arbiter(
    connection: Connection,
    *,
    court: str,
    judge: str | None,
    appeal_s: int = APPEAL_S,
    court_data: bytes = b"",
    question: str = "",
) -> DeployedArbiter:
    """Creates an arbiter for the escrow, unless one with these very values is there: its address follows from them.

    `judge` decides first; payer and payee can appeal for `appeal_s` seconds, to `court`, which is told `court_data`.
    Without a judge the court decides first. `question` is where the court's interface finds what it is asked.
    Raises InputError for a court that does not say what it costs, or a time that is none; and what sending raises.
    """
    if judge is None:
        appeal_s = 0
    elif not 0 < appeal_s <= MOST_SPAN:
        raise InputError(
            f"found an appeal window of {appeal_s} seconds, allowed are 1 to {MOST_SPAN}: give the parties time; a "
            "judge against whom nobody can appeal needs no court, and is the arbiter of the terms as such"
        )
    _require_court(connection, court, court_data)
    values = (connection.escrow.address, court, judge or ZERO_ADDRESS, appeal_s, court_data, question)
    code = load_artefact(ARTEFACT).creation_code + encode(_CREATED_WITH, values)
    address = create2_address(FACTORY, SALT, keccak(code))
    transaction = None
    if not connection.node.code(address):
        try:
            transaction = connection.sender.send(Call(FACTORY, SALT + code)).transaction
        except TallystickError:
            if not connection.node.code(address):  # else somebody else was quicker
                raise
    open_arbiter(connection, address)
    return DeployedArbiter(address, transaction)


def _require_court(connection: Connection, court: str, court_data: bytes) -> None:
    data = function_signature_to_4byte_selector("arbitrationCost(bytes)") + encode(["bytes"], [court_data])
    try:
        answer = connection.node.call(court, data)
    except RevertError as error:
        raise InputError(f"{court} refuses to say what it costs with these data ({error}): ask the court") from error
    if len(answer) != len(bytes(32)):
        raise InputError(f"{court} does not say what it costs: name a court that answers `arbitrationCost` (ERC-792)")


def open_arbiter(connection: Connection, address: str) -> CourtContract:
    """The arbiter at an address, after its code was compared with what this package ships, and its escrow with ours.

    Raises InputError where it is another contract, or none.
    """
    code = connection.node.code(address)
    if not code:
        raise InputError(
            f"{address} has no code on chain {connection.node.chain_id}: an arbiter that is an account rules with "
            "`tallystick escrow rule`; one with a court is created with `tallystick escrow court deploy`"
        )
    if not load_artefact(ARTEFACT).is_code(code):
        raise InputError(
            f"the code at {address} ({len(code)} bytes) is not that of an arbiter with a court as this Tallystick "
            "ships it: agree to nothing that names it unless you know what it is"
        )
    contract = CourtContract(connection.node, address, connection.sender if connection.signer else None)
    if contract.escrow() != connection.escrow.address:
        raise InputError(
            f"the arbiter {address} divides the payments of {contract.escrow()}, this is {connection.escrow.address}: "
            "name one that was created for here"
        )
    return contract


def arbiter_of(connection: Connection, offer: PaymentOffer) -> CourtContract:
    """The arbiter that a payment's terms name. Raises InputError where it is no arbiter with a court, or the payment
    another chain's."""
    require_escrow(connection, offer)
    if offer.terms.arbiter == ZERO_ADDRESS:
        raise InputError(f"the terms of payment 0x{offer.payment_id.hex()} name no arbiter: nobody can be asked")
    return open_arbiter(connection, offer.terms.arbiter)


def judge(connection: Connection, offer: PaymentOffer, payee_bps: int, fee_bps: int = 0) -> Sent:
    """The signer, who is the judge, decides. Raises what `CourtContract.judge` does."""
    return arbiter_of(connection, offer).judge(offer.terms, payee_bps, fee_bps)


def appeal(connection: Connection, offer: PaymentOffer, cost_wei: int | None = None) -> Sent:
    """The signer, who is payer or payee, takes it to the court and pays `cost_wei`, or what it costs now.

    Raises FundsTooLow where the signer has less, and what `CourtContract.appeal` does, before anything is sent.
    """
    contract, account = arbiter_of(connection, offer), connection.sender.address
    cost = contract.appeal_cost_wei() if cost_wei is None else cost_wei
    found = connection.node.balance_wei(account)
    if found < cost:
        raise FundsTooLow(
            f"{account} has {found} wei, the court asks {cost} for an appeal, and gas comes on top: send it some of "
            "the chain's own coin"
        )
    return contract.appeal(offer.terms, cost)


def show_evidence(connection: Connection, offer: PaymentOffer, uri: str) -> Sent:
    """The signer, who is payer, payee or judge, shows a document to judge and court. Raises InputError for no address
    of one."""
    if not uri.strip() or not uri.isprintable():
        raise InputError(f"found {uri!r} for where the document is, allowed is an address such as /ipfs/Qm.../doc.json")
    return arbiter_of(connection, offer).submit_evidence(offer.terms, uri)


def execute(connection: Connection, offer: PaymentOffer) -> Sent:
    """Anyone has the escrow divide a payment as was decided for good. The events are the escrow's."""
    sent = arbiter_of(connection, offer).execute(offer.terms)
    return Sent(sent.receipt, connection.escrow.events_in(sent.receipt))


def pay_judge(connection: Connection, arbiter: str, token: str) -> Sent:
    """Anyone sends an arbiter's judge all fees in a token. Raises InputError, NothingToClaim or TokenRefused."""
    return open_arbiter(connection, arbiter).pay_judge(token)


def place_test_court(connection: Connection) -> str:
    """A court for a chain of one's own, which rules what anybody tells it to: its address.

    Raises InputError on a chain that others use as well.
    """
    require_own_chain(connection.node.chain_id)
    artefact = load_artefact("MockCourt")

    def send(to: str, data: bytes, value_wei: int) -> str:
        return connection.sender.send(Call(to, data, value_wei)).transaction

    if not connection.node.code(artefact.address):
        create(connection.node.request, send, artefact)
    return artefact.address
