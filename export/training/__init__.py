"""How the networks are trained: one file a pipeline, and the loop they share."""
