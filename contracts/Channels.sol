// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IChannels} from "./interfaces/IChannels.sol";
import {ICollector} from "./interfaces/ICollector.sol";
import {IDepositCollector} from "./interfaces/IDepositCollector.sol";
import {ChannelHash} from "./libraries/ChannelHash.sol";
import {ChannelSlot, ChannelSlots} from "./libraries/ChannelSlot.sol";
import {ClaimRow, ClaimRows, SpendingKey} from "./libraries/ClaimRow.sol";
import {DepositFunding} from "./libraries/DepositFunding.sol";
import {PaymentFunding} from "./libraries/PaymentFunding.sol";
import {TokenCall} from "./libraries/TokenCall.sol";
import {VoucherSignature} from "./libraries/VoucherSignature.sol";

/// @title Channels
/// @notice See {IChannels}. Terms are hashed and come with each call; a channel is one word of storage, and a second one
/// once it was refunded or a withdrawal announced.
contract Channels is IChannels, EIP712, Multicall, ReentrancyGuardTransient {
    /// @notice Bounds of `withdrawDelay`, in seconds.
    uint40 public constant override MIN_WITHDRAW_DELAY = 15 minutes;
    uint40 public constant override MAX_WITHDRAW_DELAY = 30 days;

    /// @dev In a struct, so that what reads and writes it looks for its place once.
    struct ChannelState {
        ChannelSlot slot;
    }

    /// @dev What is rare, in one word.
    struct Exit {
        uint128 amount;
        uint40 since;
        bool closing;
        uint80 refunds;
    }

    struct ReceiverTotal {
        uint128 claimed;
        uint128 settled;
    }

    mapping(bytes32 channelId => ChannelState) private _channels;
    mapping(bytes32 channelId => Exit) private _exits;
    mapping(address receiver => mapping(address token => ReceiverTotal)) private _totals;

    constructor() EIP712("x402 Batch Settlement", "1") {}

    // ----------------------------------------------------------------- deposit

    /// @inheritdoc IChannels
    function deposit(ChannelConfig calldata config, uint128 amount, address collector, bytes calldata collectorData)
        external
        nonReentrant
    {
        if (collector.code.length == 0) revert NotAContract(collector);
        (bytes32 id, bool isNew, uint256 balance) = _count(config, amount);
        if (isNew) emit ChannelCreated(id, config);
        emit Deposited(id, msg.sender, amount, uint128(balance));
        uint256 balanceBefore = TokenCall.balanceOf(config.token, address(this));
        IDepositCollector(collector).collect(config.payer, config.token, amount, id, collectorData);
        _requireReceived(config.token, balanceBefore, amount);
    }

    /// @inheritdoc IChannels
    function fill(ChannelConfig calldata config, uint128 amount, Funding funding, bytes calldata data)
        external
        nonReentrant
    {
        (bytes32 id, bool isNew, uint256 balance) = _count(config, amount);
        if (isNew) _tellOpened(id, config, amount);
        else emit Deposited(id, msg.sender, amount, uint128(balance));
        (address token, address payer) = (config.token, config.payer);
        if (funding < Funding.Permit2) {
            if (funding == Funding.Permit) PaymentFunding.tryPermit(token, msg.sender, data);
            PaymentFunding.byAllowance(token, msg.sender, address(this), amount);
            return;
        }
        uint256 balanceBefore = TokenCall.balanceOf(token, address(this));
        if (funding == Funding.Authorization) {
            (uint256 validBefore, uint256 salt) = (uint40(bytes5(data)), uint256(bytes32(data[5:])));
            bytes32 nonce = DepositFunding.nonceOf(id, salt);
            PaymentFunding.receiveAuthorized(token, payer, amount, 0, validBefore, nonce, data[37:]);
        } else if (funding == Funding.Permit2) {
            DepositFunding.byPermit2(token, payer, address(this), amount, id, data);
        } else {
            ICollector(msg.sender).collect(id, token, payer, amount);
        }
        _requireReceived(token, balanceBefore, amount);
    }

    /// @dev Adds a deposit, which must arrive before the call ends.
    function _count(ChannelConfig calldata config, uint256 amount)
        private
        returns (bytes32 id, bool isNew, uint256 balance)
    {
        _requireSound(config);
        if (amount == 0) revert ZeroAmount();
        id = _idOf(config);
        ChannelState storage state = _channels[id];
        ChannelSlot slot = state.slot;
        uint256 deposited = ChannelSlots.amountOf(slot.balance());
        if (deposited + amount > ChannelSlots.MAX_AMOUNT) {
            revert DepositTooHigh(amount, ChannelSlots.MAX_AMOUNT - deposited);
        }
        slot = slot.withDeposit(amount);
        state.slot = slot;
        return (id, deposited == 0, slot.balance());
    }

    /// @dev With the terms as they lie in the calldata, where the compiler would take them apart and put them together
    /// again.
    function _tellOpened(bytes32 id, ChannelConfig calldata config, uint256 amount) private {
        bytes32 topic = ChannelOpened.selector;
        assembly ("memory-safe") {
            let words := mload(0x40)
            calldatacopy(words, config, 0xe0)
            mstore(add(words, 0xe0), amount)
            log3(words, 0x100, topic, id, caller())
        }
    }

    /// @dev Reads each field but the salt, so that the calldata is no other encoding of the terms than the one.
    function _requireSound(ChannelConfig calldata config) private view {
        (address payer, address receiver) = (config.payer, config.receiver);
        config.payerAuthorizer;
        if (payer == address(0) || receiver == address(0) || config.receiverAuthorizer == address(0)) {
            revert ZeroAddress();
        }
        if (payer == address(this) || receiver == address(this)) revert PartyRefused(address(this));
        uint256 delay = config.withdrawDelay;
        if (config.token.code.length == 0) revert NotAContract(config.token);
        if (delay < MIN_WITHDRAW_DELAY || delay > MAX_WITHDRAW_DELAY) {
            revert WithdrawDelayOutOfRange(delay, MIN_WITHDRAW_DELAY, MAX_WITHDRAW_DELAY);
        }
    }

    function _requireReceived(address token, uint256 balanceBefore, uint256 amount) private view {
        PaymentFunding.requireReceived(balanceBefore, TokenCall.balanceOf(token, address(this)), amount);
    }

    // ------------------------------------------------------------------- claim

    /// @inheritdoc IChannels
    function claim(VoucherClaim[] calldata voucherClaims) external nonReentrant {
        if (voucherClaims.length == 0) revert EmptyBatch();
        for (uint256 i; i < voucherClaims.length; ++i) {
            ChannelConfig calldata config = voucherClaims[i].voucher.channel;
            _requireReceiver(config.receiver, config.receiverAuthorizer);
            _claim(voucherClaims[i], _idOf(config));
        }
    }

    /// @inheritdoc IChannels
    function claimWithSignature(VoucherClaim[] calldata voucherClaims, bytes calldata authorizerSignature)
        external
        nonReentrant
    {
        if (voucherClaims.length == 0) revert EmptyBatch();
        address authorizer = voucherClaims[0].voucher.channel.receiverAuthorizer;
        bytes32[] memory ids = _idsOf(voucherClaims);
        bytes32 digest = _hashTypedDataV4(ChannelHash.ofClaimBatch(voucherClaims, ids));
        if (!VoucherSignature.isByAccount(authorizer, digest, authorizerSignature, gasleft())) {
            revert InvalidSignature(authorizer);
        }
        for (uint256 i; i < voucherClaims.length; ++i) {
            address found = voucherClaims[i].voucher.channel.receiverAuthorizer;
            if (found != authorizer) revert NotReceiverAuthorizer(found, authorizer);
            _claim(voucherClaims[i], ids[i]);
        }
    }

    /// @dev One that was claimed before does nothing; any other is claimed as it says, or reverts.
    function _claim(VoucherClaim calldata row, bytes32 id) private {
        ChannelConfig calldata config = row.voucher.channel;
        (uint256 most, uint256 total) = (row.voucher.maxClaimableAmount, row.totalClaimed);
        ChannelState storage state = _channels[id];
        ChannelSlot slot = state.slot;
        Refusal reason = _refusalOf(slot, most, total);
        if (reason == Refusal.Stale) return;
        if (reason == Refusal.None && total > slot.balance()) reason = Refusal.AboveBalance;
        if (reason == Refusal.None) {
            bytes32 digest = _hashTypedDataV4(ChannelHash.ofVoucher(id, most));
            bool signed = config.payerAuthorizer != address(0)
                ? VoucherSignature.isByKey(config.payerAuthorizer, digest, row.signature)
                : VoucherSignature.isByAccount(config.payer, digest, row.signature, gasleft());
            if (!signed) reason = Refusal.InvalidSignature;
        }
        if (reason != Refusal.None) revert ClaimRefused(id, reason);
        _totals[config.receiver][config.token].claimed += uint128(_record(state, slot, id, total));
    }

    /// @inheritdoc IChannels
    function claimRows(
        address receiver,
        address receiverAuthorizer,
        address token,
        uint40 withdrawDelay,
        bytes calldata rows
    ) external nonReentrant returns (uint256 claimed) {
        _requireReceiver(receiver, receiverAuthorizer);
        if (rows.length == 0) revert EmptyBatch();
        ClaimRow memory row = ClaimRows.blank(receiver, receiverAuthorizer, token, withdrawDelay);
        bytes32 domain = _domainSeparatorV4();
        uint256 at;
        while (at < rows.length) {
            bytes calldata signature;
            (signature, at) = row.read(rows, at);
            unchecked {
                claimed += _claimRow(row, signature, domain); // a call has no room for 2^160 rows of 96 bits
            }
        }
        if (claimed != 0) _payOut(receiver, token, claimed);
    }

    /// @dev As much as the voucher allows, the row asks for and the channel has; nothing where it cannot be claimed.
    function _claimRow(ClaimRow memory row, bytes calldata signature, bytes32 domain)
        private
        returns (uint256 claimed)
    {
        bytes32 id = MessageHashUtils.toTypedDataHash(domain, row.hash());
        ChannelState storage state = _channels[id];
        ChannelSlot slot = state.slot;
        (uint256 total, uint256 balance) = (row.total, slot.balance());
        Refusal reason = _refusalOf(slot, row.most, total);
        if (total > balance) total = balance;
        if (reason == Refusal.None) {
            if (total == slot.totalClaimed()) {
                reason = Refusal.AboveBalance;
            } else if (_isSigned(row, id, signature, domain)) {
                return _record(state, slot, id, total);
            } else {
                reason = _signatureRefusalOf(row, signature);
            }
        }
        emit ClaimSkipped(id, reason);
    }

    /// @dev What the sums say of a voucher, but for the balance.
    function _refusalOf(ChannelSlot slot, uint256 most, uint256 total) private pure returns (Refusal) {
        if (total <= slot.totalClaimed()) return Refusal.Stale;
        if (total > most) return Refusal.AboveVoucher;
        if (ChannelSlots.openingOf(most) != slot.opening()) return Refusal.LaterOpening;
        return Refusal.None;
    }

    function _isSigned(ClaimRow memory row, bytes32 id, bytes calldata signature, bytes32 domain)
        private
        view
        returns (bool)
    {
        bytes32 digest = MessageHashUtils.toTypedDataHash(domain, ChannelHash.ofVoucher(id, row.most));
        if (row.bySpendingKey) return _isSignedByKey(row, id, digest, signature, domain);
        if (row.payerAuthorizer == address(0)) return VoucherSignature.isByAccount(row.payer, digest, signature);
        return VoucherSignature.isByKey(row.payerAuthorizer, digest, signature);
    }

    /// @dev By a spending key within its limit and time, for which the payer signed.
    function _isSignedByKey(
        ClaimRow memory row,
        bytes32 id,
        bytes32 digest,
        bytes calldata signature,
        bytes32 domain
    ) private view returns (bool) {
        (SpendingKey memory key, bytes calldata ofVoucher, bytes calldata ofKey) = ClaimRows.readKey(signature);
        if (row.most > key.limit || block.timestamp >= key.validBefore) return false;
        bytes32 structHash = ChannelHash.ofSpendingKey(id, key.key, key.limit, key.validBefore);
        return VoucherSignature.isByKey(key.key, digest, ofVoucher)
            && VoucherSignature.isByAccount(row.payer, MessageHashUtils.toTypedDataHash(domain, structHash), ofKey);
    }

    /// @dev Why a row is not signed. Of a spending key it says what its signature says, whether or not that is one.
    function _signatureRefusalOf(ClaimRow memory row, bytes calldata signature) private view returns (Refusal) {
        if (!row.bySpendingKey) return Refusal.InvalidSignature;
        (SpendingKey memory key,,) = ClaimRows.readKey(signature);
        if (key.key != address(0)) {
            if (block.timestamp >= key.validBefore) return Refusal.KeyExpired;
            if (row.most > key.limit) return Refusal.AboveLimit;
        }
        return Refusal.InvalidSignature;
    }

    function _record(ChannelState storage state, ChannelSlot slot, bytes32 id, uint256 total)
        private
        returns (uint256 claimed)
    {
        unchecked {
            claimed = total - slot.totalClaimed(); // the caller compared them
        }
        state.slot = slot.withClaimed(total);
        emit Claimed(id, msg.sender, uint128(claimed), uint128(total));
    }

    /// @dev A receiver who cannot receive it keeps what was claimed (E07).
    function _payOut(address receiver, address token, uint256 claimed) private {
        ReceiverTotal storage total = _totals[receiver][token];
        // 2^32 rows of the largest amount would be more than it holds; a batch has no room for them.
        (uint128 sum, uint128 settled) = (total.claimed + uint128(claimed), total.settled);
        (total.claimed, total.settled) = (sum, sum);
        if (TokenCall.tryTransfer(token, receiver, sum - settled)) {
            emit Settled(receiver, token, msg.sender, sum - settled);
        } else {
            total.settled = settled;
        }
    }

    /// @inheritdoc IChannels
    function settle(address receiver, address token) external nonReentrant {
        ReceiverTotal storage total = _totals[receiver][token];
        (uint128 sum, uint128 settled) = (total.claimed, total.settled);
        if (sum == settled) return;
        total.settled = sum;
        emit Settled(receiver, token, msg.sender, sum - settled);
        _send(token, receiver, sum - settled);
    }

    function _requireReceiver(address receiver, address receiverAuthorizer) private view {
        if (msg.sender != receiver && msg.sender != receiverAuthorizer) revert NotAuthorized(msg.sender);
    }

    // -------------------------------------------------------- refund, withdraw

    /// @inheritdoc IChannels
    function refund(ChannelConfig calldata config, uint128 amount) external nonReentrant {
        _requireReceiver(config.receiver, config.receiverAuthorizer);
        _refund(config, _idOf(config), amount);
    }

    /// @inheritdoc IChannels
    function refundWithSignature(
        ChannelConfig calldata config,
        uint128 amount,
        uint256 nonce,
        bytes calldata receiverAuthorizerSignature
    ) external nonReentrant {
        bytes32 id = _idOf(config);
        if (nonce != _exits[id].refunds) revert InvalidRefundNonce(nonce, _exits[id].refunds);
        address authorizer = config.receiverAuthorizer;
        bytes32 digest = _hashTypedDataV4(ChannelHash.ofRefund(id, nonce, amount));
        if (!VoucherSignature.isByAccount(authorizer, digest, receiverAuthorizerSignature, gasleft())) {
            revert InvalidSignature(authorizer);
        }
        _refund(config, id, amount);
    }

    /// @dev A refund uses up its nonce also where nothing is left to give back. It counts towards a withdrawal that was
    /// announced; one that gives back all that was asked for ends it, and closes the channel if that would have.
    function _refund(ChannelConfig calldata config, bytes32 id, uint128 amount) private {
        if (amount == 0) revert ZeroAmount();
        ChannelSlot slot = _channels[id].slot;
        Exit memory exit = _exits[id];
        if (amount > slot.available()) amount = uint128(slot.available());
        exit.refunds += 1;
        bool fulfils = exit.since != 0 && amount >= exit.amount;
        bool closing = amount != 0 && (amount == slot.available() || fulfils && exit.closing);
        if (fulfils || closing) {
            (exit.amount, exit.since, exit.closing) = (0, 0, false);
        } else if (exit.since != 0) {
            exit.amount -= amount;
        }
        _exits[id] = exit;
        if (amount == 0) return;
        emit Refunded(id, msg.sender, amount);
        _payBack(config, id, slot, amount, closing);
    }

    /// @inheritdoc IChannels
    function initiateWithdraw(ChannelConfig calldata config, uint128 amount) external nonReentrant {
        _requirePayer(config);
        if (amount == 0) revert ZeroAmount();
        bytes32 id = _idOf(config);
        Exit storage exit = _exits[id];
        if (exit.since != 0) revert WithdrawalPending(id, exit.since);
        uint128 available = uint128(_channels[id].slot.available());
        if (amount == type(uint128).max) amount = available;
        if (amount > available || amount == 0) revert WithdrawalTooHigh(amount, available);
        (exit.amount, exit.since, exit.closing) = (amount, uint40(block.timestamp), amount == available);
        emit WithdrawInitiated(id, amount, uint40(block.timestamp) + config.withdrawDelay);
    }

    /// @inheritdoc IChannels
    function finalizeWithdraw(ChannelConfig calldata config) external nonReentrant {
        _requirePayer(config);
        bytes32 id = _idOf(config);
        Exit storage exit = _exits[id];
        uint256 since = exit.since;
        if (since == 0) revert NoWithdrawal(id);
        uint256 until = since + config.withdrawDelay;
        if (block.timestamp < until) revert WithdrawalTooEarly(until, block.timestamp);
        ChannelSlot slot = _channels[id].slot;
        uint256 available = slot.available();
        uint256 amount = exit.amount < available ? exit.amount : available;
        bool closing = exit.closing || amount == available;
        (exit.amount, exit.since, exit.closing) = (0, 0, false);
        emit WithdrawFinalized(id, msg.sender, uint128(amount));
        _payBack(config, id, slot, amount, closing);
    }

    /// @dev The caller holds the bound: no more than is available.
    function _payBack(ChannelConfig calldata config, bytes32 id, ChannelSlot slot, uint256 amount, bool closing)
        private
    {
        slot = slot.withPaidBack(amount);
        if (closing) {
            slot = slot.reopened();
            emit ChannelClosed(id, config);
            if (slot.available() != 0) emit ChannelCreated(id, config);
        }
        _channels[id].slot = slot;
        if (amount != 0) _send(config.token, config.payer, amount);
    }

    function _requirePayer(ChannelConfig calldata config) private view {
        if (msg.sender != config.payer && msg.sender != config.payerAuthorizer) revert NotAuthorized(msg.sender);
    }

    function _send(address token, address to, uint256 amount) private {
        if (!SafeERC20.trySafeTransfer(IERC20(token), to, amount)) revert TokenRefused(token);
    }

    // ------------------------------------------------------------------- views

    /// @inheritdoc IChannels
    function getChannelId(ChannelConfig calldata config) external view returns (bytes32) {
        return _idOf(config);
    }

    /// @inheritdoc IChannels
    function channels(bytes32 channelId) external view returns (uint128 balance, uint128 totalClaimed) {
        ChannelSlot slot = _channels[channelId].slot;
        return (uint128(slot.balance()), uint128(slot.totalClaimed()));
    }

    /// @inheritdoc IChannels
    function pendingWithdrawals(bytes32 channelId) external view returns (uint128 amount, uint40 initiatedAt) {
        Exit storage exit = _exits[channelId];
        return (exit.amount, exit.since);
    }

    /// @inheritdoc IChannels
    function receivers(address receiver, address token)
        external
        view
        returns (uint128 totalClaimed, uint128 totalSettled)
    {
        ReceiverTotal storage total = _totals[receiver][token];
        return (total.claimed, total.settled);
    }

    /// @inheritdoc IChannels
    function refundNonce(bytes32 channelId) external view returns (uint256) {
        return _exits[channelId].refunds;
    }

    /// @inheritdoc IChannels
    function channel(bytes32 channelId) external view returns (Channel memory) {
        ChannelSlot slot = _channels[channelId].slot;
        Exit memory exit = _exits[channelId];
        return Channel({
            opening: slot.opening(),
            deposited: ChannelSlots.amountOf(slot.balance()),
            claimed: ChannelSlots.amountOf(slot.totalClaimed()),
            withdrawing: exit.amount,
            withdrawalSince: exit.since,
            closing: exit.closing,
            refunds: exit.refunds
        });
    }

    /// @inheritdoc IChannels
    function getVoucherDigest(bytes32 channelId, uint128 maxClaimableAmount) external view returns (bytes32) {
        return _hashTypedDataV4(ChannelHash.ofVoucher(channelId, maxClaimableAmount));
    }

    /// @inheritdoc IChannels
    function getRefundDigest(bytes32 channelId, uint256 nonce, uint128 amount) external view returns (bytes32) {
        return _hashTypedDataV4(ChannelHash.ofRefund(channelId, nonce, amount));
    }

    /// @inheritdoc IChannels
    function getClaimBatchDigest(VoucherClaim[] calldata voucherClaims) external view returns (bytes32) {
        return _hashTypedDataV4(ChannelHash.ofClaimBatch(voucherClaims, _idsOf(voucherClaims)));
    }

    /// @inheritdoc IChannels
    function getSpendingKeyDigest(bytes32 channelId, address key, uint128 maxClaimableAmount, uint40 validBefore)
        external
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(ChannelHash.ofSpendingKey(channelId, key, maxClaimableAmount, validBefore));
    }

    function _idOf(ChannelConfig calldata config) private view returns (bytes32) {
        return _hashTypedDataV4(ChannelHash.ofConfig(config));
    }

    function _idsOf(VoucherClaim[] calldata rows) private view returns (bytes32[] memory ids) {
        ids = new bytes32[](rows.length);
        for (uint256 i; i < rows.length; ++i) {
            ids[i] = _idOf(rows[i].voucher.channel);
        }
    }
}
