"""One small real service that stands in for each microservice of the platform; `SERVICE_NAME` says which one it is.

Law: a command imports only what it needs. Twenty seed jobs and dozens of init containers start at once on a small
node, so FastAPI, SQLAlchemy and Alembic are loaded by the commands that use them and by nothing else. Passwords are
read from mounted files when a connection is opened, and never logged.
"""
