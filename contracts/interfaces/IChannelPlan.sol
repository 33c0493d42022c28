// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IChannels} from "./IChannels.sol";

/// @title IChannelPlan
/// @notice A plan of {ISubscriptions} whose charges fill payment channels: what a payer is charged for a period goes into
/// the payer's own channel to the merchant, where it is spent by vouchers, and comes back when the channel ends. So one
/// consent is for both, the plan's charges and the key that signs vouchers.
///
/// The plan has just a price and a period: no fee, no seats, no usage, no grid, no quoter. This contract is its payee, so
/// nobody can refund, give a coupon, lower the price or offer another plan, and each charge is the price. All that comes
/// here goes into channels; nobody owns this contract, and the merchant can only end the sale of its plan.
///
/// The channel of a subscription: payer of the one, payer of the other; its beneficiary, where the payer named one, is
/// the key that signs vouchers; its number is the salt.
///
/// Not protected: a payer who is followed by another (`changePayer`), or names another key, has what was charged and not
/// filled go into the new channel: fill before. Vouchers are worth what the merchant delivers for them, as ever. Tokens
/// whose balances shrink by themselves: all subscriptions share what is here.
interface IChannelPlan {
    /// @notice `charges` of the subscription, `amount` units, went into its channel.
    event ChannelFilled(
        uint256 indexed subscriptionId, bytes32 indexed channelId, uint256 charges, uint256 amount
    );

    /// @notice The subscription is to another plan.
    error AnotherPlan(uint256 subscriptionId, uint256 found, uint256 expected);
    error NotAuthorized(address caller);
    error ZeroAddress();
    /// @notice The receiver is the channels' contract.
    error PartyRefused(address party);
    error WithdrawDelayOutOfRange(uint256 found, uint256 least, uint256 most);

    /// @notice Puts what these subscriptions were charged since the last time into their channels. Anyone may, as often
    /// as something was charged; a subscription that was not charged since is passed over.
    /// @return amount Units, all together.
    function fill(uint256[] calldata subscriptionIds) external returns (uint256 amount);

    /// @notice The receiver ends the sale: nobody subscribes to the plan any more. Subscriptions go on.
    function archive() external;

    /// @notice The plan, of which this contract is the payee.
    function planId() external view returns (uint256);

    /// @notice What was charged to a subscription and is not in its channel yet.
    function unfilled(uint256 subscriptionId) external view returns (uint256 charges, uint256 amount);

    /// @notice The terms of the channel into which a subscription's charges go.
    function channelOf(uint256 subscriptionId) external view returns (IChannels.ChannelConfig memory);
}
