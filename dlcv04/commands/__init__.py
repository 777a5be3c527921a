"""What the pictures' commands do, below the doors in `dlcv04.cli`: they say and write, and raise what went wrong."""
