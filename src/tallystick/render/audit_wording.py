"""The words of an audit's report. English; a sentence says what was compared and never more than that.

What was checked follows "What is compared" in docs/audit.md, what was not "What trust remains".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from tallystick.render.statement import AuditedBooks, AuditedPack, Point

SUBSCRIPTIONS, ESCROW, CHECKOUT, CHANNELS = "Subscriptions", "Escrow", "Checkout", "Channels"
SWAPPER, X402 = "UniswapSwapper", "x402's channels"


def verdict(books: Sequence[AuditedBooks], pack: AuditedPack | None) -> str:
    """What came out, in a sentence."""
    differences = sum(one.difference_count for one in books)
    if differences:
        against = "the chain" if pack is None else "what the pack proves of the chain"
        return f"The books do not match {against}: {counted(differences, 'difference')} found."
    if pack is None:
        return (
            "The books match the chain: everything that was compared (events, journal, documents and the contracts' "
            "own counts) agrees to the last unit."
        )
    events = counted(sum(one.figures["events"] for one in books), "event")
    follow = f"{events} proven to be in its blocks, and journal, documents and counts follow from them"
    if pack.blocks_compared:
        return f"The books match what the pack proves of the chain: {follow}."
    return (
        f"The books match the blocks that the pack has: {follow}; whether these blocks are those of the chain was not "
        "compared with anything."
    )


def checked(books: Sequence[AuditedBooks], pack: AuditedPack | None, software: str) -> tuple[Point, ...]:
    """What was compared, in the order in which it was."""
    found = [_code(books, pack, software), *_blocks(books, pack)]
    for one in books:
        found += [_nothing(one, pack)] if one.is_empty else [_events(one, pack), _entries(one), *_WORDS[one.name](one)]
    return (*found, *_of_all(books))


def unchecked(books: Sequence[AuditedBooks], pack: AuditedPack | None) -> tuple[Point, ...]:
    """What rests on somebody's word, and what was not looked at."""
    found = [*(_word_of_node(books) if pack is None else _word_of_pack(pack))]
    found += [*_word_of_merchant(books), *_not_on_chain(books, pack)]
    return tuple(found)


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 event was`, `1,234 events were`."""
    return f"{_number(number, noun, plural)} {'was' if number == 1 else 'were'}"


def _number(number: int, noun: str, plural: str | None = None) -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


# --- What was checked -----------------------------------------------------------------------------------------------


def _code(books: Sequence[AuditedBooks], pack: AuditedPack | None, software: str) -> Point:
    names = ", ".join(one.name for one in books if one.name != X402)
    proven = "" if pack is None else ", as the pack proves it by the root of the chain's state"
    text = (
        f"Before anything else, the code at the addresses of {names}, and of the contracts that they call, was "
        f"compared byte by byte with the code that {software} ships{proven}. Other code would have ended the audit."
    )
    if any(one.name == X402 for one in books):
        text += " The contract of x402's channels is somebody else's, and its code was not compared."
    return Point("Code of the contracts", text)


def _blocks(books: Sequence[AuditedBooks], pack: AuditedPack | None) -> Iterator[Point]:
    if pack is not None:
        yield Point(
            "Proofs",
            f"The headers of {counted(pack.blocks, 'block')} hashed. "
            f"By the roots in them (Merkle-Patricia), {_number(pack.transactions, 'transaction')} and as many "
            "receipts, in which the events are, were shown to belong to these blocks, and "
            f"{_number(pack.proven_answers, 'answer')} of contracts to be what their storage says.",
        )
    if pack is not None and pack.blocks_compared:
        yield Point(
            "Hashes of the blocks",
            f"The hashes of {_number(pack.blocks_compared, 'block')} of the pack were compared with those that whoever "
            "ran the audit trusts. A block that is not among them would have ended the audit.",
        )
    whose = "the node" if pack is None else "the pack"
    theirs = " (of x402's channels, the configuration)" if any(one.name == X402 for one in books) else ""
    yield Point(
        "First and last block",
        f"The block with which the books of each contract begin was compared with the one that the manifest{theirs} "
        f"names, and hash and time of the one with which they end with the block of that number that {whose} has.",
    )


def _nothing(books: AuditedBooks, pack: AuditedPack | None) -> Point:
    return Point(
        f"{books.name}: nothing happened",
        f"{'The node tells' if pack is None else 'The pack has'} of no event of {books.name} {_range(books)}. The "
        "books were compared with that: they have 0 events, 0 journal entries and 0 documents of it.",
    )


def _events(books: AuditedBooks, pack: AuditedPack | None) -> Point:
    read = "read from the node again" if pack is None else "taken from the pack's receipts"
    return Point(
        f"{books.name}: events",
        f"{counted(books.figures['events'], 'event')} {read}, {_range(books)}, and compared with those in the "
        f"database: place, topics and data.{_RULES[books.name]}",
    )


def _entries(books: AuditedBooks) -> Point:
    return Point(
        f"{books.name}: journal",
        f"The journal has {_number(books.entries, 'entry', 'entries')}. What it has was compared with what follows "
        "from the events: number, postings, reference, and the hash that chains an entry to the one before. Each entry "
        "was also checked by itself: whether it balances, and has the hash of its own content.",
    )


def _documents(books: AuditedBooks) -> Point:
    return Point(
        f"{books.name}: documents",
        f"There are {_number(books.invoices, 'invoice')} and {_number(books.credit_notes, 'credit note')}. They were "
        "compared with what follows from the events: parties, lines, total, value, and the number, which each payee's "
        "series gives in the order of the chain and without gaps.",
    )


def _of_all(books: Sequence[AuditedBooks]) -> Iterator[Point]:
    """What is compared in the same way for each contract."""
    if any(one.tokens for one in books):
        yield Point(
            "Tokens",
            "Symbol and decimals of tokens were compared with what each token states of itself, in the block in which "
            f"it came into the books: {_each(books, lambda one: len(one.tokens))}.",
        )
    if any(one.pending_blocks for one in books):
        yield Point(
            "Younger blocks",
            "Behind the last final block, pending blocks and their events were compared, as far as the node has the "
            f"same ones: {_each(books, lambda one: one.pending_blocks)}.",
        )


def _each(books: Sequence[AuditedBooks], number: Callable[[AuditedBooks], int]) -> str:
    """`2 of Subscriptions, 1 of Escrow`."""
    return ", ".join(f"{number(one):,} of {one.name}" for one in books if number(one))


def _of_subscriptions(books: AuditedBooks) -> Iterator[Point]:
    figures = books.figures
    yield _documents(books)
    yield Point(
        f"{books.name}: how things stand",
        "Plans, subscriptions and registers (a payee's subscriptions in a token) after the last event, and what the "
        "contract keeps for accounts that could not receive it, were compared with what the events say. Rows that "
        "belong to nothing were looked for.",
    )
    yield Point(
        f"{books.name}: the contract's own counts",
        "For each payee and token, number and sum of all charges and refunds in the journal were compared with the "
        f"control totals that the contract itself keeps, in block {books.last_block.number}: "
        f"{_number(figures['charges_on_chain'], 'charge')} on chain and {figures['charges_in_ledger']:,} in the books, "
        f"{_number(figures['refunds_on_chain'], 'refund')} on chain and {figures['refunds_in_ledger']:,} in the books. "
        "So were the numbers of subscriptions, plans and registers, and what the contract keeps for accounts.",
    )


def _of_payments(books: AuditedBooks) -> Iterator[Point]:
    figures = books.figures
    yield _documents(books)
    yield Point(
        f"{books.name}: how things stand",
        "Escrow payments after the last event, which of them were revoked, and what the contract keeps for accounts, "
        "were compared with what the events say; protected charges of subscriptions with the payments that hold them.",
    )
    yield Point(
        f"{books.name}: the contract's own counts",
        "For each payee and token, number and sum of the payments in the journal were compared with what the contract "
        f"counts in block {books.last_block.number}: {_number(figures['payments_on_chain'], 'payment')} on chain and "
        f"{figures['payments_in_ledger']:,} in the books. So were the state of each payment, what is held for each "
        "payee, and what is kept for each account.",
    )
    yield from _balances(books)


def _of_sales(books: AuditedBooks) -> Iterator[Point]:
    figures = books.figures
    yield _documents(books)
    yield Point(
        f"{books.name}: how things stand",
        "What came and was sold for each invoice, which numbers of quotes were used, and what the contract keeps for "
        "accounts, were compared with what the events say.",
    )
    yield Point(
        f"{books.name}: the contract's own counts",
        "For each merchant and token, number and sum of the quotes in the journal were compared with what the contract "
        f"counts in block {books.last_block.number}: {_number(figures['quotes_on_chain'], 'quote')} on chain and "
        f"{figures['quotes_in_ledger']:,} in the books. So were the numbers that were used, and what is kept for each "
        "account.",
    )
    if figures["standing_compared"]:
        yield Point(
            f"{books.name}: deposit addresses",
            "What came to a deposit address and was not swept was compared with what the token says is there, for "
            f"{_number(figures['standing_compared'], 'pair')} of an address and a token that the merchant declared.",
        )


def _of_channels(books: AuditedBooks) -> Iterator[Point]:
    figures = books.figures
    yield Point(
        f"{books.name}: the contract's own counts",
        f"{counted(figures['channels'], 'channel')} compared with what the events say, and with what the contract "
        f"says in block {books.last_block.number}. So was what was claimed for each receiver and paid to it, by "
        f"{_number(figures['claims'], 'claim')} and {_number(figures['settlements'], 'settlement')} in the journal.",
    )
    yield from _balances(books)


def _of_conversions(books: AuditedBooks) -> Iterator[Point]:
    figures = books.figures
    looked_up = figures["rates"] - figures["rates_unchecked"]
    yield Point(
        f"{books.name}: rates",
        f"The events make {_number(figures['conversions'], 'conversion')}. The evidence of {looked_up:,} of "
        f"{_number(figures['rates'], 'recorded rate')} was looked up again.",
    )


def _balances(books: AuditedBooks) -> Iterator[Point]:
    if books.holdings:
        yield Point(
            f"{books.name}: what the contract holds",
            f"What the contract owes in {_number(len(books.holdings), 'token')} was held against its balance there; "
            "the table below has both.",
        )


def _range(books: AuditedBooks) -> str:
    return f"from block {books.first_block} to block {books.last_block.number}"


_CHANNEL_RULES = " Each had to be what the contract does with its channel after the events before it."
_RULES: Final[Mapping[str, str]] = MappingProxyType(
    {
        SUBSCRIPTIONS: (
            " Each had to be what the contract's rules make of those before it: amounts, periods, discounts, credit, "
            "fees, and the numbers of plans, subscriptions and charges, which have no gaps. What a quoter said of a "
            "price was taken from the chain."
        ),
        ESCROW: " Each had to be what the contract does by a payment's terms, of which the payment's id is the digest.",
        CHECKOUT: " Each had to be what the contract does with quotes and deposits after the events before it.",
        CHANNELS: _CHANNEL_RULES,
        X402: _CHANNEL_RULES,
        SWAPPER: "",
    }
)
_WORDS: Final[Mapping[str, Callable[[AuditedBooks], Iterator[Point]]]] = MappingProxyType(
    {
        SUBSCRIPTIONS: _of_subscriptions,
        ESCROW: _of_payments,
        CHECKOUT: _of_sales,
        CHANNELS: _of_channels,
        X402: _of_channels,
        SWAPPER: _of_conversions,
    }
)


# --- What was not ---------------------------------------------------------------------------------------------------


def _word_of_node(books: Sequence[AuditedBooks]) -> Iterator[Point]:
    yield Point(
        "The node",
        "All of it rests on the node that was asked. It could show a chain that is not the real one, consistently: "
        f"compare the hash of the last block with another source. {_LEFT_OUT.format(who='A node')}",
    )
    if not any(one.pending_blocks for one in books):
        yield Point("Younger blocks", "Of blocks behind the last final one none was compared.")


def _word_of_pack(pack: AuditedPack) -> Iterator[Point]:
    if pack.blocks_compared:
        text = (
            "All of it rests on the list of trusted hashes with which the pack's were compared. Where the list came "
            "from this report does not know."
        )
    else:
        text = (
            f"All of it rests on the hashes of {_number(pack.blocks, 'block')}, which were not compared with anything: "
            "whoever made up the blocks made up everything. `tallystick audit blocks` lists them."
        )
    yield Point("Hashes of the blocks", text)
    yield Point(
        "What may be missing", f"{_LEFT_OUT.format(who='Whoever made the pack')} Pending blocks are in no pack."
    )
    yield Point(
        "Numbers of logs",
        "The number of a log within its block is not proven where other transactions stand before its own, because a "
        "receipt does not say it.",
    )
    if pack.unproven_answers:
        yield Point(
            "Answers of tokens",
            f"{_number(pack.unproven_answers, 'answer')} of tokens (symbol, decimals, balances) are the word of the "
            "node with which the pack was made: no proof of them is known.",
        )
    if pack.unsigned_transactions:
        yield Point(
            "Transactions without a signature",
            f"{_number(pack.unsigned_transactions, 'transaction')} of {pack.transactions:,} have no signature, as only "
            "a test chain has them.",
        )


def _word_of_merchant(books: Sequence[AuditedBooks]) -> Iterator[Point]:
    pegs = {(peg.token, peg.from_block, peg.currency) for one in books for peg in one.pegs}
    if pegs:
        yield Point(
            "Worth of tokens",
            f"That a token is worth a currency at par is the merchant's word. Values of documents were derived with "
            f"{_number(len(pegs), 'declaration')}, as each contract's books record them. A table below has them: judge "
            "whether they were true.",
        )
    expected = sum(one.figures.get("expected", 0) for one in books)
    if expected:
        yield Point(
            "What was expected",
            f"What was to come to {_number(expected, 'deposit address', 'deposit addresses')} is the merchant's word. "
            "From it follows what counts for an invoice, and what is the customer's credit.",
        )
    if any(not holding.is_declared for one in books for holding in one.holdings):
        yield Point(
            "Undeclared tokens",
            "Anybody may bring tokens that lie. Where the merchant declared none of a token's worth, or in payment "
            "channels, a balance that is too low is said in the table of what contracts hold, and counts as no "
            "difference.",
        )


def _not_on_chain(books: Sequence[AuditedBooks], pack: AuditedPack | None) -> Iterator[Point]:
    named = {one.name: one for one in books}
    conversions = named.get(SWAPPER)
    if conversions is None:
        yield Point("Conversions", "No swapper is among these contracts: conversions and recorded rates were not read.")
    else:
        yield Point(
            "Conversions",
            "The swapper counts nothing, so that there is no total with which to compare: an exchange that was left "
            "out would not be found.",
        )
        if unlooked := conversions.figures["rates_unchecked"]:
            why = "the node does not keep the state of their blocks" if pack is None else "a pack has no node to ask"
            yield Point("Rates", f"{counted(unlooked, 'recorded rate')} not looked up again, because {why}.")
    if any(named[name].figures["channels"] for name in (CHANNELS, X402) if name in named):
        yield Point(
            "Vouchers", "Of vouchers that were not claimed no chain knows: what they are worth was not compared."
        )
    yield Point(
        "What no program says",
        "Who stands behind an address, whether a service was delivered, when income is to be recognised and what tax "
        "is due. Attempts to charge and retries are the merchant's own notes, and sales outside of these contracts are "
        "in no books here. Nobody outside of the project has audited this software or its contracts yet.",
    )


_LEFT_OUT: Final = (
    "{who} could also leave out, unseen: events that neither move money nor are numbered, while nothing builds on them "
    "(declines, cancellations, mandates, conditions, the newest changes); all escrow payments or all quotes of a payee "
    "in a token; refunds of what was sold once; and what came to deposit addresses in tokens whose worth nobody "
    "declared."
)
