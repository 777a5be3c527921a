"""What a claim is, what records its assertions, its control and its pictures."""

__all__ = ["claim", "controls", "pictures", "recorder", "serving"]
