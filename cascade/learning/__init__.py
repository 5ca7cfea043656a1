"""Recordings of real models' answers, and what is learned from them."""
