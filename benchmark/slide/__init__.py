"""What a slide costs from end to end, and how many cores keep a GPU busy."""
