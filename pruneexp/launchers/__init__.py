"""Where jobs run: one worker process for each GPU, or a cluster. Without any, Hydra runs them in turn."""
