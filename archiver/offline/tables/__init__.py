"""Tables of reports: columns, labels, amounts and output formats."""
