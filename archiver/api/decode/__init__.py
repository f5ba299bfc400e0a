"""Response bodies to rows: a fast decoder, and a strict one that explains what is wrong."""
