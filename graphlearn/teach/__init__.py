"""What a teacher calls: derive, draw, check."""
