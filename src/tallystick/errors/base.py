"""What everything that Tallystick raises has in common, and values that are not what they should be."""

from __future__ import annotations


class TallystickError(Exception):
    """Base of all. `retryable`: the same call may succeed later without anybody changing anything."""

    retryable: bool = False

    def __init__(self, message: str, *, retryable: bool | None = None) -> None:
        super().__init__(message)
        if retryable is not None:
            self.retryable = retryable


class InputError(TallystickError):
    """A value from the caller is not what it should be."""


class AddressInvalid(InputError):
    """Not 0x and 40 hex digits, or its checksum (EIP-55) says that it was mistyped."""


class PermitUnsupported(InputError):
    """The token takes no EIP-2612 permits, or none that can be built for certain."""


class ForeignPlan(InputError):
    """A plan that is not the merchant's own: `what` of it (payee, token or number) was `found`, which is none of those
    `allowed`."""

    def __init__(self, plan_id: int, what: str, found: str | int, allowed: tuple[str | int, ...]) -> None:
        self.plan_id = plan_id
        self.what = what
        self.found = found
        self.allowed = allowed
        super().__init__(str(self))
        self.args = (plan_id, what, found, allowed)  # so that it can be pickled

    def __str__(self) -> str:
        names = ", ".join(map(str, self.allowed))
        does = {"payee": "pays", "token": "is paid in"}.get(self.what, "has the number")
        return (
            f"plan {self.plan_id} is not the merchant's: it {does} {self.found}, allowed are {names}. Anyone can "
            f"create a plan, so give nothing for it; if it is yours, add the {self.what} to {OWN_PLAN_KEYS[self.what]}"
        )


OWN_PLAN_KEYS = {"payee": "merchant.payees", "token": "merchant.tokens", "number": "merchant.plans"}
"""Where the configuration says what makes a plan the merchant's own."""


class MoneyError(TallystickError):
    """An amount that is none, or a sum that cannot be."""


class AmountInvalid(MoneyError):
    """Text or weights that are no amount."""


class AssetMismatch(MoneyError):
    """Two assets in one sum."""


class ConfigError(TallystickError):
    """tallystick.toml, a TALLYSTICK_* variable or a flag is wrong, or something needed is nowhere."""
