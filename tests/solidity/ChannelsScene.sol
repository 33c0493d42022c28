// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IChannels} from "../../contracts/interfaces/IChannels.sol";
import {MockToken} from "../../contracts/mocks/MockToken.sol";
import {MockUSDC} from "../../contracts/mocks/MockUSDC.sol";
import {MockWallet} from "../../contracts/mocks/MockWallet.sol";
import {Bringer, WitnessedTransfer} from "./EscrowScene.sol";
import {Forge} from "./Forge.sol";
import {PERMIT2} from "./Permit2.sol";

/// @notice Who is party to channels, what is signed for them, written anew from the documentation, and the contract as
/// Ape compiled it.
abstract contract ChannelsScene is Forge {
    uint256 internal constant START = 1_801_389_600; // 31 January 2027, 10:00
    uint256 internal constant PAYER_KEY = 0xA11CE;
    uint256 internal constant VOUCHER_KEY = 0x50E4D;
    uint256 internal constant SPENDING_KEY = 0x50E4E;
    uint256 internal constant AUTHORIZER_KEY = 0xA47;
    uint40 internal constant DELAY = 1 days;
    uint256 internal constant OPENING = 1 << 96;

    IChannels internal channels;
    MockToken internal token;
    MockUSDC internal usdc;
    MockWallet internal wallet;
    Bringer internal bringer;
    address internal payer = vm.addr(PAYER_KEY);
    address internal authorizer = vm.addr(AUTHORIZER_KEY);
    address internal receiver = address(0xBEEF);
    address internal stranger = address(0xc0ffee);

    function _build() internal {
        vm.warp(START);
        channels = IChannels(_create(_creationCode("Channels")));
        (token, usdc, bringer) = (new MockToken("Mock Dollar", "MUSD", 6), new MockUSDC(), new Bringer());
        wallet = new MockWallet();
        wallet.setSigner(payer);
        vm.etch(PERMIT2, type(WitnessedTransfer).runtimeCode);
    }

    /// @dev As Ape compiled it: the code that is shipped.
    function _creationCode(string memory name) internal view virtual returns (bytes memory) {
        string memory key = string.concat(".contractTypes.", name, ".deploymentBytecode.bytecode");
        return vm.parseJsonBytes(vm.readFile(".build/__local__.json"), key);
    }

    function _create(bytes memory code) internal returns (address created) {
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
        }
        vm.assertTrue(created != address(0), "created");
    }

    // ------------------------------------------------------------------ terms

    /// @dev The payer signs its vouchers itself.
    function _config(uint256 salt) internal view returns (IChannels.ChannelConfig memory) {
        return
            IChannels.ChannelConfig(payer, address(0), receiver, authorizer, address(token), DELAY, bytes32(salt));
    }

    function _digest(bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("x402 Batch Settlement"),
                keccak256("1"),
                block.chainid,
                address(channels)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function _idOf(IChannels.ChannelConfig memory config) internal view returns (bytes32) {
        bytes32 kind = keccak256(
            "ChannelConfig(address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)"
        );
        return _digest(keccak256(abi.encode(kind, config)));
    }

    // ----------------------------------------------------------------- signed

    function _signed(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _voucherDigest(bytes32 id, uint128 most) internal view returns (bytes32) {
        return _digest(keccak256(abi.encode(keccak256("Voucher(bytes32 channelId,uint128 maxClaimableAmount)"), id, most)));
    }

    function _voucher(uint256 key, IChannels.ChannelConfig memory config, uint128 most)
        internal
        view
        returns (bytes memory)
    {
        return _signed(key, _voucherDigest(_idOf(config), most));
    }

    function _claimOf(uint256 key, IChannels.ChannelConfig memory config, uint128 most, uint128 total)
        internal
        view
        returns (IChannels.VoucherClaim memory)
    {
        return IChannels.VoucherClaim(IChannels.Voucher(config, most), _voucher(key, config, most), total);
    }

    function _batchSignature(uint256 key, IChannels.VoucherClaim[] memory claims)
        internal
        view
        returns (bytes memory)
    {
        bytes32 kind = keccak256("ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)");
        bytes memory entries;
        for (uint256 i = 0; i < claims.length; ++i) {
            bytes32 id = _idOf(claims[i].voucher.channel);
            bytes memory entry = abi.encode(kind, id, claims[i].voucher.maxClaimableAmount, claims[i].totalClaimed);
            entries = bytes.concat(entries, keccak256(entry));
        }
        bytes32 batch = keccak256(
            "ClaimBatch(ClaimEntry[] claims)ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)"
        );
        return _signed(key, _digest(keccak256(abi.encode(batch, keccak256(entries)))));
    }

    function _refundSignature(uint256 key, bytes32 id, uint256 nonce, uint128 amount)
        internal
        view
        returns (bytes memory)
    {
        bytes32 kind = keccak256("Refund(bytes32 channelId,uint256 nonce,uint128 amount)");
        return _signed(key, _digest(keccak256(abi.encode(kind, id, nonce, amount))));
    }

    /// @dev Key, limit, time, the key's signature of the voucher, the owner's of the key.
    function _bySpendingKey(uint256 owner, bytes32 id, uint128 most, uint128 limit, uint40 validBefore)
        internal
        view
        returns (bytes memory)
    {
        address key = vm.addr(SPENDING_KEY);
        bytes32 kind =
            keccak256("SpendingKey(bytes32 channelId,address key,uint128 maxClaimableAmount,uint40 validBefore)");
        bytes memory ofKey = _signed(owner, _digest(keccak256(abi.encode(kind, id, key, limit, validBefore))));
        return abi.encodePacked(key, limit, validBefore, _signed(SPENDING_KEY, _voucherDigest(id, most)), ofKey);
    }

    /// @dev A part where `total` is not zero.
    function _row(
        IChannels.ChannelConfig memory config,
        uint128 most,
        uint128 total,
        bytes memory signature,
        bool bySpendingKey
    ) internal pure returns (bytes memory) {
        uint256 size = signature.length | (total != 0 ? 1 << 14 : 0) | (bySpendingKey ? 1 << 15 : 0);
        bytes memory head =
            abi.encodePacked(config.payer, config.payerAuthorizer, config.salt, most, uint16(size));
        return bytes.concat(head, total != 0 ? abi.encodePacked(total) : bytes(""), signature);
    }

    /// @dev An EIP-2612 permit to the contract in the mock token.
    function _permit(uint256 key, address spender, uint256 value) internal view returns (bytes memory) {
        bytes32 kind = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        address owner = vm.addr(key);
        bytes32 inner =
            keccak256(abi.encode(kind, owner, spender, value, token.nonces(owner), type(uint256).max));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), inner));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encode(value, type(uint256).max, v, r, s);
    }

    /// @dev USDC's ERC-3009, valid from 0.
    function _authorization(
        uint256 key,
        address from,
        address to,
        uint256 amount,
        uint256 validBefore,
        bytes32 id,
        uint256 salt
    ) internal view returns (bytes memory) {
        bytes32 inner = keccak256(
            abi.encode(
                usdc.RECEIVE_WITH_AUTHORIZATION_TYPEHASH(),
                from,
                to,
                amount,
                0,
                validBefore,
                keccak256(abi.encode(id, salt))
            )
        );
        return _signed(key, keccak256(abi.encodePacked(hex"1901", usdc.DOMAIN_SEPARATOR(), inner)));
    }

    /// @dev The payer tells what stands for Permit2 what it would have signed there; what `fill` or a collector takes.
    function _agreesInPermit2(
        IChannels.ChannelConfig memory config,
        address spender,
        uint256 amount,
        uint256 nonce,
        bytes memory permit
    ) internal returns (bytes memory) {
        WitnessedTransfer.PermitTransferFrom memory transfer;
        transfer.permitted = WitnessedTransfer.TokenPermissions(config.token, amount);
        (transfer.nonce, transfer.deadline) = (nonce, block.timestamp);
        bytes32 witness = keccak256(abi.encode(keccak256("DepositWitness(bytes32 channelId)"), _idOf(config)));
        string memory kind =
            "DepositWitness witness)DepositWitness(bytes32 channelId)TokenPermissions(address token,uint256 amount)";
        bytes32 agreement = WitnessedTransfer(PERMIT2).agreementOf(transfer, spender, witness, kind);
        vm.prank(config.payer);
        WitnessedTransfer(PERMIT2).agree(agreement);
        return abi.encode(nonce, block.timestamp, bytes("unread"), permit);
    }
}
