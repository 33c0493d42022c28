"""Every error that Tallystick raises, as one tree.

    TallystickError
      InputError              a value from the caller that is not what it should be
        AddressInvalid          too short, or mistyped by its checksum
        PermitUnsupported       the token takes no EIP-2612 permits
        ForeignPlan             a plan that is not the merchant's own
      MoneyError
        AmountInvalid           text or weights that are no amount
        AssetMismatch           two assets in one sum
      ConfigError             tallystick.toml, a TALLYSTICK_* variable or a flag
      DatabaseError
        DatabaseUnreachable     (retryable)
        DatabaseTooNew          written by a newer Tallystick
        AnotherLeads            (retryable) another process does the same work on the same database
      NodeError               the JSON-RPC node
        NodeUnreachable         (retryable) no connection, a timeout, a server error
        NodeBusy                (retryable) 429: it wants fewer requests
        NodeInvalid             (retryable) an answer that is not JSON-RPC, or truncated, or contradicts itself
          NodeOutvoted            (retryable) others agree on other blocks or logs
        NodeRefused             it understood, and answered with an error
        RangeTooLarge           (retryable) with a smaller range of blocks
        EventsInconsistent      (retryable) events that cannot follow those already mirrored
        WrongChain              it serves another chain
      ReorganizationTooDeep   finalized blocks were replaced
      DocumentError           an invoice or a credit note on paper
        UnknownDocument         no invoice or credit note has this number
        DocumentInvalid         it contradicts itself, and is not shown
        PdfUnavailable          typst is not installed
        PdfFailed               typst cannot typeset it
        PdfNotWritten           its file cannot be written
      LedgerError
        CorruptionError         stored rows contradict each other or the chain
        PackError               an audit pack
          PackInvalid             no pack, or not as it was written
          ProofInvalid            its proofs do not lead from a block's hash to what they should prove
          Unprovable              the node does not give what a proof is made of
        ParquetUnavailable      pyarrow is not installed
      ChannelError            a payment channel, off chain
        UnknownChannel          neither wallet nor till has it
        SpendingLimit           the wallet's own limits do not allow it
        ChannelExhausted        the channel has not that much
        VoucherRefused          the till does not take it, with its reason
      DeploymentError
        DeploymentMissing       no manifest, no code at its address, or no factory to create it with
        DeploymentMismatch      another chain, another version or other code than this package was made for
        ManifestInvalid         the manifest's file is not what it should be
      SignerError
        KeyMissing              nothing to sign with
        KeyLocked               a keystore without its password, or with a wrong one
        KeyInvalid              not a key, or not a keystore
      TransactionError
        FundsTooLow             the sender cannot pay the gas
        GasTooDear              (retryable) the chain asks more than the configured limit
        TransactionRefused      the node did not take it
        TransactionStuck        (retryable) not mined in time, and not to be replaced any more
        TransactionDropped      (retryable) another transaction with its nonce was mined
        TransactionReverted     mined, without effect
      RevertError             code on the chain refused a call
        CallReverted            with a reason that is not one of our contracts'
          TokenReverted           the token's words, or an ERC-6093 error
        ContractError           ours did; one class per Solidity error, same name, its values as attributes
          AccountBlocked, AddressEmptyCode, AlignedToFuture, AllowanceTooLow, AlternativeIsOffered, AmountMismatch,
          AmountTooHigh, AmountsLimited, AnotherArbiter, AnotherChargeIsNext, AnotherCoupon, AnotherGrid, AnotherPlan,
          AnotherRegister, AnotherRoute, AnotherStage, AnotherToken, AnswerOutOfBounds, AppealEnded, AppealNotEnded,
          AppealUnderpaid, AuthorizationExpired, BalanceTooLow, BpsOutOfRange, CaptureEnded, CaptureNotEnded,
          CaptureTooHigh, ChangeRefused, ChargeDue, ClaimRefused, ConditionsEnded, ConfigContradicts, CouponNotFor,
          CouponUsed, CreditTooHigh, DecimalsTooHigh, DepositTooHigh, DiscountRunning, EmptyBatch, FailedCall,
          FeeOutOfRange, FeeTooHigh, FeedUnavailable, FirstChargeDeclined, FixedTerm, HistoryMismatch, InputMismatch,
          InsufficientGas, InvalidRefundNonce, InvalidShortString, InvalidSignature, MandateExpired, MaximumMissing,
          MilestoneCaptured, MilestoneTooEarly, MilestonesOnly, MinimumTerm, NoArbiter, NoWithdrawal, NotAContract,
          NotActive, NotAnAlternative, NotAuthorized, NotDisputed, NotOpen, NotPaused, NotReceiverAuthorizer,
          NothingToChange, NothingToClaim, NumberUsed, OutputTooLow, OverMandate, PaidInAnotherToken, PartyRefused,
          PayeeRefused, PayerIsPayee, PaymentExists, PayoutsOutOfRange, PeriodOutOfRange, PeriodTooShort,
          PlanIsArchived, PlanIsProtected, PlanIsQuoted, PlanNotAgreed, PlanNotStored, PlanRefundsUnused, PriceTooHigh,
          QuoteExpired, QuoteStale, ReceiverRefused, ReentrancyGuardReentrantCall, RefundEnded, RefundTooHigh,
          RegisterExists, RegisterFull, RoundInFuture, RoundIncomplete, RouteMalformed, RowCutOff, RulingEnded,
          RulingNotEnded, RulingTooHigh, SaltUsed, SameToken, SeatsOfOneOnly, SeatsOutOfRange, SequencerDown,
          SequencerRecovering, SignatureExpired, StartOutOfRange, StringTooLong, SumMismatch, SwapExpired, SwapFailed,
          SweptBefore, TermsChanged, TermsContradict, TermsWorse, ToPayTooHigh, TokenRefused, TrialRunning,
          UnknownCharge, UnknownDispute, UnknownMilestone, UnknownPayment, UnknownPlan, UnknownRegister, UnknownRuling,
          UnknownSubscription, UnusedNotRefunded, UsageAboveCap, UsageEnded, UsageTooDear, WindowOpen,
          WithdrawDelayOutOfRange, WithdrawalPending, WithdrawalTooEarly, WithdrawalTooHigh, ZeroAddress, ZeroAmount

The second axis is `retryable`: whether the same call may succeed later without anybody changing anything.
Each message says what was found, what was allowed, and what to do.
"""

from __future__ import annotations

from tallystick.errors.alternative import (
    AlternativeIsOffered,
    AmountsLimited,
    AnotherGrid,
    NotAnAlternative,
    PaidInAnotherToken,
    PlanRefundsUnused,
    SameToken,
    SeatsOfOneOnly,
)
from tallystick.errors.base import (
    OWN_PLAN_KEYS,
    AddressInvalid,
    AmountInvalid,
    AssetMismatch,
    ConfigError,
    ForeignPlan,
    InputError,
    MoneyError,
    PermitUnsupported,
    TallystickError,
)
from tallystick.errors.books import (
    AnotherLeads,
    CorruptionError,
    DatabaseError,
    DatabaseTooNew,
    DatabaseUnreachable,
    DocumentError,
    DocumentInvalid,
    LedgerError,
    PackError,
    PackInvalid,
    ParquetUnavailable,
    PdfFailed,
    PdfNotWritten,
    PdfUnavailable,
    ProofInvalid,
    ReorganizationTooDeep,
    UnknownDocument,
    Unprovable,
)
from tallystick.errors.channel import (
    REFUSED_BECAUSE,
    AddressEmptyCode,
    AnotherPlan,
    ChannelError,
    ChannelExhausted,
    ClaimRefused,
    DepositTooHigh,
    EmptyBatch,
    FailedCall,
    InvalidRefundNonce,
    NotReceiverAuthorizer,
    NoWithdrawal,
    RowCutOff,
    SpendingLimit,
    UnknownChannel,
    VoucherRefused,
    WithdrawalPending,
    WithdrawalTooEarly,
    WithdrawalTooHigh,
    WithdrawDelayOutOfRange,
)
from tallystick.errors.checkout import (
    NumberUsed,
    PayoutsOutOfRange,
    QuoteExpired,
    SumMismatch,
    SweptBefore,
)
from tallystick.errors.conditions import (
    ConditionsEnded,
    FirstChargeDeclined,
    MaximumMissing,
    OverMandate,
    PeriodTooShort,
    PlanNotAgreed,
    StartOutOfRange,
)
from tallystick.errors.consent import (
    InvalidShortString,
    InvalidSignature,
    MandateExpired,
    PayerIsPayee,
    SaltUsed,
    SignatureExpired,
    StringTooLong,
)
from tallystick.errors.conversion import (
    AmountTooHigh,
    AnotherRoute,
    AnotherToken,
    AnswerOutOfBounds,
    ConfigContradicts,
    DecimalsTooHigh,
    FeedUnavailable,
    InputMismatch,
    OutputTooLow,
    PriceTooHigh,
    QuoteStale,
    ReceiverRefused,
    RoundIncomplete,
    RoundInFuture,
    RouteMalformed,
    SequencerDown,
    SequencerRecovering,
    SwapExpired,
    SwapFailed,
)
from tallystick.errors.coupon import (
    AnotherCoupon,
    CouponNotFor,
    CouponUsed,
    DiscountRunning,
)
from tallystick.errors.court import (
    AnotherArbiter,
    AnotherStage,
    AppealEnded,
    AppealNotEnded,
    AppealUnderpaid,
    BpsOutOfRange,
    ChangeRefused,
    UnknownDispute,
    UnknownRuling,
)
from tallystick.errors.deployment import (
    DeploymentError,
    DeploymentMismatch,
    DeploymentMissing,
    ManifestInvalid,
)
from tallystick.errors.money import (
    AccountBlocked,
    AllowanceTooLow,
    AmountMismatch,
    BalanceTooLow,
    InsufficientGas,
    NothingToClaim,
    ReentrancyGuardReentrantCall,
    RefundTooHigh,
    TokenRefused,
    UnknownCharge,
    UnusedNotRefunded,
)
from tallystick.errors.node import (
    EventsInconsistent,
    NodeBusy,
    NodeError,
    NodeInvalid,
    NodeOutvoted,
    NodeRefused,
    NodeUnreachable,
    RangeTooLarge,
    WrongChain,
)
from tallystick.errors.payment import (
    AuthorizationExpired,
    CaptureEnded,
    CaptureNotEnded,
    CaptureTooHigh,
    FeeOutOfRange,
    MilestoneCaptured,
    MilestonesOnly,
    MilestoneTooEarly,
    NoArbiter,
    NotDisputed,
    NotOpen,
    PartyRefused,
    PaymentExists,
    RefundEnded,
    RulingEnded,
    RulingNotEnded,
    RulingTooHigh,
    UnknownMilestone,
    UnknownPayment,
    WindowOpen,
)
from tallystick.errors.plan import (
    AlignedToFuture,
    AnotherRegister,
    FeeTooHigh,
    FixedTerm,
    NotAContract,
    PayeeRefused,
    PeriodOutOfRange,
    PlanIsArchived,
    PlanIsProtected,
    PlanIsQuoted,
    PlanNotStored,
    RegisterExists,
    RegisterFull,
    SeatsOutOfRange,
    TermsChanged,
    TermsContradict,
    TermsWorse,
    UnknownPlan,
    UnknownRegister,
    ZeroAddress,
    ZeroAmount,
)
from tallystick.errors.revert import (
    CallReverted,
    ContractError,
    RevertError,
    TokenReverted,
)
from tallystick.errors.subscription import (
    AnotherChargeIsNext,
    ChargeDue,
    CreditTooHigh,
    HistoryMismatch,
    MinimumTerm,
    NotActive,
    NotAuthorized,
    NothingToChange,
    NotPaused,
    ToPayTooHigh,
    TrialRunning,
    UnknownSubscription,
    UsageAboveCap,
    UsageEnded,
    UsageTooDear,
)
from tallystick.errors.transaction import (
    FundsTooLow,
    GasTooDear,
    KeyInvalid,
    KeyLocked,
    KeyMissing,
    SignerError,
    TransactionDropped,
    TransactionError,
    TransactionRefused,
    TransactionReverted,
    TransactionStuck,
)

__all__ = [
    "OWN_PLAN_KEYS",
    "REFUSED_BECAUSE",
    "AccountBlocked",
    "AddressEmptyCode",
    "AddressInvalid",
    "AlignedToFuture",
    "AllowanceTooLow",
    "AlternativeIsOffered",
    "AmountInvalid",
    "AmountMismatch",
    "AmountTooHigh",
    "AmountsLimited",
    "AnotherArbiter",
    "AnotherChargeIsNext",
    "AnotherCoupon",
    "AnotherGrid",
    "AnotherLeads",
    "AnotherPlan",
    "AnotherRegister",
    "AnotherRoute",
    "AnotherStage",
    "AnotherToken",
    "AnswerOutOfBounds",
    "AppealEnded",
    "AppealNotEnded",
    "AppealUnderpaid",
    "AssetMismatch",
    "AuthorizationExpired",
    "BalanceTooLow",
    "BpsOutOfRange",
    "CallReverted",
    "CaptureEnded",
    "CaptureNotEnded",
    "CaptureTooHigh",
    "ChangeRefused",
    "ChannelError",
    "ChannelExhausted",
    "ChargeDue",
    "ClaimRefused",
    "ConditionsEnded",
    "ConfigContradicts",
    "ConfigError",
    "ContractError",
    "CorruptionError",
    "CouponNotFor",
    "CouponUsed",
    "CreditTooHigh",
    "DatabaseError",
    "DatabaseTooNew",
    "DatabaseUnreachable",
    "DecimalsTooHigh",
    "DeploymentError",
    "DeploymentMismatch",
    "DeploymentMissing",
    "DepositTooHigh",
    "DiscountRunning",
    "DocumentError",
    "DocumentInvalid",
    "EmptyBatch",
    "EventsInconsistent",
    "FailedCall",
    "FeeOutOfRange",
    "FeeTooHigh",
    "FeedUnavailable",
    "FirstChargeDeclined",
    "FixedTerm",
    "ForeignPlan",
    "FundsTooLow",
    "GasTooDear",
    "HistoryMismatch",
    "InputError",
    "InputMismatch",
    "InsufficientGas",
    "InvalidRefundNonce",
    "InvalidShortString",
    "InvalidSignature",
    "KeyInvalid",
    "KeyLocked",
    "KeyMissing",
    "LedgerError",
    "MandateExpired",
    "ManifestInvalid",
    "MaximumMissing",
    "MilestoneCaptured",
    "MilestoneTooEarly",
    "MilestonesOnly",
    "MinimumTerm",
    "MoneyError",
    "NoArbiter",
    "NoWithdrawal",
    "NodeBusy",
    "NodeError",
    "NodeInvalid",
    "NodeOutvoted",
    "NodeRefused",
    "NodeUnreachable",
    "NotAContract",
    "NotActive",
    "NotAnAlternative",
    "NotAuthorized",
    "NotDisputed",
    "NotOpen",
    "NotPaused",
    "NotReceiverAuthorizer",
    "NothingToChange",
    "NothingToClaim",
    "NumberUsed",
    "OutputTooLow",
    "OverMandate",
    "PackError",
    "PackInvalid",
    "PaidInAnotherToken",
    "ParquetUnavailable",
    "PartyRefused",
    "PayeeRefused",
    "PayerIsPayee",
    "PaymentExists",
    "PayoutsOutOfRange",
    "PdfFailed",
    "PdfNotWritten",
    "PdfUnavailable",
    "PeriodOutOfRange",
    "PeriodTooShort",
    "PermitUnsupported",
    "PlanIsArchived",
    "PlanIsProtected",
    "PlanIsQuoted",
    "PlanNotAgreed",
    "PlanNotStored",
    "PlanRefundsUnused",
    "PriceTooHigh",
    "ProofInvalid",
    "QuoteExpired",
    "QuoteStale",
    "RangeTooLarge",
    "ReceiverRefused",
    "ReentrancyGuardReentrantCall",
    "RefundEnded",
    "RefundTooHigh",
    "RegisterExists",
    "RegisterFull",
    "ReorganizationTooDeep",
    "RevertError",
    "RoundInFuture",
    "RoundIncomplete",
    "RouteMalformed",
    "RowCutOff",
    "RulingEnded",
    "RulingNotEnded",
    "RulingTooHigh",
    "SaltUsed",
    "SameToken",
    "SeatsOfOneOnly",
    "SeatsOutOfRange",
    "SequencerDown",
    "SequencerRecovering",
    "SignatureExpired",
    "SignerError",
    "SpendingLimit",
    "StartOutOfRange",
    "StringTooLong",
    "SumMismatch",
    "SwapExpired",
    "SwapFailed",
    "SweptBefore",
    "TallystickError",
    "TermsChanged",
    "TermsContradict",
    "TermsWorse",
    "ToPayTooHigh",
    "TokenRefused",
    "TokenReverted",
    "TransactionDropped",
    "TransactionError",
    "TransactionRefused",
    "TransactionReverted",
    "TransactionStuck",
    "TrialRunning",
    "UnknownChannel",
    "UnknownCharge",
    "UnknownDispute",
    "UnknownDocument",
    "UnknownMilestone",
    "UnknownPayment",
    "UnknownPlan",
    "UnknownRegister",
    "UnknownRuling",
    "UnknownSubscription",
    "Unprovable",
    "UnusedNotRefunded",
    "UsageAboveCap",
    "UsageEnded",
    "UsageTooDear",
    "VoucherRefused",
    "WindowOpen",
    "WithdrawDelayOutOfRange",
    "WithdrawalPending",
    "WithdrawalTooEarly",
    "WithdrawalTooHigh",
    "WrongChain",
    "ZeroAddress",
    "ZeroAmount",
]
