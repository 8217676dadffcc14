"""What an anchor may take in, one file each."""
