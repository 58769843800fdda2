"""Many models to many targets: `edgekit matrix`. Nothing twice, side by side, and whatever happens, said."""
