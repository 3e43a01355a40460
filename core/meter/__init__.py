"""What a meter's values mean: quantities, units, scalers, quality; and a virtual meter."""
