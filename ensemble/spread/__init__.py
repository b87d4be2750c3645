"""`spread`: the share of lesion cells by region, and where it falls to (CN113838558A)."""
