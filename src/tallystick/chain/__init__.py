"""The node: reading logs, sending transactions, and what can go wrong with both. The only place that knows web3."""
