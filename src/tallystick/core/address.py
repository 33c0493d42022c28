"""Addresses as people type them."""

from __future__ import annotations

from eth_utils.address import is_checksum_address, is_hex_address, to_checksum_address

from tallystick.errors import AddressInvalid

ZERO_ADDRESS = "0x" + "0" * 40


def parse_address(text: str) -> str:
    """The checksummed form (EIP-55) of an address with 0x and 40 hex digits.

    Raises AddressInvalid for anything else, also where capital letters give a checksum that does not fit.
    """
    found = text.strip()
    if not (found.startswith("0x") and is_hex_address(found)):
        raise AddressInvalid(f"found {text!r} for an address, allowed are 0x and 40 hex digits: copy it again, whole")
    if found[2:] not in {found[2:].lower(), found[2:].upper()} and not is_checksum_address(found):
        raise AddressInvalid(
            f"the address {found} fails its checksum (EIP-55), so a digit is mistyped: copy it again from its source"
        )
    return to_checksum_address(found)
