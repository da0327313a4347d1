"""Models on this machine: resolve a name to checked files, and cache what is built from them."""
