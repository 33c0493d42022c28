"""What is deployed."""

from __future__ import annotations

from tallystick.errors.base import TallystickError


class DeploymentError(TallystickError):
    """The contracts are not there, or not the right ones."""


class DeploymentMissing(DeploymentError):
    """No manifest, no code at its address, or no factory to create it with."""


class DeploymentMismatch(DeploymentError):
    """Another chain, another version or other code than this package was made for."""


class ManifestInvalid(DeploymentError):
    """The manifest's file is not what it should be."""
