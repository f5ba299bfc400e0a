"""Tables of reports: columns, labels, amounts of money, and output formats."""
