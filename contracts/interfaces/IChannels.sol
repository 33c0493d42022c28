// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IChannels
/// @notice Payment channels from a payer to a receiver: the payer deposits, signs vouchers off chain for a sum that only
/// grows, and the receiver claims the newest of them whenever it pays to. Nobody owns it. The functions, events and
/// signed types of x402's `batch-settlement` scheme, so that its clients, servers and facilitators work with it; beside
/// them `fill` and `claimRows`, which cost less and in which no row stops another.
///
/// A channel is its terms, hashed. What it has is counted in two sums that only grow while it is open: `balance`, all
/// that was deposited less what was given back, and `totalClaimed`. A voucher names a third, which it must not exceed.
///
/// Closing: a refund or withdrawal that leaves nothing, and a withdrawal that asked for everything, close the channel.
/// Its sums then go on from the next multiple of 2^96, so that whatever was signed before lies below what counts as
/// claimed and is worth nothing any more, also when the channel is opened again. Between two closings a channel takes
/// less than 2^96 units.
///
/// Not protected: tokens whose balances change by themselves (all channels in a token share what the contract has of
/// it); a receiver who takes vouchers and does not claim them before a withdrawal that everyone can see; a payer whose
/// spending key signs more than was used, up to what is in the channel: the receiver says how much of a voucher it
/// claims.
interface IChannels {
    /// @notice The terms of a channel, signed as EIP-712 under the name "x402 Batch Settlement", version "1":
    /// `ChannelConfig(address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,
    /// uint40 withdrawDelay,bytes32 salt)`. The digest, of this contract on this chain, is the channel's id.
    /// @param payer Whose money it is that was not claimed; receives refunds and withdrawals.
    /// @param payerAuthorizer The key that signs vouchers. Zero: the payer, by its key or by its code.
    /// @param receiver Receives what is claimed.
    /// @param receiverAuthorizer May claim and refund for the receiver, also by signature. Not zero.
    /// @param withdrawDelay Seconds that the receiver has to claim once a withdrawal is announced.
    /// @param salt Makes two channels with the same terms two.
    struct ChannelConfig {
        address payer;
        address payerAuthorizer;
        address receiver;
        address receiverAuthorizer;
        address token;
        uint40 withdrawDelay;
        bytes32 salt;
    }

    /// @notice Signed as `Voucher(bytes32 channelId,uint128 maxClaimableAmount)`.
    struct Voucher {
        ChannelConfig channel;
        uint128 maxClaimableAmount;
    }

    /// @param totalClaimed What the channel's sum is to be after the claim: no more than the voucher says.
    struct VoucherClaim {
        Voucher voucher;
        bytes signature;
        uint128 totalClaimed;
    }

    /// @notice How the money comes in `fill`, and what `data` is.
    ///
    /// `Allowance`: the caller's own, by allowance to this contract; data is not read. `Permit`: as before, with an
    /// EIP-2612 permit of the caller: value, deadline, v, r and s, a word each. `Permit2`: the payer's, by Permit2's
    /// SignatureTransfer with `DepositWitness(bytes32 channelId)` as the witness; data is abi.encode(uint256 nonce,
    /// uint256 deadline, bytes signature, bytes permit), the last an EIP-2612 permit for Permit2, abi-encoded, or empty.
    /// `Authorization`: the payer's, by an ERC-3009 `receiveWithAuthorization` to this contract, valid from 0, whose nonce
    /// is keccak256(abi.encode(channelId, salt)); data is packed: validBefore 5 | salt 32 | signature. `Collector`: the
    /// caller is an {ICollector} and brings it; data is not read.
    enum Funding {
        Allowance,
        Permit,
        Permit2,
        Authorization,
        Collector
    }

    /// @notice Why a voucher pays nothing. `Stale`: no more than what was claimed already. `AboveVoucher`: more was asked
    /// for than it says. `LaterOpening`: it is for the channel after another closing. `AboveBalance`: the channel does
    /// not have it. `InvalidSignature`: not by who may sign for the channel. `AboveLimit`, `KeyExpired`: of a spending
    /// key whose limit or time is over.
    enum Refusal {
        None,
        Stale,
        AboveVoucher,
        LaterOpening,
        AboveBalance,
        InvalidSignature,
        AboveLimit,
        KeyExpired
    }

    /// @notice A channel as readers see it.
    /// @param opening How many times it was closed.
    /// @param deposited Units that were deposited since it was opened, less what was given back.
    /// @param claimed Units of them that the receiver claimed.
    /// @param withdrawing Units that the payer asked back.
    /// @param withdrawalSince When it asked; zero: it did not. It can be paid out `withdrawDelay` later.
    /// @param closing Whether it asked for everything, so that paying it out closes the channel.
    /// @param refunds How many refunds there were: the nonce of the next.
    struct Channel {
        uint256 opening;
        uint256 deposited;
        uint256 claimed;
        uint256 withdrawing;
        uint256 withdrawalSince;
        bool closing;
        uint256 refunds;
    }

    // ------------------------------------------------------------------ events

    /// @notice The channel is open, for the first time or again.
    event ChannelCreated(bytes32 indexed channelId, ChannelConfig config);
    /// @notice The same by `fill`, and its first deposit: in place of `ChannelCreated` and `Deposited`.
    event ChannelOpened(bytes32 indexed channelId, address indexed sender, ChannelConfig config, uint128 amount);
    /// @notice Vouchers signed until now are worth nothing any more. Where something was left, because it came in while a
    /// withdrawal of everything was under way, the channel is opened again with it in the same transaction.
    event ChannelClosed(bytes32 indexed channelId, ChannelConfig config);
    event Deposited(bytes32 indexed channelId, address indexed sender, uint128 amount, uint128 newBalance);
    event Claimed(bytes32 indexed channelId, address indexed sender, uint128 claimAmount, uint128 newTotalClaimed);
    /// @notice A row of `claimRows` paid nothing.
    event ClaimSkipped(bytes32 indexed channelId, Refusal reason);
    /// @notice What was claimed went to the receiver.
    event Settled(address indexed receiver, address indexed token, address indexed sender, uint128 amount);
    event Refunded(bytes32 indexed channelId, address indexed sender, uint128 amount);
    event WithdrawInitiated(bytes32 indexed channelId, uint128 amount, uint40 finalizeAfter);
    event WithdrawFinalized(bytes32 indexed channelId, address indexed sender, uint128 amount);

    // ------------------------------------------------------------------ errors

    error ZeroAddress();
    error ZeroAmount();
    error NotAContract(address account);
    /// @notice Payer or receiver is this contract.
    error PartyRefused(address party);
    error WithdrawDelayOutOfRange(uint256 found, uint256 least, uint256 most);
    /// @notice More than a channel takes between two closings.
    error DepositTooHigh(uint256 amount, uint256 most);
    error AllowanceTooLow(uint256 found, uint256 needed);
    error BalanceTooLow(uint256 found, uint256 needed);
    /// @notice The token reverted, returned false, or is no contract.
    error TokenRefused(address token);
    /// @notice Less came than was to be deposited (a fee on transfer, a collector that brought too little).
    error AmountMismatch(uint256 received, uint256 expected);
    error NotAuthorized(address caller);
    error InvalidSignature(address signer);
    error EmptyBatch();
    /// @notice A row of another receiver's authorizer than the one who signed the batch.
    error NotReceiverAuthorizer(address found, address expected);
    error ClaimRefused(bytes32 channelId, Refusal reason);
    /// @notice The last row ends before all of it was said.
    error RowCutOff(uint256 found, uint256 needed);
    error InvalidRefundNonce(uint256 found, uint256 expected);
    error WithdrawalPending(bytes32 channelId, uint256 since);
    error WithdrawalTooHigh(uint256 requested, uint256 available);
    error NoWithdrawal(bytes32 channelId);
    error WithdrawalTooEarly(uint256 until, uint256 time);

    // ----------------------------------------------------------------- deposit

    /// @notice Opens a channel or adds to it, with what a collector brings. Anyone may; it resets no timer.
    /// @param amount Arrives whole, or nothing happens.
    /// @param collector See {IDepositCollector}.
    function deposit(
        ChannelConfig calldata config,
        uint128 amount,
        address collector,
        bytes calldata collectorData
    ) external;

    /// @notice As `deposit`, with the money coming here without a collector between.
    function fill(ChannelConfig calldata config, uint128 amount, Funding funding, bytes calldata data) external;

    // ------------------------------------------------------------------- claim

    /// @notice Counts vouchers as claimed, by receiver or its authorizer: all of them, or none where one cannot be
    /// (except those that were before, which do nothing). `settle` pays them out.
    function claim(VoucherClaim[] calldata voucherClaims) external;

    /// @notice As `claim`, by anyone, with the signature of the receiver's authorizer, one for all rows:
    /// `ClaimBatch(ClaimEntry[] claims)ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)`.
    function claimWithSignature(VoucherClaim[] calldata voucherClaims, bytes calldata authorizerSignature) external;

    /// @notice Claims vouchers of many channels that have receiver, authorizer, token and delay in common, and pays them
    /// out together with what was claimed before. By receiver or authorizer. A row that cannot be claimed is skipped; of
    /// a voucher above what the channel has, that much is claimed, and the rest once there is more. Where the receiver
    /// cannot receive it, it stays for `settle`.
    /// @param rows One after the other, packed:
    ///
    ///     payer 20 | payerAuthorizer 20 | salt 32 | maxClaimableAmount 16 | size 2 | (totalClaimed 16) | signature
    ///
    /// `size`: bytes of the signature, of `payerAuthorizer` or, where that is zero, of the payer by its key or its code
    /// (ERC-1271, with bounded gas). Where its second highest bit is set, only a part of the voucher is claimed, up to
    /// `totalClaimed`, which is there only then. Where its highest bit is set, a spending key signed the voucher, and the
    /// signature is:
    ///
    ///     key 20 | limit 16 | validBefore 5 | the key's signature of the voucher 65 | the payer's signature of the key
    ///
    /// of which the last is by the payer's key or code and of the type `SpendingKey(bytes32 channelId,address key,
    /// uint128 maxClaimableAmount,uint40 validBefore)`: a key for vouchers of no more than that sum, claimed before then.
    /// @return claimed Units.
    function claimRows(
        address receiver,
        address receiverAuthorizer,
        address token,
        uint40 withdrawDelay,
        bytes calldata rows
    ) external returns (uint256 claimed);

    /// @notice Anyone has paid to a receiver what was claimed for it.
    function settle(address receiver, address token) external;

    // -------------------------------------------------------- refund, withdraw

    /// @notice Receiver or authorizer gives back to the payer what was not claimed, or as much of it as there is.
    function refund(ChannelConfig calldata config, uint128 amount) external;

    /// @notice As `refund`, by anyone, with the authorizer's signature of `Refund(bytes32 channelId,uint256 nonce,uint128
    /// amount)`.
    /// @param nonce `refundNonce` of the channel.
    function refundWithSignature(
        ChannelConfig calldata config,
        uint128 amount,
        uint256 nonce,
        bytes calldata receiverAuthorizerSignature
    ) external;

    /// @notice Payer or its authorizer announces a withdrawal of what was not claimed; the receiver has `withdrawDelay` to
    /// claim. One at a time.
    /// @param amount As much as there is closes the channel with the withdrawal; so does 2^128 - 1, for all there is then.
    function initiateWithdraw(ChannelConfig calldata config, uint128 amount) external;

    /// @notice Payer or its authorizer has paid out to the payer what was announced, or what the receiver left of it.
    function finalizeWithdraw(ChannelConfig calldata config) external;

    // ------------------------------------------------------------------- views

    /// @notice The bounds of `withdrawDelay`, in seconds.
    function MIN_WITHDRAW_DELAY() external view returns (uint40);

    function MAX_WITHDRAW_DELAY() external view returns (uint40);

    /// @notice What names a channel everywhere: the EIP-712 digest of its terms, of this contract on this chain.
    function getChannelId(ChannelConfig calldata config) external view returns (bytes32);

    function channels(bytes32 channelId) external view returns (uint128 balance, uint128 totalClaimed);

    /// @notice `initiatedAt` zero: there is none.
    function pendingWithdrawals(bytes32 channelId) external view returns (uint128 amount, uint40 initiatedAt);

    /// @notice All that was ever claimed for a receiver in a token, and paid out: a ledger is complete if, and only if, it
    /// has the same.
    function receivers(address receiver, address token)
        external
        view
        returns (uint128 totalClaimed, uint128 totalSettled);

    function refundNonce(bytes32 channelId) external view returns (uint256);

    function channel(bytes32 channelId) external view returns (Channel memory);

    function getVoucherDigest(bytes32 channelId, uint128 maxClaimableAmount) external view returns (bytes32);

    function getRefundDigest(bytes32 channelId, uint256 nonce, uint128 amount) external view returns (bytes32);

    function getClaimBatchDigest(VoucherClaim[] calldata voucherClaims) external view returns (bytes32);

    function getSpendingKeyDigest(bytes32 channelId, address key, uint128 maxClaimableAmount, uint40 validBefore)
        external
        view
        returns (bytes32);
}
