"""The archive for an assistant, by the Model Context Protocol."""
