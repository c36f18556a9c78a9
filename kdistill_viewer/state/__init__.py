"""What is open, selected and shown: plain Python with signals, no widget and no Qt."""
