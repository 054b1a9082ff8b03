"""Networks as multipartite graphs, and what their topology is."""
