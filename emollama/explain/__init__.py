"""Why a model answered as it did, and whether that explanation is true of the model."""
