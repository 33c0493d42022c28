// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IFunding} from "./IFunding.sol";
import {IPayouts} from "./IPayouts.sol";

/// @title ICheckout
/// @notice Payments that are made once: of a quote that a merchant signed, or by a plain transfer to the address that an
/// invoice has (a deposit address). Nobody owns it. What a quote is paid with goes to its payees at once; what stands on
/// a deposit address belongs to the receiver whom the address was made of, and goes nowhere else.
///
/// Not protected: a merchant who loses the key that signs its quotes can have numbers paid or used up by whoever has it,
/// to other payees; money that was paid is not reached by it. A payer who sends to a deposit address trusts whoever
/// showed it. Tokens that take a fee or rebase are refused for quotes, and swept as they come.
interface ICheckout is IFunding, IPayouts {
    /// @notice A part of a quote.
    /// @param amount Units of the quote's token.
    struct Payout {
        address payee;
        uint96 amount;
    }

    /// @notice What a merchant asks for, signed as EIP-712:
    /// `Quote(address merchant,uint256 number,bytes32 invoice,address token,uint256 amount,uint256 validBefore,
    /// Payout[] payouts)Payout(address payee,uint256 amount)`.
    /// @param merchant Who signs it; receives nothing by that alone.
    /// @param number Of the merchant's, paid once: what must not be paid twice has one number, however often it is quoted
    /// anew. Numbers in order are cheaper: 256 of them share a word.
    /// @param invoice What it is for, in the merchant's books.
    /// @param amount Units of the token, the sum of the payouts.
    /// @param validBefore End of the time in which it can be paid: at that second it is over.
    /// @param payouts Who receives what: 1 to 16.
    struct Quote {
        address merchant;
        uint256 number;
        bytes32 invoice;
        address token;
        uint256 amount;
        uint40 validBefore;
        Payout[] payouts;
    }

    /// @notice How many, and the sum of their amounts.
    struct Total {
        uint64 count;
        uint192 sum;
    }

    /// @notice Why nothing was swept.
    ///
    /// `Empty`: the token says of nothing that is there. `Refused`: it does not move it.
    enum Unswept {
        Empty,
        Refused
    }

    /// @notice Each payee of the quote received its part, or it is kept (`PayoutKept` with `quoteId`).
    /// @param collector Who brought the money; zero where it is the payer's own.
    event QuotePaid(
        bytes32 indexed quoteId, address indexed merchant, address indexed payer, Quote quote, address collector
    );
    /// @notice The number cannot be paid any more.
    event QuoteWithdrawn(address indexed merchant, uint256 number);
    /// @notice All that stood on the invoice's deposit address went to the receiver. The zero token is the chain's own
    /// currency.
    event Swept(address indexed receiver, bytes32 indexed invoice, address indexed token, uint256 amount);
    /// @notice The receiver has `received` more than before, and not the sum of what was `swept` in this call: a token that
    /// takes a fee, or a receiver that passes it on at once.
    event ReceivedOtherwise(address indexed receiver, address indexed token, uint256 received, uint256 swept);
    /// @notice What stands on the deposit address, if anything, stays there.
    event NotSwept(address indexed receiver, bytes32 indexed invoice, address indexed token, Unswept reason);
    /// @notice `from` gave something back of what was received for the invoice.
    event InvoiceRefunded(
        address indexed from, bytes32 indexed invoice, address indexed to, address token, uint256 amount
    );

    /// @notice A payee or receiver is this contract.
    error PartyRefused(address party);
    error QuoteExpired(uint256 validBefore, uint256 time);
    /// @notice The number was paid or withdrawn.
    error NumberUsed(address merchant, uint256 number);
    error PayoutsOutOfRange(uint256 found, uint256 most);
    /// @notice The payouts do not add up to the amount.
    error SumMismatch(uint256 sum, uint256 amount);
    /// @notice Addresses of the receiver were swept in this transaction before.
    error SweptBefore(address receiver);
    error NotAuthorized(address caller);

    // ------------------------------------------------------------------- quotes

    /// @notice Pays a quote with the payer's money. Anyone may send what merchant and payer signed. The payer agrees by
    /// calling, or by the signature that its funding has; where that is an allowance, by
    /// `Acceptance(address payer,Quote quote)`, EIP-712. The words of the quote are Permit2's witness.
    /// @param merchantSignature Of the quote: of a key, a contract account (ERC-1271), or one to be deployed (ERC-6492).
    /// @return quoteId The EIP-712 digest of the quote, which names it everywhere.
    function pay(
        Quote calldata quote,
        bytes calldata merchantSignature,
        address payer,
        Funding funding,
        bytes calldata data
    ) external returns (bytes32 quoteId);

    /// @notice The merchant will not have a number paid. To quote something anew under the same number needs no
    /// withdrawal: only one quote of a number is ever paid.
    function withdrawQuote(uint256 number) external;

    // ------------------------------------------------------- deposit addresses

    /// @notice Moves all that stands on deposit addresses of a receiver to that receiver: by anyone, as often as something
    /// comes, once in a transaction. A row that fails is told (`NotSwept`) and changes nothing for the others.
    /// @param token Any; zero for the chain's own currency, which otherwise comes along.
    /// @param invoices What the addresses were made of.
    function sweep(address receiver, address token, bytes32[] calldata invoices) external;

    /// @notice A deposit address that is being swept says how much of the chain's own currency goes along.
    function noteCoins(uint256 amount) external;

    // ----------------------------------------------------------------- refunds

    /// @notice Moves the caller's money to `to` by allowance to this contract, and says what for. How much was received
    /// is not counted on chain: the caller gives its own.
    function refund(bytes32 invoice, address token, address to, uint256 amount) external;

    // ------------------------------------------------------------------- views

    /// @notice The EIP-712 digest that the merchant signs.
    function quoteId(Quote calldata quote) external view returns (bytes32);

    /// @notice The EIP-712 digest that the payer signs where an allowance pays.
    function acceptanceDigest(Quote calldata quote, address payer) external view returns (bytes32);

    /// @notice Whether a number was paid or withdrawn.
    function isUsed(address merchant, uint256 number) external view returns (bool);

    /// @notice A bit for each of the 256 numbers from `word * 256` on that was paid or withdrawn.
    function usedNumbers(address merchant, uint256 word) external view returns (uint256 bits);

    /// @notice The one account, on this chain, whose tokens only `sweep` moves, and only to the receiver.
    function depositAddress(address receiver, bytes32 invoice) external view returns (address);

    /// @notice All quotes ever paid of a merchant in a token: a ledger is complete if, and only if, it has the same.
    function quoteTotal(address merchant, address token) external view returns (Total memory);

    /// @notice What a deposit address asks while it is swept: which token, to whom, how much.
    function nextSweep() external view returns (address token, address receiver, uint256 amount);
}
