// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ICollector} from "../../contracts/interfaces/ICollector.sol";
import {IEscrow} from "../../contracts/interfaces/IEscrow.sol";
import {MockToken} from "../../contracts/mocks/MockToken.sol";
import {MockUSDC} from "../../contracts/mocks/MockUSDC.sol";
import {Forge} from "./Forge.sol";
import {PERMIT2} from "./Permit2.sol";

/// @dev Errors that are not of the interface.
interface EscrowErrors {
    error InsufficientGas(uint256 found, uint256 needed);
    error ReentrancyGuardReentrantCall();
}

/// @notice Takes Permit2's place, because its own code asks for another compiler: moves by the owner's allowance what the
/// owner agreed to here. The real one is under test in tests/contracts/test_escrow_funding.py.
contract WitnessedTransfer {
    struct TokenPermissions {
        address token;
        uint256 amount;
    }

    struct PermitTransferFrom {
        TokenPermissions permitted;
        uint256 nonce;
        uint256 deadline;
    }

    struct TransferDetails {
        address to;
        uint256 requestedAmount;
    }

    mapping(address owner => mapping(bytes32 agreement => bool)) public agreed;

    function agree(bytes32 agreement) external {
        agreed[msg.sender][agreement] = true;
    }

    function agreementOf(
        PermitTransferFrom calldata permit,
        address spender,
        bytes32 witness,
        string calldata witnessType
    ) public pure returns (bytes32) {
        return keccak256(abi.encode(permit, spender, witness, witnessType));
    }

    function permitWitnessTransferFrom(
        PermitTransferFrom calldata permit,
        TransferDetails calldata details,
        address owner,
        bytes32 witness,
        string calldata witnessType,
        bytes calldata
    ) external {
        bytes32 agreement = agreementOf(permit, msg.sender, witness, witnessType);
        require(agreed[owner][agreement], "not agreed");
        require(block.timestamp <= permit.deadline, "expired");
        agreed[owner][agreement] = false;
        require(IERC20(permit.permitted.token).transferFrom(owner, details.to, details.requestedAmount), "refused");
    }
}

/// @notice Brings what it is asked for, less what it was told to keep back.
contract Bringer is ICollector {
    uint256 private _shortBy;

    function setShortBy(uint256 units) external {
        _shortBy = units;
    }

    function call(address target, bytes calldata data) external returns (bool ok, bytes memory answer) {
        (ok, answer) = target.call(data);
    }

    function collect(bytes32, address token, address, uint256 amount) external {
        if (amount > _shortBy) IERC20(token).transfer(msg.sender, amount - _shortBy);
    }
}

/// @notice Who is party to payments, what payers sign, written anew from the documentation, and the contract as Ape
/// compiled it.
abstract contract EscrowScene is Forge {
    uint256 internal constant START = 1_801_389_600; // 31 January 2027, 10:00
    uint256 internal constant PAYER_KEY = 0xA11CE;
    uint256 internal constant BASIS = 10_000;
    bytes32 internal constant NO_HASH = 0;
    string internal constant FIELDS =
        "Payment(address payer,address payee,address token,uint256 amount,address operator,uint256 authorizeBefore,uint256 captureBefore,uint256 refundBefore,uint256 disputeWindowSeconds,address arbiter,uint256 rulingTimeoutSeconds,uint256 defaultPayeeBasisPoints,uint256 maxArbiterFeeBasisPoints,uint256 minFeeBasisPoints,uint256 maxFeeBasisPoints,address feeReceiver,bytes32 milestonesRoot,uint256 salt)";

    IEscrow internal escrow;
    MockToken internal token;
    MockUSDC internal usdc;
    Bringer internal bringer;
    address internal payer = vm.addr(PAYER_KEY);
    address internal payee = address(0xBEEF);
    address internal operator = address(0x0FE7);
    address internal arbiter = address(0xA4B1);
    address internal receiver = address(0xFEE5);
    address internal stranger = address(0xc0ffee);

    function _build() internal {
        vm.warp(START);
        bytes memory code = _creationCode();
        address deployed;
        assembly ("memory-safe") {
            deployed := create(0, add(code, 0x20), mload(code))
        }
        vm.assertTrue(deployed != address(0), "deployed");
        escrow = IEscrow(deployed);
        (token, usdc, bringer) = (new MockToken("Mock Dollar", "MUSD", 6), new MockUSDC(), new Bringer());
        vm.etch(PERMIT2, type(WitnessedTransfer).runtimeCode);
    }

    /// @dev As Ape compiled it: the code that is shipped.
    function _creationCode() internal view virtual returns (bytes memory) {
        string memory key = ".contractTypes.Escrow.deploymentBytecode.bytecode";
        return vm.parseJsonBytes(vm.readFile(".build/__local__.json"), key);
    }

    // ------------------------------------------------------------------ terms

    /// @dev A day, ten days, forty days; an operator, nothing else.
    function _terms(uint256 salt) internal view returns (IEscrow.PaymentTerms memory terms) {
        (terms.payer, terms.payee, terms.token, terms.amount) = (payer, payee, address(token), 100_000_000);
        (terms.operator, terms.salt) = (operator, salt);
        terms.authorizeBefore = uint40(START + 1 days);
        terms.captureBefore = uint40(START + 10 days);
        terms.refundBefore = uint40(START + 40 days);
    }

    /// @dev Disputes, whose default gives the payee a quarter and whose arbiter may take 5 %, and a fee of 1 to 3 %.
    function _rich(uint256 salt) internal view returns (IEscrow.PaymentTerms memory terms) {
        terms = _terms(salt);
        (terms.arbiter, terms.rulingTimeout, terms.defaultPayeeBps) = (arbiter, 7 days, 2_500);
        (terms.maxArbiterFeeBps, terms.minFeeBps, terms.maxFeeBps) = (500, 100, 300);
        terms.feeReceiver = receiver;
    }

    function _structHash(IEscrow.PaymentTerms memory terms) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(bytes(FIELDS)), abi.encode(terms)));
    }

    function _idOf(IEscrow.PaymentTerms memory terms) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Tallystick Escrow"),
                keccak256("1"),
                block.chainid,
                address(escrow)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, _structHash(terms)));
    }

    function _signed(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _consent(IEscrow.PaymentTerms memory terms) internal view returns (bytes memory) {
        return _signed(PAYER_KEY, _idOf(terms));
    }

    /// @dev An EIP-2612 permit to the contract in the mock token.
    function _permit(uint256 key, uint256 value) internal view returns (bytes memory) {
        bytes32 kind = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        address owner = vm.addr(key);
        bytes32 inner = keccak256(
            abi.encode(kind, owner, address(escrow), value, token.nonces(owner), type(uint256).max)
        );
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), inner));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encode(value, type(uint256).max, v, r, s);
    }

    /// @dev USDC's ERC-3009.
    function _authorization(uint256 key, IEscrow.PaymentTerms memory terms) internal view returns (bytes memory) {
        bytes32 inner = keccak256(
            abi.encode(
                usdc.RECEIVE_WITH_AUTHORIZATION_TYPEHASH(),
                terms.payer,
                address(escrow),
                uint256(terms.amount),
                0,
                uint256(terms.authorizeBefore),
                _idOf(terms)
            )
        );
        return _signed(key, keccak256(abi.encodePacked(hex"1901", usdc.DOMAIN_SEPARATOR(), inner)));
    }

    /// @dev The payer tells what stands for Permit2 what it would have signed there.
    function _agreesInPermit2(IEscrow.PaymentTerms memory terms, uint256 nonce) internal returns (bytes memory) {
        WitnessedTransfer.PermitTransferFrom memory permit;
        permit.permitted = WitnessedTransfer.TokenPermissions(terms.token, terms.amount);
        (permit.nonce, permit.deadline) = (nonce, terms.authorizeBefore - 1);
        string memory kind =
            string.concat("Payment witness)", FIELDS, "TokenPermissions(address token,uint256 amount)");
        bytes32 agreement =
            WitnessedTransfer(PERMIT2).agreementOf(permit, address(escrow), _structHash(terms), kind);
        vm.prank(terms.payer);
        WitnessedTransfer(PERMIT2).agree(agreement);
        return abi.encode(nonce);
    }

    // ------------------------------------------------------------- milestones

    function _leaf(uint256 index, uint256 amount, uint256 releasableAt) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(index, amount, releasableAt))));
    }

    function _pair(bytes32 one, bytes32 other) internal pure returns (bytes32) {
        return one < other ? keccak256(bytes.concat(one, other)) : keccak256(bytes.concat(other, one));
    }
}
