"""What is done to scores, masks or weights after a method has made them."""
