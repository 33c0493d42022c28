"""Where everything stands: the chain, the mirror, what is due and what was declined."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from tallystick.chain.logs import Header, LogReader
from tallystick.chain.nodes import Member
from tallystick.chain.rpc import Rpc
from tallystick.core.expected import DepositStatus
from tallystick.core.payment import PaymentStatus
from tallystick.core.subscription import Status
from tallystick.errors import NodeError
from tallystick.flows.find_deposits import all_deposits
from tallystick.flows.mirror import Mirror
from tallystick.flows.pending import read_present
from tallystick.flows.pending_payments import all_payments
from tallystick.flows.recognise import ANY_PLAN, OwnPlans
from tallystick.storage.attempts import count_attempts
from tallystick.storage.database import reading
from tallystick.storage.events import count_events
from tallystick.storage.pending import pending_headers
from tallystick.storage.sources import find_source
from tallystick.storage.subscriptions import read_subscriptions
from tallystick.storage.waits import Wait, read_waits


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node: its head, None where it never answered, whether it is the one that is read, and what is wrong with it."""

    node: str
    head: int | None
    is_read: bool
    trouble: str | None


@dataclass(frozen=True, slots=True)
class State:
    """Heads are block numbers, `time` is the head's; what the mirror has not read yet is 0 or None. `node_final` is
    final as the configuration says (`finality`). `due` are subscriptions of the merchant's own plans, `due_to_others`
    those of other plans on the same contract. `payments` are those of the escrow, by their status; `deposits` what is
    expected at deposit addresses. `nodes` are those of the configuration as they answer now, `finality_waits` what
    `index` last saw too few of them agree on."""

    chain_id: int
    contract: str
    node_head: int
    node_final: int
    finality: str | int
    time: int
    mirror_head: int | None
    mirror_final: int | None
    lag_blocks: int | None
    plans: int
    subscriptions: dict[str, int]
    due: int
    due_to_others: int
    charges: int
    refunds: int
    declines_on_chain: int
    declines_before_sending: int
    escrow: str
    payments: dict[str, int]
    checkout: str
    deposits: dict[str, int]
    nodes: tuple[NodeState, ...]
    finality_waits: tuple[Wait, ...]


def read_state(mirror: Mirror, own: OwnPlans = ANY_PLAN) -> State:
    """The state as of now. Raises NodeError or DatabaseError."""
    target = mirror.target
    rpc = mirror.rpc
    node = LogReader(rpc, target.contract)
    head = _known(node, "latest")
    final = _known(node, target.finality if isinstance(target.finality, str) else max(0, head.number - target.finality))
    with reading(mirror.engine) as connection:
        source = find_source(connection, target.chain_id, target.contract)
        counts: dict[str, int] = {}
        books, attempts, mirrored = None, 0, None
        if source is not None:
            counts = count_events(connection, source.source_id)
            attempts = count_attempts(connection, source.source_id)
            tail = pending_headers(connection, source.source_id)
            mirrored = tail[-1].number if tail else source.final_number
            all_ids = list(read_subscriptions(connection, source.source_id))
            books = read_present(connection, source, {}, all_ids).books
        payments = _payments(connection, mirror)
        deposits = _deposits(connection, mirror)
        ours = {target.contract for target in mirror.targets}
        waits = [wait for wait in read_waits(connection, target.chain_id) if wait.contract in ours]
    subscriptions = [] if books is None else list(books.subscriptions.values())
    terms = {} if books is None else {plan_id: plan.terms for plan_id, plan in books.plans.items()}
    due = [found for found in subscriptions if found.is_due(terms[found.plan_id], head.time)]
    due_own = sum(own.objection(found.plan_id, terms[found.plan_id]) is None for found in due)
    by_status = {
        status.name.lower(): sum(subscription.status == status for subscription in subscriptions) for status in Status
    }
    return State(
        chain_id=target.chain_id,
        contract=target.contract,
        node_head=head.number,
        node_final=final.number,
        finality=target.finality,
        time=head.time,
        mirror_head=mirrored,
        mirror_final=source.final_number if source is not None and source.final_hash else None,
        lag_blocks=None if mirrored is None else max(0, head.number - mirrored),
        plans=len(terms),
        subscriptions=by_status,
        due=due_own,
        due_to_others=len(due) - due_own,
        charges=counts.get("Charged", 0) + counts.get("Upgraded", 0),
        refunds=counts.get("Refunded", 0),
        declines_on_chain=counts.get("Declined", 0),
        declines_before_sending=attempts,
        escrow=mirror.escrow.contract,
        payments=payments,
        checkout=mirror.checkout.contract,
        deposits=deposits,
        nodes=tuple(_node(member, rpc, head.number) for member in mirror.nodes.members),
        finality_waits=tuple(waits),
    )


def _node(member: Member, read: Rpc, head: int) -> NodeState:
    is_read = member.rpc is read
    trouble = None if member.trouble is None else str(member.trouble)
    return NodeState(member.name, head if is_read else member.health.head, is_read, trouble)


def _payments(connection: Connection, mirror: Mirror) -> dict[str, int]:
    """How many payments stand how, pending blocks included."""
    target = mirror.escrow
    source = find_source(connection, target.chain_id, target.contract)
    found = [] if source is None else list(all_payments(connection, source).values())
    statuses = (PaymentStatus.OPEN, PaymentStatus.DISPUTED, PaymentStatus.CLOSED)
    return {status.name.lower(): sum(payment.status is status for payment in found) for status in statuses}


def _deposits(connection: Connection, mirror: Mirror) -> dict[str, int]:
    """How many expected deposits stand how, pending blocks included."""
    target = mirror.checkout
    source = find_source(connection, target.chain_id, target.contract)
    found = [] if source is None else all_deposits(connection, source)
    return {
        status.value.replace(" ", "_"): sum(deposit.status is status for deposit in found) for status in DepositStatus
    }


def _known(node: LogReader, block: str | int) -> Header:
    header = node.header(block)
    if header is None:
        raise NodeError(f"the node has no {block} block: wait until it has synced, or use another")
    return header
