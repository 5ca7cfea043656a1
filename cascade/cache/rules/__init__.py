"""What may be kept, under which key, for how long, and for whom it will do. Pure."""
