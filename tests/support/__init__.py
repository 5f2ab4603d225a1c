"""What tests stand on: tiny clips, shared data, made-up parts. `from support.clips import ...`."""
