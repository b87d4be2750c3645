"""The page's layers with a million nuclei."""
