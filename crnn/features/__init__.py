"""What the network hears: log-mel, its variations for training, and archives of it."""
