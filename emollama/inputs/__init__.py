"""What enters a model: order, tasks and dropped channels as functions of the seed."""
