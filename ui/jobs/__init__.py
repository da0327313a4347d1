"""Background work of the page: engines, questions, ingestions and evaluations."""
