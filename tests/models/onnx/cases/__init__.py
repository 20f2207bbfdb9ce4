"""Nodes by topic; files are found by themselves."""
