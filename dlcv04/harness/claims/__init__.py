"""What a claim is, what records its assertions, its control and its pictures."""
