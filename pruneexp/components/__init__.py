"""Components: functions and classes that a configuration names, their options, and what tells one from another."""
