"""Every error that Tallystick raises, as one tree.

    TallystickError
      MoneyError
        AmountInvalid         text or weights that are no amount
        AssetMismatch         two assets in one sum
      DeploymentError
        DeploymentMissing     no manifest, no code at its address, or no factory to create it with
        DeploymentMismatch    another chain, another version or other code than this package was made for
        ManifestInvalid       the manifest's file is not what it should be

Each message says what was found, what was allowed, and what to do.
"""

from __future__ import annotations


class TallystickError(Exception):
    """Base of all."""


class DeploymentError(TallystickError):
    """The contracts are not there, or not the right ones."""


class DeploymentMissing(DeploymentError):
    """No manifest, no code at its address, or no factory to create it with."""


class DeploymentMismatch(DeploymentError):
    """Another chain, another version or other code than this package was made for."""


class ManifestInvalid(DeploymentError):
    """The manifest's file is not what it should be."""


class MoneyError(TallystickError):
    """An amount that is none, or a sum that cannot be."""


class AmountInvalid(MoneyError):
    """Text or weights that are no amount."""


class AssetMismatch(MoneyError):
    """Two assets in one sum."""
