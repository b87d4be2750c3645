"""What a server holds of a machine's memory."""
