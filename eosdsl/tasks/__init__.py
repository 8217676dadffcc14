"""Procedural benchmark families and data readers: seeded, unlimited, short answers scored exactly."""
