"""The same network in half precision or in 8 bits: how it is made, and what it may stray."""
