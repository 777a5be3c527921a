"""Trends."""
def render(runs): return ""
