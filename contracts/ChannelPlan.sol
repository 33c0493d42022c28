// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IChannelPlan} from "./interfaces/IChannelPlan.sol";
import {IChannels} from "./interfaces/IChannels.sol";
import {ISubscriptions} from "./interfaces/ISubscriptions.sol";
import {ISubscriptionsTypes} from "./interfaces/ISubscriptionsTypes.sol";

/// @title ChannelPlan
/// @notice See {IChannelPlan}. One contract for each plan: that no other plan is in the register of this payee is why
/// every charge is the price.
contract ChannelPlan is IChannelPlan {
    using SafeERC20 for IERC20;

    ISubscriptions public immutable SUBSCRIPTIONS;
    IChannels public immutable CHANNELS;
    address public immutable RECEIVER;
    address public immutable RECEIVER_AUTHORIZER;
    address public immutable TOKEN;
    uint40 public immutable WITHDRAW_DELAY;
    uint256 public immutable PRICE;
    /// @inheritdoc IChannelPlan
    uint256 public immutable planId;

    mapping(uint256 subscriptionId => uint256 charges) private _filled;

    /// @param receiver The merchant: who receives what is claimed of the channels.
    /// @param receiverAuthorizer Who may claim and refund for it.
    /// @param withdrawDelay Seconds that it has to claim once a payer announces a withdrawal.
    /// @param price Units of the token for each period, of `every` times `unit`.
    constructor(
        ISubscriptions subscriptions,
        IChannels channels,
        address receiver,
        address receiverAuthorizer,
        uint40 withdrawDelay,
        address token,
        uint96 price,
        uint32 every,
        ISubscriptionsTypes.Unit unit
    ) {
        // Terms that no channel can have would keep here whatever is charged, for ever.
        if (receiver == address(0) || receiverAuthorizer == address(0)) revert ZeroAddress();
        if (receiver == address(channels)) revert PartyRefused(receiver);
        (uint256 least, uint256 most) = (channels.MIN_WITHDRAW_DELAY(), channels.MAX_WITHDRAW_DELAY());
        if (withdrawDelay < least || withdrawDelay > most) {
            revert WithdrawDelayOutOfRange(withdrawDelay, least, most);
        }
        (SUBSCRIPTIONS, CHANNELS, TOKEN, PRICE) = (subscriptions, channels, token, price);
        (RECEIVER, RECEIVER_AUTHORIZER, WITHDRAW_DELAY) = (receiver, receiverAuthorizer, withdrawDelay);
        ISubscriptionsTypes.PlanTerms memory terms;
        (terms.payee, terms.token, terms.price) = (address(this), token, price);
        (terms.every, terms.unit) = (every, unit);
        planId = subscriptions.createPlan(terms);
        // The channels take from a caller only what that caller puts into one.
        IERC20(token).forceApprove(address(channels), type(uint256).max);
    }

    /// @inheritdoc IChannelPlan
    function fill(uint256[] calldata subscriptionIds) external returns (uint256 amount) {
        for (uint256 i = 0; i < subscriptionIds.length; ++i) {
            amount += _fill(subscriptionIds[i]);
        }
    }

    function _fill(uint256 subscriptionId) private returns (uint256 amount) {
        ISubscriptionsTypes.Subscription memory found = _subscription(subscriptionId);
        uint256 charges = found.charges - _filled[subscriptionId];
        if (charges == 0) return 0;
        _filled[subscriptionId] = found.charges;
        amount = charges * PRICE;
        IChannels.ChannelConfig memory config = _channelOf(subscriptionId, found.payer);
        emit ChannelFilled(subscriptionId, CHANNELS.getChannelId(config), charges, amount);
        // 2^16 charges of 96 bits fit into 128.
        CHANNELS.fill(config, uint128(amount), IChannels.Funding.Allowance, "");
    }

    /// @inheritdoc IChannelPlan
    function archive() external {
        if (msg.sender != RECEIVER) revert NotAuthorized(msg.sender);
        SUBSCRIPTIONS.archivePlan(planId);
    }

    /// @inheritdoc IChannelPlan
    function unfilled(uint256 subscriptionId) external view returns (uint256 charges, uint256 amount) {
        charges = _subscription(subscriptionId).charges - _filled[subscriptionId];
        return (charges, charges * PRICE);
    }

    /// @inheritdoc IChannelPlan
    function channelOf(uint256 subscriptionId) external view returns (IChannels.ChannelConfig memory) {
        return _channelOf(subscriptionId, _subscription(subscriptionId).payer);
    }

    function _subscription(uint256 subscriptionId)
        private
        view
        returns (ISubscriptionsTypes.Subscription memory found)
    {
        found = SUBSCRIPTIONS.subscription(subscriptionId);
        if (found.planId != planId) revert AnotherPlan(subscriptionId, found.planId, planId);
    }

    function _channelOf(uint256 subscriptionId, address payer)
        private
        view
        returns (IChannels.ChannelConfig memory)
    {
        address key = SUBSCRIPTIONS.beneficiary(subscriptionId);
        return IChannels.ChannelConfig({
            payer: payer,
            payerAuthorizer: key == payer ? address(0) : key,
            receiver: RECEIVER,
            receiverAuthorizer: RECEIVER_AUTHORIZER,
            token: TOKEN,
            withdrawDelay: WITHDRAW_DELAY,
            salt: bytes32(subscriptionId)
        });
    }
}
