"""How important each weight is: one scorer a file, each (model, batches, generator) -> {weight name: score}."""
