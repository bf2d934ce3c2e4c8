"""The database: results, outbox and what is asked of them."""
