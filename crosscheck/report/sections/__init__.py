"""One file a section: the record goes in, frozen data comes out; templates and the terminal only lay it out."""
