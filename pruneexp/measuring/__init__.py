"""What a record says of a network and its masks: each function (network, masks) -> fields of the record."""
