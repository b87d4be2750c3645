"""What one more replica brings, and when the client or Envoy is the limit."""
