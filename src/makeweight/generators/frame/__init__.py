"""What every generator shares: options, the table it was fitted to, and saving."""
