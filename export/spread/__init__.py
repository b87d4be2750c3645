"""`spread`: the network that reads the share of lesion cells off a region, its training and scoring (CN113838558A)."""
