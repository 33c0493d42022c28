CREATE TABLE leases (
    role TEXT NOT NULL,
    holder TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    CONSTRAINT pk_leases PRIMARY KEY (role)
);

CREATE TABLE sources (
    source_id INTEGER NOT NULL,
    chain_id BIGINT NOT NULL,
    contract TEXT NOT NULL,
    kind TEXT NOT NULL,
    start_block BIGINT NOT NULL,
    final_number BIGINT NOT NULL,
    final_hash BYTEA NOT NULL,
    final_time BIGINT NOT NULL,
    CONSTRAINT pk_sources PRIMARY KEY (source_id),
    CONSTRAINT uq_sources_chain_id_contract UNIQUE (chain_id, contract),
    CONSTRAINT ck_sources_kind_known CHECK (kind IN ('Subscriptions', 'Escrow', 'Checkout', 'Channels', 'Conversion', 'x402'))
);

CREATE TABLE rates (
    chain_id BIGINT NOT NULL,
    token TEXT NOT NULL,
    currency TEXT NOT NULL,
    block_number BIGINT NOT NULL,
    evidence TEXT NOT NULL,
    CONSTRAINT pk_rates PRIMARY KEY (chain_id, token, currency, block_number)
);

CREATE TABLE tokens (
    chain_id BIGINT NOT NULL,
    address TEXT NOT NULL,
    symbol TEXT NOT NULL,
    decimals INTEGER NOT NULL,
    CONSTRAINT pk_tokens PRIMARY KEY (chain_id, address)
);

CREATE TABLE attempts (
    source_id INTEGER NOT NULL,
    subscription_id BIGINT NOT NULL,
    due BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    time BIGINT NOT NULL,
    reason TEXT NOT NULL,
    retry_at BIGINT,
    CONSTRAINT pk_attempts PRIMARY KEY (source_id, subscription_id, due, attempt),
    CONSTRAINT fk_attempts_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE TABLE claimables (
    source_id INTEGER NOT NULL,
    account TEXT NOT NULL,
    token TEXT NOT NULL,
    units NUMERIC(78, 0) NOT NULL,
    CONSTRAINT pk_claimables PRIMARY KEY (source_id, account, token),
    CONSTRAINT ck_claimables_units_positive CHECK (units >= 0),
    CONSTRAINT fk_claimables_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE TABLE entries (
    source_id INTEGER NOT NULL,
    entry_number BIGINT NOT NULL,
    kind TEXT NOT NULL,
    block_number BIGINT NOT NULL,
    block_hash BYTEA NOT NULL,
    block_time BIGINT NOT NULL,
    transaction_hash BYTEA NOT NULL,
    log_index BIGINT NOT NULL,
    previous_hash BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    CONSTRAINT pk_entries PRIMARY KEY (source_id, entry_number)
);

CREATE TABLE events (
    source_id INTEGER NOT NULL,
    block_number BIGINT NOT NULL,
    log_index BIGINT NOT NULL,
    block_hash BYTEA NOT NULL,
    block_time BIGINT NOT NULL,
    transaction_hash BYTEA NOT NULL,
    name TEXT NOT NULL,
    topics BYTEA NOT NULL,
    data BYTEA NOT NULL,
    CONSTRAINT pk_events PRIMARY KEY (source_id, block_number, log_index)
);

CREATE TABLE headers (
    source_id INTEGER NOT NULL,
    number BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    parent_hash BYTEA NOT NULL,
    time BIGINT NOT NULL,
    CONSTRAINT pk_headers PRIMARY KEY (source_id, number),
    CONSTRAINT fk_headers_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE TABLE waits (
    source_id INTEGER NOT NULL,
    since_block BIGINT NOT NULL,
    agreeing INTEGER NOT NULL,
    needed INTEGER NOT NULL,
    why TEXT NOT NULL,
    CONSTRAINT pk_waits PRIMARY KEY (source_id),
    CONSTRAINT fk_waits_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE TABLE invoice_lines (
    source_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    payee TEXT NOT NULL,
    number BIGINT NOT NULL,
    position INTEGER NOT NULL,
    description TEXT NOT NULL,
    quantity BIGINT NOT NULL,
    price_units NUMERIC(78, 0) NOT NULL,
    amount_units NUMERIC(78, 0) NOT NULL,
    CONSTRAINT pk_invoice_lines PRIMARY KEY (source_id, kind, payee, number, position)
);

CREATE TABLE invoices (
    source_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    payee TEXT NOT NULL,
    number BIGINT NOT NULL,
    payer TEXT NOT NULL,
    token TEXT NOT NULL,
    subscription_id BIGINT NOT NULL,
    plan_id BIGINT NOT NULL,
    charge_number INTEGER NOT NULL,
    period_start BIGINT NOT NULL,
    period_end BIGINT NOT NULL,
    total_units NUMERIC(78, 0) NOT NULL,
    fiat_currency TEXT,
    fiat_units NUMERIC(78, 0),
    fiat_evidence TEXT,
    corrects BIGINT,
    block_number BIGINT NOT NULL,
    block_hash BYTEA NOT NULL,
    block_time BIGINT NOT NULL,
    transaction_hash BYTEA NOT NULL,
    log_index BIGINT NOT NULL,
    usage_quantity NUMERIC(78, 0),
    usage_hash BYTEA,
    quoted_price_units NUMERIC(78, 0),
    quoted_amount_units NUMERIC(78, 0),
    quoter TEXT,
    paid_by TEXT,
    beneficiary TEXT,
    payment_id BYTEA,
    CONSTRAINT pk_invoices PRIMARY KEY (source_id, kind, payee, number),
    CONSTRAINT ck_invoices_total_units_positive CHECK (total_units >= 0),
    CONSTRAINT ck_invoices_fiat_units_positive CHECK (fiat_units >= 0),
    CONSTRAINT ck_invoices_usage_quantity_positive CHECK (usage_quantity >= 0),
    CONSTRAINT ck_invoices_quoted_price_units_positive CHECK (quoted_price_units >= 0),
    CONSTRAINT ck_invoices_quoted_amount_units_positive CHECK (quoted_amount_units >= 0),
    CONSTRAINT ck_invoices_kind_known CHECK (kind IN ('invoice', 'credit_note'))
);

CREATE INDEX ix_invoices_source_id_subscription_id_charge_number_kind ON invoices (source_id, subscription_id, charge_number, kind);

CREATE TABLE pegs (
    source_id INTEGER NOT NULL,
    token TEXT NOT NULL,
    from_block BIGINT NOT NULL,
    currency TEXT,
    CONSTRAINT pk_pegs PRIMARY KEY (source_id, token, from_block),
    CONSTRAINT fk_pegs_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE TABLE plans (
    source_id INTEGER NOT NULL,
    plan_id BIGINT NOT NULL,
    register_id BIGINT NOT NULL,
    payee TEXT NOT NULL,
    price_units NUMERIC(78, 0) NOT NULL,
    token TEXT NOT NULL,
    every BIGINT NOT NULL,
    unit TEXT NOT NULL,
    catch_up INTEGER NOT NULL,
    seat_price_units NUMERIC(78, 0) NOT NULL,
    trial BIGINT NOT NULL,
    grace BIGINT NOT NULL,
    min_charges INTEGER NOT NULL,
    max_charges INTEGER NOT NULL,
    fee_bps INTEGER NOT NULL,
    family INTEGER NOT NULL,
    fee_receiver TEXT,
    usage_cap_units NUMERIC(78, 0) NOT NULL,
    usage_price_units NUMERIC(78, 0) NOT NULL,
    biller TEXT,
    align_to BIGINT NOT NULL,
    quoter TEXT,
    refunds_unused INTEGER NOT NULL,
    protection BIGINT NOT NULL,
    arbiter TEXT,
    ruling_timeout BIGINT NOT NULL,
    default_payee_bps INTEGER NOT NULL,
    max_arbiter_fee_bps INTEGER NOT NULL,
    archived INTEGER NOT NULL,
    alternatives TEXT NOT NULL,
    CONSTRAINT pk_plans PRIMARY KEY (source_id, plan_id),
    CONSTRAINT ck_plans_price_units_positive CHECK (price_units >= 0),
    CONSTRAINT ck_plans_seat_price_units_positive CHECK (seat_price_units >= 0),
    CONSTRAINT ck_plans_usage_cap_units_positive CHECK (usage_cap_units >= 0),
    CONSTRAINT ck_plans_usage_price_units_positive CHECK (usage_price_units >= 0),
    CONSTRAINT ck_plans_refunds_unused_flag CHECK (refunds_unused IN (0, 1)),
    CONSTRAINT ck_plans_archived_flag CHECK (archived IN (0, 1)),
    CONSTRAINT fk_plans_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE TABLE postings (
    source_id INTEGER NOT NULL,
    entry_number BIGINT NOT NULL,
    position INTEGER NOT NULL,
    account TEXT NOT NULL,
    side TEXT NOT NULL,
    token TEXT NOT NULL,
    units NUMERIC(78, 0) NOT NULL,
    CONSTRAINT pk_postings PRIMARY KEY (source_id, entry_number, position),
    CONSTRAINT ck_postings_units_positive CHECK (units >= 0),
    CONSTRAINT ck_postings_side_known CHECK (side IN ('D', 'C'))
);

CREATE TABLE balances (
    source_id INTEGER NOT NULL,
    account TEXT NOT NULL,
    token TEXT NOT NULL,
    entry_number BIGINT NOT NULL,
    debit_units NUMERIC(106, 0) NOT NULL,
    credit_units NUMERIC(106, 0) NOT NULL,
    CONSTRAINT pk_balances PRIMARY KEY (source_id, account, token),
    CONSTRAINT ck_balances_debit_units_positive CHECK (debit_units >= 0),
    CONSTRAINT ck_balances_credit_units_positive CHECK (credit_units >= 0),
    CONSTRAINT fk_balances_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE TABLE past_balances (
    source_id INTEGER NOT NULL,
    account TEXT NOT NULL,
    token TEXT NOT NULL,
    entry_number BIGINT NOT NULL,
    debit_units NUMERIC(106, 0) NOT NULL,
    credit_units NUMERIC(106, 0) NOT NULL,
    CONSTRAINT pk_past_balances PRIMARY KEY (source_id, account, token, entry_number),
    CONSTRAINT ck_past_balances_debit_units_positive CHECK (debit_units >= 0),
    CONSTRAINT ck_past_balances_credit_units_positive CHECK (credit_units >= 0),
    CONSTRAINT fk_past_balances_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE TABLE registers (
    source_id INTEGER NOT NULL,
    register_id BIGINT NOT NULL,
    payee TEXT NOT NULL,
    token TEXT NOT NULL,
    subscriptions BIGINT NOT NULL,
    charges BIGINT NOT NULL,
    refunds BIGINT NOT NULL,
    CONSTRAINT pk_registers PRIMARY KEY (source_id, register_id),
    CONSTRAINT fk_registers_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE TABLE subscriptions (
    source_id INTEGER NOT NULL,
    subscription_id BIGINT NOT NULL,
    payer TEXT NOT NULL,
    plan_id BIGINT NOT NULL,
    next_due BIGINT NOT NULL,
    charges INTEGER NOT NULL,
    status TEXT NOT NULL,
    anchor_day INTEGER NOT NULL,
    seats INTEGER NOT NULL,
    credit_units NUMERIC(78, 0) NOT NULL,
    shifted INTEGER NOT NULL,
    usage_units NUMERIC(78, 0) NOT NULL,
    usage_charge INTEGER NOT NULL,
    scheduled_plan_id BIGINT,
    scheduled_seats INTEGER,
    max_per_period_units NUMERIC(78, 0) NOT NULL,
    left_units NUMERIC(78, 0),
    ends_at BIGINT NOT NULL,
    basis_points_off INTEGER,
    amount_off_units NUMERIC(78, 0),
    discounted_periods INTEGER,
    discounted_plan_id BIGINT,
    last_discount_units NUMERIC(78, 0),
    beneficiary TEXT,
    fallback TEXT,
    fallback_plan_id BIGINT,
    fallback_seats INTEGER,
    fallback_alternative_id BIGINT,
    by_permit2 INTEGER NOT NULL,
    in_alternative INTEGER NOT NULL,
    CONSTRAINT pk_subscriptions PRIMARY KEY (source_id, subscription_id),
    CONSTRAINT ck_subscriptions_credit_units_positive CHECK (credit_units >= 0),
    CONSTRAINT ck_subscriptions_shifted_flag CHECK (shifted IN (0, 1)),
    CONSTRAINT ck_subscriptions_usage_units_positive CHECK (usage_units >= 0),
    CONSTRAINT ck_subscriptions_max_per_period_units_positive CHECK (max_per_period_units >= 0),
    CONSTRAINT ck_subscriptions_left_units_positive CHECK (left_units >= 0),
    CONSTRAINT ck_subscriptions_amount_off_units_positive CHECK (amount_off_units >= 0),
    CONSTRAINT ck_subscriptions_last_discount_units_positive CHECK (last_discount_units >= 0),
    CONSTRAINT ck_subscriptions_by_permit2_flag CHECK (by_permit2 IN (0, 1)),
    CONSTRAINT ck_subscriptions_in_alternative_flag CHECK (in_alternative IN (0, 1)),
    CONSTRAINT fk_subscriptions_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE INDEX ix_subscriptions_source_id_status_next_due ON subscriptions (source_id, status, next_due);

CREATE TABLE payments (
    source_id INTEGER NOT NULL,
    payment_id BYTEA NOT NULL,
    payer TEXT NOT NULL,
    payee TEXT NOT NULL,
    token TEXT NOT NULL,
    amount_units NUMERIC(78, 0) NOT NULL,
    operator TEXT,
    authorize_before BIGINT NOT NULL,
    capture_before BIGINT NOT NULL,
    refund_before BIGINT NOT NULL,
    dispute_window BIGINT NOT NULL,
    arbiter TEXT,
    ruling_timeout BIGINT NOT NULL,
    default_payee_bps INTEGER NOT NULL,
    max_arbiter_fee_bps INTEGER NOT NULL,
    min_fee_bps INTEGER NOT NULL,
    max_fee_bps INTEGER NOT NULL,
    fee_receiver TEXT,
    milestones_root BYTEA NOT NULL,
    salt NUMERIC(78, 0) NOT NULL,
    collector TEXT,
    status TEXT NOT NULL,
    held_units NUMERIC(78, 0) NOT NULL,
    captured_units NUMERIC(78, 0) NOT NULL,
    returned_units NUMERIC(78, 0) NOT NULL,
    arbiter_units NUMERIC(78, 0) NOT NULL,
    refunded_units NUMERIC(78, 0) NOT NULL,
    since BIGINT NOT NULL,
    milestones INTEGER NOT NULL,
    CONSTRAINT pk_payments PRIMARY KEY (source_id, payment_id),
    CONSTRAINT ck_payments_amount_units_positive CHECK (amount_units >= 0),
    CONSTRAINT ck_payments_salt_positive CHECK (salt >= 0),
    CONSTRAINT ck_payments_held_units_positive CHECK (held_units >= 0),
    CONSTRAINT ck_payments_captured_units_positive CHECK (captured_units >= 0),
    CONSTRAINT ck_payments_returned_units_positive CHECK (returned_units >= 0),
    CONSTRAINT ck_payments_arbiter_units_positive CHECK (arbiter_units >= 0),
    CONSTRAINT ck_payments_refunded_units_positive CHECK (refunded_units >= 0),
    CONSTRAINT fk_payments_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE INDEX ix_payments_source_id_payee ON payments (source_id, payee);

CREATE TABLE payment_totals (
    source_id INTEGER NOT NULL,
    payee TEXT NOT NULL,
    token TEXT NOT NULL,
    payments BIGINT NOT NULL,
    sum_units NUMERIC(78, 0) NOT NULL,
    CONSTRAINT pk_payment_totals PRIMARY KEY (source_id, payee, token),
    CONSTRAINT ck_payment_totals_sum_units_positive CHECK (sum_units >= 0),
    CONSTRAINT fk_payment_totals_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE TABLE revoked_payments (
    source_id INTEGER NOT NULL,
    payment_id BYTEA NOT NULL,
    CONSTRAINT pk_revoked_payments PRIMARY KEY (source_id, payment_id),
    CONSTRAINT fk_revoked_payments_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE TABLE payment_invoices (
    source_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    payee TEXT NOT NULL,
    number BIGINT NOT NULL,
    payer TEXT NOT NULL,
    token TEXT NOT NULL,
    payment_id BYTEA NOT NULL,
    salt NUMERIC(78, 0) NOT NULL,
    occasion TEXT NOT NULL,
    milestone INTEGER,
    total_units NUMERIC(78, 0) NOT NULL,
    fiat_currency TEXT,
    fiat_units NUMERIC(78, 0),
    fiat_evidence TEXT,
    block_number BIGINT NOT NULL,
    block_hash BYTEA NOT NULL,
    block_time BIGINT NOT NULL,
    transaction_hash BYTEA NOT NULL,
    log_index BIGINT NOT NULL,
    CONSTRAINT pk_payment_invoices PRIMARY KEY (source_id, kind, payee, number),
    CONSTRAINT ck_payment_invoices_salt_positive CHECK (salt >= 0),
    CONSTRAINT ck_payment_invoices_total_units_positive CHECK (total_units >= 0),
    CONSTRAINT ck_payment_invoices_fiat_units_positive CHECK (fiat_units >= 0),
    CONSTRAINT ck_payment_invoices_kind_known CHECK (kind IN ('invoice', 'credit_note')),
    CONSTRAINT fk_payment_invoices_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE INDEX ix_payment_invoices_source_id_payment_id ON payment_invoices (source_id, payment_id);

CREATE TABLE evidence (
    hash BYTEA NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    content BYTEA NOT NULL,
    CONSTRAINT pk_evidence PRIMARY KEY (hash)
);

CREATE TABLE expected_payments (
    source_id INTEGER NOT NULL,
    receiver TEXT NOT NULL,
    invoice BYTEA NOT NULL,
    address TEXT NOT NULL,
    token TEXT NOT NULL,
    amount_units NUMERIC(78, 0) NOT NULL,
    valid_before BIGINT,
    tolerance_units NUMERIC(78, 0) NOT NULL,
    symbol TEXT NOT NULL,
    decimals INTEGER NOT NULL,
    from_block BIGINT,
    CONSTRAINT pk_expected_payments PRIMARY KEY (source_id, receiver, invoice),
    CONSTRAINT ck_expected_payments_amount_units_positive CHECK (amount_units >= 0),
    CONSTRAINT ck_expected_payments_tolerance_units_positive CHECK (tolerance_units >= 0),
    CONSTRAINT fk_expected_payments_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE TABLE deposits (
    source_id INTEGER NOT NULL,
    receiver TEXT NOT NULL,
    invoice BYTEA NOT NULL,
    token TEXT NOT NULL,
    received_units NUMERIC(78, 0) NOT NULL,
    standing_units NUMERIC(78, 0) NOT NULL,
    advance_units NUMERIC(78, 0) NOT NULL,
    credit_units NUMERIC(78, 0) NOT NULL,
    waived_units NUMERIC(78, 0),
    CONSTRAINT pk_deposits PRIMARY KEY (source_id, receiver, invoice, token),
    CONSTRAINT ck_deposits_received_units_positive CHECK (received_units >= 0),
    CONSTRAINT ck_deposits_standing_units_positive CHECK (standing_units >= 0),
    CONSTRAINT ck_deposits_advance_units_positive CHECK (advance_units >= 0),
    CONSTRAINT ck_deposits_credit_units_positive CHECK (credit_units >= 0),
    CONSTRAINT ck_deposits_waived_units_positive CHECK (waived_units >= 0),
    CONSTRAINT fk_deposits_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE TABLE sales (
    source_id INTEGER NOT NULL,
    merchant TEXT NOT NULL,
    invoice BYTEA NOT NULL,
    token TEXT NOT NULL,
    sold_units NUMERIC(78, 0) NOT NULL,
    refunded_units NUMERIC(78, 0) NOT NULL,
    CONSTRAINT pk_sales PRIMARY KEY (source_id, merchant, invoice, token),
    CONSTRAINT ck_sales_sold_units_positive CHECK (sold_units >= 0),
    CONSTRAINT ck_sales_refunded_units_positive CHECK (refunded_units >= 0),
    CONSTRAINT fk_sales_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE TABLE quote_totals (
    source_id INTEGER NOT NULL,
    merchant TEXT NOT NULL,
    token TEXT NOT NULL,
    quotes BIGINT NOT NULL,
    sum_units NUMERIC(78, 0) NOT NULL,
    CONSTRAINT pk_quote_totals PRIMARY KEY (source_id, merchant, token),
    CONSTRAINT ck_quote_totals_sum_units_positive CHECK (sum_units >= 0),
    CONSTRAINT fk_quote_totals_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE TABLE used_numbers (
    source_id INTEGER NOT NULL,
    merchant TEXT NOT NULL,
    word NUMERIC(78, 0) NOT NULL,
    bits NUMERIC(78, 0) NOT NULL,
    CONSTRAINT pk_used_numbers PRIMARY KEY (source_id, merchant, word),
    CONSTRAINT ck_used_numbers_word_positive CHECK (word >= 0),
    CONSTRAINT ck_used_numbers_bits_positive CHECK (bits >= 0),
    CONSTRAINT fk_used_numbers_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE TABLE sale_invoices (
    source_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    payee TEXT NOT NULL,
    number BIGINT NOT NULL,
    payer TEXT NOT NULL,
    token TEXT NOT NULL,
    reference BYTEA NOT NULL,
    paid_by TEXT NOT NULL,
    quote_id BYTEA,
    address TEXT,
    total_units NUMERIC(78, 0) NOT NULL,
    waived_units NUMERIC(78, 0) NOT NULL,
    fiat_currency TEXT,
    fiat_units NUMERIC(78, 0),
    fiat_evidence TEXT,
    block_number BIGINT NOT NULL,
    block_hash BYTEA NOT NULL,
    block_time BIGINT NOT NULL,
    transaction_hash BYTEA NOT NULL,
    log_index BIGINT NOT NULL,
    CONSTRAINT pk_sale_invoices PRIMARY KEY (source_id, kind, payee, number),
    CONSTRAINT ck_sale_invoices_total_units_positive CHECK (total_units >= 0),
    CONSTRAINT ck_sale_invoices_waived_units_positive CHECK (waived_units >= 0),
    CONSTRAINT ck_sale_invoices_fiat_units_positive CHECK (fiat_units >= 0),
    CONSTRAINT ck_sale_invoices_kind_known CHECK (kind IN ('invoice', 'credit_note')),
    CONSTRAINT fk_sale_invoices_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE INDEX ix_sale_invoices_source_id_reference ON sale_invoices (source_id, reference);

CREATE TABLE wallet_channels (
    chain_id BIGINT NOT NULL,
    contract TEXT NOT NULL,
    channel_id BYTEA NOT NULL,
    payer TEXT NOT NULL,
    payer_authorizer TEXT,
    receiver TEXT NOT NULL,
    receiver_authorizer TEXT NOT NULL,
    token TEXT NOT NULL,
    withdraw_delay_s BIGINT NOT NULL,
    salt BYTEA NOT NULL,
    key TEXT,
    key_limit_sum NUMERIC(78, 0),
    key_valid_before BIGINT,
    key_signature BYTEA,
    signed_sum NUMERIC(78, 0) NOT NULL,
    signature BYTEA,
    usable_sum NUMERIC(78, 0) NOT NULL,
    day BIGINT NOT NULL,
    day_units NUMERIC(78, 0) NOT NULL,
    request TEXT,
    request_units NUMERIC(78, 0),
    per_voucher NUMERIC(78, 0),
    per_channel NUMERIC(78, 0),
    per_day NUMERIC(78, 0),
    CONSTRAINT pk_wallet_channels PRIMARY KEY (chain_id, contract, channel_id),
    CONSTRAINT ck_wallet_channels_signed_sum_positive CHECK (signed_sum >= 0),
    CONSTRAINT ck_wallet_channels_usable_sum_positive CHECK (usable_sum >= 0),
    CONSTRAINT ck_wallet_channels_day_units_positive CHECK (day_units >= 0),
    CONSTRAINT ck_wallet_channels_request_units_positive CHECK (request_units >= 0),
    CONSTRAINT ck_wallet_channels_per_voucher_positive CHECK (per_voucher >= 0),
    CONSTRAINT ck_wallet_channels_per_channel_positive CHECK (per_channel >= 0),
    CONSTRAINT ck_wallet_channels_per_day_positive CHECK (per_day >= 0),
    CONSTRAINT ck_wallet_channels_key_limit_sum_positive CHECK (key_limit_sum >= 0)
);

CREATE TABLE till_channels (
    chain_id BIGINT NOT NULL,
    contract TEXT NOT NULL,
    channel_id BYTEA NOT NULL,
    payer TEXT NOT NULL,
    payer_authorizer TEXT,
    receiver TEXT NOT NULL,
    receiver_authorizer TEXT NOT NULL,
    token TEXT NOT NULL,
    withdraw_delay_s BIGINT NOT NULL,
    salt BYTEA NOT NULL,
    key TEXT,
    key_limit_sum NUMERIC(78, 0),
    key_valid_before BIGINT,
    key_signature BYTEA,
    taken_sum NUMERIC(78, 0) NOT NULL,
    signature BYTEA NOT NULL,
    claimed_sum NUMERIC(78, 0) NOT NULL,
    taken_at BIGINT NOT NULL,
    refusal TEXT,
    CONSTRAINT pk_till_channels PRIMARY KEY (chain_id, contract, channel_id),
    CONSTRAINT ck_till_channels_taken_sum_positive CHECK (taken_sum >= 0),
    CONSTRAINT ck_till_channels_claimed_sum_positive CHECK (claimed_sum >= 0),
    CONSTRAINT ck_till_channels_key_limit_sum_positive CHECK (key_limit_sum >= 0)
);

CREATE TABLE mirrored_channels (
    source_id INTEGER NOT NULL,
    channel_id BYTEA NOT NULL,
    payer TEXT NOT NULL,
    payer_authorizer TEXT,
    receiver TEXT NOT NULL,
    receiver_authorizer TEXT NOT NULL,
    token TEXT NOT NULL,
    withdraw_delay_s BIGINT NOT NULL,
    salt BYTEA NOT NULL,
    opening BIGINT NOT NULL,
    deposited_units NUMERIC(78, 0) NOT NULL,
    claimed_units NUMERIC(78, 0) NOT NULL,
    withdrawing_units NUMERIC(78, 0) NOT NULL,
    withdrawal_since BIGINT NOT NULL,
    closing INTEGER NOT NULL,
    CONSTRAINT pk_mirrored_channels PRIMARY KEY (source_id, channel_id),
    CONSTRAINT ck_mirrored_channels_deposited_units_positive CHECK (deposited_units >= 0),
    CONSTRAINT ck_mirrored_channels_claimed_units_positive CHECK (claimed_units >= 0),
    CONSTRAINT ck_mirrored_channels_withdrawing_units_positive CHECK (withdrawing_units >= 0),
    CONSTRAINT ck_mirrored_channels_closing_flag CHECK (closing IN (0, 1)),
    CONSTRAINT fk_mirrored_channels_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE TABLE receiver_totals (
    source_id INTEGER NOT NULL,
    receiver TEXT NOT NULL,
    token TEXT NOT NULL,
    claimed_units NUMERIC(78, 0) NOT NULL,
    settled_units NUMERIC(78, 0) NOT NULL,
    CONSTRAINT pk_receiver_totals PRIMARY KEY (source_id, receiver, token),
    CONSTRAINT ck_receiver_totals_claimed_units_positive CHECK (claimed_units >= 0),
    CONSTRAINT ck_receiver_totals_settled_units_positive CHECK (settled_units >= 0),
    CONSTRAINT fk_receiver_totals_sources FOREIGN KEY(source_id) REFERENCES sources (source_id)
);

CREATE VIEW journal AS
SELECT
    lines.chain_id,
    lines.contract,
    lines.contract_address,
    lines.entry_number AS entry,
    lines.position AS line,
    to_char(to_timestamp(lines.block_time) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS time,
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
    '0x' || encode(lines.transaction_hash, 'hex') AS transaction_hash,
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
        (postings.units || 'e-' || tokens.decimals)::NUMERIC AS amount
    FROM sources
    INNER JOIN entries ON entries.source_id = sources.source_id
    INNER JOIN postings ON postings.source_id = entries.source_id AND postings.entry_number = entries.entry_number
    LEFT JOIN tokens ON tokens.chain_id = sources.chain_id AND tokens.address = postings.token
) AS lines;

CREATE VIEW trial_balance AS
SELECT
    sources.chain_id,
    sources.kind AS contract,
    sources.contract AS contract_address,
    balances.account,
    (balances.debit_units || 'e-' || tokens.decimals)::NUMERIC AS debit,
    (balances.credit_units || 'e-' || tokens.decimals)::NUMERIC AS credit,
    tokens.symbol,
    tokens.decimals,
    balances.token,
    balances.debit_units,
    balances.credit_units,
    balances.entry_number AS last_entry,
    sources.final_number AS block,
    to_char(to_timestamp(sources.final_time) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS time
FROM sources
INNER JOIN balances ON balances.source_id = sources.source_id
LEFT JOIN tokens ON tokens.chain_id = sources.chain_id AND tokens.address = balances.token;

CREATE VIEW documents AS
SELECT
    sources.chain_id,
    sources.kind AS contract,
    sources.contract AS contract_address,
    numbered.kind,
    numbered.payee,
    numbered.number,
    to_char(to_timestamp(numbered.block_time) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS time,
    numbered.payer,
    (numbered.total_units || 'e-' || tokens.decimals)::NUMERIC AS total,
    tokens.symbol,
    tokens.decimals,
    numbered.token,
    numbered.total_units,
    numbered.fiat_currency,
    numbered.fiat_units,
    numbered.fiat_evidence,
    numbered.subject,
    numbered.block_number AS block,
    '0x' || encode(numbered.transaction_hash, 'hex') AS transaction_hash,
    numbered.log_index
FROM (
    SELECT source_id, kind, payee, number, payer, token, total_units, fiat_currency, fiat_units, fiat_evidence,
        block_number, block_time, transaction_hash, log_index, 'charge ' || subscription_id || '/' || charge_number AS subject
    FROM invoices
    UNION ALL
    SELECT source_id, kind, payee, number, payer, token, total_units, fiat_currency, fiat_units, fiat_evidence,
        block_number, block_time, transaction_hash, log_index, 'payment ' || '0x' || encode(payment_id, 'hex') AS subject
    FROM payment_invoices
    UNION ALL
    SELECT source_id, kind, payee, number, payer, token, total_units, fiat_currency, fiat_units, fiat_evidence,
        block_number, block_time, transaction_hash, log_index, 'invoice ' || '0x' || encode(reference, 'hex') AS subject
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
    to_char(to_timestamp(events.block_time) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS time,
    events.name,
    CASE WHEN events.block_number <= sources.final_number THEN 'final' ELSE 'pending' END AS status,
    '0x' || encode(events.block_hash, 'hex') AS block_hash,
    '0x' || encode(events.transaction_hash, 'hex') AS transaction_hash,
    '0x' || encode(events.topics, 'hex') AS topics,
    '0x' || encode(events.data, 'hex') AS data
FROM sources
INNER JOIN events ON events.source_id = sources.source_id;
