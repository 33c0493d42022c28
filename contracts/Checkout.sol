// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Deposit} from "./Deposit.sol";
import {Payouts} from "./Payouts.sol";
import {WalletDeployer} from "./WalletDeployer.sol";
import {ICheckout} from "./interfaces/ICheckout.sol";
import {ICollector} from "./interfaces/ICollector.sol";
import {PaymentFunding} from "./libraries/PaymentFunding.sol";
import {TokenCall} from "./libraries/TokenCall.sol";
import {WalletSignature} from "./libraries/WalletSignature.sol";

/// @title Checkout
/// @notice See {ICheckout}. A quote comes with the call that pays it; one bit says that its number is used.
contract Checkout is ICheckout, Payouts, EIP712 {
    string private constant PAYOUT = "Payout(address payee,uint256 amount)";
    string private constant QUOTE =
        "Quote(address merchant,uint256 number,bytes32 invoice,address token,uint256 amount,uint256 validBefore,Payout[] payouts)";
    bytes32 private constant PAYOUT_TYPEHASH = keccak256(bytes(PAYOUT));
    bytes32 private constant QUOTE_TYPEHASH = keccak256(abi.encodePacked(QUOTE, PAYOUT));
    bytes32 private constant ACCEPTANCE_TYPEHASH =
        keccak256(abi.encodePacked("Acceptance(address payer,Quote quote)", PAYOUT, QUOTE));
    bytes32 private constant DEPOSIT_CODE_HASH = keccak256(type(Deposit).creationCode);
    uint256 private constant MOST_PAYOUTS = 16;

    /// @dev What must be left for one row: what asking the token may use and what moving it may, with what must remain
    /// beside each, twice 1/63 for the frames around them (EIP-150), and the creation of the `Deposit`.
    uint256 private constant SWEEP_GAS = 2 * (TokenCall.GAS + TokenCall.GAS / 30 + 30_000) + 50_000;

    /// @dev For wallets that are not there yet (ERC-6492): it has no say over anything.
    WalletDeployer private immutable _DEPLOYER = new WalletDeployer();

    mapping(address merchant => mapping(uint256 word => uint256 bits)) private _used;
    mapping(address merchant => mapping(address token => Total)) private _quoteTotals;

    address private transient _token;
    address private transient _receiver;
    bytes32 private transient _invoice;
    uint256 private transient _amount;

    constructor() EIP712("Tallystick Checkout", "1") {}

    // ------------------------------------------------------------------- quotes

    /// @inheritdoc ICheckout
    function pay(
        Quote calldata quote,
        bytes calldata merchantSignature,
        address payer,
        Funding funding,
        bytes calldata data
    ) external nonReentrant returns (bytes32 id) {
        bytes32 structHash = _requireSound(quote);
        id = _hashTypedDataV4(structHash);
        (address merchant, address token) = (quote.merchant, quote.token);
        if (!WalletSignature.isValid(merchant, id, merchantSignature, _DEPLOYER)) revert InvalidSignature(merchant);
        _use(merchant, quote.number);
        _count(_quoteTotals[merchant][token], quote.amount);
        emit QuotePaid(id, merchant, payer, quote, funding == Funding.Collector ? msg.sender : address(0));
        // What has one receiver goes there at once, if the way that it comes allows.
        bool direct = quote.payouts.length == 1 && funding != Funding.Authorization && funding != Funding.Collector;
        _collect(quote, id, structHash, payer, direct ? quote.payouts[0].payee : address(this), funding, data);
        if (direct) return id;
        for (uint256 i = 0; i < quote.payouts.length; ++i) {
            _payOut(id, token, quote.payouts[i].payee, quote.payouts[i].amount);
        }
    }

    /// @inheritdoc ICheckout
    function withdrawQuote(uint256 number) external nonReentrant {
        _use(msg.sender, number);
        emit QuoteWithdrawn(msg.sender, number);
    }

    /// @dev Words that can be kept; gives their EIP-712 hash.
    function _requireSound(Quote calldata quote) private view returns (bytes32) {
        if (block.timestamp >= quote.validBefore) revert QuoteExpired(quote.validBefore, block.timestamp);
        if (quote.token.code.length == 0) revert NotAContract(quote.token);
        Payout[] calldata payouts = quote.payouts;
        if (payouts.length == 0 || payouts.length > MOST_PAYOUTS) {
            revert PayoutsOutOfRange(payouts.length, MOST_PAYOUTS);
        }
        uint256 sum = 0;
        for (uint256 i = 0; i < payouts.length; ++i) {
            (address payee, uint256 amount) = (payouts[i].payee, payouts[i].amount);
            if (payee == address(0)) revert ZeroAddress();
            if (payee == address(this)) revert PartyRefused(payee);
            if (amount == 0) revert ZeroAmount();
            sum += amount;
        }
        if (sum != quote.amount) revert SumMismatch(sum, quote.amount);
        return _structHashOf(quote);
    }

    function _use(address merchant, uint256 number) private {
        (uint256 word, uint256 bit) = (number >> 8, 1 << (number & 0xff));
        uint256 bits = _used[merchant][word];
        if (bits & bit != 0) revert NumberUsed(merchant, number);
        _used[merchant][word] = bits | bit;
    }

    /// @dev In the slot the count is the low 64 bits, the sum stands above: added as one number. 2^64 payments cannot be
    /// paid for in gas, and that many of a 100-bit amount stay below 2^192.
    function _count(Total storage total, uint256 units) private {
        assembly ("memory-safe") {
            sstore(total.slot, add(sload(total.slot), or(1, shl(64, units))))
        }
    }

    /// @dev Consent and money: whoever brings its own money needs nobody's consent.
    function _collect(
        Quote calldata quote,
        bytes32 id,
        bytes32 structHash,
        address payer,
        address to,
        Funding funding,
        bytes calldata data
    ) private {
        (address token, uint256 amount, uint256 validBefore) = (quote.token, quote.amount, quote.validBefore);
        if (funding == Funding.Permit2) {
            PaymentFunding.byPermit2(token, payer, to, amount, validBefore, structHash, _witnessType(), data);
        } else if (funding == Funding.Authorization) {
            PaymentFunding.byAuthorization(token, payer, amount, validBefore, id, data);
        } else if (funding == Funding.Collector) {
            uint256 balanceBefore = PaymentFunding.balanceOf(token, to);
            ICollector(msg.sender).collect(id, token, payer, amount);
            PaymentFunding.requireReceived(balanceBefore, PaymentFunding.balanceOf(token, to), amount);
        } else {
            if (funding == Funding.Permit) {
                PaymentFunding.tryPermit(token, payer, data);
                data = data[PaymentFunding.PERMIT_SIZE:];
            }
            if (msg.sender != payer) {
                bytes32 digest = _acceptanceDigest(structHash, payer);
                if (!WalletSignature.isValid(payer, digest, data, _DEPLOYER)) revert InvalidSignature(payer);
            }
            PaymentFunding.byAllowance(token, payer, to, amount);
        }
    }

    function _witnessType() private pure returns (string memory) {
        return string.concat("Quote witness)", PAYOUT, QUOTE, "TokenPermissions(address token,uint256 amount)");
    }

    // ------------------------------------------------------- deposit addresses

    /// @inheritdoc ICheckout
    function sweep(address receiver, address token, bytes32[] calldata invoices) external nonReentrant {
        if (receiver == address(0)) revert ZeroAddress();
        if (receiver == address(this)) revert PartyRefused(receiver);
        _open(receiver);
        (_token, _receiver) = (token, receiver);
        bool isToken = token != address(0);
        uint256 balanceBefore = isToken ? PaymentFunding.balanceOf(token, receiver) : 0;
        uint256 units = 0;
        for (uint256 i = 0; i < invoices.length; ++i) {
            unchecked {
                units += _sweepOne(receiver, token, invoices[i]); // wraps where the token says what cannot be
            }
        }
        if (!isToken || units == 0) return;
        uint256 balance = PaymentFunding.balanceOf(token, receiver);
        uint256 received = balance > balanceBefore ? balance - balanceBefore : 0;
        if (received != units) emit ReceivedOtherwise(receiver, token, received, units);
    }

    /// @inheritdoc ICheckout
    function noteCoins(uint256 amount) external {
        (address receiver, bytes32 invoice) = (_receiver, _invoice);
        if (msg.sender != _depositAddress(_saltOf(receiver, invoice))) revert NotAuthorized(msg.sender);
        emit Swept(receiver, invoice, address(0), amount);
    }

    /// @dev An address that was emptied is there until the transaction ends, and cannot be created again before. No other
    /// word of transient storage has a number as high as an address inverted.
    function _open(address receiver) private {
        bool swept;
        assembly ("memory-safe") {
            swept := tload(not(receiver))
            tstore(not(receiver), 1)
        }
        if (swept) revert SweptBefore(receiver);
    }

    function _sweepOne(address receiver, address token, bytes32 invoice) private returns (uint256 amount) {
        // A refusal must be the token's: whatever is called below has enough gas to tell.
        if (gasleft() < SWEEP_GAS) revert TokenCall.InsufficientGas(gasleft(), SWEEP_GAS);
        bytes32 salt = _saltOf(receiver, invoice);
        address deposit = _depositAddress(salt);
        if (token == address(0)) amount = deposit.balance;
        else (, amount) = TokenCall.tryBalanceOf(token, deposit, TokenCall.GAS);
        if (amount == 0) {
            emit NotSwept(receiver, invoice, token, Unswept.Empty);
            return 0;
        }
        _amount = amount;
        _invoice = invoice;
        try new Deposit{salt: salt}() {
            if (token != address(0)) emit Swept(receiver, invoice, token, amount);
        } catch {
            emit NotSwept(receiver, invoice, token, Unswept.Refused);
            return 0;
        }
    }

    function _saltOf(address receiver, bytes32 invoice) private pure returns (bytes32 salt) {
        assembly ("memory-safe") {
            mstore(0x00, receiver)
            mstore(0x20, invoice)
            salt := keccak256(0x00, 0x40)
        }
    }

    function _depositAddress(bytes32 salt) private view returns (address deposit) {
        bytes32 codeHash = DEPOSIT_CODE_HASH;
        assembly ("memory-safe") {
            let words := mload(0x40)
            mstore(words, or(shl(160, 0xff), address()))
            mstore(add(words, 0x20), salt)
            mstore(add(words, 0x40), codeHash)
            deposit := shr(96, shl(96, keccak256(add(words, 0x0b), 0x55)))
        }
    }

    // ----------------------------------------------------------------- refunds

    /// @inheritdoc ICheckout
    function refund(bytes32 invoice, address token, address to, uint256 amount) external nonReentrant {
        if (to == address(0)) revert ZeroAddress();
        if (to == address(this) || to == msg.sender) revert PartyRefused(to);
        if (amount == 0) revert ZeroAmount();
        emit InvoiceRefunded(msg.sender, invoice, to, token, amount);
        PaymentFunding.byAllowance(token, msg.sender, to, amount);
    }

    // ------------------------------------------------------------------- views

    /// @inheritdoc ICheckout
    function quoteId(Quote calldata quote) external view returns (bytes32) {
        return _hashTypedDataV4(_structHashOf(quote));
    }

    /// @inheritdoc ICheckout
    function acceptanceDigest(Quote calldata quote, address payer) external view returns (bytes32) {
        return _acceptanceDigest(_structHashOf(quote), payer);
    }

    /// @inheritdoc ICheckout
    function isUsed(address merchant, uint256 number) external view returns (bool) {
        return _used[merchant][number >> 8] >> (number & 0xff) & 1 != 0;
    }

    /// @inheritdoc ICheckout
    function usedNumbers(address merchant, uint256 word) external view returns (uint256) {
        return _used[merchant][word];
    }

    /// @inheritdoc ICheckout
    function depositAddress(address receiver, bytes32 invoice) external view returns (address) {
        return _depositAddress(_saltOf(receiver, invoice));
    }

    /// @inheritdoc ICheckout
    function quoteTotal(address merchant, address token) external view returns (Total memory) {
        return _quoteTotals[merchant][token];
    }

    /// @inheritdoc ICheckout
    function nextSweep() external view returns (address token, address receiver, uint256 amount) {
        return (_token, _receiver, _amount);
    }

    function _structHashOf(Quote calldata quote) private pure returns (bytes32) {
        Payout[] calldata payouts = quote.payouts;
        bytes32[] memory hashes = new bytes32[](payouts.length);
        for (uint256 i = 0; i < payouts.length; ++i) {
            hashes[i] = keccak256(abi.encode(PAYOUT_TYPEHASH, payouts[i].payee, payouts[i].amount));
        }
        return keccak256(
            abi.encode(
                QUOTE_TYPEHASH,
                quote.merchant,
                quote.number,
                quote.invoice,
                quote.token,
                quote.amount,
                quote.validBefore,
                keccak256(abi.encodePacked(hashes))
            )
        );
    }

    function _acceptanceDigest(bytes32 structHash, address payer) private view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(ACCEPTANCE_TYPEHASH, payer, structHash)));
    }
}
