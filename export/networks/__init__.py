"""The networks of the pipelines, and what of each is served: one file a pipeline, and the parts they share."""
