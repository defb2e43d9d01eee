"""Running a plan: executors, workers, failure policy, journal."""
