"""What people see: documents and their writers, notation, diagrams; text appears here and nowhere below."""
