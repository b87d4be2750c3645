"""More requests than the replicas can take."""
