CREATE TABLE leases (
    role TEXT NOT NULL,
    holder TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    CONSTRAINT pk_leases PRIMARY KEY (role)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE sources (
    source_id INTEGER NOT NULL,
    chain_id INTEGER NOT NULL,
    contract TEXT NOT NULL,
    kind TEXT NOT NULL,
    start_block INTEGER NOT NULL,
    final_number INTEGER NOT NULL,
    final_hash BLOB NOT NULL,
    final_time INTEGER NOT NULL,
    CONSTRAINT pk_sources PRIMARY KEY (source_id),
    CONSTRAINT uq_sources_chain_id_contract UNIQUE (chain_id, contract),
    CONSTRAINT ck_sources_kind_known CHECK (kind IN ('Subscriptions', 'Escrow', 'Checkout', 'Channels', 'Conversion', 'x402'))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE rates (
    chain_id INTEGER NOT NULL,
    token TEXT NOT NULL,
    currency TEXT NOT NULL,
    block_number INTEGER NOT NULL,
    evidence TEXT NOT NULL,
    CONSTRAINT pk_rates PRIMARY KEY (chain_id, token, currency, block_number)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE tokens (
    chain_id INTEGER NOT NULL,
    address TEXT NOT NULL,
    symbol TEXT NOT NULL,
    decimals INTEGER NOT NULL,
    CONSTRAINT pk_tokens PRIMARY KEY (chain_id, address)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE attempts (
    source_id INTEGER NOT NULL,
    subscription_id INTEGER NOT NULL,
    due INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    time INTEGER NOT NULL,
    reason TEXT NOT NULL,
    retry_at INTEGER,
    CONSTRAINT pk_attempts PRIMARY KEY (source_id, subscription_id, due, attempt),
    CONSTRAINT fk_attempts_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE claimables (
    source_id INTEGER NOT NULL,
    account TEXT NOT NULL,
    token TEXT NOT NULL,
    units TEXT NOT NULL,
    CONSTRAINT pk_claimables PRIMARY KEY (source_id, account, token),
    CONSTRAINT ck_claimables_units_digits CHECK (units GLOB '[0-9]*' AND units NOT GLOB '*[^0-9]*'),
    CONSTRAINT fk_claimables_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE entries (
    source_id INTEGER NOT NULL,
    entry_number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    block_number INTEGER NOT NULL,
    block_hash BLOB NOT NULL,
    block_time INTEGER NOT NULL,
    transaction_hash BLOB NOT NULL,
    log_index INTEGER NOT NULL,
    previous_hash BLOB NOT NULL,
    hash BLOB NOT NULL,
    CONSTRAINT pk_entries PRIMARY KEY (source_id, entry_number)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE events (
    source_id INTEGER NOT NULL,
    block_number INTEGER NOT NULL,
    log_index INTEGER NOT NULL,
    block_hash BLOB NOT NULL,
    block_time INTEGER NOT NULL,
    transaction_hash BLOB NOT NULL,
    name TEXT NOT NULL,
    topics BLOB NOT NULL,
    data BLOB NOT NULL,
    CONSTRAINT pk_events PRIMARY KEY (source_id, block_number, log_index)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE headers (
    source_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    parent_hash BLOB NOT NULL,
    time INTEGER NOT NULL,
    CONSTRAINT pk_headers PRIMARY KEY (source_id, number),
    CONSTRAINT fk_headers_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE waits (
    source_id INTEGER NOT NULL,
    since_block INTEGER NOT NULL,
    agreeing INTEGER NOT NULL,
    needed INTEGER NOT NULL,
    why TEXT NOT NULL,
    CONSTRAINT pk_waits PRIMARY KEY (source_id),
    CONSTRAINT fk_waits_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE invoice_lines (
    source_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    payee TEXT NOT NULL,
    number INTEGER NOT NULL,
    position INTEGER NOT NULL,
    description TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    price_units TEXT NOT NULL,
    amount_units TEXT NOT NULL,
    CONSTRAINT pk_invoice_lines PRIMARY KEY (source_id, kind, payee, number, position),
    CONSTRAINT ck_invoice_lines_price_units_digits CHECK ((price_units GLOB '[0-9]*' OR price_units GLOB '-[0-9]*') AND substr(price_units, 2) NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_invoice_lines_amount_units_digits CHECK ((amount_units GLOB '[0-9]*' OR amount_units GLOB '-[0-9]*') AND substr(amount_units, 2) NOT GLOB '*[^0-9]*')
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE invoices (
    source_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    payee TEXT NOT NULL,
    number INTEGER NOT NULL,
    payer TEXT NOT NULL,
    token TEXT NOT NULL,
    subscription_id INTEGER NOT NULL,
    plan_id INTEGER NOT NULL,
    charge_number INTEGER NOT NULL,
    period_start INTEGER NOT NULL,
    period_end INTEGER NOT NULL,
    total_units TEXT NOT NULL,
    fiat_currency TEXT,
    fiat_units TEXT,
    fiat_evidence TEXT,
    corrects INTEGER,
    block_number INTEGER NOT NULL,
    block_hash BLOB NOT NULL,
    block_time INTEGER NOT NULL,
    transaction_hash BLOB NOT NULL,
    log_index INTEGER NOT NULL,
    usage_quantity TEXT,
    usage_hash BLOB,
    quoted_price_units TEXT,
    quoted_amount_units TEXT,
    quoter TEXT,
    paid_by TEXT,
    beneficiary TEXT,
    payment_id BLOB,
    CONSTRAINT pk_invoices PRIMARY KEY (source_id, kind, payee, number),
    CONSTRAINT ck_invoices_total_units_digits CHECK (total_units GLOB '[0-9]*' AND total_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_invoices_fiat_units_digits CHECK (fiat_units GLOB '[0-9]*' AND fiat_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_invoices_usage_quantity_digits CHECK (usage_quantity GLOB '[0-9]*' AND usage_quantity NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_invoices_quoted_price_units_digits CHECK (quoted_price_units GLOB '[0-9]*' AND quoted_price_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_invoices_quoted_amount_units_digits CHECK (quoted_amount_units GLOB '[0-9]*' AND quoted_amount_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_invoices_kind_known CHECK (kind IN ('invoice', 'credit_note'))
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_invoices_source_id_subscription_id_charge_number_kind ON invoices (source_id, subscription_id, charge_number, kind);

CREATE TABLE pegs (
    source_id INTEGER NOT NULL,
    token TEXT NOT NULL,
    from_block INTEGER NOT NULL,
    currency TEXT,
    CONSTRAINT pk_pegs PRIMARY KEY (source_id, token, from_block),
    CONSTRAINT fk_pegs_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE plans (
    source_id INTEGER NOT NULL,
    plan_id INTEGER NOT NULL,
    register_id INTEGER NOT NULL,
    payee TEXT NOT NULL,
    price_units TEXT NOT NULL,
    token TEXT NOT NULL,
    every INTEGER NOT NULL,
    unit TEXT NOT NULL,
    catch_up INTEGER NOT NULL,
    seat_price_units TEXT NOT NULL,
    trial INTEGER NOT NULL,
    grace INTEGER NOT NULL,
    min_charges INTEGER NOT NULL,
    max_charges INTEGER NOT NULL,
    fee_bps INTEGER NOT NULL,
    family INTEGER NOT NULL,
    fee_receiver TEXT,
    usage_cap_units TEXT NOT NULL,
    usage_price_units TEXT NOT NULL,
    biller TEXT,
    align_to INTEGER NOT NULL,
    quoter TEXT,
    refunds_unused INTEGER NOT NULL,
    protection INTEGER NOT NULL,
    arbiter TEXT,
    ruling_timeout INTEGER NOT NULL,
    default_payee_bps INTEGER NOT NULL,
    max_arbiter_fee_bps INTEGER NOT NULL,
    archived INTEGER NOT NULL,
    alternatives TEXT NOT NULL,
    CONSTRAINT pk_plans PRIMARY KEY (source_id, plan_id),
    CONSTRAINT ck_plans_price_units_digits CHECK (price_units GLOB '[0-9]*' AND price_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_plans_seat_price_units_digits CHECK (seat_price_units GLOB '[0-9]*' AND seat_price_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_plans_usage_cap_units_digits CHECK (usage_cap_units GLOB '[0-9]*' AND usage_cap_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_plans_usage_price_units_digits CHECK (usage_price_units GLOB '[0-9]*' AND usage_price_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_plans_refunds_unused_flag CHECK (refunds_unused IN (0, 1)),
    CONSTRAINT ck_plans_archived_flag CHECK (archived IN (0, 1)),
    CONSTRAINT fk_plans_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE postings (
    source_id INTEGER NOT NULL,
    entry_number INTEGER NOT NULL,
    position INTEGER NOT NULL,
    account TEXT NOT NULL,
    side TEXT NOT NULL,
    token TEXT NOT NULL,
    units TEXT NOT NULL,
    CONSTRAINT pk_postings PRIMARY KEY (source_id, entry_number, position),
    CONSTRAINT ck_postings_units_digits CHECK (units GLOB '[0-9]*' AND units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_postings_side_known CHECK (side IN ('D', 'C'))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE balances (
    source_id INTEGER NOT NULL,
    account TEXT NOT NULL,
    token TEXT NOT NULL,
    entry_number INTEGER NOT NULL,
    debit_units TEXT NOT NULL,
    credit_units TEXT NOT NULL,
    CONSTRAINT pk_balances PRIMARY KEY (source_id, account, token),
    CONSTRAINT ck_balances_debit_units_digits CHECK (debit_units GLOB '[0-9]*' AND debit_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_balances_credit_units_digits CHECK (credit_units GLOB '[0-9]*' AND credit_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT fk_balances_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE past_balances (
    source_id INTEGER NOT NULL,
    account TEXT NOT NULL,
    token TEXT NOT NULL,
    entry_number INTEGER NOT NULL,
    debit_units TEXT NOT NULL,
    credit_units TEXT NOT NULL,
    CONSTRAINT pk_past_balances PRIMARY KEY (source_id, account, token, entry_number),
    CONSTRAINT ck_past_balances_debit_units_digits CHECK (debit_units GLOB '[0-9]*' AND debit_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_past_balances_credit_units_digits CHECK (credit_units GLOB '[0-9]*' AND credit_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT fk_past_balances_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE registers (
    source_id INTEGER NOT NULL,
    register_id INTEGER NOT NULL,
    payee TEXT NOT NULL,
    token TEXT NOT NULL,
    subscriptions INTEGER NOT NULL,
    charges INTEGER NOT NULL,
    refunds INTEGER NOT NULL,
    CONSTRAINT pk_registers PRIMARY KEY (source_id, register_id),
    CONSTRAINT fk_registers_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE subscriptions (
    source_id INTEGER NOT NULL,
    subscription_id INTEGER NOT NULL,
    payer TEXT NOT NULL,
    plan_id INTEGER NOT NULL,
    next_due INTEGER NOT NULL,
    charges INTEGER NOT NULL,
    status TEXT NOT NULL,
    anchor_day INTEGER NOT NULL,
    seats INTEGER NOT NULL,
    credit_units TEXT NOT NULL,
    shifted INTEGER NOT NULL,
    usage_units TEXT NOT NULL,
    usage_charge INTEGER NOT NULL,
    scheduled_plan_id INTEGER,
    scheduled_seats INTEGER,
    max_per_period_units TEXT NOT NULL,
    left_units TEXT,
    ends_at INTEGER NOT NULL,
    basis_points_off INTEGER,
    amount_off_units TEXT,
    discounted_periods INTEGER,
    discounted_plan_id INTEGER,
    last_discount_units TEXT,
    beneficiary TEXT,
    fallback TEXT,
    fallback_plan_id INTEGER,
    fallback_seats INTEGER,
    fallback_alternative_id INTEGER,
    by_permit2 INTEGER NOT NULL,
    in_alternative INTEGER NOT NULL,
    CONSTRAINT pk_subscriptions PRIMARY KEY (source_id, subscription_id),
    CONSTRAINT ck_subscriptions_credit_units_digits CHECK (credit_units GLOB '[0-9]*' AND credit_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_subscriptions_shifted_flag CHECK (shifted IN (0, 1)),
    CONSTRAINT ck_subscriptions_usage_units_digits CHECK (usage_units GLOB '[0-9]*' AND usage_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_subscriptions_max_per_period_units_digits CHECK (max_per_period_units GLOB '[0-9]*' AND max_per_period_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_subscriptions_left_units_digits CHECK (left_units GLOB '[0-9]*' AND left_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_subscriptions_amount_off_units_digits CHECK (amount_off_units GLOB '[0-9]*' AND amount_off_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_subscriptions_last_discount_units_digits CHECK (last_discount_units GLOB '[0-9]*' AND last_discount_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_subscriptions_by_permit2_flag CHECK (by_permit2 IN (0, 1)),
    CONSTRAINT ck_subscriptions_in_alternative_flag CHECK (in_alternative IN (0, 1)),
    CONSTRAINT fk_subscriptions_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_subscriptions_source_id_status_next_due ON subscriptions (source_id, status, next_due);

CREATE TABLE payments (
    source_id INTEGER NOT NULL,
    payment_id BLOB NOT NULL,
    payer TEXT NOT NULL,
    payee TEXT NOT NULL,
    token TEXT NOT NULL,
    amount_units TEXT NOT NULL,
    operator TEXT,
    authorize_before INTEGER NOT NULL,
    capture_before INTEGER NOT NULL,
    refund_before INTEGER NOT NULL,
    dispute_window INTEGER NOT NULL,
    arbiter TEXT,
    ruling_timeout INTEGER NOT NULL,
    default_payee_bps INTEGER NOT NULL,
    max_arbiter_fee_bps INTEGER NOT NULL,
    min_fee_bps INTEGER NOT NULL,
    max_fee_bps INTEGER NOT NULL,
    fee_receiver TEXT,
    milestones_root BLOB NOT NULL,
    salt TEXT NOT NULL,
    collector TEXT,
    status TEXT NOT NULL,
    held_units TEXT NOT NULL,
    captured_units TEXT NOT NULL,
    returned_units TEXT NOT NULL,
    arbiter_units TEXT NOT NULL,
    refunded_units TEXT NOT NULL,
    since INTEGER NOT NULL,
    milestones INTEGER NOT NULL,
    CONSTRAINT pk_payments PRIMARY KEY (source_id, payment_id),
    CONSTRAINT ck_payments_amount_units_digits CHECK (amount_units GLOB '[0-9]*' AND amount_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_payments_salt_digits CHECK (salt GLOB '[0-9]*' AND salt NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_payments_held_units_digits CHECK (held_units GLOB '[0-9]*' AND held_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_payments_captured_units_digits CHECK (captured_units GLOB '[0-9]*' AND captured_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_payments_returned_units_digits CHECK (returned_units GLOB '[0-9]*' AND returned_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_payments_arbiter_units_digits CHECK (arbiter_units GLOB '[0-9]*' AND arbiter_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_payments_refunded_units_digits CHECK (refunded_units GLOB '[0-9]*' AND refunded_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT fk_payments_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_payments_source_id_payee ON payments (source_id, payee);

CREATE TABLE payment_totals (
    source_id INTEGER NOT NULL,
    payee TEXT NOT NULL,
    token TEXT NOT NULL,
    payments INTEGER NOT NULL,
    sum_units TEXT NOT NULL,
    CONSTRAINT pk_payment_totals PRIMARY KEY (source_id, payee, token),
    CONSTRAINT ck_payment_totals_sum_units_digits CHECK (sum_units GLOB '[0-9]*' AND sum_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT fk_payment_totals_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE revoked_payments (
    source_id INTEGER NOT NULL,
    payment_id BLOB NOT NULL,
    CONSTRAINT pk_revoked_payments PRIMARY KEY (source_id, payment_id),
    CONSTRAINT fk_revoked_payments_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE payment_invoices (
    source_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    payee TEXT NOT NULL,
    number INTEGER NOT NULL,
    payer TEXT NOT NULL,
    token TEXT NOT NULL,
    payment_id BLOB NOT NULL,
    salt TEXT NOT NULL,
    occasion TEXT NOT NULL,
    milestone INTEGER,
    total_units TEXT NOT NULL,
    fiat_currency TEXT,
    fiat_units TEXT,
    fiat_evidence TEXT,
    block_number INTEGER NOT NULL,
    block_hash BLOB NOT NULL,
    block_time INTEGER NOT NULL,
    transaction_hash BLOB NOT NULL,
    log_index INTEGER NOT NULL,
    CONSTRAINT pk_payment_invoices PRIMARY KEY (source_id, kind, payee, number),
    CONSTRAINT ck_payment_invoices_salt_digits CHECK (salt GLOB '[0-9]*' AND salt NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_payment_invoices_total_units_digits CHECK (total_units GLOB '[0-9]*' AND total_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_payment_invoices_fiat_units_digits CHECK (fiat_units GLOB '[0-9]*' AND fiat_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_payment_invoices_kind_known CHECK (kind IN ('invoice', 'credit_note')),
    CONSTRAINT fk_payment_invoices_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_payment_invoices_source_id_payment_id ON payment_invoices (source_id, payment_id);

CREATE TABLE evidence (
    hash BLOB NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    content BLOB NOT NULL,
    CONSTRAINT pk_evidence PRIMARY KEY (hash)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE expected_payments (
    source_id INTEGER NOT NULL,
    receiver TEXT NOT NULL,
    invoice BLOB NOT NULL,
    address TEXT NOT NULL,
    token TEXT NOT NULL,
    amount_units TEXT NOT NULL,
    valid_before INTEGER,
    tolerance_units TEXT NOT NULL,
    symbol TEXT NOT NULL,
    decimals INTEGER NOT NULL,
    from_block INTEGER,
    CONSTRAINT pk_expected_payments PRIMARY KEY (source_id, receiver, invoice),
    CONSTRAINT ck_expected_payments_amount_units_digits CHECK (amount_units GLOB '[0-9]*' AND amount_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_expected_payments_tolerance_units_digits CHECK (tolerance_units GLOB '[0-9]*' AND tolerance_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT fk_expected_payments_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE deposits (
    source_id INTEGER NOT NULL,
    receiver TEXT NOT NULL,
    invoice BLOB NOT NULL,
    token TEXT NOT NULL,
    received_units TEXT NOT NULL,
    standing_units TEXT NOT NULL,
    advance_units TEXT NOT NULL,
    credit_units TEXT NOT NULL,
    waived_units TEXT,
    CONSTRAINT pk_deposits PRIMARY KEY (source_id, receiver, invoice, token),
    CONSTRAINT ck_deposits_received_units_digits CHECK (received_units GLOB '[0-9]*' AND received_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_deposits_standing_units_digits CHECK (standing_units GLOB '[0-9]*' AND standing_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_deposits_advance_units_digits CHECK (advance_units GLOB '[0-9]*' AND advance_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_deposits_credit_units_digits CHECK (credit_units GLOB '[0-9]*' AND credit_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_deposits_waived_units_digits CHECK (waived_units GLOB '[0-9]*' AND waived_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT fk_deposits_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE sales (
    source_id INTEGER NOT NULL,
    merchant TEXT NOT NULL,
    invoice BLOB NOT NULL,
    token TEXT NOT NULL,
    sold_units TEXT NOT NULL,
    refunded_units TEXT NOT NULL,
    CONSTRAINT pk_sales PRIMARY KEY (source_id, merchant, invoice, token),
    CONSTRAINT ck_sales_sold_units_digits CHECK (sold_units GLOB '[0-9]*' AND sold_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_sales_refunded_units_digits CHECK (refunded_units GLOB '[0-9]*' AND refunded_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT fk_sales_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE quote_totals (
    source_id INTEGER NOT NULL,
    merchant TEXT NOT NULL,
    token TEXT NOT NULL,
    quotes INTEGER NOT NULL,
    sum_units TEXT NOT NULL,
    CONSTRAINT pk_quote_totals PRIMARY KEY (source_id, merchant, token),
    CONSTRAINT ck_quote_totals_sum_units_digits CHECK (sum_units GLOB '[0-9]*' AND sum_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT fk_quote_totals_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE used_numbers (
    source_id INTEGER NOT NULL,
    merchant TEXT NOT NULL,
    word TEXT NOT NULL,
    bits TEXT NOT NULL,
    CONSTRAINT pk_used_numbers PRIMARY KEY (source_id, merchant, word),
    CONSTRAINT ck_used_numbers_word_digits CHECK (word GLOB '[0-9]*' AND word NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_used_numbers_bits_digits CHECK (bits GLOB '[0-9]*' AND bits NOT GLOB '*[^0-9]*'),
    CONSTRAINT fk_used_numbers_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE sale_invoices (
    source_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    payee TEXT NOT NULL,
    number INTEGER NOT NULL,
    payer TEXT NOT NULL,
    token TEXT NOT NULL,
    reference BLOB NOT NULL,
    paid_by TEXT NOT NULL,
    quote_id BLOB,
    address TEXT,
    total_units TEXT NOT NULL,
    waived_units TEXT NOT NULL,
    fiat_currency TEXT,
    fiat_units TEXT,
    fiat_evidence TEXT,
    block_number INTEGER NOT NULL,
    block_hash BLOB NOT NULL,
    block_time INTEGER NOT NULL,
    transaction_hash BLOB NOT NULL,
    log_index INTEGER NOT NULL,
    CONSTRAINT pk_sale_invoices PRIMARY KEY (source_id, kind, payee, number),
    CONSTRAINT ck_sale_invoices_total_units_digits CHECK (total_units GLOB '[0-9]*' AND total_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_sale_invoices_waived_units_digits CHECK (waived_units GLOB '[0-9]*' AND waived_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_sale_invoices_fiat_units_digits CHECK (fiat_units GLOB '[0-9]*' AND fiat_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_sale_invoices_kind_known CHECK (kind IN ('invoice', 'credit_note')),
    CONSTRAINT fk_sale_invoices_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_sale_invoices_source_id_reference ON sale_invoices (source_id, reference);

CREATE TABLE wallet_channels (
    chain_id INTEGER NOT NULL,
    contract TEXT NOT NULL,
    channel_id BLOB NOT NULL,
    payer TEXT NOT NULL,
    payer_authorizer TEXT,
    receiver TEXT NOT NULL,
    receiver_authorizer TEXT NOT NULL,
    token TEXT NOT NULL,
    withdraw_delay_s INTEGER NOT NULL,
    salt BLOB NOT NULL,
    "key" TEXT,
    key_limit_sum TEXT,
    key_valid_before INTEGER,
    key_signature BLOB,
    signed_sum TEXT NOT NULL,
    signature BLOB,
    usable_sum TEXT NOT NULL,
    day INTEGER NOT NULL,
    day_units TEXT NOT NULL,
    request TEXT,
    request_units TEXT,
    per_voucher TEXT,
    per_channel TEXT,
    per_day TEXT,
    CONSTRAINT pk_wallet_channels PRIMARY KEY (chain_id, contract, channel_id),
    CONSTRAINT ck_wallet_channels_signed_sum_digits CHECK (signed_sum GLOB '[0-9]*' AND signed_sum NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_wallet_channels_usable_sum_digits CHECK (usable_sum GLOB '[0-9]*' AND usable_sum NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_wallet_channels_day_units_digits CHECK (day_units GLOB '[0-9]*' AND day_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_wallet_channels_request_units_digits CHECK (request_units GLOB '[0-9]*' AND request_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_wallet_channels_per_voucher_digits CHECK (per_voucher GLOB '[0-9]*' AND per_voucher NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_wallet_channels_per_channel_digits CHECK (per_channel GLOB '[0-9]*' AND per_channel NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_wallet_channels_per_day_digits CHECK (per_day GLOB '[0-9]*' AND per_day NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_wallet_channels_key_limit_sum_digits CHECK (key_limit_sum GLOB '[0-9]*' AND key_limit_sum NOT GLOB '*[^0-9]*')
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE till_channels (
    chain_id INTEGER NOT NULL,
    contract TEXT NOT NULL,
    channel_id BLOB NOT NULL,
    payer TEXT NOT NULL,
    payer_authorizer TEXT,
    receiver TEXT NOT NULL,
    receiver_authorizer TEXT NOT NULL,
    token TEXT NOT NULL,
    withdraw_delay_s INTEGER NOT NULL,
    salt BLOB NOT NULL,
    "key" TEXT,
    key_limit_sum TEXT,
    key_valid_before INTEGER,
    key_signature BLOB,
    taken_sum TEXT NOT NULL,
    signature BLOB NOT NULL,
    claimed_sum TEXT NOT NULL,
    taken_at INTEGER NOT NULL,
    refusal TEXT,
    CONSTRAINT pk_till_channels PRIMARY KEY (chain_id, contract, channel_id),
    CONSTRAINT ck_till_channels_taken_sum_digits CHECK (taken_sum GLOB '[0-9]*' AND taken_sum NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_till_channels_claimed_sum_digits CHECK (claimed_sum GLOB '[0-9]*' AND claimed_sum NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_till_channels_key_limit_sum_digits CHECK (key_limit_sum GLOB '[0-9]*' AND key_limit_sum NOT GLOB '*[^0-9]*')
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE mirrored_channels (
    source_id INTEGER NOT NULL,
    channel_id BLOB NOT NULL,
    payer TEXT NOT NULL,
    payer_authorizer TEXT,
    receiver TEXT NOT NULL,
    receiver_authorizer TEXT NOT NULL,
    token TEXT NOT NULL,
    withdraw_delay_s INTEGER NOT NULL,
    salt BLOB NOT NULL,
    opening INTEGER NOT NULL,
    deposited_units TEXT NOT NULL,
    claimed_units TEXT NOT NULL,
    withdrawing_units TEXT NOT NULL,
    withdrawal_since INTEGER NOT NULL,
    closing INTEGER NOT NULL,
    CONSTRAINT pk_mirrored_channels PRIMARY KEY (source_id, channel_id),
    CONSTRAINT ck_mirrored_channels_deposited_units_digits CHECK (deposited_units GLOB '[0-9]*' AND deposited_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_mirrored_channels_claimed_units_digits CHECK (claimed_units GLOB '[0-9]*' AND claimed_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_mirrored_channels_withdrawing_units_digits CHECK (withdrawing_units GLOB '[0-9]*' AND withdrawing_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_mirrored_channels_closing_flag CHECK (closing IN (0, 1)),
    CONSTRAINT fk_mirrored_channels_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE receiver_totals (
    source_id INTEGER NOT NULL,
    receiver TEXT NOT NULL,
    token TEXT NOT NULL,
    claimed_units TEXT NOT NULL,
    settled_units TEXT NOT NULL,
    CONSTRAINT pk_receiver_totals PRIMARY KEY (source_id, receiver, token),
    CONSTRAINT ck_receiver_totals_claimed_units_digits CHECK (claimed_units GLOB '[0-9]*' AND claimed_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT ck_receiver_totals_settled_units_digits CHECK (settled_units GLOB '[0-9]*' AND settled_units NOT GLOB '*[^0-9]*'),
    CONSTRAINT fk_receiver_totals_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
)
 WITHOUT ROWID,
 STRICT;

-- CROSS keeps SQLite from beginning with the larger table, the + from looking for all entries of a range again with each
-- entry of it: without statistics it would choose either.
CREATE VIEW journal AS
SELECT
    lines.chain_id,
    lines.contract,
    lines.contract_address,
    lines.entry_number AS entry,
    lines.position AS line,
    datetime(lines.block_time, 'unixepoch') AS time,
    lines.kind,
    lines.account,
    CASE lines.side WHEN 'D' THEN lines.amount END AS debit,
    CASE lines.side WHEN 'C' THEN lines.amount END AS credit,
    lines.symbol,
    lines.decimals,
    lines.token,
    CASE lines.side WHEN 'D' THEN lines.units END AS debit_units,
    CASE lines.side WHEN 'C' THEN lines.units END AS credit_units,
    lines.block_number AS block,
    '0x' || lower(hex(lines.transaction_hash)) AS transaction_hash,
    lines.log_index
FROM (
    SELECT
        sources.chain_id,
        sources.kind AS contract,
        sources.contract AS contract_address,
        entries.entry_number,
        entries.kind,
        entries.block_number,
        entries.block_time,
        entries.transaction_hash,
        entries.log_index,
        postings.position,
        postings.account,
        postings.side,
        postings.token,
        postings.units,
        tokens.symbol,
        tokens.decimals,
        CASE
            WHEN tokens.decimals = 0 THEN postings.units
            WHEN tokens.decimals > 0 THEN coalesce(nullif(substr(postings.units, 1, length(postings.units) - tokens.decimals), ''), '0')
                || '.' || substr(hex(zeroblob(tokens.decimals)) || postings.units, -tokens.decimals)
        END AS amount
    FROM sources
    CROSS JOIN entries ON entries.source_id = sources.source_id
    CROSS JOIN postings ON postings.source_id = entries.source_id AND postings.entry_number = +entries.entry_number
    LEFT JOIN tokens ON tokens.chain_id = sources.chain_id AND tokens.address = postings.token
) AS lines;

CREATE VIEW trial_balance AS
SELECT
    sources.chain_id,
    sources.kind AS contract,
    sources.contract AS contract_address,
    balances.account,
    CASE
        WHEN tokens.decimals = 0 THEN balances.debit_units
        WHEN tokens.decimals > 0 THEN coalesce(nullif(substr(balances.debit_units, 1, length(balances.debit_units) - tokens.decimals), ''), '0')
            || '.' || substr(hex(zeroblob(tokens.decimals)) || balances.debit_units, -tokens.decimals)
    END AS debit,
    CASE
        WHEN tokens.decimals = 0 THEN balances.credit_units
        WHEN tokens.decimals > 0 THEN coalesce(nullif(substr(balances.credit_units, 1, length(balances.credit_units) - tokens.decimals), ''), '0')
            || '.' || substr(hex(zeroblob(tokens.decimals)) || balances.credit_units, -tokens.decimals)
    END AS credit,
    tokens.symbol,
    tokens.decimals,
    balances.token,
    balances.debit_units,
    balances.credit_units,
    balances.entry_number AS last_entry,
    sources.final_number AS block,
    datetime(sources.final_time, 'unixepoch') AS time
FROM sources
CROSS JOIN balances ON balances.source_id = sources.source_id
LEFT JOIN tokens ON tokens.chain_id = sources.chain_id AND tokens.address = balances.token;

CREATE VIEW documents AS
SELECT
    sources.chain_id,
    sources.kind AS contract,
    sources.contract AS contract_address,
    numbered.kind,
    numbered.payee,
    numbered.number,
    datetime(numbered.block_time, 'unixepoch') AS time,
    numbered.payer,
    CASE
        WHEN tokens.decimals = 0 THEN numbered.total_units
        WHEN tokens.decimals > 0 THEN coalesce(nullif(substr(numbered.total_units, 1, length(numbered.total_units) - tokens.decimals), ''), '0')
            || '.' || substr(hex(zeroblob(tokens.decimals)) || numbered.total_units, -tokens.decimals)
    END AS total,
    tokens.symbol,
    tokens.decimals,
    numbered.token,
    numbered.total_units,
    numbered.fiat_currency,
    numbered.fiat_units,
    numbered.fiat_evidence,
    numbered.subject,
    numbered.block_number AS block,
    '0x' || lower(hex(numbered.transaction_hash)) AS transaction_hash,
    numbered.log_index
FROM (
    SELECT source_id, kind, payee, number, payer, token, total_units, fiat_currency, fiat_units, fiat_evidence,
        block_number, block_time, transaction_hash, log_index, 'charge ' || subscription_id || '/' || charge_number AS subject
    FROM invoices
    UNION ALL
    SELECT source_id, kind, payee, number, payer, token, total_units, fiat_currency, fiat_units, fiat_evidence,
        block_number, block_time, transaction_hash, log_index, 'payment ' || '0x' || lower(hex(payment_id)) AS subject
    FROM payment_invoices
    UNION ALL
    SELECT source_id, kind, payee, number, payer, token, total_units, fiat_currency, fiat_units, fiat_evidence,
        block_number, block_time, transaction_hash, log_index, 'invoice ' || '0x' || lower(hex(reference)) AS subject
    FROM sale_invoices
) AS numbered
JOIN sources ON sources.source_id = numbered.source_id
LEFT JOIN tokens ON tokens.chain_id = sources.chain_id AND tokens.address = numbered.token;

CREATE VIEW event_log AS
SELECT
    sources.chain_id,
    sources.kind AS contract,
    sources.contract AS contract_address,
    events.block_number AS block,
    events.log_index,
    datetime(events.block_time, 'unixepoch') AS time,
    events.name,
    CASE WHEN events.block_number <= sources.final_number THEN 'final' ELSE 'pending' END AS status,
    '0x' || lower(hex(events.block_hash)) AS block_hash,
    '0x' || lower(hex(events.transaction_hash)) AS transaction_hash,
    '0x' || lower(hex(events.topics)) AS topics,
    '0x' || lower(hex(events.data)) AS data
FROM sources
CROSS JOIN events ON events.source_id = sources.source_id;
