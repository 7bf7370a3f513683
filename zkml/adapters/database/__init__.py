"""A database by URL, through SQLAlchemy: SQLite by default, PostgreSQL where one is given."""
