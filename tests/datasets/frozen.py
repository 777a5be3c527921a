"""Fingerprints of the frozen stand-ins: a generator that gives another one is another data set."""

DIGITS = "7e1948c59c171c3bdc6f3e160fa037d2853141237ed0679f6de41cd4cb2a3be1"
THINGS = "e4a2f58d5c47e3bea982bb967e422d6e3e83a5b164a9e73d83f1c37d34b7919b"
BUILDINGS = {  # by their side in pixels
    32: "6c9f942a42dde7916582940f1dff31b434b029b13ca7f76a4ef7f6c1c8628a5c",
    64: "3b60c0d6ae1767381a7cdd27f76c22e159006f87f42729720a7f176ea1c012a6",
}
