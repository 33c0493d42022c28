"""The tables. Everything in them but `attempts`, `evidence`, `leases`, `waits`, `wallet_channels` and `till_channels`
follows from the chain, and from `pegs` and `expected_payments`, which the merchant declares. `rates` are kept with
their evidence, by which anyone finds them again.

Amounts are digits in a STRICT table on SQLite and NUMERIC(78, 0) on PostgreSQL, because 64 bits end at ten tokens with
18 decimals. Hashes are bytes, addresses are checksummed text, times are Unix seconds. Rows are found by what they are,
never by a running number of the database.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

from tallystick.errors import CorruptionError

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


Long = BigInteger().with_variant(Integer, "sqlite")
"""64 bits; SQLite has but one kind of integer, and its strict tables know no other name for it."""


class Units(TypeDecorator[int]):
    """An amount of base units below 2^256."""

    impl = Text
    cache_ok = True
    digits = 78

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """NUMERIC of so many digits where the database has it exactly, digits as text elsewhere."""
        return dialect.type_descriptor(Numeric(self.digits, 0) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        """To the database."""
        return value if value is None or dialect.name == "postgresql" else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002 (SQLAlchemy's signature)
        """From the database."""
        try:
            return None if value is None else int(value)
        except ValueError as error:  # thousands of digits: Python converts no more than 4,300
            raise CorruptionError(
                f"the database holds an amount of {len(value)} digits, the largest possible has {self.digits}: "
                "somebody changed it, build the books anew"
            ) from error


class Sum(Units):
    """A sum of postings, for which 78 digits may be too few: nine times 2^256 - 1 has more.

    It always has room. A posting is below 2^256 and there are fewer than 2^94 of them, as many as its key can tell
    apart (63 bits of entry number, 31 of position): a sum is below 2^350, which has 106 digits.
    """

    cache_ok = True
    digits = 106


def _units(name: str, kind: type[Units] = Units, *, nullable: bool = False) -> list[Any]:
    """A column of base units with the check that keeps anything else out of it."""
    return [
        Column(name, kind, nullable=nullable),
        CheckConstraint(f"{name} GLOB '[0-9]*' AND {name} NOT GLOB '*[^0-9]*'", name=f"{name}_digits").ddl_if(
            dialect="sqlite"
        ),
        CheckConstraint(f"{name} >= 0", name=f"{name}_positive").ddl_if(dialect="postgresql"),
    ]


def _signed_units(name: str) -> list[Any]:
    """A column of base units that may be negative."""
    digits = f"({name} GLOB '[0-9]*' OR {name} GLOB '-[0-9]*') AND substr({name}, 2) NOT GLOB '*[^0-9]*'"
    return [
        Column(name, Units, nullable=False),
        CheckConstraint(digits, name=f"{name}_digits").ddl_if(dialect="sqlite"),
    ]


def _flag(name: str) -> list[Any]:
    """A column that is 0 or 1: SQLite's strict tables know no truth."""
    return [Column(name, Integer, nullable=False), CheckConstraint(f"{name} IN (0, 1)", name=f"{name}_flag")]


def _table(name: str, *parts: Any) -> Table:
    return Table(name, metadata, *parts, sqlite_strict=True, sqlite_with_rowid=False)


sources = _table(
    "sources",
    # One contract on one chain: its own journal, its own cursor. `kind`: storage.sources.
    Column("source_id", Integer, nullable=False, autoincrement=False),
    Column("chain_id", Long, nullable=False),
    Column("contract", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("start_block", Long, nullable=False),
    # What is final, and so in the journal, ends with this block.
    Column("final_number", Long, nullable=False),
    Column("final_hash", LargeBinary, nullable=False),
    Column("final_time", Long, nullable=False),
    PrimaryKeyConstraint("source_id"),
    UniqueConstraint("chain_id", "contract"),
    CheckConstraint(
        "kind IN ('Subscriptions', 'Escrow', 'Checkout', 'Channels', 'Conversion', 'x402')", name="kind_known"
    ),
)


def _of_source(name: str, *parts: Any, checked: bool = True) -> Table:
    """A table of what belongs to a source. `checked`: the database itself refuses rows of a source that is not there.
    Where rows are many it does not: PostgreSQL would look the source up for each, and whoever writes them holds it."""
    refers = [ForeignKeyConstraint(["source_id"], ["sources.source_id"])] if checked else []
    return _table(name, Column("source_id", Integer, nullable=False, autoincrement=False), *parts, *refers)


headers = _of_source(
    "headers",
    # The blocks behind the final one: what a reorganisation is recognised by.
    Column("number", Long, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("parent_hash", LargeBinary, nullable=False),
    Column("time", Long, nullable=False),
    PrimaryKeyConstraint("source_id", "number"),
)

events = _of_source(
    "events",
    # Every event of the contract; those behind the source's final block are pending and may go again.
    Column("block_number", Long, nullable=False),
    Column("log_index", Long, nullable=False),
    Column("block_hash", LargeBinary, nullable=False),
    Column("block_time", Long, nullable=False),
    Column("transaction_hash", LargeBinary, nullable=False),
    Column("name", Text, nullable=False),
    Column("topics", LargeBinary, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("source_id", "block_number", "log_index"),
    checked=False,
)

tokens = _table(
    "tokens",
    Column("chain_id", Long, nullable=False),
    Column("address", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("decimals", Integer, nullable=False),
    PrimaryKeyConstraint("chain_id", "address"),
)

pegs = _of_source(
    "pegs",
    # What the merchant declared, by the block from which on it holds; without a currency it ends an earlier one.
    Column("token", Text, nullable=False),
    Column("from_block", Long, nullable=False),
    Column("currency", Text),
    PrimaryKeyConstraint("source_id", "token", "from_block"),
)

rates = _table(
    "rates",
    # What a token was worth in a currency in a block: nothing but the evidence, out of which the rate follows (JSON).
    Column("chain_id", Long, nullable=False),
    Column("token", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("block_number", Long, nullable=False),
    Column("evidence", Text, nullable=False),
    PrimaryKeyConstraint("chain_id", "token", "currency", "block_number"),
)

registers = _of_source(
    "registers",
    Column("register_id", Long, nullable=False),
    Column("payee", Text, nullable=False),
    Column("token", Text, nullable=False),
    # How many subscriptions it has, and how many charges and refunds of them were ever made.
    Column("subscriptions", Long, nullable=False),
    Column("charges", Long, nullable=False),
    Column("refunds", Long, nullable=False),
    PrimaryKeyConstraint("source_id", "register_id"),
)

plans = _of_source(
    "plans",
    Column("plan_id", Long, nullable=False),
    Column("register_id", Long, nullable=False),
    # Who created it; who is paid now, its register says.
    Column("payee", Text, nullable=False),
    *_units("price_units"),
    Column("token", Text, nullable=False),
    Column("every", Long, nullable=False),
    Column("unit", Text, nullable=False),
    Column("catch_up", Integer, nullable=False),
    *_units("seat_price_units"),
    Column("trial", Long, nullable=False),
    Column("grace", Long, nullable=False),
    Column("min_charges", Integer, nullable=False),
    Column("max_charges", Integer, nullable=False),
    Column("fee_bps", Integer, nullable=False),
    Column("family", Integer, nullable=False),
    Column("fee_receiver", Text),
    *_units("usage_cap_units"),
    *_units("usage_price_units"),
    Column("biller", Text),
    Column("align_to", Long, nullable=False),
    Column("quoter", Text),
    *_flag("refunds_unused"),
    Column("protection", Long, nullable=False),
    Column("arbiter", Text),
    Column("ruling_timeout", Long, nullable=False),
    Column("default_payee_bps", Integer, nullable=False),
    Column("max_arbiter_fee_bps", Integer, nullable=False),
    *_flag("archived"),
    # The plans in other tokens that the payee offers in its place: their numbers, apart by blanks.
    Column("alternatives", Text, nullable=False),
    PrimaryKeyConstraint("source_id", "plan_id"),
)

subscriptions = _of_source(
    "subscriptions",
    Column("subscription_id", Long, nullable=False),
    Column("payer", Text, nullable=False),
    Column("plan_id", Long, nullable=False),
    Column("next_due", Long, nullable=False),
    Column("charges", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("anchor_day", Integer, nullable=False),
    Column("seats", Integer, nullable=False),
    *_units("credit_units"),
    *_flag("shifted"),
    # What usage cost up to its last charge, and that charge's number.
    *_units("usage_units"),
    Column("usage_charge", Integer, nullable=False),
    # What holds from the next period on; none where nothing is scheduled.
    Column("scheduled_plan_id", Long),
    Column("scheduled_seats", Integer),
    # What the payer limited charges to; of all together what is left, none where there is no such limit.
    *_units("max_per_period_units"),
    *_units("left_units", nullable=True),
    Column("ends_at", Long, nullable=False),
    # What a coupon takes off, and took off the period being served; none where none is running.
    Column("basis_points_off", Integer),
    *_units("amount_off_units", nullable=True),
    Column("discounted_periods", Integer),
    Column("discounted_plan_id", Long),
    *_units("last_discount_units", nullable=True),
    Column("beneficiary", Text),
    # The wallet that pays where the payer cannot, for which plan and seats, and the plan in another token that does.
    Column("fallback", Text),
    Column("fallback_plan_id", Long),
    Column("fallback_seats", Integer),
    Column("fallback_alternative_id", Long),
    *_flag("by_permit2"),
    *_flag("in_alternative"),
    PrimaryKeyConstraint("source_id", "subscription_id"),
    Index(None, "source_id", "status", "next_due"),
)

payments = _of_source(
    "payments",
    Column("payment_id", LargeBinary, nullable=False),
    # What the payer agreed to.
    Column("payer", Text, nullable=False),
    Column("payee", Text, nullable=False),
    Column("token", Text, nullable=False),
    *_units("amount_units"),
    Column("operator", Text),
    Column("authorize_before", Long, nullable=False),
    Column("capture_before", Long, nullable=False),
    Column("refund_before", Long, nullable=False),
    Column("dispute_window", Long, nullable=False),
    Column("arbiter", Text),
    Column("ruling_timeout", Long, nullable=False),
    Column("default_payee_bps", Integer, nullable=False),
    Column("max_arbiter_fee_bps", Integer, nullable=False),
    Column("min_fee_bps", Integer, nullable=False),
    Column("max_fee_bps", Integer, nullable=False),
    Column("fee_receiver", Text),
    Column("milestones_root", LargeBinary, nullable=False),
    *_units("salt"),
    # Who brought the money, where it was not the payer.
    Column("collector", Text),
    # Where it stands. The first four add up to the amount.
    Column("status", Text, nullable=False),
    *_units("held_units"),
    *_units("captured_units"),
    *_units("returned_units"),
    *_units("arbiter_units"),
    *_units("refunded_units"),
    Column("since", Long, nullable=False),
    Column("milestones", Integer, nullable=False),
    PrimaryKeyConstraint("source_id", "payment_id"),
    Index(None, "source_id", "payee"),
)

payment_totals = _of_source(
    "payment_totals",
    # How many payments were ever made, and of what amount in all.
    Column("payee", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("payments", Long, nullable=False),
    *_units("sum_units"),
    PrimaryKeyConstraint("source_id", "payee", "token"),
)

revoked_payments = _of_source(
    "revoked_payments",
    Column("payment_id", LargeBinary, nullable=False),
    PrimaryKeyConstraint("source_id", "payment_id"),
)

payment_invoices = _of_source(
    "payment_invoices",
    Column("kind", Text, nullable=False),
    Column("payee", Text, nullable=False),
    Column("number", Long, nullable=False),
    Column("payer", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("payment_id", LargeBinary, nullable=False),
    *_units("salt"),
    Column("occasion", Text, nullable=False),
    Column("milestone", Integer),
    *_units("total_units"),
    Column("fiat_currency", Text),
    *_units("fiat_units", nullable=True),
    Column("fiat_evidence", Text),
    Column("block_number", Long, nullable=False),
    Column("block_hash", LargeBinary, nullable=False),
    Column("block_time", Long, nullable=False),
    Column("transaction_hash", LargeBinary, nullable=False),
    Column("log_index", Long, nullable=False),
    PrimaryKeyConstraint("source_id", "kind", "payee", "number"),
    CheckConstraint("kind IN ('invoice', 'credit_note')", name="kind_known"),
    Index(None, "source_id", "payment_id"),
)

expected_payments = _of_source(
    "expected_payments",
    # What the merchant expects at deposit addresses: declared, not derived, like pegs.
    Column("receiver", Text, nullable=False),
    Column("invoice", LargeBinary, nullable=False),
    Column("address", Text, nullable=False),
    Column("token", Text, nullable=False),
    *_units("amount_units"),
    Column("valid_before", Long),
    *_units("tolerance_units"),
    # The token's, as the merchant saw them.
    Column("symbol", Text, nullable=False),
    Column("decimals", Integer, nullable=False),
    # The first block in which transfers to it are seen; none until the mirror takes notice of it.
    Column("from_block", Long),
    PrimaryKeyConstraint("source_id", "receiver", "invoice"),
)

deposits = _of_source(
    "deposits",
    # What came for an invoice in one token, whether it was expected or not.
    Column("receiver", Text, nullable=False),
    Column("invoice", LargeBinary, nullable=False),
    Column("token", Text, nullable=False),
    *_units("received_units"),
    *_units("standing_units"),
    *_units("advance_units"),
    *_units("credit_units"),
    # What was lacking when it was paid; none where it is not.
    *_units("waived_units", nullable=True),
    PrimaryKeyConstraint("source_id", "receiver", "invoice", "token"),
)

sales = _of_source(
    "sales",
    # What was sold once for an invoice, by quotes or at its deposit address, and given back.
    Column("merchant", Text, nullable=False),
    Column("invoice", LargeBinary, nullable=False),
    Column("token", Text, nullable=False),
    *_units("sold_units"),
    *_units("refunded_units"),
    PrimaryKeyConstraint("source_id", "merchant", "invoice", "token"),
)

quote_totals = _of_source(
    "quote_totals",
    # How many quotes were ever paid, and of what amount in all.
    Column("merchant", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("quotes", Long, nullable=False),
    *_units("sum_units"),
    PrimaryKeyConstraint("source_id", "merchant", "token"),
)

used_numbers = _of_source(
    "used_numbers",
    # A merchant's numbers that were paid or withdrawn: a bit for each of the 256 from word * 256 on.
    Column("merchant", Text, nullable=False),
    *_units("word"),
    *_units("bits"),
    PrimaryKeyConstraint("source_id", "merchant", "word"),
)

sale_invoices = _of_source(
    "sale_invoices",
    Column("kind", Text, nullable=False),
    Column("payee", Text, nullable=False),
    Column("number", Long, nullable=False),
    Column("payer", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("reference", LargeBinary, nullable=False),
    Column("paid_by", Text, nullable=False),
    Column("quote_id", LargeBinary),
    Column("address", Text),
    *_units("total_units"),
    *_units("waived_units"),
    Column("fiat_currency", Text),
    *_units("fiat_units", nullable=True),
    Column("fiat_evidence", Text),
    Column("block_number", Long, nullable=False),
    Column("block_hash", LargeBinary, nullable=False),
    Column("block_time", Long, nullable=False),
    Column("transaction_hash", LargeBinary, nullable=False),
    Column("log_index", Long, nullable=False),
    PrimaryKeyConstraint("source_id", "kind", "payee", "number"),
    CheckConstraint("kind IN ('invoice', 'credit_note')", name="kind_known"),
    Index(None, "source_id", "reference"),
)

evidence = _table(
    "evidence",
    # Documents of disputes; on chain stands their keccak-256 alone.
    Column("hash", LargeBinary, nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("hash"),
)

claimables = _of_source(
    "claimables",
    # What the contract keeps for an account that could not receive it; 0 after it was claimed.
    Column("account", Text, nullable=False),
    Column("token", Text, nullable=False),
    *_units("units"),
    PrimaryKeyConstraint("source_id", "account", "token"),
)

entries = _of_source(
    "entries",
    Column("entry_number", Long, nullable=False),
    Column("kind", Text, nullable=False),
    Column("block_number", Long, nullable=False),
    Column("block_hash", LargeBinary, nullable=False),
    Column("block_time", Long, nullable=False),
    Column("transaction_hash", LargeBinary, nullable=False),
    Column("log_index", Long, nullable=False),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("source_id", "entry_number"),
    checked=False,
)

postings = _of_source(
    "postings",
    Column("entry_number", Long, nullable=False),
    Column("position", Integer, nullable=False),
    Column("account", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("token", Text, nullable=False),
    *_units("units"),
    CheckConstraint("side IN ('D', 'C')", name="side_known"),
    PrimaryKeyConstraint("source_id", "entry_number", "position"),
    checked=False,
)


def _of_balances(name: str, *key: str) -> Table:
    """A table of balances: all that was debited and credited up to and including an entry, which is the last that moved
    the account before the row ends (`core.balances`)."""
    return _of_source(
        name,
        Column("account", Text, nullable=False),
        Column("token", Text, nullable=False),
        Column("entry_number", Long, nullable=False),
        *_units("debit_units", Sum),
        *_units("credit_units", Sum),
        PrimaryKeyConstraint("source_id", *key),
    )


balances = _of_balances("balances", "account", "token")
"""As they stand after the journal's last entry."""

past_balances = _of_balances("past_balances", "account", "token", "entry_number")
"""As they stood before the account moved again in a later stretch of the journal: from here a balance as of any entry
is found."""

invoices = _of_source(
    "invoices",
    # Numbered, so final: an invoice or credit note in an earlier state is derived from pending events when it is read.
    Column("kind", Text, nullable=False),
    Column("payee", Text, nullable=False),
    Column("number", Long, nullable=False),
    Column("payer", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("subscription_id", Long, nullable=False),
    Column("plan_id", Long, nullable=False),
    Column("charge_number", Integer, nullable=False),
    Column("period_start", Long, nullable=False),
    Column("period_end", Long, nullable=False),
    *_units("total_units"),
    Column("fiat_currency", Text),
    *_units("fiat_units", nullable=True),
    Column("fiat_evidence", Text),
    Column("corrects", Long),
    Column("block_number", Long, nullable=False),
    Column("block_hash", LargeBinary, nullable=False),
    Column("block_time", Long, nullable=False),
    Column("transaction_hash", LargeBinary, nullable=False),
    Column("log_index", Long, nullable=False),
    # Of a charge of usage.
    *_units("usage_quantity", nullable=True),
    Column("usage_hash", LargeBinary),
    # Of a price that was quoted: in units of the quoter, and in units of the token.
    *_units("quoted_price_units", nullable=True),
    *_units("quoted_amount_units", nullable=True),
    Column("quoter", Text),
    Column("paid_by", Text),
    Column("beneficiary", Text),
    Column("payment_id", LargeBinary),  # of a charge that the escrow holds
    PrimaryKeyConstraint("source_id", "kind", "payee", "number"),
    CheckConstraint("kind IN ('invoice', 'credit_note')", name="kind_known"),
    Index(None, "source_id", "subscription_id", "charge_number", "kind"),
    checked=False,
)

invoice_lines = _of_source(
    "invoice_lines",
    Column("kind", Text, nullable=False),
    Column("payee", Text, nullable=False),
    Column("number", Long, nullable=False),
    Column("position", Integer, nullable=False),
    Column("description", Text, nullable=False),
    Column("quantity", Long, nullable=False),
    # Negative on the line of a credit.
    *_signed_units("price_units"),
    *_signed_units("amount_units"),
    PrimaryKeyConstraint("source_id", "kind", "payee", "number", "position"),
    checked=False,
)

attempts = _of_source(
    "attempts",
    # What the biller tried and did not get; the chain knows nothing of charges that a dry run already declined.
    Column("subscription_id", Long, nullable=False),
    Column("due", Long, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("time", Long, nullable=False),
    Column("reason", Text, nullable=False),
    # When to try again; none: not again for this due time.
    Column("retry_at", Long),
    PrimaryKeyConstraint("source_id", "subscription_id", "due", "attempt"),
)

waits = _of_source(
    "waits",
    # Since which block nothing becomes final, because too few nodes give the same of it.
    Column("since_block", Long, nullable=False),
    Column("agreeing", Integer, nullable=False),
    Column("needed", Integer, nullable=False),
    Column("why", Text, nullable=False),
    PrimaryKeyConstraint("source_id"),
)

leases = _table(
    "leases",
    # Who leads in a role until when, so that two processes on one database do not do the same work.
    Column("role", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("expires_at", Long, nullable=False),
    PrimaryKeyConstraint("role"),
)


def _of_channels(name: str, *parts: Any) -> Table:
    """A table of payment channels: their terms, and the spending key that signs, where there is one."""
    return _table(
        name,
        Column("chain_id", Long, nullable=False),
        Column("contract", Text, nullable=False),
        Column("channel_id", LargeBinary, nullable=False),
        Column("payer", Text, nullable=False),
        Column("payer_authorizer", Text),
        Column("receiver", Text, nullable=False),
        Column("receiver_authorizer", Text, nullable=False),
        Column("token", Text, nullable=False),
        Column("withdraw_delay_s", Long, nullable=False),
        Column("salt", LargeBinary, nullable=False),
        Column("key", Text),
        *_units("key_limit_sum", nullable=True),
        Column("key_valid_before", Long),
        Column("key_signature", LargeBinary),
        *parts,
        PrimaryKeyConstraint("chain_id", "contract", "channel_id"),
    )


wallet_channels = _of_channels(
    "wallet_channels",
    # How far a payer has signed, written before a voucher leaves the house; no signature: nothing was signed here yet.
    *_units("signed_sum"),
    Column("signature", LargeBinary),
    *_units("usable_sum"),
    Column("day", Long, nullable=False),
    *_units("day_units"),
    # What the highest voucher was for, where whoever asked for it said so: asked for again, it is given again.
    Column("request", Text),
    *_units("request_units", nullable=True),
    # The payer's own limits; none: what the channel has.
    *_units("per_voucher", nullable=True),
    *_units("per_channel", nullable=True),
    *_units("per_day", nullable=True),
)

till_channels = _of_channels(
    "till_channels",
    # A merchant's highest voucher of each channel, and what of it was claimed when we last looked.
    *_units("taken_sum"),
    Column("signature", LargeBinary, nullable=False),
    *_units("claimed_sum"),
    Column("taken_at", Long, nullable=False),
    # Why a claim of it paid nothing, and never will: it is not tried again.
    Column("refusal", Text),
)

mirrored_channels = _of_source(
    "mirrored_channels",
    # Channels as of the final block: terms, and what they have since they were opened.
    Column("channel_id", LargeBinary, nullable=False),
    Column("payer", Text, nullable=False),
    Column("payer_authorizer", Text),
    Column("receiver", Text, nullable=False),
    Column("receiver_authorizer", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("withdraw_delay_s", Long, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("opening", Long, nullable=False),
    *_units("deposited_units"),
    *_units("claimed_units"),
    *_units("withdrawing_units"),
    Column("withdrawal_since", Long, nullable=False),
    *_flag("closing"),
    PrimaryKeyConstraint("source_id", "channel_id"),
)

receiver_totals = _of_source(
    "receiver_totals",
    # All that was ever claimed for a receiver, and paid out, as the contract counts.
    Column("receiver", Text, nullable=False),
    Column("token", Text, nullable=False),
    *_units("claimed_units"),
    *_units("settled_units"),
    PrimaryKeyConstraint("source_id", "receiver", "token"),
)
