"""Which weights stay: one masker a file, each (layers, density, generator, notes) -> {weight name: bool mask}."""
