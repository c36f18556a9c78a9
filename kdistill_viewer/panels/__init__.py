"""The parts of the window around the image; each shows a piece of the state and says what the reader did."""
