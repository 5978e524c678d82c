"""The pieces every topic stands on: spec, seeding, device, export, wire format, runs."""
