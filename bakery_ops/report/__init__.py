"""Values become output here: tables, a live view, JSON. The only room that knows `rich`."""
