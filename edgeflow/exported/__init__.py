"""Writes networks in the formats that compilers other than LiteRT's read."""
