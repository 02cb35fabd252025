"""Bridges to other libraries. Nothing is imported here, so that each is loaded only when it is asked for."""
