"""Finds subscriptions in the mirror, as of the newest mirrored block."""

from __future__ import annotations

from typing import NamedTuple

from tallystick.core.money import Token
from tallystick.core.plan import PlanTerms
from tallystick.core.subscription import Status, Subscription
from tallystick.flows.mirror import StoredBooks
from tallystick.flows.pending import read_present
from tallystick.storage.database import reading
from tallystick.storage.subscriptions import read_subscriptions
from tallystick.storage.tokens import read_tokens


class Found(NamedTuple):
    """A subscription with its plan's terms, and the token where the mirror knows it (a pending plan's it may not)."""

    subscription: Subscription
    terms: PlanTerms
    token: Token | None


def find_subscriptions(
    books: StoredBooks, *, payer: str | None = None, plan_id: int | None = None, status: Status | None = None
) -> list[Found]:
    """Those of a payer, a plan and a status where these are given, by number. Raises DatabaseError."""
    source = books.source
    with reading(books.engine) as connection:
        ids = list(read_subscriptions(connection, source.source_id))
        present = read_present(connection, source, {}, ids).books
        tokens = read_tokens(connection, source.chain_id)
    terms = {plan_id: plan.terms for plan_id, plan in present.plans.items()}
    return [
        Found(subscription, terms[subscription.plan_id], tokens.get(terms[subscription.plan_id].token))
        for _, subscription in sorted(present.subscriptions.items())
        if payer in {None, subscription.payer}
        and plan_id in {None, subscription.plan_id}
        and status in {None, subscription.status}
    ]
