"""The crawl: plan, fetch with several workers, write with one."""
