"""What a sweep would cost: sizes of its networks, times of its cells."""
