"""Teams: the rules that give cost to teams, and money by them."""
