"""Blocks of every kind of transaction back into the bytes that their hashes are made of, on a real chain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from tallystick.chain.rpc import Rpc
from tallystick.chain.sealed import encode_header, read_sealed
from tallystick.core.block import parse_header
from tallystick.core.block_proof import BlockProof, ProvenBlock, TransactionPlace, prove_block, read_proof
from tallystick.errors import ProofInvalid, Unprovable
from tallystick.testing import Anvil
from tests.business import Business, calldata
from tests.chain.mocks import created

FEES = {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 1}
LIST = [{"address": "0x" + "11" * 20, "storageKeys": ["0x" + "22" * 32]}]


@pytest.fixture
def signed(business: Business) -> Callable[..., int]:
    """Sends a signed transaction with these fields, which mints money so that it has logs; its block."""
    anvil, key = business.anvil, business.anvil.key(0)
    sender = Account.from_key(key).address

    def send(**fields: Any) -> int:
        nonce = int(anvil.rpc("eth_getTransactionCount", sender, "latest"), 16)
        data = calldata("MockUSDC", "mint", sender, 5)
        call = {"chainId": anvil.chain_id, "nonce": nonce, "to": business.token, "value": 0, "gas": 300_000}
        done = Account.sign_transaction(call | {"data": data} | fields, key)
        sent = anvil.rpc("eth_sendRawTransaction", "0x" + bytes(done.raw_transaction).hex())
        return int(anvil.receipt(sent)["blockNumber"], 16)

    return send


def logs_of(anvil: Anvil, block: int) -> list[tuple[str, int, str, str]]:
    """What the node says of a block's logs."""
    found = anvil.rpc("eth_getLogs", {"fromBlock": hex(block), "toBlock": hex(block)})
    return [(log["transactionHash"], int(log["logIndex"], 16), log["address"], log["data"]) for log in found]


def proven(anvil: Anvil, number: int) -> ProvenBlock:
    block = read_sealed(Rpc(anvil.url), number)
    return read_proof(prove_block(block.header, block.transactions, block.receipts, block.places.values()))


def shown(block: ProvenBlock) -> list[tuple[str, int, str, str]]:
    return [
        (f"0x{origin.transaction_hash.hex()}", origin.log_index, f"0x{log.address.hex()}", f"0x{log.data.hex()}")
        for origin, log in block.logs
    ]


def test_every_kind_of_transaction(business: Business, signed: Callable[..., int]) -> None:
    anvil = business.anvil
    wallet = Account.from_key(anvil.key(3))
    nonce = int(anvil.rpc("eth_getTransactionCount", wallet.address, "latest"), 16)
    authorization = wallet.sign_authorization({"chainId": anvil.chain_id, "address": business.token, "nonce": nonce})
    kinds = {
        0: signed(gasPrice=10**10),
        1: signed(gasPrice=10**10, type=1, accessList=LIST),
        2: signed(**FEES, type=2, accessList=LIST),
        4: signed(**FEES, type=4, authorizationList=[authorization]),
    }
    for kind, number in kinds.items():
        (transaction,) = anvil.rpc("eth_getBlockByNumber", hex(number), True)["transactions"]
        assert int(transaction["type"], 16) == kind
        block = proven(anvil, number)
        assert shown(block) == logs_of(anvil, number) != []
        assert (block.transactions, block.unsigned) == (1, 0)
        sealed = read_sealed(Rpc(anvil.url), number)
        (place,) = sealed.places.values()
        lie = TransactionPlace(place.index, place.first_log, business.operator)
        with pytest.raises(ProofInvalid, match="that is signed is told to have no signature"):
            read_proof(prove_block(sealed.header, sealed.transactions, sealed.receipts, [lie]))


def test_a_transaction_that_creates_a_contract_and_one_that_nobody_signed(business: Business) -> None:
    created(business, "MockWETH")
    business.mint(business.payee, 5)
    head = int(business.anvil.rpc("eth_blockNumber"), 16)
    for number in range(head + 1):
        assert shown(proven(business.anvil, number)) == logs_of(business.anvil, number)
    assert proven(business.anvil, head).unsigned == 1


def test_a_block_of_many_transactions_is_proven_by_what_matters(business: Business) -> None:
    anvil = business.anvil
    anvil.rpc("evm_setAutomine", False)
    calls = [calldata("MockUSDC", "mint", business.payee, number) for number in range(40)]
    request = {"from": business.operator, "to": business.token, "gas": hex(100_000)}
    sent = [anvil.rpc("eth_sendTransaction", request | {"data": data}) for data in calls]
    anvil.rpc("anvil_mine", "0x1")
    anvil.rpc("evm_setAutomine", True)
    number = int(anvil.receipt(sent[0])["blockNumber"], 16)
    block = read_sealed(Rpc(anvil.url), number)
    asked = [place for place in block.places.values() if place.index in {3, 17, 39}]
    proof = prove_block(block.header, block.transactions, block.receipts, asked)
    found, every = shown(read_proof(proof)), logs_of(anvil, number)
    assert found == [every[3], every[17], every[39]]
    nodes = sum(map(len, proof.receipt_nodes))
    whole = prove_block(block.header, block.transactions, block.receipts, block.places.values())
    assert nodes * 4 < sum(map(len, whole.receipt_nodes))
    for wrong, message in (
        ({"transactions": proof.transactions[::-1]}, "not in their order"),
        ({"receipt_nodes": proof.receipt_nodes[:-1]}, "it is not whole"),
        ({"transaction_nodes": []}, "it is not whole"),
        ({"header": proof.header[:-2]}, "is no RLP"),
        ({"header": "zz"}, "is no hex"),
    ):
        with pytest.raises(ProofInvalid, match=message):
            read_proof(changed(proof, **wrong))


def changed(proof: BlockProof, **fields: Any) -> BlockProof:
    return BlockProof(**{name: getattr(proof, name) for name in proof.__struct_fields__} | fields)


def test_a_node_whose_parts_do_not_make_the_hash_gives_no_proof(business: Business) -> None:
    business.mint(business.payee, 5)
    anvil = business.anvil
    head = anvil.rpc("eth_blockNumber")
    number = int(head, 16)

    class Lying(Rpc):
        """Changes one answer."""

        def __init__(self, method: str, change: Callable[[Any], Any]) -> None:
            super().__init__(anvil.url)
            self.method, self.change = method, change

        def call(self, kind: Any, method: str, *params: Any) -> Any:
            found = super().call(kind, method, *params)
            return self.change(found) if method == self.method else found

    def receipt(**fields: Any) -> Callable[[Any], Any]:
        return lambda found: [found[0] | fields]

    for method, change, message in (
        ("eth_getBlockByNumber", lambda block: block | {"timestamp": "0x1"}, "the header of block"),
        ("eth_getBlockByNumber", lambda block: block | {"transactions": []}, "not of a kind known here"),
        ("eth_getBlockByNumber", lambda _: None, "has no block"),
        ("eth_getBlockReceipts", receipt(cumulativeGasUsed="0x1"), "the receipts of block"),
        ("eth_getBlockReceipts", receipt(logs=[]), "the receipts of block"),
        ("eth_getBlockByNumber", lambda block: block | {"transactions": [{"type": "0x99"}]}, "not of a kind known"),
    ):
        with pytest.raises(Unprovable, match=message):
            read_sealed(Lying(method, change), number)
    block = anvil.rpc("eth_getBlockByNumber", head, True)
    assert keccak(encode_header(block)).hex() == block["hash"][2:]
    with pytest.raises(ProofInvalid, match="a header of 3 fields is none"):
        parse_header(b"\xc3\x01\x02\x03")
