"""`tissue`: tiles that are not normal, and the regions that they make (CN113887377A)."""
