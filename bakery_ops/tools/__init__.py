"""The programs we drive, one file each. "Build the command" and "read its output" are pure; `process` starts things."""
