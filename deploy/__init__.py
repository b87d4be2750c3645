"""Where the pipelines run: on this machine (`local`), in an image, on a cluster."""
