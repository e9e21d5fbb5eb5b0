"""Sound in: files and recordings of any format to a `Clip`."""
