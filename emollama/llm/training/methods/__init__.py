"""How reasons are trained: on twins, by preference (DPO), or by a reward that is checked (GRPO)."""
