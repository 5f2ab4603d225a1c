"""Receiving: fetching under rules, caching, choosing. What ``sources`` stands on for a network."""
