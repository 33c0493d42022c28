"""What an invoice is called on chain: 32 bytes, which are text where people choose it."""

from __future__ import annotations

from tallystick.errors import InputError

REFERENCE_BYTES = 32


def parse_reference(text: str) -> bytes:
    """Text of up to 32 bytes as UTF-8, zeros behind it; or the 32 bytes themselves, as 0x and 64 hex digits.

    Raises InputError for an empty one, a longer one, or one with a zero byte, which could not be read back.
    """
    if text.startswith("0x") and len(text) == 2 + 2 * REFERENCE_BYTES:
        try:
            return bytes.fromhex(text[2:])
        except ValueError as error:
            raise InputError(f"found {text!r} for an invoice, allowed are 0x and 64 hex digits, or text") from error
    raw = text.encode()
    if not 0 < len(raw) <= REFERENCE_BYTES or b"\0" in raw:
        raise InputError(
            f"found {text!r} for an invoice ({len(raw)} bytes), allowed are 1 to {REFERENCE_BYTES} bytes of text: "
            "shorten it"
        )
    return raw.ljust(REFERENCE_BYTES, b"\0")


def shown_reference(reference: bytes) -> str:
    """The text that it is, or 0x and 64 hex digits where it is none that `parse_reference` would give back."""
    try:
        text = reference.rstrip(b"\0").decode()
        if text.isprintable() and parse_reference(text) == reference:
            return text
    except (UnicodeDecodeError, InputError):
        pass
    return "0x" + reference.hex()
