"""One script for each project that `benchmarks.ingest_peers` compares with; each runs in that project's environment."""
