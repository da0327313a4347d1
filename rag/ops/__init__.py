"""Operations around the question-answering core: batches, diagnosis, statistics, serialization."""
