"""The ledger: a log of who did what when, without content."""
