"""What a finished answer shows by itself: broken or sound, and how sure its writer was. Pure."""
