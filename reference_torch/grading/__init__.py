"""The exercises, and how what a learner wrote is graded."""
