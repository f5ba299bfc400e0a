"""The crawl: plan windows, fetch with several workers, write with one."""
