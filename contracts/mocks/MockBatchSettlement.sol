// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IChannels} from "../interfaces/IChannels.sol";
import {IDepositCollector} from "../interfaces/IDepositCollector.sol";
import {ChannelHash} from "../libraries/ChannelHash.sol";

/// @notice What x402's own deployment of `batch-settlement` counts and tells, for tests of the mirror: sums that do not
/// move on when a channel closes, and no closing of a channel that ever had a claim.
contract MockBatchSettlement is EIP712 {
    using SafeERC20 for IERC20;

    struct Sums {
        uint128 balance;
        uint128 totalClaimed;
    }

    struct Withdrawal {
        uint128 amount;
        uint40 initiatedAt;
    }

    struct Receiver {
        uint128 totalClaimed;
        uint128 totalSettled;
    }

    mapping(bytes32 channelId => Sums) public channels;
    mapping(bytes32 channelId => uint256) public refundNonce;
    mapping(bytes32 channelId => Withdrawal) public pendingWithdrawals;
    mapping(address receiver => mapping(address token => Receiver)) public receivers;

    error Refused();

    constructor() EIP712("x402 Batch Settlement", "1") {}

    function deposit(IChannels.ChannelConfig calldata config, uint128 amount, address collector, bytes calldata data)
        external
    {
        bytes32 id = getChannelId(config);
        Sums storage sums = channels[id];
        bool first = sums.balance == 0;
        sums.balance += amount;
        IDepositCollector(collector).collect(config.payer, config.token, amount, id, data);
        if (first) emit IChannels.ChannelCreated(id, config);
        emit IChannels.Deposited(id, msg.sender, amount, sums.balance);
    }

    function claim(IChannels.VoucherClaim[] calldata claims) external {
        for (uint256 i = 0; i < claims.length; ++i) {
            IChannels.ChannelConfig calldata config = claims[i].voucher.channel;
            (bytes32 id, uint128 total) = (getChannelId(config), claims[i].totalClaimed);
            Sums storage sums = channels[id];
            if (total <= sums.totalClaimed) continue;
            bytes32 digest = _hashTypedDataV4(ChannelHash.ofVoucher(id, claims[i].voucher.maxClaimableAmount));
            if (
                msg.sender != config.receiver || total > claims[i].voucher.maxClaimableAmount || total > sums.balance
                    || ECDSA.recover(digest, claims[i].signature) != config.payer
            ) revert Refused();
            uint128 more = total - sums.totalClaimed;
            sums.totalClaimed = total;
            receivers[config.receiver][config.token].totalClaimed += more;
            emit IChannels.Claimed(id, msg.sender, more, total);
        }
    }

    function settle(address receiver, address token) external {
        Receiver storage sums = receivers[receiver][token];
        uint128 amount = sums.totalClaimed - sums.totalSettled;
        if (amount == 0) return;
        sums.totalSettled = sums.totalClaimed;
        IERC20(token).safeTransfer(receiver, amount);
        emit IChannels.Settled(receiver, token, msg.sender, amount);
    }

    function refund(IChannels.ChannelConfig calldata config, uint128 amount) external {
        if (msg.sender != config.receiver) revert Refused();
        bytes32 id = getChannelId(config);
        ++refundNonce[id];
        uint128 back = _atMost(amount, id);
        if (back == 0) return;
        channels[id].balance -= back;
        Withdrawal storage asked = pendingWithdrawals[id];
        if (back >= asked.amount) delete pendingWithdrawals[id];
        else asked.amount -= back;
        emit IChannels.Refunded(id, msg.sender, back);
        _payBack(config, id, back);
    }

    function initiateWithdraw(IChannels.ChannelConfig calldata config, uint128 amount) external {
        bytes32 id = getChannelId(config);
        if (msg.sender != config.payer || pendingWithdrawals[id].initiatedAt != 0) revert Refused();
        if (amount == 0 || amount != _atMost(amount, id)) revert Refused();
        pendingWithdrawals[id] = Withdrawal(amount, uint40(block.timestamp));
        emit IChannels.WithdrawInitiated(id, amount, uint40(block.timestamp) + config.withdrawDelay);
    }

    function finalizeWithdraw(IChannels.ChannelConfig calldata config) external {
        bytes32 id = getChannelId(config);
        Withdrawal memory asked = pendingWithdrawals[id];
        if (asked.initiatedAt == 0 || block.timestamp < asked.initiatedAt + config.withdrawDelay) revert Refused();
        uint128 back = _atMost(asked.amount, id);
        delete pendingWithdrawals[id];
        channels[id].balance -= back;
        emit IChannels.WithdrawFinalized(id, msg.sender, back);
        _payBack(config, id, back);
    }

    function getChannelId(IChannels.ChannelConfig calldata config) public view returns (bytes32) {
        return _hashTypedDataV4(ChannelHash.ofConfig(config));
    }

    function _atMost(uint128 amount, bytes32 id) private view returns (uint128) {
        uint128 available = channels[id].balance - channels[id].totalClaimed;
        return amount < available ? amount : available;
    }

    function _payBack(IChannels.ChannelConfig calldata config, bytes32 id, uint128 amount) private {
        if (channels[id].balance == 0 && channels[id].totalClaimed == 0) emit IChannels.ChannelClosed(id, config);
        if (amount != 0) IERC20(config.token).safeTransfer(config.payer, amount);
    }
}
