"""Decode response bodies to rows.

A fast decoder reads pages without faults. Any other page goes to a strict decoder, which reports the fault.
"""
