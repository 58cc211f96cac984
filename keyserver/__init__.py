"""A key holder as a small process on a host of its own: it wraps and unwraps environment keys, and writes down for whom."""
