"""What token reduction costs in accuracy: specs × tasks × budgets on one model."""
