"""A page of HTML that stands alone: a verdict, tables, details, a picture. It knows nothing of what it shows."""
