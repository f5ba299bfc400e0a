"""Decode response bodies to rows.

There are a fast decoder, and a strict one that reports what is wrong.
"""
