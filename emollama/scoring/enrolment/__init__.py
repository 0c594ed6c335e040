"""Enrolment curves: what a model gains by knowing a person's own clips."""
