"""The JSON documents that a court's interface reads, as ERC-1497 has them: the question, and what a party shows.

https://github.com/ethereum/EIPs/issues/1497. Whoever has a document hosts it where the court can read it; on chain
stands where. Hashes are written as Archon, the library of Kleros' interface, reads them.
"""

from __future__ import annotations

import json

from eth_utils.crypto import keccak

from tallystick.core.court import CourtRuling

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_KECCAK_256 = bytes([0x1B, 0x40])
"""How a multihash says that 64 bytes of Keccak-256 follow: https://multiformats.io/multihash/. It would have 32, but
Archon writes and expects the digest's hex digits."""
_RULINGS = {
    CourtRuling.FOR_PAYER: ("For the payer", "The payer gets back all that is held."),
    CourtRuling.FOR_PAYEE: ("For the payee", "The payee receives all that is held."),
    CourtRuling.AS_JUDGED: (
        "As the judge decided",
        "What is held is divided as the judge decided. Where there was no judge: by the default of the terms.",
    ),
}


def multihash(keccak_hash: bytes) -> str:
    """A Keccak-256 as courts' interfaces read hashes: a multihash of its hex digits, in base 58."""
    number = int.from_bytes(_KECCAK_256 + keccak_hash.hex().encode(), "big")
    digits = ""
    while number:
        number, place = divmod(number, len(_BASE58))
        digits = _BASE58[place] + digits
    return digits


def question_document(
    *,
    title: str,
    description: str,
    question: str,
    policy_uri: str | None = None,
    policy_hash: bytes | None = None,
    policy_extension: str | None = None,
) -> str:
    """What a court is asked, and what each of its rulings means: the `MetaEvidence` of an arbiter, as JSON.

    The titles are in the order of the rulings, from 1 on: courts count so. `policy_uri` is where the document is by
    which the court judges, `policy_hash` its Keccak-256.
    """
    titles = [_RULINGS[ruling][0] for ruling in CourtRuling if ruling in _RULINGS]
    descriptions = [_RULINGS[ruling][1] for ruling in CourtRuling if ruling in _RULINGS]
    values = {
        "category": "Escrow",
        "title": title,
        "description": description,
        "question": question,
        "rulingOptions": {"type": "single-select", "titles": titles, "descriptions": descriptions},
    }
    return _rendered(values | _file(policy_uri, policy_hash, policy_extension))


def exhibit_document(
    *, name: str, description: str, file_uri: str, file_hash: bytes, file_extension: str | None = None
) -> str:
    """What a party shows a court: the `Evidence` of a payment, as JSON. `file_hash` is the file's Keccak-256, by which
    the escrow knows it as well."""
    return _rendered({"name": name, "description": description} | _file(file_uri, file_hash, file_extension))


def _file(uri: str | None, keccak_hash: bytes | None, extension: str | None) -> dict[str, object]:
    values = {
        "fileURI": uri,
        "fileHash": None if keccak_hash is None else multihash(keccak_hash),
        "fileTypeExtension": extension,
    }
    return {name: value for name, value in values.items() if value is not None}


def _rendered(values: dict[str, object]) -> str:
    """With the hash of all the rest, without blanks, which says no more than that it arrived whole."""
    plain = json.dumps(values, separators=(",", ":"), ensure_ascii=False)
    values = values | {"selfHash": multihash(keccak(text=plain))}
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
