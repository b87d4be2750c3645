"""A cervical smear's class from the peaks of its lesion cells (CN115601749B)."""
