"""What people read of a run: the terminal's text and the HTML page, both made from the record alone."""
