"""Tables: columns, labels, money, and how they are written."""
