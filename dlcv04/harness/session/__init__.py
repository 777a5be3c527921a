"""A pytest session that judges claims: its suite, its order, its end, its child processes."""
