"""Payments: their ids, what is signed for them, proofs of milestones, by code that shares nothing with the package."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core import payment
from tallystick.core.funding import permit2_data, permit_data
from tallystick.core.payment import Milestone, PaymentTerms, milestone_proof, milestones_root
from tallystick.core.permit import TokenDomain

CHAIN = 8_453
CONTRACT = "0x4444444444444444444444444444444444444444"
KEY = b"\x01" * 32
TYPE = (
    "Payment(address payer,address payee,address token,uint256 amount,address operator,uint256 authorizeBefore,"
    "uint256 captureBefore,uint256 refundBefore,uint256 disputeWindowSeconds,address arbiter,"
    "uint256 rulingTimeoutSeconds,uint256 defaultPayeeBasisPoints,uint256 maxArbiterFeeBasisPoints,"
    "uint256 minFeeBasisPoints,uint256 maxFeeBasisPoints,address feeReceiver,bytes32 milestonesRoot,uint256 salt)"
)
KINDS = [field.split()[0] for field in TYPE.partition("(")[2].removesuffix(")").split(",")]

addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
seconds = st.integers(0, 2**40 - 1)
spans = st.integers(0, 2**32 - 1)
parts = st.integers(0, 2**16 - 1)
words = st.integers(0, 2**256 - 1)
all_terms = st.builds(
    PaymentTerms,
    payer=addresses,
    payee=addresses,
    token=addresses,
    amount_units=st.integers(0, payment.MOST_UNITS),
    authorize_before=st.integers(1, 2**40 - 1),
    capture_before=seconds,
    refund_before=seconds,
    salt=words,
    operator=addresses,
    dispute_window_s=spans,
    arbiter=addresses,
    ruling_timeout_s=spans,
    default_payee_bps=parts,
    max_arbiter_fee_bps=parts,
    min_fee_bps=parts,
    max_fee_bps=parts,
    fee_receiver=addresses,
    milestones_root=st.binary(min_size=32, max_size=32),
)
milestone_lists = st.lists(
    st.builds(Milestone, st.integers(0, 19), words, words), min_size=1, max_size=20, unique_by=lambda one: one.index
)
TERMS = PaymentTerms("0x" + "11" * 20, "0x" + "22" * 20, "0x" + "33" * 20, 100, 1_000, 2_000, 3_000, 7)


def digest(data: dict[str, Any]) -> bytes:
    """What is signed of a message, by eth-account."""
    signable = encode_typed_data(full_message=data)
    return keccak(b"\x19\x01" + signable.header + signable.body)


def struct_hash(terms: PaymentTerms) -> bytes:
    """EIP-712's, by the ABI."""
    return keccak(encode(["bytes32", *KINDS], [keccak(text=TYPE), *terms.words]))


# --- Ids ---


@given(all_terms)
def test_a_payment_is_named_by_what_its_payer_signs(terms: PaymentTerms) -> None:
    named = terms.payment_id(chain_id=CHAIN, contract=CONTRACT)
    assert named == digest(payment.typed_data(terms, chain_id=CHAIN, contract=CONTRACT))
    domain_type = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    domain = [keccak(text=domain_type), keccak(text="Tallystick Escrow"), keccak(text="1"), CHAIN, CONTRACT]
    separator = keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], domain))
    assert named == keccak(b"\x19\x01" + separator + struct_hash(terms))


def test_E12_another_chain_or_contract_is_another_payment() -> None:
    here = TERMS.payment_id(chain_id=CHAIN, contract=CONTRACT)
    elsewhere = TERMS.payment_id(chain_id=1, contract=CONTRACT), TERMS.payment_id(chain_id=CHAIN, contract=TERMS.payer)
    assert len({here, *elsewhere}) == 3


@pytest.mark.parametrize("name", PaymentTerms.__slots__)
def test_each_term_is_a_part_of_the_name(name: str) -> None:
    value = getattr(TERMS, name)
    others: dict[type, Any] = {int: 99, str: "0x" + "99" * 20, bytes: b"\x01" * 32}
    changed = others[type(value)]
    assert replace(TERMS, **{name: changed}).struct_hash() != TERMS.struct_hash()


def test_a_wallet_shows_every_term_by_its_name() -> None:
    shown = payment.typed_data(TERMS, chain_id=CHAIN, contract=CONTRACT)
    assert [field["type"] for field in shown["types"]["Payment"]] == KINDS
    assert list(shown["message"].values()) == list(TERMS.words)
    assert shown["message"]["captureBefore"] == TERMS.capture_before
    assert shown["domain"] == {
        "name": "Tallystick Escrow",
        "version": "1",
        "chainId": CHAIN,
        "verifyingContract": CONTRACT,
    }


# --- What is signed elsewhere ---


@given(all_terms, words)
def test_permit2_signs_the_terms_as_the_witness(terms: PaymentTerms, nonce: int) -> None:
    """As Permit2's PermitHash.hashWithWitness has it, of the type that the contract hands over."""
    witness_type = f"Payment witness){TYPE}TokenPermissions(address token,uint256 amount)"
    outer = "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,"
    permitted_type = keccak(text="TokenPermissions(address token,uint256 amount)")
    permitted = encode(["bytes32", "address", "uint256"], [permitted_type, terms.token, terms.amount_units])
    values = [keccak(text=outer + witness_type), keccak(permitted), CONTRACT, nonce, terms.authorize_before - 1]
    kinds = ["bytes32", "bytes32", "address", "uint256", "uint256", "bytes32"]
    inner = keccak(encode(kinds, [*values, struct_hash(terms)]))
    domain_type = keccak(text="EIP712Domain(string name,uint256 chainId,address verifyingContract)")
    domain = [domain_type, keccak(text="Permit2"), CHAIN, "0x000000000022D473030F116dDEE9F6B43aC78BA3"]
    separator = keccak(encode(["bytes32", "bytes32", "uint256", "address"], domain))
    asked = payment.permit2_typed_data(terms, nonce=nonce, chain_id=CHAIN, contract=CONTRACT)
    assert digest(asked) == keccak(b"\x19\x01" + separator + inner)


@given(all_terms)
def test_an_authorization_is_of_this_payment(terms: PaymentTerms) -> None:
    """As ERC-3009 has it, in USDC's domain."""
    domain = TokenDomain("USD Coin", "2", CHAIN, terms.token)
    kind = "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,"
    kinds = ["bytes32", "address", "address", "uint256", "uint256", "uint256", "bytes32"]
    named = terms.payment_id(chain_id=CHAIN, contract=CONTRACT)
    values = [keccak(text=f"{kind}bytes32 nonce)"), terms.payer, CONTRACT, terms.amount_units, 0]
    inner = keccak(encode(kinds, [*values, terms.authorize_before, named]))
    asked = payment.authorization_typed_data(terms, domain, contract=CONTRACT)
    assert digest(asked) == keccak(b"\x19\x01" + domain.separator() + inner)


def test_the_data_of_a_permit_and_of_permit2_are_words_and_a_signature() -> None:
    signature = bytes(
        Account.sign_typed_data(KEY, full_message=payment.typed_data(TERMS, chain_id=1, contract=CONTRACT)).signature
    )
    r, s = b"\x02" * 32, b"\x03" * 32
    head = encode(["uint256", "uint256", "uint8", "bytes32", "bytes32"], [100, 2**256 - 1, 28, r, s])
    assert permit_data(100, 2**256 - 1, 28, r, s) == head
    assert permit_data(100, 2**256 - 1, 28, r, s, signature) == head + signature
    assert permit2_data(258, signature) == encode(["uint256"], [258]) + signature


# --- Milestones ---


def proven(leaf: bytes, proof: list[bytes]) -> bytes:
    """The root that a proof leads to: OpenZeppelin's MerkleProof.processProof."""
    for sibling in proof:
        leaf = keccak(leaf + sibling if leaf < sibling else sibling + leaf)
    return leaf


def leaf_of(milestone: Milestone) -> bytes:
    """OpenZeppelin's StandardMerkleTree: the ABI's words, hashed twice."""
    values = [milestone.index, milestone.amount_units, milestone.releasable_at]
    return keccak(keccak(encode(["uint256"] * 3, values)))


@given(milestone_lists)
def test_every_milestone_is_proven_and_no_other(milestones: list[Milestone]) -> None:
    root = milestones_root(milestones)
    for milestone in milestones:
        proof = milestone_proof(milestones, milestone.index)
        assert proven(leaf_of(milestone), proof) == root
        other = replace(milestone, amount_units=milestone.amount_units ^ 1)
        assert proven(leaf_of(other), proof) != root


@pytest.mark.parametrize("count", range(1, 21))
def test_proofs_of_every_number_of_milestones(count: int) -> None:
    milestones = [Milestone(index, 10 + index, 1_000 * index) for index in range(count)]
    root = milestones_root(milestones)
    proofs = [milestone_proof(milestones, index) for index in range(count)]
    assert [proven(leaf_of(one), proof) for one, proof in zip(milestones, proofs, strict=True)] == [root] * count
    assert max(len(proof) for proof in proofs) == (count - 1).bit_length()


def test_one_milestone_is_its_own_tree() -> None:
    only = Milestone(19, 5, 0)
    assert milestones_root([only]) == leaf_of(only)
    assert milestone_proof([only], 19) == []


def test_a_milestone_that_is_not_there_has_no_proof() -> None:
    with pytest.raises(StopIteration):
        milestone_proof([Milestone(0, 5, 0)], 1)
