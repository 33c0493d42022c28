// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {WalletDeployer} from "../WalletDeployer.sol";

/// @title WalletSignature
/// @notice Judges a signature of any account: by its key, by its code (ERC-1271), by both where it has both (EIP-7702),
/// or by code that is not there yet (ERC-6492).
/// @dev Not protected: gas. What the signer's code or a factory burns is lost to who submits the signature, and up to
/// the whole transaction; so never judge one in a batch that others share.
library WalletSignature {
    /// @dev Ends a signature of ERC-6492. A signature of a key cannot end so: its last byte is 27 or 28.
    bytes32 private constant MAGIC = 0x6492649264926492649264926492649264926492649264926492649264926492;

    /// @dev Of abi.encode(address, bytes, bytes): the head, which is followed by two lengths at the least.
    uint256 private constant HEAD = 0x60;

    /// @notice Whether `signer` signed `digest`. May call a factory that the signature names, through `deployer`,
    /// before it returns: the caller holds its reentrancy guard and has read nothing yet that such a call could change.
    function isValid(address signer, bytes32 digest, bytes calldata signature, WalletDeployer deployer)
        internal
        returns (bool)
    {
        if (_isWrapped(signature)) return _isValidWrapped(signer, digest, signature, deployer);
        (address recovered, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (err == ECDSA.RecoverError.NoError && recovered == signer) return true;
        return SignatureChecker.isValidERC1271SignatureNowCalldata(signer, digest, signature);
    }

    function _isWrapped(bytes calldata signature) private pure returns (bool) {
        return signature.length >= 0x20 && bytes32(signature[signature.length - 0x20:]) == MAGIC;
    }

    /// @dev A wallet that is there may answer at once. If not, the call may be one that prepares it: a change of its
    /// code or keys that the signature counts on.
    function _isValidWrapped(address signer, bytes32 digest, bytes calldata signature, WalletDeployer deployer)
        private
        returns (bool)
    {
        bytes calldata wrap = signature[:signature.length - 0x20];
        if (wrap.length < HEAD) return false;
        uint256 factory = uint256(bytes32(wrap));
        (bool dataFits, bytes calldata data) = _field(wrap, 0x20);
        (bool innerFits, bytes calldata inner) = _field(wrap, 0x40);
        if (factory > type(uint160).max || !dataFits || !innerFits) return false;
        if (signer.code.length != 0 && _accepts(signer, digest, inner)) return true;
        deployer.deploy(address(uint160(factory)), data);
        return _accepts(signer, digest, inner);
    }

    /// @dev An account without code answers nothing, which is no.
    function _accepts(address signer, bytes32 digest, bytes calldata inner) private view returns (bool) {
        return SignatureChecker.isValidERC1271SignatureNowCalldata(signer, digest, inner);
    }

    /// @dev The bytes whose offset stands at `at` in the head. They fit where offset, length and content lie within the
    /// wrap; abi.decode would revert where they do not.
    function _field(bytes calldata wrap, uint256 at) private pure returns (bool fits, bytes calldata field) {
        field = wrap[:0];
        uint256 offset = uint256(bytes32(wrap[at:]));
        if (offset > wrap.length - 0x20) return (false, field);
        uint256 length = uint256(bytes32(wrap[offset:]));
        uint256 start = offset + 0x20;
        if (length > wrap.length - start) return (false, field);
        return (true, wrap[start:start + length]);
    }
}
